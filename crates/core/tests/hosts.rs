//! Hosts: names as in nginx's `server_name`, and `host[:port]`.

#![allow(clippy::unwrap_used, reason = "a test stops where it is wrong")]

use authgate_core::hosts::{HostAndPort, HostPattern, Hosts};
use proptest::prelude::*;

fn listed(patterns: &[&str]) -> Hosts {
    patterns.iter().map(|text| HostPattern::parse(text).unwrap()).collect()
}

fn of_server(names: &[&str]) -> Hosts {
    names.iter().filter_map(|name| HostPattern::of_server(name)).collect()
}

#[test]
fn d55_a_name_is_that_host_alone() {
    let hosts = listed(&["App.example.com", "192.0.2.7"]);
    for host in ["app.example.com", "APP.EXAMPLE.COM", "192.0.2.7"] {
        assert!(hosts.allow(host), "{host}");
    }
    for host in [
        "",
        ".",
        "example.com",
        "x.app.example.com",
        "xapp.example.com",
        "app.example.com.",
        ".app.example.com",
        "app.example.comx",
        "app.example.com:443",
        "app.example.com/",
        "app.example.com.evil.com",
        "192.0.2.70",
        "192.0.2.8",
        "x.192.0.2.7",
        "192.0.2.7.",
        "app\u{3002}example.com",
        "app.example.com\0",
        "app.example.co",
    ] {
        assert!(!hosts.allow(host), "{host}");
    }
}

#[test]
fn d55_wildcards_hold_below_and_the_dot_for_itself_too() {
    let below = [
        "a.example.com",
        "a.b.example.com",
        "A.Example.Com",
        "xn--bcher-kva.example.com",
        "-.example.com",
    ];
    for (pattern, itself) in [(".example.com", true), ("*.example.com", false)] {
        let hosts = listed(&[pattern]);
        assert_eq!(hosts.allow("example.com"), itself);
        assert_eq!(hosts.allow("EXAMPLE.com"), itself);
        for host in below {
            assert!(hosts.allow(host), "{pattern} {host}");
        }
        for host in [
            "",
            "com",
            "evilexample.com",
            "evil-example.com",
            "example.com.evil.com",
            ".example.com",
            "a..example.com",
            "*.example.com",
            "a.example.com.",
            "a b.example.com",
            "a_b.example.com",
            "evil.com/.example.com",
            "evil.com\\.example.com",
            "evil.com#.example.com",
            "evil.com?.example.com",
            "evil.com@a.example.com",
            "evil.com:80.example.com",
            "evil.com%2f.example.com",
            "evil.com\t.example.com",
            "[::1].example.com",
        ] {
            assert!(!hosts.allow(host), "{pattern} {host}");
        }
    }
}

#[test]
fn d55_the_names_of_a_server() {
    let hosts =
        of_server(&["app.example.com", "www.*", "mail.example.*", ".example.org", "*.example.net"]);
    for host in [
        "app.example.com",
        "www.example.com",
        "WWW.x",
        "www.a.b.c",
        "mail.example.de",
        "mail.example.co.uk",
        "example.org",
        "a.example.org",
        "a.example.net",
    ] {
        assert!(hosts.allow(host), "{host}");
    }
    for host in [
        "www",
        "www.",
        "wwwx.example.com",
        "xwww.example.com",
        "mail.example",
        "mail.examplex.de",
        "example.net",
        "www.1",
    ] {
        assert!(!hosts.allow(host), "{host}");
    }
}

#[test]
fn d55_server_names_that_are_no_hosts_are_left_out() {
    for name in [
        "",
        "_",
        "~^app\\d+\\.example\\.com$",
        "~",
        "localhost:80",
        "--_",
        "a..b",
        "*",
        ".*",
        "caf\u{e9}.example",
    ] {
        assert_eq!(HostPattern::of_server(name), None, "{name}");
    }
    assert!(!of_server(&["", "_", "~."]).allow("evil.com"));
    assert!(!Hosts::default().allow("evil.com"));
    assert!(!Hosts::NONE.allow(""));
}

#[test]
fn d50_what_parsers_take_for_another_address_is_no_name() {
    let everything = listed(&[".example", ".com", ".test"]);
    for host in [
        "1.2.3.example.1",
        "0x7f.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "a.0x",
        "a.0x7f",
        "1.com.1",
    ] {
        assert!(!everything.allow(host), "{host}");
        assert!(HostPattern::parse(host).is_err(), "{host}");
        assert!(HostPattern::parse(&format!(".{host}")).is_err(), "{host}");
        assert!(HostAndPort::read_plain(host).is_none(), "{host}");
    }
    assert!(HostPattern::parse("*.192.0.2.7").is_err(), "nothing is below an address");
    assert!(HostPattern::parse(".192.0.2.7").is_err());
}

#[test]
fn j138_patterns_are_shown_as_they_were_written() {
    for text in ["app.example.com", ".example.com", "*.example.com", "192.0.2.7"] {
        assert_eq!(HostPattern::parse(text).unwrap().to_string(), text);
    }
    let beginning = HostPattern::of_server("www.*").unwrap();
    assert_eq!(beginning.to_string(), "www.*");
    assert!(!beginning.is_within("example.com"), "of any domain");
}

#[test]
fn host_and_port_as_a_client_writes_them() {
    for (text, host, port) in [
        ("a.example", "a.example", None),
        ("A.example:443", "A.example", Some(443)),
        ("192.0.2.7:8080", "192.0.2.7", Some(8080)),
        ("[::1]:80", "[::1]", Some(80)),
        ("[::1]", "[::1]", None),
    ] {
        let read = HostAndPort::read(text).unwrap();
        assert_eq!((read.text, read.host, read.port), (text, host, port));
        assert_eq!(HostAndPort::read_plain(text).is_some(), !text.starts_with('['), "{text}");
    }
    for text in [
        "", ":80", "a:", "a:99999", "a:+1", "a:80:80", "a@b", "@b", "a/", "a?b", "a#b", "a\\b",
        "a b", "[::1", "a:8o",
    ] {
        assert_eq!(HostAndPort::read_plain(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn d55_hosts_below_a_listed_name_end_in_it(host in "[a-c.]{0,6}(\\.?example)?\\.?(com|evil)?.{0,2}") {
        let is_below = listed(&["*.example.com"]).allow(&host);
        let labels: Vec<&str> = host.split('.').collect();
        let well_formed = labels.iter().all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
        prop_assert_eq!(is_below, well_formed && labels.len() > 2 && host.to_ascii_lowercase().ends_with(".example.com"));
        prop_assert_eq!(listed(&[".example.com"]).allow(&host), is_below || host.eq_ignore_ascii_case("example.com"));
    }
    /// Whatever host is listed, a cookie of the domain goes there.
    #[test]
    fn j138_hosts_of_a_pattern_within_a_domain_are_within_it(
        pattern in "(\\*\\.|\\.)?([ab]\\.){0,2}(example\\.)?com",
        host in "([ab]\\.){0,3}(example\\.)?com",
        domain in "([ab]\\.){0,1}(example\\.)?com",
    ) {
        let parsed = HostPattern::parse(&pattern).unwrap();
        if parsed.is_within(&domain) && listed(&[&pattern]).allow(&host) {
            prop_assert!(listed(&[&format!(".{domain}")]).allow(&host), "{} {} {}", pattern, host, domain);
        }
    }
}
