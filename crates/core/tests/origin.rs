//! Case C37, the decision: which posts may act.

use authgate_core::hosts::Hosts;
use authgate_core::network::Network;
use authgate_core::origin::may_post;
use authgate_core::request::{Method, RequestHead};
use proptest::prelude::*;

fn may(fields: &[(&str, &str)]) -> bool {
    let lookup =
        |name: &str| fields.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_bytes());
    may_post(&RequestHead {
        method: Method::Post,
        method_name: b"POST",
        target: Some(b"/authgate/login"),
        query: b"",
        host: lookup("host"),
        scheme: None,
        network: Network::Unix,
        server_names: Hosts::NONE,
        tls: true,
        cookies: &[],
        authorization: None,
        fields: &lookup,
    })
}

fn from(origin: &str, host: &str) -> bool {
    may(&[("origin", origin), ("host", host)])
}

#[test]
fn c37_fetch_metadata_decides_alone() {
    let host = ("host", "gate.example");
    for site in ["same-origin", "none"] {
        assert!(may(&[("sec-fetch-site", site), host]), "{site}");
        assert!(may(&[("sec-fetch-site", site), ("origin", "https://front.example"), host]));
    }
    for site in ["cross-site", "same-site", "", "Same-Origin", "same-origin, none", "null"] {
        assert!(!may(&[("sec-fetch-site", site), host]), "{site}");
        assert!(!may(&[("sec-fetch-site", site), ("origin", "https://gate.example"), host]));
    }
}

#[test]
fn c37_the_origin_is_this_host() {
    for (origin, host) in [
        ("https://gate.example", "gate.example"),
        ("http://gate.example", "gate.example"),
        ("https://GATE.example", "gate.EXAMPLE"),
        ("HTTPS://gate.example", "gate.example"),
        ("https://gate.example", "gate.example:443"),
        ("https://gate.example:443", "gate.example"),
        ("http://gate.example:80", "gate.example"),
        ("http://gate.example:8080", "gate.example:8080"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("https://[::1]", "[::1]:443"),
    ] {
        assert!(from(origin, host), "{origin} {host}");
    }
}

#[test]
fn c37_every_other_origin_is_refused() {
    for (origin, host) in [
        ("null", "gate.example"),
        ("null", "null"),
        ("", "gate.example"),
        ("https://evil.com", "gate.example"),
        ("https://gate.example.evil.com", "gate.example"),
        ("https://evilgate.example", "gate.example"),
        ("https://gate.example.", "gate.example"),
        ("https://gate.example:8443", "gate.example"),
        ("http://gate.example:443", "gate.example"),
        ("https://gate.example:80", "gate.example"),
        ("http://gate.example", "gate.example:443"),
        ("https://gate.example:0443", "gate.example:8443"),
        ("https://gate.example:", "gate.example"),
        ("https://gate.example:99999", "gate.example"),
        ("https://gate.example:+443", "gate.example"),
        ("https://gate.example/", "gate.example"),
        ("https://gate.example/x", "gate.example"),
        ("https://gate.example?x", "gate.example"),
        ("https://gate.example#x", "gate.example"),
        ("https://evil.com@gate.example", "gate.example"),
        ("https://gate.example@evil.com", "gate.example"),
        ("https://evil.com https://gate.example", "gate.example"),
        ("https://gate.example, https://evil.com", "gate.example"),
        ("ftp://gate.example", "gate.example"),
        ("moz-extension://gate.example", "gate.example"),
        ("gate.example", "gate.example"),
        ("//gate.example", "gate.example"),
        ("https://", ""),
        ("https://@", "@"),
        ("https://[::1", "[::1"),
        ("https://[::1]x:443", "[::1]"),
        ("https://gate.example", ""),
    ] {
        assert!(!from(origin, host), "{origin} {host}");
    }
    assert!(!may(&[("origin", "https://gate.example")]), "without Host");
}

#[test]
fn c37_a_client_that_is_no_browser_may_post() {
    assert!(may(&[]));
    assert!(may(&[("host", "gate.example"), ("referer", "https://evil.com/")]));
}

proptest! {
    #[test]
    fn c37_no_origin_panics(origin in ".{0,30}|https?://[\\[\\]:@a0./%]{0,12}", host in ".{0,20}|[\\[\\]:@a0.]{0,8}") {
        from(&origin, &host);
        from(&format!("https://{host}"), &host);
    }

    #[test]
    fn c37_only_the_same_host_and_port_pass(ours in "[a-c]{1,2}(:(80|443|81))?", theirs in "[a-c]{1,2}(:(80|443|81))?") {
        let whole = |text: &str| if text.contains(':') { text.into() } else { format!("{text}:443") };
        prop_assert_eq!(from(&format!("https://{theirs}"), &ours), whole(&theirs) == whole(&ours));
    }
}
