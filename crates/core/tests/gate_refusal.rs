//! What a request from nobody gets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod cases;
mod support;

use authgate_core::gate::{Cause, Verdict};
use authgate_core::reply::Reply;
use authgate_core::request::{Method, RequestHead};
use authgate_core::return_path::{ReturnPath, from_query};
use cases::cases;
use proptest::prelude::*;
use std::cell::Cell;
use support::*;

const CAUSES: [Cause; 9] = [
    Cause::Missing,
    Cause::Malformed,
    Cause::BadSignature,
    Cause::UnknownKey,
    Cause::Expired,
    Cause::Revoked,
    Cause::UnknownUser,
    Cause::PasswordChanged,
    Cause::BadPassword,
];

fn refusal(realm: &Realm, request: &Request, cause: Cause) -> Reply {
    let reply =
        request.with_head(|head| realm.gate().refusal(head, &Verdict::Challenge(cause), NOW));
    assert!(is_guarded(&reply), "{reply:?}");
    assert_eq!(reply.ends, []);
    reply
}

fn refused(request: &Request) -> Reply {
    refusal(&realm(), request, Cause::Missing)
}

#[test]
fn a_navigation_is_sent_to_the_login_page() {
    let target = "/graph?g0.expr=up{job=\"x\"}&a=1";
    let login = "/authgate/login?rd=/graph%3Fg0.expr%3Dup%7Bjob%3D%22x%22%7D%26a%3D1";
    for navigation in [
        get(target).accept("text/html,application/xhtml+xml,*/*;q=0.8"),
        get(target).accept("text/html, application/json"),
        get(target).field("sec-fetch-mode", "navigate"),
        get(target).field("sec-fetch-mode", "navigate").accept("application/json"),
        request(Method::Head, target).accept("text/html"),
        request(Method::Head, target).field("sec-fetch-mode", "navigate"),
    ] {
        let reply = refused(&navigation);
        assert_eq!((reply.status, reply.content_type), (302, None), "{navigation:?}");
        assert_eq!(header(&reply, "Location"), Some(login));
        assert_eq!(header(&reply, "WWW-Authenticate"), None);
    }
}

/// Each look goes over all lines that the client has sent, and there may be a thousand.
#[test]
fn j119_few_header_fields_are_looked_for() {
    let realm = realm_with(&[("accept", &["cookie", "bearer", "basic"])]);
    for request in [
        get("/"),
        get("/").accept("text/html"),
        get("/").accept(&"application/json;q=0, ".repeat(1000)),
        get("/").field("sec-fetch-mode", "cors").field("upgrade", "a,".repeat(1000)),
        post("/"),
    ] {
        let looks = Cell::new(0);
        request.with_head(|head| {
            let fields = |name: &str| {
                looks.set(looks.get() + 1);
                (head.fields)(name)
            };
            let head = RequestHead { fields: &fields, ..*head };
            realm.gate().refusal(&head, &Verdict::Challenge(Cause::Missing), NOW)
        });
        assert!(looks.get() <= 16, "{} for {request:?}", looks.get());
    }
}

#[test]
fn d56_anything_else_gets_401_and_no_redirect() {
    for request in [
        get("/"),
        get("/").accept("*/*"),
        get("/").accept("text/html").field("sec-fetch-mode", "cors"),
        get("/").accept("text/html").field("sec-fetch-dest", "manifest"),
        get("/").accept("text/html").field("sec-fetch-site", "same-origin"),
        get("/").field("sec-fetch-mode", "websocket").field("upgrade", "websocket"),
        get("/").accept("text/html").field("upgrade", "WebSocket"),
        post("/").accept("text/html"),
        post("/").field("sec-fetch-mode", "navigate").accept("text/html"),
        request(Method::Other, "/").accept("text/html"),
        request(Method::Delete, "/").accept("text/html"),
        request(Method::Head, "/"),
    ] {
        let reply = refused(&request);
        assert_eq!(reply.status, 401, "{request:?}");
        assert_eq!(header(&reply, "Location"), None);
        assert_eq!(header(&reply, "WWW-Authenticate"), Some("Bearer realm=\"ops\""));
    }
}

