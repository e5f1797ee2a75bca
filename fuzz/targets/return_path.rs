//! Where a login returns to. The first line has options: `s` https alone; the rest is what came as `rd`.
#![no_main]

use authgate_core::hosts::{HostPattern, Hosts};
use authgate_core::login_url::LoginUrl;
use authgate_core::return_path::{MAX_LENGTH, ReturnPath, encode, from_query};
use authgate_core::return_target::{Bounds, ReturnTarget, Schemes};
use authgate_fuzz::{cut, has, unquote};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use url::{Host, Url};

const GATE: &str = "/authgate/";
static HOSTS: LazyLock<Hosts> = LazyLock::new(|| {
    let listed = ["app.example.com", ".example.org", "*.example.net", "192.0.2.7"];
    listed.into_iter().flat_map(HostPattern::parse).collect()
});
static BASES: LazyLock<[Url; 2]> = LazyLock::new(|| {
    ["https://gate.example/authgate/login?rd=x", "http://gate.example:8080/authgate/login"]
        .map(|base| Url::parse(base).expect("a base"))
});

fuzz_target!(|data: &[u8]| {
    let (options, raw) = cut(data);
    path(raw);
    target(raw, has(options, b's'));
    query(raw);
    login_url(raw);
});

fn path(raw: &[u8]) {
    let there = ReturnPath::parse(raw, GATE);
    let there = there.as_str();
    assert!(there == "/" || there.as_bytes() == raw);
    assert!(there.len() <= MAX_LENGTH && there.bytes().all(|byte| byte.is_ascii_graphic()));
    // As it stands, and as a proxy or two may decode its path.
    let (path, query) = there.split_at(there.find('?').unwrap_or(there.len()));
    let decode = |text: &[u8]| percent_encoding::percent_decode(text).collect::<Vec<u8>>();
    let once = decode(path.as_bytes());
    for path in [path.as_bytes().to_vec(), once.clone(), decode(&once)] {
        let text = String::from_utf8_lossy(&path).into_owned() + query;
        assert!(!text.contains(['\r', '\n', '\\']), "{text:?}");
        for base in &*BASES {
            let url = base.join(&text).expect("an URL");
            assert_eq!(url.origin(), base.origin(), "{text:?}");
            let page = url.path().strip_prefix(GATE).and_then(|page| page.split('/').next());
            assert!(!matches!(page, Some("login" | "logout")), "{text:?}");
        }
    }
    // A browser goes exactly there.
    for base in &*BASES {
        let url = base.join(there).expect("an URL");
        assert_eq!(url.path().len(), there.find(['?', '#']).unwrap_or(there.len()), "{there:?}");
    }
}

fn target(raw: &[u8], https_alone: bool) {
    let schemes = if https_alone { Schemes::HttpsAlone } else { Schemes::HttpAndHttps };
    let own_host = Some("login.example.com");
    let bounds = Bounds { gate_path: GATE, hosts: &HOSTS, own_host, schemes };
    let target = ReturnTarget::parse(raw, &bounds);
    let Some(origin) = target.origin() else {
        assert_eq!(target.as_str(), ReturnPath::parse(raw, GATE).as_str());
        return;
    };
    assert_eq!(target.as_str().as_bytes(), raw);
    assert!(target.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
    let path = &target.as_str()[origin.len()..];
    assert_eq!(ReturnPath::parse(path.as_bytes(), GATE).as_str(), path);
    // A label that claims to be Punycode and is not: the browser goes nowhere.
    let Ok(url) = BASES[0].join(target.as_str()) else {
        return assert!(origin.to_ascii_lowercase().contains("xn--"), "{origin}");
    };
    assert!(https_alone <= (url.scheme() == "https"), "{url}");
    assert_eq!((url.username(), url.password()), ("", None));
    match url.host() {
        Some(Host::Domain(name)) => assert!(
            matches!(name, "app.example.com" | "example.org" | "login.example.com")
                || name.ends_with(".example.org")
                || name.ends_with(".example.net"),
            "{url}"
        ),
        Some(Host::Ipv4(address)) => assert_eq!(address.octets(), [192, 0, 2, 7]),
        other => panic!("{other:?} for {origin}"),
    }
    let (_, authority) = origin.split_once("://").expect("a scheme");
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    assert_eq!(url.host_str(), Some(&*host.to_ascii_lowercase()));
    let default = if url.scheme() == "https" { 443 } else { 80 };
    let port = if port.is_empty() { Ok(default) } else { port.parse() };
    assert_eq!(url.port_or_known_default(), port.ok());
}

fn query(raw: &[u8]) {
    let value = encode(raw);
    assert!(value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b)));
    assert_eq!(unquote(value.as_bytes()).as_deref(), Some(raw));
    let text = core::str::from_utf8(raw).ok();
    assert_eq!(
        from_query(format!("a=b&rd={value}").as_bytes()).as_deref(),
        text.map(str::as_bytes)
    );
    // The same bytes as a query: decoded once, or not at all.
    let is_text = unquote(raw).is_some_and(|bytes| core::str::from_utf8(&bytes).is_ok());
    let mut values = form_urlencoded::parse(raw).filter(|(name, _)| name == "rd");
    let expected = values.next().filter(|_| is_text && values.next().is_none());
    assert_eq!(from_query(raw), expected.map(|(_, value)| value.into_owned().into_bytes()));
}

fn login_url(raw: &[u8]) {
    let Some(login) = core::str::from_utf8(raw).ok().and_then(LoginUrl::parse) else { return };
    assert_eq!(login.as_str().as_bytes(), raw);
    let Ok(url) = Url::parse(login.as_str()) else {
        // The operator wrote it; a name that is none leads nowhere.
        return;
    };
    assert!(matches!(url.scheme(), "http" | "https"), "{url}");
    assert_eq!((url.username(), url.password(), url.query()), ("", None, None));
    assert_eq!(url.fragment(), None);
    assert_eq!(url.path(), &login.as_str()[login.origin().len()..]);
}
