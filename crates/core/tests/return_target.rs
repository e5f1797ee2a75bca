//! Group D of the cases where a login may return to other hosts. The oracle is a WHATWG URL parser.

#![allow(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod cases;

use authgate_core::hosts::{HostPattern, Hosts};
use authgate_core::return_path::{ReturnPath, encode, from_query};
use authgate_core::return_target::{Bounds, ReturnTarget, Schemes};
use cases::cases;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use url::{Host, Url};

const GATE: &str = "/authgate/";
const LISTED: [&str; 4] = ["app.example.com", ".example.org", "*.example.net", "192.0.2.7"];
const OWN: &str = "login.example.com";

fn hosts() -> Hosts {
    LISTED.into_iter().map(|text| HostPattern::parse(text).unwrap()).collect()
}

fn parse_by(raw: &[u8], schemes: Schemes) -> ReturnTarget {
    let hosts = hosts();
    ReturnTarget::parse(
        raw,
        &Bounds { gate_path: GATE, hosts: &hosts, own_host: Some(OWN), schemes },
    )
}

fn parse(raw: &[u8]) -> ReturnTarget {
    parse_by(raw, Schemes::HttpAndHttps)
}

fn is_taken(raw: &str) -> bool {
    let target = parse(raw.as_bytes());
    assert!(target.as_str() == raw || target.as_str() == "/", "{raw}");
    raw != "/" && target.as_str() == raw
}

#[test]
fn d50_listed_hosts_are_taken_byte_for_byte() {
    for (url, origin) in [
        ("https://app.example.com/", "https://app.example.com"),
        ("http://app.example.com/", "http://app.example.com"),
        (
            "https://app.example.com:8443/graph?g0.expr=up{job=%22x%22}",
            "https://app.example.com:8443",
        ),
        ("https://APP.Example.com/x", "https://APP.Example.com"),
        ("https://example.org/a?u=https://x/", "https://example.org"),
        ("https://a.b.example.org/caf%C3%A9#x", "https://a.b.example.org"),
        ("https://a.example.net:1/", "https://a.example.net:1"),
        ("http://192.0.2.7:8080/", "http://192.0.2.7:8080"),
        ("https://login.example.com/x", "https://login.example.com"),
        ("https://LOGIN.example.com:444/x", "https://LOGIN.example.com:444"),
        ("https://app.example.com/@evil.com", "https://app.example.com"),
        ("https://app.example.com/authgate/session", "https://app.example.com"),
    ] {
        assert!(is_taken(url), "{url}");
        assert_eq!(parse(url.as_bytes()).origin(), Some(origin));
        let query = format!("rd={}", encode(url.as_bytes()));
        assert_eq!(from_query(query.as_bytes()).as_deref(), Some(url.as_bytes()));
    }
    assert_eq!(parse(b"/x").origin(), None);
    assert_eq!(parse(b"https://evil.com/").origin(), None);
}

