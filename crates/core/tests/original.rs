//! Case G85a: the request that another proxy asks about, and whose word is taken on it.

#![allow(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod support;

use authgate_core::hosts::HostAndPort;
use authgate_core::original::{Line, Original, Peer};
use authgate_core::request::{Method, Scheme};
use proptest::prelude::*;

/// Method, scheme, host, target.
type Told = (Option<String>, Option<Scheme>, Option<String>, String);

fn read(fields: &[(&str, &[u8])], peer: Peer) -> Option<Told> {
    let lines = |name: &str| {
        let mut found = fields.iter().filter(|(key, _)| *key == name);
        match (found.next(), found.next()) {
            (None, _) => Line::Absent,
            (Some((_, value)), None) => Line::One(value),
            (Some(_), Some(_)) => Line::Several,
        }
    };
    Original::read(&lines, peer).map(|original| {
        let target = String::from_utf8_lossy(original.target).into_owned();
        let host = original.host.map(|host| host.text.to_owned());
        (original.method.map(str::to_owned), original.scheme, host, target)
    })
}

fn told(fields: &[(&str, &str)]) -> Option<Told> {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    assert_eq!(read(&fields, Peer::Untrusted), None);
    read(&fields, Peer::Trusted)
}

fn whole(
    method: Option<&str>,
    scheme: Option<Scheme>,
    host: Option<&str>,
    target: &str,
) -> Option<Told> {
    Some((method.map(str::to_owned), scheme, host.map(str::to_owned), target.to_owned()))
}

#[test]
fn g85a_what_proxies_send() {
    let https = Some(Scheme::Https);
    for (fields, expected) in [
        (
            // nginx, ingress-nginx
            &[
                ("x-original-url", "https://app.example.com/metrics?x=/y"),
                ("x-original-method", "GET"),
            ][..],
            whole(Some("GET"), https, Some("app.example.com"), "/metrics?x=/y"),
        ),
        (&[("x-original-url", "/metrics")], whole(None, None, None, "/metrics")),
        (
            &[("x-original-url", "http://app.example.com:8080/")],
            whole(None, Some(Scheme::Http), Some("app.example.com:8080"), "/"),
        ),
        (
            // Traefik, Caddy
            &[
                ("x-forwarded-method", "POST"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "app.example.com"),
                ("x-forwarded-uri", "/api?x"),
            ],
            whole(Some("POST"), https, Some("app.example.com"), "/api?x"),
        ),
        (
            &[("x-forwarded-uri", "/ws"), ("x-forwarded-proto", "wss")],
            whole(None, https, None, "/ws"),
        ),
        (
            &[
                ("x-original-method", "GET"),
                ("x-forwarded-method", "GET"),
                ("x-forwarded-uri", "/a"),
            ],
            whole(Some("GET"), None, None, "/a"),
        ),
        (
            // Both, and they agree.
            &[
                ("x-original-url", "https://app.example.com/a"),
                ("x-forwarded-uri", "/a"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "app.example.com"),
            ],
            whole(None, https, Some("app.example.com"), "/a"),
        ),
        (
            &[("x-forwarded-uri", "/a,b;c"), ("x-forwarded-host", "[::1]:80")],
            whole(None, None, Some("[::1]:80"), "/a,b;c"),
        ),
    ] {
        assert_eq!(told(fields), expected, "{fields:?}");
    }
}

#[test]
fn g85a_the_method_of_the_one_is_none_of_the_other() {
    let fields =
        [("x-original-url", "/a"), ("x-forwarded-method", "GET"), ("x-forwarded-host", "evil.com")];
    assert_eq!(told(&fields), whole(None, None, None, "/a"));
}

#[test]
fn g85a_what_contradicts_itself_is_unknown() {
    let honest = ("x-forwarded-uri", "/admin");
    for smuggled in [
        ("x-original-url", "/metrics"),
        ("x-original-url", "https://app.example.com/metrics"),
        ("x-original-url", "https://app.example.com/admin?"),
        ("x-original-url", ""),
        ("x-original-url", "metrics"),
        ("x-forwarded-uri", "/metrics"),
        ("x-forwarded-uri", "/admin"),
    ] {
        assert_eq!(told(&[honest, smuggled]), None, "{smuggled:?}");
        assert_eq!(told(&[smuggled, honest]), None, "{smuggled:?}");
    }
    let forwarded = [
        honest,
        ("x-forwarded-method", "POST"),
        ("x-forwarded-host", "app.example.com"),
        ("x-forwarded-proto", "http"),
    ];
    assert!(told(&forwarded).is_some());
    for smuggled in [
        ("x-original-method", "GET"),
        ("x-original-method", "post"),
        ("x-original-url", "https://app.example.com/admin"),
        ("x-original-url", "http://app.example.com:80/admin"),
        ("x-forwarded-method", "POST"),
        ("x-forwarded-host", "app.example.com"),
        ("x-forwarded-proto", "http"),
    ] {
        assert_eq!(told(&[&forwarded[..], &[smuggled]].concat()), None, "{smuggled:?}");
    }
}

