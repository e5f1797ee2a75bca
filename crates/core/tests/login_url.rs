//! One login for many hosts: where a refused request is sent, and how it comes back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod cases;
mod support;

use authgate_core::gate::{Cause, Verdict};
use authgate_core::page::CONTENT_SECURITY_POLICY;
use authgate_core::pages::Page;
use authgate_core::reply::Reply;
use authgate_core::request::Scheme;
use authgate_core::return_path::from_query;
use authgate_core::token::{Claims, Purpose};
use cases::cases;
use proptest::prelude::*;
use support::pages::*;
use support::*;
use url::Url;

const LOGIN: &str = "https://login.example/authgate/login";
const HOSTS: [&str; 2] = ["app.example", ".tools.example"];

fn realm_of(cookie: &[&str]) -> Realm {
    realm_with(&[
        ("keys", &["k"]),
        ("cookie", cookie),
        ("login_url", &[LOGIN]),
        ("return_hosts", &HOSTS),
    ])
}

fn elsewhere() -> Realm {
    realm_of(&["authgate", "domain=example"])
}

/// A realm whose own login page leads to other hosts.
fn login_server() -> Realm {
    realm_with(&[("return_hosts", &HOSTS)])
}

fn refusal(realm: &Realm, request: &Request, cause: Cause) -> Reply {
    let reply =
        request.with_head(|head| realm.gate().refusal(head, &Verdict::Challenge(cause), NOW));
    assert!(is_guarded(&reply), "{reply:?}");
    reply
}

fn navigation(target: &str) -> Request {
    get(target).accept("text/html")
}

fn sent_to(realm: &Realm, request: &Request, cause: Cause) -> String {
    let reply = refusal(realm, request, cause);
    assert_eq!(reply.status, 302);
    header(&reply, "Location").unwrap().into()
}

/// The value of `rd`.
fn place(location: &str) -> Option<String> {
    let query = location.strip_prefix(LOGIN).unwrap().strip_prefix('?')?;
    from_query(query.as_bytes()).map(|value| String::from_utf8(value).unwrap())
}

#[test]
fn a_navigation_is_sent_to_the_login_server_with_its_whole_address() {
    let realm = elsewhere();
    let target = "/graph?g0.expr=up{job=\"x\"}&a=1";
    let location = sent_to(&realm, &navigation(target).host("gate.example:8443"), Cause::Missing);
    let rd = "http%3A//gate.example%3A8443/graph%3Fg0.expr%3Dup%7Bjob%3D%22x%22%7D%26a%3D1";
    assert_eq!(location, format!("{LOGIN}?rd={rd}"));
    assert_eq!(place(&location).unwrap(), format!("http://gate.example:8443{target}"));
}

#[test]
fn d55_only_of_a_host_that_is_ours_or_listed() {
    let realm = elsewhere();
    for host in [
        "gate.example",
        "GATE.example:80",
        "x.gate.example",
        "app.example:1",
        "tools.example",
        "a.b.tools.example",
    ] {
        let location = sent_to(&realm, &navigation("/x").host(host), Cause::Missing);
        assert_eq!(place(&location), Some(format!("http://{host}/x")));
    }
    for host in [
        "",
        "evil.com",
        "gate.example.evil.com",
        "evilgate.example",
        "x.app.example",
        "gate.example.",
        "gate.example:",
        "gate.example:99999",
        "gate.example@evil.com",
        "evil.com@gate.example",
        "evil.com/gate.example",
        "evil.com#.gate.example",
        "evil.com\\.gate.example",
        "[::1]",
        "_",
        "~^x",
        "*.gate.example",
        "gate.example, evil.com",
        "\u{ff47}ate.example",
    ] {
        assert_eq!(sent_to(&realm, &navigation("/x").host(host), Cause::Missing), LOGIN, "{host}");
    }
    assert_eq!(sent_to(&realm, &navigation("/x"), Cause::Missing), LOGIN, "without Host");
}