/// Written with a host that is listed (`app.example.com`, or below `example.org`), as others were
/// led astray.
const HOSTILE: &[&str] = &[
    "https://app.example.com@evil.com/",
    "https://app.example.com:443@evil.com/",
    "https://app.example.com:@evil.com/",
    "https://evil.com@app.example.com/",
    "https://@app.example.com/",
    "https://:@app.example.com/",
    "https://a:b@app.example.com/",
    "https://app.example.com%40evil.com/",
    "https://evil.com%2f@app.example.com/",
    "https://evil.com%2fapp.example.com/",
    "https://evil.com%2f.example.org/",
    "https://evil.com%5c.example.org/",
    "https://evil.com%00.example.org/",
    "https://evil.com%23.example.org/",
    "https://evil.com%3f.example.org/",
    "https://evil.com\\.example.org/",
    "https://evil.com\\@app.example.com/",
    "https://app.example.com\\@evil.com/",
    "https://app.example.com\\.evil.com/",
    "https://app.example.com\\/",
    "https:\\\\app.example.com/",
    "https:\\/app.example.com/",
    "https:/\\app.example.com/",
    "https:/app.example.com/",
    "https:app.example.com/",
    "https:///app.example.com/",
    "https:////app.example.com/",
    "https://evil.com#.example.org/",
    "https://evil.com?.example.org/",
    "https://evil.com#@app.example.com/",
    "https://evil.com?@app.example.com/",
    "https://evil.com/.example.org",
    "https://evil.com/@app.example.com/",
    "https://evil.com/app.example.com/",
    "https://evil.com:443.example.org/",
    "https://evil.com;.example.org/",
    "https://evil.com,app.example.com/",
    "https://evil.com&.example.org/",
    "https://app.example.com.evil.com/",
    "https://app.example.comevil.com/",
    "https://evilapp.example.com/",
    "https://evilexample.org/",
    "https://evil-example.org/",
    "https://x.app.example.com/",
    "https://example.net/",
    "https://app.example.com./",
    "https://app.example.com.:443/",
    "https://.app.example.com/",
    "https://..example.org/",
    "https://a..example.org/",
    "https://.example.org/",
    "https://*.example.org/",
    "https://a_b.example.org/",
    "https://app.example.com:/",
    "https://app.example.com:99999/",
    "https://app.example.com:65536/",
    "https://app.example.com:-1/",
    "https://app.example.com:+443/",
    "https://app.example.com:443x/",
    "https://app.example.com:443:443/",
    "https://app.example.com: 443/",
    "https://app.example.com:%34%34%33/",
    "https://app.example.com",
    "https://app.example.com?x",
    "https://app.example.com#x",
    "https://app.example.com:443",
    "https://",
    "https:///",
    "https://:443/",
    "HTTPS://app.example.com/",
    "Https://app.example.com/",
    "HtTp://app.example.com/",
    "ftp://app.example.com/",
    "ws://app.example.com/",
    "wss://app.example.com/",
    "javascript://app.example.com/%0aalert(1)",
    "data://app.example.com/",
    "file://app.example.com/",
    "view-source:https://app.example.com/",
    "blob:https://app.example.com/",
    "//app.example.com/",
    "///app.example.com/",
    "/\\app.example.com/",
    "\\\\app.example.com/",
    "app.example.com/",
    "@app.example.com/",
    " https://app.example.com/",
    "\thttps://app.example.com/",
    "\u{1}https://app.example.com/",
    "\u{feff}https://app.example.com/",
    "ht\ttps://app.example.com/",
    "https\t://app.example.com/",
    "https:\t//app.example.com/",
    "https:/\t/app.example.com/",
    "https://\tapp.example.com/",
    "https://evil.com\t.example.org/",
    "https://evil.com\n.example.org/",
    "https://evil.com\r.example.org/",
    "https://evil.com\0.example.org/",
    "https://evil.com .example.org/",
    "https://app.example.com \u{2e}evil.com/",
    "https://app.exam\nple.com/",
    "https://app.example.com/x\r\nSet-Cookie:a=b",
    "https://app.example.com/x%0d%0aSet-Cookie:a=b",
    "https://app.example.com\u{3002}evil.com/",
    "https://evil\u{3002}com\u{3002}example.org/",
    "https://app\u{ff0e}example\u{ff0e}com/",
    "https://app\u{ff61}example.com/",
    "https://evil.com\u{2100}.example.org/",
    "https://evil.com\u{2044}.example.org/",
    "https://evil.com\u{ff0f}.example.org/",
    "https://evil.com\u{ff03}.example.org/",
    "https://evil.com\u{ff20}app.example.com/",
    "https://\u{ff41}pp.example.com/",
    "https://app.example.com\u{ad}/",
    "https://xn--caf-dma\u{e9}.example.org/",
    "https://ex\u{e4}mple.org/",
    "https://%61pp.example.com/",
    "https://app%2eexample.com/",
    "https://app.example.com%2f/",
    "https://192.0.2.7.evil.com/",
    "https://192.0.2.07/",
    "https://192.0.519/",
    "https://0xc0.0.2.7/",
    "https://0xc0000207/",
    "https://3221225991/",
    "https://0300.0.02.07/",
    "https://192.0.2.7./",
    "https://[::ffff:192.0.2.7]/",
    "https://[::1]/",
    "https://[app.example.com]/",
    "https://1.example.org.1/",
    "https://app.example.com//evil.com",
    "https://app.example.com/\\evil.com",
    "https://app.example.com/..//evil.com",
    "https://app.example.com/%2f/evil.com",
    "https://app.example.com/%5cevil.com",
    "https://app.example.com/%252f/evil.com",
    "https://app.example.com/a/../b",
    "https://app.example.com/a/%2e%2e/b",
    "https://app.example.com/\u{e9}",
    "https://app.example.com/a b",
    "https://app.example.com/\"",
    "https://app.example.com/<x>",
    "https://app.example.com/authgate/login",
    "https://app.example.com/authgate/logout",
    "https://app.example.com/authgate/login?rd=/",
    "https://login.example.com/authgate/login",
    "https://login.example.com/authgate/%6cogout",
    "https://login.example.com@evil.com/",
    "https://login.example.com.evil.com/",
    "https://login.example.com\\.evil.com/",
    "https://evil.com/login.example.com",
    "https://x.login.example.com/",
    "https://app.example.com/, https://evil.com/",
    "https://evil.com/, https://app.example.com/",
    "https://evil.com https://app.example.com/",
    "https://https://app.example.com/",
    "https://http://app.example.com/",
    "https:// app.example.com/",
];