#[test]
fn g85a_what_is_malformed_is_unknown() {
    let (longest, long) = (format!("/{}", "a".repeat(8191)), format!("/{}", "a".repeat(8192)));
    assert!(told(&[("x-original-url", &longest)]).is_some());
    for url in [
        "",
        "metrics",
        "?/metrics",
        "*",
        "//",
        "https://app.example.com",
        "https://app.example.com?/x",
        "https:///x",
        "https:/x",
        "HTTPS://app.example.com/x",
        "ftp://app.example.com/x",
        "://app.example.com/x",
        "https://a@app.example.com/x",
        "https://app.example.com:/x",
        "https://app.example.com:99999/x",
        "https://app.example.com\\@evil.com/x",
        "https://a, https://b/x",
        "/a b",
        "/a\tb",
        "/a\0",
        "/a\r\nb",
        "/a\x7f",
        " /a",
        &long,
    ] {
        let taken = told(&[("x-original-url", url)]);
        assert_eq!(taken.is_some(), url == "//", "{url}");
        assert_eq!(told(&[("x-original-url", url), ("x-forwarded-uri", "/a")]), None, "{url}");
    }
    for uri in ["", "metrics", "https://app.example.com/x", "/a b", "/a\n", &long] {
        assert_eq!(told(&[("x-forwarded-uri", uri)]), None, "{uri}");
    }
    for (name, value) in [
        ("x-forwarded-method", ""),
        ("x-forwarded-method", "GET, POST"),
        ("x-forwarded-method", "GET POST"),
        ("x-forwarded-method", "G\u{c9}T"),
        ("x-forwarded-proto", ""),
        ("x-forwarded-proto", "https, http"),
        ("x-forwarded-proto", "HTTPS"),
        ("x-forwarded-host", ""),
        ("x-forwarded-host", "a.example, b.example"),
        ("x-forwarded-host", "a@b"),
        ("x-forwarded-host", "a/b"),
        ("x-original-method", "GET,"),
    ] {
        assert_eq!(told(&[("x-forwarded-uri", "/a"), (name, value)]), None, "{name}: {value}");
    }
    assert_eq!(told(&[]), None);
    assert_eq!(told(&[("x-forwarded-method", "GET"), ("x-original-method", "GET")]), None);
}

#[test]
fn g85a_bytes_beyond_ascii_pass_as_nginx_sends_them() {
    let told = read(&[("x-original-url", b"/caf\xc3\xa9\xff")], Peer::Trusted);
    assert_eq!(told.unwrap().3, "/caf\u{e9}\u{fffd}");
}

/// What the gate then decides about.
#[test]
fn g85a_the_head_is_that_of_the_request_that_is_asked_about() {
    let original = |target| Original {
        method: Some("POST"),
        scheme: Some(Scheme::Https),
        host: HostAndPort::read("app.example.com:8443"),
        target,
    };
    let asking = support::get("/verify?own=1").host("gate.example").tls().accept("text/html");
    asking.with_head(|asking| {
        let head = original(b"/a%20b?x=1?y").head(asking);
        assert_eq!((head.method, head.method_name), (Method::Post, &b"POST"[..]));
        assert_eq!((head.target, head.query), (Some(&b"/a%20b?x=1?y"[..]), &b"x=1?y"[..]));
        assert_eq!(head.host, Some(&b"app.example.com:8443"[..]));
        assert_eq!(head.scheme, Some(Scheme::Https));
        assert!(head.tls, "the connection is its own");
        assert_eq!((head.fields)("accept"), Some(&b"text/html"[..]));
        let head = original(b"/a").head(asking);
        assert_eq!(head.query, b"");
        // What is not told is not known, but the method, of which only GET and HEAD navigate.
        let bare = Original { method: None, scheme: None, host: None, target: b"/" };
        let head = bare.head(asking);
        assert_eq!((head.method, head.method_name), (Method::Get, &b""[..]));
        assert_eq!((head.host, head.scheme), (None, None));
    });
}

#[test]
fn methods_are_known_by_their_very_names() {
    for (name, method) in [
        ("GET", Method::Get),
        ("HEAD", Method::Head),
        ("POST", Method::Post),
        ("DELETE", Method::Delete),
        ("get", Method::Other),
        ("PUT", Method::Other),
        ("GETX", Method::Other),
        ("", Method::Other),
    ] {
        assert_eq!(Method::named(name.as_bytes()), method, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn g85a_nothing_panics_and_what_is_read_is_what_was_sent(
        url in prop::collection::vec(any::<u8>(), 0..30),
        piece in "(https?://)?[a-z@:/\\\\?# .]{0,12}(/[!-~]{0,10})?",
        method in "[A-Z ,]{0,5}",
    ) {
        for url in [&url[..], piece.as_bytes()] {
            let fields = [("x-original-url", url), ("x-original-method", method.as_bytes())];
            prop_assert_eq!(read(&fields, Peer::Untrusted), None);
            if let Some((told, _, host, target)) = read(&fields, Peer::Trusted) {
                prop_assert_eq!(told.as_deref(), Some(&*method));
                prop_assert!(target.starts_with('/'));
                prop_assert!(String::from_utf8_lossy(url).ends_with(&target));
                prop_assert!(host.is_none_or(|host| !host.contains(['@', '/', '\\', '?', '#', ' '])));
            }
        }
    }
}
