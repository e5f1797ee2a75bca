//! Who is led to the login page, and in which format the others are refused.

use authgate_core::hosts::Hosts;
use authgate_core::negotiate::{Format, is_navigation, says_browser};
use authgate_core::network::Network;
use authgate_core::request::{Method, RequestHead};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

fn with_head<T>(method: Method, fields: &[(&str, &str)], ask: impl Fn(&RequestHead<'_>) -> T) -> T {
    let lookup =
        |name: &str| fields.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_bytes());
    ask(&RequestHead {
        method,
        method_name: b"GET",
        target: Some(b"/"),
        query: b"",
        host: None,
        scheme: None,
        network: Network::Unix,
        server_names: Hosts::NONE,
        tls: true,
        cookies: &[],
        authorization: None,
        fields: &lookup,
    })
}

fn navigates(method: Method, fields: &[(&str, &str)]) -> bool {
    with_head(method, fields, is_navigation)
}

fn format(accept: &str) -> Format {
    with_head(Method::Get, &[("accept", accept)], Format::of)
}

#[test]
fn a_person_who_opens_a_page_navigates() {
    for method in [Method::Get, Method::Head] {
        assert!(navigates(method, &[("sec-fetch-mode", "navigate")]));
        assert!(navigates(method, &[("sec-fetch-mode", "navigate"), ("accept", "*/*")]));
        assert!(navigates(method, &[("accept", BROWSER)]));
        assert!(navigates(method, &[("accept", "TEXT/HTML")]));
    }
}

#[test]
fn a_script_a_socket_or_a_scraper_does_not() {
    for fields in [
        &[][..],
        &[("accept", "*/*")],
        &[("accept", "application/json")],
        &[("accept", "text/html2, xtext/html, text/html;q=0")],
        &[("sec-fetch-mode", "cors"), ("accept", BROWSER)],
        &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "manifest")],
        &[("sec-fetch-mode", "same-origin"), ("sec-fetch-dest", "serviceworker")],
        &[("sec-fetch-mode", "websocket"), ("upgrade", "websocket")],
        &[("sec-fetch-mode", ""), ("accept", BROWSER)],
        &[("sec-fetch-site", "same-origin"), ("accept", BROWSER)],
        &[("sec-fetch-dest", "empty"), ("accept", BROWSER)],
        &[("upgrade", "WebSocket"), ("accept", BROWSER)],
        &[("upgrade", "h2c, websocket"), ("sec-fetch-mode", "navigate")],
    ] {
        assert!(!navigates(Method::Get, fields), "{fields:?}");
    }
}

#[test]
fn d56_a_post_is_no_navigation() {
    for method in [Method::Post, Method::Delete, Method::Other] {
        assert!(!navigates(method, &[("sec-fetch-mode", "navigate"), ("accept", BROWSER)]));
        assert!(!navigates(method, &[("accept", BROWSER)]));
    }
}

#[test]
fn the_format_is_the_one_that_accept_names() {
    for accept in [
        "application/json",
        "application/json, text/plain, */*",
        "text/html, application/json;q=0.1",
        "Application/Problem+JSON",
        "text/json;charset=utf-8",
        "*/* , application/vnd.api+json",
    ] {
        assert_eq!(format(accept), Format::Json, "{accept}");
    }
    for accept in [BROWSER, "text/html;q=0.001", "application/json;q=0, text/html", "*/*,text/html"]
    {
        assert_eq!(format(accept), Format::Html, "{accept}");
    }
    for accept in ["", "*/*", "text/*", "application/*", "text/plain", "text/html; Q=0.0", "json"] {
        assert_eq!(format(accept), Format::Text, "{accept}");
    }
    assert_eq!(with_head(Method::Get, &[], Format::of), Format::Text);
}

#[test]
fn what_says_browser() {
    for field in ["sec-fetch-mode", "sec-fetch-site", "sec-fetch-dest", "sec-fetch-user", "origin"]
    {
        assert!(with_head(Method::Get, &[(field, "x")], says_browser), "{field}");
    }
    assert!(with_head(Method::Get, &[("x-requested-with", "XMLHttpRequest")], says_browser));
    assert!(with_head(Method::Get, &[("accept", BROWSER)], says_browser));
    assert!(with_head(Method::Get, &[], |head| {
        says_browser(&RequestHead { cookies: &[b"a=b"], ..*head })
    }));
    for fields in [&[][..], &[("accept", "*/*"), ("user-agent", "Prometheus/2.42")]] {
        assert!(!with_head(Method::Get, fields, says_browser));
    }
}