#[test]
fn d50_no_trick_with_a_listed_host_is_taken() {
    let mut taken = Vec::new();
    for raw in HOSTILE {
        taken.extend(is_taken(raw).then_some(*raw));
        for coded in [encode(raw.as_bytes()), encode(encode(raw.as_bytes()).as_bytes())] {
            assert!(!parse(coded.as_bytes()).as_str().starts_with("http"), "{coded}");
        }
    }
    assert_eq!(taken, Vec::<&str>::new());
}

#[test]
fn d50_without_a_list_only_the_own_host_is_taken() {
    let bounds = Bounds {
        gate_path: GATE,
        hosts: Hosts::NONE,
        own_host: Some(OWN),
        schemes: Schemes::HttpAndHttps,
    };
    for listed in ["https://app.example.com/", "https://example.org/", "http://192.0.2.7/"] {
        assert_eq!(ReturnTarget::parse(listed.as_bytes(), &bounds).as_str(), "/");
    }
    assert_eq!(
        ReturnTarget::parse(b"http://login.example.com/x", &bounds).as_str(),
        "http://login.example.com/x"
    );
    for own_host in [None, Some(""), Some("evil.com/"), Some("[::1]"), Some("_")] {
        let bounds = Bounds { own_host, ..bounds };
        for url in [
            "http://login.example.com/x",
            "http:///x",
            "http://evil.com/x",
            "http://evil.com//x",
            "http://[::1]/x",
            "http://_/x",
        ] {
            assert_eq!(
                ReturnTarget::parse(url.as_bytes(), &bounds).as_str(),
                "/",
                "{own_host:?} {url}"
            );
        }
    }
}

#[test]
fn d50_a_cookie_for_tls_is_not_led_to_plain_http() {
    for (url, schemes, taken) in [
        ("http://app.example.com/", Schemes::HttpsAlone, false),
        ("http://login.example.com/", Schemes::HttpsAlone, false),
        ("https://app.example.com/", Schemes::HttpsAlone, true),
        ("/x", Schemes::HttpsAlone, true),
        ("http://app.example.com/", Schemes::HttpAndHttps, true),
    ] {
        assert_eq!(parse_by(url.as_bytes(), schemes).as_str() == url, taken, "{url}");
    }
}

#[test]
fn d54_two_kibibytes_in_all() {
    let begin = "https://app.example.com/";
    let longest = format!("{begin}{}", "a".repeat(2048 - begin.len()));
    assert!(is_taken(&longest));
    assert!(!is_taken(&format!("{longest}a")));
}

/// Pieces that parsers stumble over, so that chance puts them together.
const PIECES: &[&str] = &[
    "https://",
    "http://",
    "https:",
    "HTTPS://",
    "//",
    "/",
    "\\",
    "app.example.com",
    "example.org",
    ".example.org",
    "example.net",
    "login.example.com",
    "192.0.2.7",
    "evil.com",
    "@",
    ":",
    "443",
    "99999",
    "0",
    "?",
    "#",
    ".",
    "..",
    "%2f",
    "%5c",
    "%40",
    "%2e",
    "%00",
    "%",
    "*",
    "_",
    "-",
    "xn--",
    "xn--a.",
    "xn--bcher-kva.",
    "0x7f",
    "1",
    "\t",
    "\n",
    " ",
    "\u{3002}",
    "\u{ff0f}",
    "\u{ff0e}",
    "\u{ad}",
    "\u{feff}",
    "[::1]",
    ";",
    "&",
    ",",
    "a",
    "A",
    "authgate/login",
    "\0",
];

fn mixtures() -> impl Strategy<Value = Vec<u8>> {
    let pieces = || {
        prop::collection::vec(prop::sample::select(PIECES), 0..8).prop_map(|pieces| pieces.concat())
    };
    let host = prop::sample::select(
        &["app.example.com", "a.example.org", "x.example.net", "192.0.2.7", "login.example.com"][..],
    );
    prop_oneof![
        pieces().prop_map(String::into_bytes),
        pieces().prop_map(|rest| format!("https://{rest}").into_bytes()),
        (pieces(), host.clone(), pieces())
            .prop_map(|(a, host, b)| format!("https://{a}{host}{b}").into_bytes()),
        (host, pieces()).prop_map(|(host, path)| format!("http://{host}/{path}").into_bytes()),
        "https://[a-z0-9.-]{0,12}\\.example\\.(org|net)(:[0-9]{0,6})?/[!-~]{0,20}"
            .prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..40),
    ]
}