#[test]
fn the_scheme_is_that_of_the_connection_unless_told() {
    let (auto, on, off) = (
        elsewhere(),
        realm_of(&["authgate", "domain=example", "secure=on"]),
        realm_of(&["authgate", "domain=example", "secure=off"]),
    );
    let plain = navigation("/").host("gate.example");
    let tls = plain.clone().tls();
    for (realm, request, scheme) in [
        (&auto, &plain, "http"),
        (&auto, &tls, "https"),
        (&on, &plain, "https"),
        (&on, &tls, "https"),
        (&off, &plain, "http"),
        (&off, &tls, "https"),
        (&auto, &plain.clone().scheme(Scheme::Https), "https"),
        (&auto, &tls.clone().scheme(Scheme::Http), "http"),
    ] {
        let location = sent_to(realm, request, Cause::Missing);
        assert_eq!(place(&location), Some(format!("{scheme}://gate.example/")));
    }
}

#[test]
fn d54_an_address_that_the_login_would_not_take_is_left_out() {
    let realm = elsewhere();
    let begin = "http://gate.example/".len();
    let longest = format!("/{}", "a".repeat(2048 - begin));
    let location = sent_to(&realm, &navigation(&longest).host("gate.example"), Cause::Missing);
    assert!(place(&location).is_some());
    let location =
        sent_to(&realm, &navigation(&format!("{longest}a")).host("gate.example"), Cause::Missing);
    assert_eq!(location, LOGIN);
}

#[test]
fn d52_no_header_line_comes_of_the_address() {
    let realm = elsewhere();
    for target in [
        "/x\r\nSet-Cookie:a=b",
        "/x%0d%0aSet-Cookie:a=b",
        "/\u{560d}\u{560a}Set-Cookie:a=b",
        "/x y\"<>",
    ] {
        let location = sent_to(&realm, &navigation(target).host("gate.example"), Cause::Missing);
        assert!(
            location.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\".contains(&byte)),
            "{location}"
        );
    }
}

#[test]
fn json_and_the_link_name_the_same_address() {
    let realm = elsewhere();
    let request = get("/x").host("gate.example");
    let there = format!("{LOGIN}?rd=http%3A//gate.example/x");
    let json = refusal(&realm, &request.clone().accept("application/json"), Cause::Missing);
    assert_eq!(
        (json.status, json.body),
        (401, format!("{{\"error\":\"unauthenticated\",\"login\":\"{there}\"}}\n"))
    );
    let html = refusal(
        &realm,
        &request.clone().accept("text/html").field("sec-fetch-mode", "cors"),
        Cause::Missing,
    );
    assert!(html.body.contains(&format!("href=\"{there}\"")), "{}", html.body);
    let session = page(&realm, Page::Session, &get("/authgate/session").accept("application/json"));
    assert!(session.body.contains(&format!("\"login\":\"{LOGIN}\"")), "{}", session.body);
}

fn issued(realm: &Realm, user: &str, at: u64) -> String {
    realm.sign(Purpose::Session, &Claims { issued_at: at, ..realm.claims(user) })
}

fn after(realm: &Realm, request: Request, cause: Cause) -> Option<String> {
    let location = sent_to(realm, &request, cause);
    location.split_once("after=").map(|(_, after)| after.into())
}