#[test]
fn a_refusal_speaks_the_client_s_language() {
    let api = |accept| refused(&get("/api?a=1").field("sec-fetch-mode", "cors").accept(accept));
    let login = "/authgate/login?rd=/api%3Fa%3D1";
    for accept in ["application/json", "text/html, application/json", "application/problem+json"] {
        let reply = api(accept);
        assert_eq!(reply.content_type, Some("application/json"), "{accept}");
        assert_eq!(
            reply.body,
            format!("{{\"error\":\"unauthenticated\",\"login\":\"{login}\"}}\n")
        );
    }
    let reply = api("text/html");
    assert_eq!(reply.content_type, Some("text/html; charset=utf-8"));
    assert!(reply.body.contains(&format!("href=\"{login}\"")), "{}", reply.body);
    for accept in ["*/*", "text/plain", "application/json;q=0", ""] {
        let reply = api(accept);
        assert_eq!(reply.content_type, Some("text/plain; charset=utf-8"), "{accept}");
        assert_eq!(reply.body, "unauthenticated\n");
    }
}

#[test]
fn the_challenge_names_what_is_taken() {
    for (accept, challenge) in [
        (["cookie"].as_slice(), "Cookie realm=\"ops\""),
        (&["bearer"], "Bearer realm=\"ops\""),
        (&["cookie", "bearer"], "Bearer realm=\"ops\""),
    ] {
        let realm = realm_with(&[("accept", accept)]);
        let reply = refusal(&realm, &get("/"), Cause::Missing);
        assert_eq!(header(&reply, "WWW-Authenticate"), Some(challenge));
    }
}

#[test]
fn g83_an_api_token_that_fails_gets_401_even_where_html_is_wanted() {
    let by_token = get("/").accept("text/html").bearer("agt_x");
    assert_eq!(refusal(&realm(), &by_token, Cause::Malformed).status, 401);
    // Not taken, it is the application's own.
    let realm = realm_with(&[("accept", &["cookie"])]);
    assert_eq!(refusal(&realm, &by_token, Cause::Missing).status, 302);
    let other = get("/").accept("text/html").bearer("x");
    assert_eq!(refused(&other).status, 302);
}

#[test]
fn g81_a_bearer_that_fails_is_told_so() {
    let reply = refusal(&realm(), &get("/").bearer("agt_x"), Cause::Expired);
    let challenge = "Bearer realm=\"ops\", error=\"invalid_token\"";
    assert_eq!(header(&reply, "WWW-Authenticate"), Some(challenge));
    // Nothing of it where the cookie decided.
    let reply = refusal(&realm(), &get("/").cookie("x").bearer("x"), Cause::Malformed);
    assert_eq!(header(&reply, "WWW-Authenticate"), Some("Bearer realm=\"ops\""));
}

#[test]
fn a_refused_token_is_logged_and_a_missing_one_not() {
    for cause in CAUSES {
        for request in [get("/"), get("/").accept("text/html")] {
            let line = format!("token refused, reason \"{}\", realm \"ops\"", cause.as_str());
            let expected = (cause != Cause::Missing).then_some(line);
            assert_eq!(event(&refusal(&realm(), &request, cause)), expected);
        }
    }
}

#[test]
fn d55_the_redirect_is_a_path_whatever_the_host_is() {
    let navigation = get("/a").accept("text/html");
    let forged = ["host", "x-forwarded-host", "x-forwarded-proto", "x-original-url"]
        .into_iter()
        .fold(navigation, |request, name| request.field(name, "//evil.example"));
    assert_eq!(header(&refused(&forged), "Location"), Some("/authgate/login?rd=/a"));
}

#[test]
fn the_login_page_is_under_the_realm_s_path() {
    let realm = realm_with(&[("path", &["/_gate/"])]);
    let reply = refusal(&realm, &get("/a").accept("text/html"), Cause::Missing);
    assert_eq!(header(&reply, "Location"), Some("/_gate/login?rd=/a"));
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn d52_no_target_leaves_the_redirect(target in proptest::collection::vec(any::<u8>(), 0..60)) {
        let reply = refused(&request(Method::Get, target.clone()).accept("text/html"));
        let location = header(&reply, "Location").unwrap();
        let query = location.strip_prefix("/authgate/login?").unwrap();
        prop_assert!(query.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"%/=-._~".contains(&byte)));
        if std::str::from_utf8(&target).is_ok() {
            prop_assert_eq!(from_query(query.as_bytes()).unwrap(), target);
        }
    }

    #[test]
    fn d53_the_page_one_came_for_is_the_page_one_returns_to(
        target in "/([a-z]{1,4}|%[2-7][1-9a-e]){0,3}(\\?[!-~]{0,20})?",
    ) {
        let reply = refused(&get(&target).accept("text/html"));
        let query = header(&reply, "Location").unwrap().split_once('?').unwrap().1;
        let raw = from_query(query.as_bytes()).unwrap();
        let expected = ReturnPath::parse(target.as_bytes(), "/authgate/");
        prop_assert_eq!(ReturnPath::parse(&raw, "/authgate/"), expected);
    }
}