/// A hostile string with one part cut out, doubled or replaced.
fn mutants() -> impl Strategy<Value = Vec<u8>> {
    let parts = (prop::sample::select(HOSTILE), any::<prop::sample::Index>(), 0..4usize, 0..3usize);
    (parts, prop::sample::select(PIECES)).prop_map(|((raw, at, cut, times), piece)| {
        let (before, rest) = raw.as_bytes().split_at(at.index(raw.len() + 1));
        let (_, after) = rest.split_at(rest.len().min(cut));
        [before, piece.repeat(times).as_bytes(), after].concat()
    })
}

/// Independent of the code under test.
fn is_listed(host: &str) -> bool {
    host == "app.example.com"
        || host == "example.org"
        || host.ends_with(".example.org")
        || host.ends_with(".example.net")
}

/// Where a browser on the login page goes, and that it is what was looked at.
fn check(target: &ReturnTarget) -> Result<(), TestCaseError> {
    let base = Url::parse("https://login.example.com/authgate/login").unwrap();
    let text = target.as_str();
    let Some(origin) = target.origin() else {
        prop_assert_eq!(base.join(text).unwrap().origin(), base.origin());
        return Ok(());
    };
    let there = match base.join(text) {
        Ok(there) => there,
        // A label that claims to be Punycode and is not: the browser goes nowhere.
        Err(_) if text.contains("xn--") => return Ok(()),
        Err(error) => return Err(TestCaseError::fail(format!("{text}: {error}"))),
    };
    let listed = match there.host().unwrap() {
        Host::Domain(name) => is_listed(name) || name == OWN,
        Host::Ipv4(address) => address.to_string() == "192.0.2.7",
        Host::Ipv6(_) => false,
    };
    prop_assert!(listed, "{}", there);
    prop_assert_eq!((there.username(), there.password()), ("", None));
    let (scheme, authority) = origin.split_once("://").unwrap();
    prop_assert_eq!(there.scheme(), scheme);
    let (host, port) =
        authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    prop_assert_eq!(there.host_str().unwrap(), host.to_ascii_lowercase());
    let default = if scheme == "https" { 443 } else { 80 };
    prop_assert_eq!(
        there.port_or_known_default().unwrap(),
        port.map_or(default, |port| port.parse().unwrap())
    );
    let path = text.strip_prefix(origin).unwrap();
    let by_the_rule = ReturnPath::parse(path.as_bytes(), GATE);
    prop_assert_eq!(by_the_rule.as_str(), path);
    prop_assert_eq!(there.join(path).unwrap(), there.clone());
    prop_assert!(!there.path().starts_with("//") && !there.path().contains('\\'));
    Ok(())
}

proptest! {
    #![proptest_config(cases(100_000))]

    #[test]
    fn d51_accepted_urls_lead_to_a_listed_host_and_stay(raw in prop_oneof![mixtures(), mutants()]) {
        for schemes in [Schemes::HttpAndHttps, Schemes::HttpsAlone] {
            let target = parse_by(&raw, schemes);
            prop_assert!(target.as_str() == "/" || target.as_str().as_bytes() == raw);
            prop_assert!(target.as_str().bytes().all(|byte| (0x21..0x7f).contains(&byte)));
            prop_assert!(schemes == Schemes::HttpAndHttps || !target.as_str().starts_with("http:"));
            check(&target)?;
        }
    }

    #[test]
    fn d51_paths_are_taken_as_ever(raw in prop_oneof![mixtures(), "/[!-~]{0,40}".prop_map(String::into_bytes)]) {
        let target = parse(&raw);
        if target.origin().is_none() {
            let path = ReturnPath::parse(&raw, GATE);
            prop_assert_eq!(target.as_str(), path.as_str());
        }
    }
}

#[test]
fn d51_the_mixtures_are_worth_something() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let taken = (0..2_000).filter(|_| {
        let raw = mixtures().new_tree(&mut runner).unwrap().current();
        parse(&raw).origin().is_some()
    });
    assert!(taken.count() > 100, "few URLs are taken at all");
}