#[test]
fn a_refused_token_says_when_it_was_issued() {
    let realm = elsewhere();
    let at = |at| issued(&realm, "alice", at);
    let with = |tokens: &[&str]| {
        let request = navigation("/x").host("gate.example");
        tokens.iter().fold(request, |request, token| request.cookie(token))
    };
    let foreign = ring("other MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "other");
    let unverified =
        foreign.sign(Purpose::Device, &Claims { issued_at: 5, ..realm.claims("x") }).unwrap();
    for (tokens, expected) in [
        (&[&*at(NOW - 9)][..], NOW - 9),
        (&[&at(NOW - 9), &at(NOW - 3), "x", &at(NOW - 7)], NOW - 3),
        (&[&unverified], 5),
        (&[&at(u64::MAX)], u64::MAX),
        (&["x"], NOW),
        (&[""], NOW),
        (&["x", &"y".repeat(2000)], NOW),
    ] {
        for cause in [Cause::Malformed, Cause::Expired, Cause::Revoked, Cause::PasswordChanged] {
            assert_eq!(after(&realm, with(tokens), cause), Some(expected.to_string()));
        }
    }
    assert_eq!(after(&realm, with(&[]), Cause::Missing), None, "none was presented");
    let nameless = navigation("/x").cookie(&at(7));
    assert_eq!(sent_to(&realm, &nameless, Cause::Expired), format!("{LOGIN}?after=7"));
    let here = realm_with(&[]);
    assert_eq!(
        after(&here, with(&[&at(7)]), Cause::Expired),
        None,
        "this server's own page looks for itself"
    );
}

#[test]
fn an_api_token_has_nothing_to_do_with_it() {
    let realm = elsewhere();
    let request =
        get("/x").host("gate.example").cookie("x").bearer("agt_x").accept("application/json");
    let reply = refusal(&realm, &request, Cause::Malformed);
    assert!(!reply.body.contains("after"), "{}", reply.body);
}

#[test]
fn the_login_page_shows_its_form_unless_its_session_is_newer() {
    let realm = login_server();
    let session = realm.session("alice");
    for (query, status) in [
        ("rd=/x", 303),
        ("rd=/x&after=0", 303),
        (&*format!("rd=/x&after={}", NOW - 1), 303),
        (&*format!("rd=/x&after={NOW}"), 200),
        (&*format!("rd=/x&after={}", NOW + 1), 200),
        ("rd=/x&after=18446744073709551615", 200),
        ("rd=/x&after=18446744073709551616", 200),
        ("rd=/x&after=", 200),
        ("rd=/x&after=x", 200),
        ("rd=/x&after=-1", 200),
        ("after=0&after=0", 200),
    ] {
        let request = get("/authgate/login").query(query);
        let reply = page(&realm, Page::Login, &request.clone().cookie(&session));
        assert_eq!(reply.status, status, "{query}");
        assert_eq!(page(&realm, Page::Login, &request).status, 200, "{query}");
    }
}

/// What one server refuses and the other takes does not go round in circles, whatever the token.
#[test]
fn a_session_that_one_host_refuses_and_the_other_takes_is_asked_for_once() {
    let (app, login) = (elsewhere(), login_server());
    for at in [NOW - 100, NOW, NOW + 30] {
        let token = issued(&login, "alice", at);
        let request = navigation("/x").host("app.example").cookie(&token);
        let location = sent_to(&app, &request, Cause::PasswordChanged);
        let query = location.split_once('?').unwrap().1;
        let there = get("/authgate/login").query(query).host("login.example").cookie(&token);
        let reply = page(&login, Page::Login, &there);
        assert_eq!(reply.status, 200, "{at}");
        assert!(reply.body.contains("value=\"http://app.example/x\""), "{}", reply.body);
        let newer = there.cookie(&issued(&login, "alice", at + 1));
        let reply = page(&login, Page::Login, &newer);
        assert_eq!(header(&reply, "Location"), Some("http://app.example/x"));
    }
}

fn policy(reply: &Reply) -> &str {
    header(reply, "Content-Security-Policy").unwrap()
}

fn leading_to(origin: &str) -> String {
    CONTENT_SECURITY_POLICY.replace("form-action 'self';", &format!("form-action 'self' {origin};"))
}

#[test]
fn c40_the_form_may_lead_where_the_login_returns_to_and_nowhere_else() {
    let realm = login_server();
    let form = |rd: &str| {
        let query = format!("rd={}", authgate_core::return_path::encode(rd.as_bytes()));
        page(&realm, Page::Login, &get("/authgate/login").query(&query).host("login.example"))
    };
    for (rd, policy_of) in [
        ("/x", CONTENT_SECURITY_POLICY.to_owned()),
        ("https://evil.com/", CONTENT_SECURITY_POLICY.to_owned()),
        ("https://app.example/x?y", leading_to("https://app.example")),
        ("http://a.tools.example:8080/x", leading_to("http://a.tools.example:8080")),
        ("http://login.example:81/x", leading_to("http://login.example:81")),
    ] {
        assert_eq!(policy(&form(rd)), policy_of, "{rd}");
    }
    let wrong = "username=alice&password=x&rd=https://app.example/x";
    let check = check(&realm, wrong);
    let reply = form_request_checked(&realm, &check);
    assert_eq!((reply.status, policy(&reply)), (403, &*leading_to("https://app.example")));
    assert!(reply.body.contains("value=\"https://app.example/x\""));
}

fn form_request_checked(realm: &Realm, check: &authgate_core::check::Check) -> Reply {
    form().with_head(|head| realm.gate().checked(head, check, false, FRESH, NOW)).unwrap()
}

#[test]
fn a_login_returns_to_another_host() {
    let realm = login_server();
    for (rd, location) in [
        ("https://app.example/x%253Fy", "https://app.example/x%3Fy"),
        ("http://a.tools.example:8080/", "http://a.tools.example:8080/"),
        ("https://evil.com/", "/"),
        ("https://app.example/authgate/login", "/"),
        ("//app.example/", "/"),
    ] {
        let check = check(&realm, &format!("username=alice&password=x&rd={rd}"));
        let reply =
            form().with_head(|head| realm.gate().checked(head, &check, true, FRESH, NOW)).unwrap();
        assert_eq!((reply.status, header(&reply, "Location")), (303, Some(location)), "{rd}");
    }
}

#[test]
fn d50_a_login_over_tls_returns_to_tls_alone() {
    let realm = login_server();
    let session = realm.session("alice");
    for (request, rd, location) in [
        (get("/authgate/login").tls(), "http://app.example/", "/"),
        (get("/authgate/login").tls(), "https://app.example/", "https://app.example/"),
        (get("/authgate/login"), "http://app.example/", "http://app.example/"),
    ] {
        let request = request.query(&format!("rd={rd}")).cookie(&session);
        assert_eq!(header(&page(&realm, Page::Login, &request), "Location"), Some(location));
    }
}

#[test]
fn signing_out_leads_to_the_login_server() {
    let realm = elsewhere();
    let session = realm.session("alice");
    for request in [
        post("/authgate/logout").cookie(&session),
        post("/authgate/logout"),
        get("/authgate/logout"),
    ] {
        let reply = page(&realm, Page::Logout, &request);
        assert_eq!((reply.status, header(&reply, "Location")), (303, Some(LOGIN)), "{request:?}");
    }
    let reply = page(&realm, Page::Logout, &get("/authgate/logout").cookie(&session));
    assert_eq!((reply.status, policy(&reply)), (200, &*leading_to("https://login.example")));
    let here = realm_with(&[]);
    let reply = page(&here, Page::Logout, &get("/authgate/logout").cookie(&here.session("alice")));
    assert_eq!(policy(&reply), CONTENT_SECURITY_POLICY);
}

#[test]
fn the_server_s_own_login_page_works_all_the_same() {
    let realm = elsewhere();
    let reply = page(&realm, Page::Login, &get("/authgate/login?rd=/x").host("gate.example"));
    assert_eq!(reply.status, 200);
    assert!(reply.body.contains("action=\"/authgate/login\""));
}

proptest! {
    #![proptest_config(cases(2_000))]

    /// Whatever `Host` and the target are, the browser goes to the login server, and what it is told
    /// there is the address of a host of ours.
    #[test]
    fn d51_the_redirect_leads_to_the_login_server(
        host in prop_oneof!["[a-z.:@/\\\\?#\\[\\] ]{0,12}", "(x\\.)?(gate|app)\\.example(:[0-9]{0,6})?[.@/a]?"],
        target in prop_oneof!["/[ -~]{0,20}", ".{0,10}"],
        tls in any::<bool>(),
    ) {
        let realm = elsewhere();
        let host: &'static str = String::leak(host);
        let request = navigation(&target).host(host);
        let request = if tls { request.tls() } else { request };
        let location = sent_to(&realm, &request, Cause::Missing);
        let url = Url::parse(&location).unwrap();
        prop_assert_eq!((url.host_str(), url.path(), url.username()), (Some("login.example"), "/authgate/login", ""));
        prop_assert_eq!(url.fragment(), None);
        if let Some(place) = place(&location) {
            let (scheme, rest) = place.split_once("://").unwrap();
            prop_assert_eq!(scheme, if tls { "https" } else { "http" });
            prop_assert_eq!(rest, format!("{host}{target}"));
            let name = host.split(':').next().unwrap();
            prop_assert!(["gate.example", "x.gate.example", "app.example"].contains(&name), "{}", host);
        }
    }
}
