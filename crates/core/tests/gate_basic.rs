//! Basic credentials at the gate: what is checked, what comes of it, which credential counts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod support;

use authgate_core::check::Check;
use authgate_core::gate::{Cause, Credential, Decision, Outcome, Verdict, takes};
use authgate_core::limit::{self, LimitReason, Limited, Settled};
use authgate_core::network::Network;
use authgate_core::reply::Reply;
use authgate_core::status::Status;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use support::*;

fn basic(user: &str, password: impl AsRef<[u8]>) -> String {
    let decoded = [user.as_bytes(), b":", password.as_ref()].concat();
    format!("Basic {}", STANDARD.encode(decoded))
}

/// Not that of the other requests.
fn elsewhere() -> Network {
    Network::V4([192, 0, 2, 8])
}

fn with(user: &str, password: impl AsRef<[u8]>) -> Request {
    get("/").authorization(basic(user, password))
}

fn realm_of_all() -> Realm {
    realm_with(&[("accept", &["cookie", "bearer", "basic"])])
}

fn check_of(realm: &Realm, request: &Request) -> Check {
    match realm.decision(request, NOW) {
        Decision::Check(check) => *check,
        Decision::Verdict(verdict) => panic!("no check: {verdict:?}"),
    }
}

fn cause(realm: &Realm, request: &Request) -> Cause {
    match realm.decision(request, NOW) {
        Decision::Verdict(Verdict::Challenge(cause)) => cause,
        Decision::Verdict(verdict) => panic!("{verdict:?}"),
        Decision::Check(check) => panic!("wants a check of {}", check.username),
    }
}

/// Checks a credential as a worker does.
fn conclude(realm: &Realm, check: &Check, how: Settled) {
    let mut slots = vec![limit::Slot::default(); 64];
    let mut limiter = realm.limiter(&mut slots, NOW);
    match limiter.reserve(&check.attempt(), 1000 * NOW) {
        limit::Decision::Granted(tried) => limiter.settle(tried, how, 1000 * NOW),
        other => panic!("{other:?}"),
    }
}

fn of_check(realm: &Realm, check: &Check, outcome: Outcome) -> (String, Option<String>) {
    let (verdict, event) = realm.gate().of_check(check, outcome);
    let said = match &verdict {
        Verdict::Admit(identity) => {
            assert_eq!(identity.credential, Credential::Basic);
            assert_eq!((identity.id(), identity.expires_at()), (None, None));
            format!("ok {}", identity.user())
        }
        verdict => verdict.status().as_str().into(),
    };
    (said, event.map(|event| event.to_string()))
}

#[test]
fn g79_a_credential_that_held_is_not_checked_again() {
    let realm = realm_of_all();
    let check = check_of(&realm, &with("alice", PASSWORD));
    assert_eq!((&*check.username, &**check.password), ("alice", PASSWORD));
    assert_eq!(check.hash.as_str(), BCRYPT);
    assert_eq!((check.network, check.attempt().by), (HOME, limit::By::Basic));
    conclude(&realm, &check, Settled::Succeeded);
    assert_eq!(realm.says(&with("alice", PASSWORD), NOW), "ok alice");
    let identity = realm.admitted(&with("alice", PASSWORD), NOW);
    assert_eq!(identity.credential, Credential::Basic);
    assert_eq!(realm.renewal(&identity, &with("alice", PASSWORD), NOW + IDLE - 1), None);
    for other in [
        with("alice", "correct hors"),
        with("alice", "correct horse "),
        with("bob", PASSWORD),
        with("Alice", PASSWORD),
        with("alic", "ecorrect horse"),
    ] {
        let check = check_of(&realm, &other);
        assert_ne!(check.digest, realm.gate().digest_key.digest("alice", PASSWORD, BCRYPT));
    }
    let other = with("alice", PASSWORD).from(elsewhere());
    assert_eq!(check_of(&realm, &other).network, elsewhere(), "it held at another place");
    assert!(matches!(realm.decision(&with("alice", PASSWORD), NOW + 300), Decision::Check(_)));
}

#[test]
fn g79_what_held_dies_with_any_change_of_the_user() {
    let file = |text: &str| text.replace("HASH", BCRYPT).replace("OTHER", OTHER_BCRYPT);
    for (text, outcome) in [
        (r#"{"alice": "HASH", "bob": "OTHER"}"#, "ok alice"),
        (r#"{"alice": {"password": "HASH", "groups": ["new"]}, "bob": "OTHER"}"#, "ok alice"),
        (r#"{"alice": "OTHER"}"#, "check"),
        (r#"{"alice": {"password": "HASH", "disabled": true}}"#, "check"),
        // A disabled user beside one with the same hash.
        (r#"{"bob": "HASH", "alice": {"password": "HASH", "disabled": true}}"#, "check"),
        (r#"{"bob": "HASH"}"#, "check"),
    ] {
        let realm = realm_of_all();
        let check = check_of(&realm, &with("alice", PASSWORD));
        conclude(&realm, &check, Settled::Succeeded);
        let realm = realm.with_users(&file(text));
        match realm.decision(&with("alice", PASSWORD), NOW) {
            Decision::Verdict(verdict) => {
                assert_eq!(verdict.status(), Status::Ok, "{text}");
                assert_eq!(outcome, "ok alice", "{text}");
            }
            Decision::Check(check) => {
                assert_eq!(outcome, "check", "{text}");
                assert!(!check.succeeds(true) || text.contains(r#""alice": "OTHER""#), "{text}");
            }
        }
    }
}

#[test]
fn g79_who_has_changed_during_the_check_is_not_let_in() {
    let file = |text: &str| text.replace("HASH", BCRYPT).replace("OTHER", OTHER_BCRYPT);
    for (text, said) in [
        (r#"{"alice": "HASH"}"#, "ok alice"),
        (r#"{"alice": {"password": "HASH", "groups": ["new"]}}"#, "ok alice"),
        (r#"{"alice": "OTHER"}"#, "password_changed"),
        (r#"{"alice": {"password": "HASH", "disabled": true}}"#, "unknown_user"),
        (r#"{"bob": "HASH"}"#, "unknown_user"),
    ] {
        for outcome in [Outcome::Checked(true), Outcome::Known(true)] {
            let realm = realm_of_all();
            let check = check_of(&realm, &with("alice", PASSWORD));
            let realm = realm.with_users(&file(text));
            let (verdict, event) = of_check(&realm, &check, outcome);
            assert_eq!(verdict, said, "{text}");
            assert!(event.is_none_or(|event| event.starts_with("login ok")), "{text}");
        }
    }
}

#[test]
fn g79_a_failure_is_never_answered_from_what_is_remembered() {
    let realm = realm_of_all();
    let check = check_of(&realm, &with("alice", "wrong"));
    conclude(&realm, &check, Settled::Failed);
    let _: Check = check_of(&realm, &with("alice", "wrong"));
}

#[test]
fn g78_what_is_malformed_is_refused_unchecked() {
    let realm = realm_of_all();
    for value in
        ["Basic", "basic ", "BASIC %%%", "Basic YWxpY2U=", "Basic OmE=", "Basic YWxpY2U6eA"]
    {
        let request = get("/").authorization(value);
        assert_eq!(cause(&realm, &request), Cause::Malformed, "{value}");
        // Nor does a valid cookie help.
        let with_cookie = request.cookie(&realm.session("alice"));
        assert_eq!(cause(&realm, &with_cookie), Cause::Malformed, "{value}");
        assert!(takes(realm.settings.accept, value.as_bytes()));
    }
}

#[test]
fn e65_a_password_over_1024_bytes_is_refused_unchecked() {
    let realm = realm_of_all();
    let _: Check = check_of(&realm, &with("alice", "x".repeat(1024)));
    assert_eq!(cause(&realm, &with("alice", "x".repeat(1025))), Cause::BadPassword);
    assert_eq!(cause(&realm, &with("nobody", "x".repeat(1025))), Cause::UnknownUser);
    assert_eq!(cause(&realm, &with("alice", "x".repeat(3000))), Cause::Malformed);
}

#[test]
fn e63_an_unknown_user_costs_a_check_too() {
    let realm = realm_of_all();
    for name in ["nobody", "dave", "Alice", "alice ", "\u{0}"] {
        let check = check_of(&realm, &with(name, PASSWORD));
        assert!(check.hash.as_str().starts_with("$2y$04$"), "of the usual cost");
        assert!(!check.succeeds(true), "{name}");
        let (verdict, event) = of_check(&realm, &check, Outcome::Checked(true));
        assert_eq!(verdict, "unknown_user");
        assert!(event.unwrap().contains("reason \"unknown_user\""));
        // Nothing that is remembered lets such a one in.
        conclude(&realm, &check, Settled::Succeeded);
        let _: Check = check_of(&realm, &with(name, PASSWORD));
    }
}

#[test]
fn g80_each_outcome_of_a_check_and_its_line() {
    let realm = realm_of_all();
    let check = check_of(&realm, &with("alice", PASSWORD));
    let limited = Limited { seconds: 7, reason: LimitReason::Network, is_first: true };
    for (outcome, said, line) in [
        (Outcome::Checked(true), "ok alice", Some("login ok, user \"alice\", realm \"ops\"")),
        (
            Outcome::Checked(false),
            "bad_password",
            Some("login failed, user \"alice\", reason \"bad_password\", realm \"ops\""),
        ),
        (Outcome::Known(true), "ok alice", None),
        (Outcome::Known(false), "bad_password", None),
        (
            Outcome::Limited(limited),
            "limited",
            Some("login limited, user \"alice\", reason \"network\", realm \"ops\""),
        ),
        (Outcome::Busy, "busy", Some("login busy, user \"alice\", realm \"ops\"")),
    ] {
        let (verdict, event) = of_check(&realm, &check, outcome);
        assert_eq!((&*verdict, event.as_deref()), (said, line), "{outcome:?}");
    }
}

#[test]
fn g82_basic_decides_alone_where_it_is_taken() {
    let realm = realm_of_all();
    let cookie = realm.session("alice");
    let check = check_of(&realm, &with("bob", "x").cookie(&cookie));
    assert_eq!(check.username, "bob");
    // Where it is not, the cookie does.
    for accept in [&["cookie"][..], &["cookie", "bearer"]] {
        let realm = realm_with(&[("accept", accept)]);
        let cookie = realm.session("alice");
        assert_eq!(realm.says(&with("bob", "x").cookie(&cookie), NOW), "ok alice");
        assert_eq!(realm.says(&with("alice", PASSWORD), NOW), "missing");
        assert!(!takes(realm.settings.accept, basic("bob", "x").as_bytes()));
    }
    // The application's own passes.
    assert_eq!(realm.says(&get("/").cookie(&cookie).bearer("eyJ0"), NOW), "ok alice");
    assert!(!takes(realm.settings.accept, b"Bearer eyJ0"));
    // Where nothing else is taken, a cookie is nothing.
    let alone = realm_with(&[("accept", &["basic"])]);
    assert_eq!(alone.says(&get("/").cookie(&alone.session("alice")), NOW), "missing");
    assert_eq!(alone.says(&get("/").bearer(&alone.api_token("alice")), NOW), "missing");
}

fn refusal(realm: &Realm, request: &Request, verdict: &Verdict) -> Reply {
    let reply = request.with_head(|head| realm.gate().refusal(head, verdict, NOW));
    assert!(is_guarded(&reply), "{reply:?}");
    reply
}

#[test]
fn basic_is_asked_for_only_where_nothing_says_browser() {
    let bearer = "Bearer realm=\"ops\"";
    let basic = "Basic realm=\"ops\", charset=\"UTF-8\"";
    for (accept, browser) in [
        (&["cookie", "bearer", "basic"][..], bearer),
        (&["cookie", "basic"], "Cookie realm=\"ops\""),
        (&["bearer", "basic"], bearer),
    ] {
        let realm = realm_with(&[("accept", accept)]);
        let challenge = |request: &Request| {
            let reply = refusal(&realm, request, &Verdict::Challenge(Cause::Missing));
            assert_eq!(reply.status, 401);
            header(&reply, "WWW-Authenticate").unwrap().to_owned()
        };
        for plain in [get("/"), get("/").accept("*/*"), post("/").accept("application/json")] {
            assert_eq!(challenge(&plain), basic, "{plain:?}");
        }
        for request in [
            post("/").accept("text/html"),
            get("/").field("sec-fetch-mode", "cors"),
            get("/").field("sec-fetch-site", "none"),
            get("/").field("sec-fetch-dest", "empty"),
            get("/").field("origin", "null"),
            get("/").field("x-requested-with", "XMLHttpRequest"),
            get("/").cookie("garbage"),
        ] {
            assert_eq!(challenge(&request), browser, "{request:?}");
        }
    }
}

#[test]
fn a_refused_basic_credential_is_401_though_html_is_wanted() {
    let realm = realm_of_all();
    for cause in [Cause::BadPassword, Cause::UnknownUser, Cause::Malformed] {
        for request in [
            with("alice", "wrong").accept("text/html"),
            with("alice", "wrong").field("sec-fetch-mode", "navigate"),
            with("alice", "wrong").cookie(&realm.session("alice")),
        ] {
            let reply = refusal(&realm, &request, &Verdict::Challenge(cause));
            assert_eq!((reply.status, header(&reply, "Location")), (401, None));
        }
    }
}

#[test]
fn f75_who_has_to_wait_is_told_how_long_in_each_format() {
    let realm = realm_of_all();
    let limited = Limited { seconds: 42, reason: LimitReason::User, is_first: true };
    let wait = "Too many failed attempts. Please try again in 42 seconds.";
    let again = "Many people are signing in right now. Please try again in 5 seconds.";
    for (verdict, status, seconds, error, words) in [
        (Verdict::Limited(limited), 429, "42", "limited", wait),
        (Verdict::Busy, 503, "5", "busy", again),
    ] {
        for (accept, content_type) in [
            ("application/json", "application/json"),
            ("text/html", "text/html; charset=utf-8"),
            ("*/*", "text/plain; charset=utf-8"),
        ] {
            let reply = refusal(&realm, &with("alice", "x").accept(accept), &verdict);
            assert_eq!((reply.status, reply.content_type), (status, Some(content_type)));
            let after = header(&reply, "Retry-After").unwrap();
            assert!(after.parse::<u32>().unwrap() > 0);
            assert!(seconds.is_empty() || after == seconds);
            let told = if accept == "application/json" { error } else { words };
            assert!(reply.body.contains(told), "{}", reply.body);
            assert_eq!(header(&reply, "WWW-Authenticate"), None);
            assert_eq!(header(&reply, "Location"), None);
            if accept == "application/json" {
                assert_eq!(reply.body, format!("{{\"error\":\"{error}\"}}\n"));
            }
            assert!(!reply.body.contains("alice"), "{}", reply.body);
        }
    }
}

#[test]
fn g86_a_refusal_of_403_never_leads_to_the_login_page() {
    let realm = realm_of_all();
    let check = check_of(&realm, &with("alice", PASSWORD));
    let (basic, _) = realm.gate().of_check(&check, Outcome::Checked(true));
    let cookie = Verdict::Admit(realm.admitted(&get("/").cookie(&realm.session("alice")), NOW));
    for (verdict, signs_out) in [(basic, false), (cookie, true)] {
        for (accept, content_type, body) in [
            ("application/json", "application/json", "{\"error\":\"forbidden\"}\n"),
            ("*/*", "text/plain; charset=utf-8", "forbidden\n"),
            ("text/html", "text/html; charset=utf-8", ""),
        ] {
            let reply = refusal(&realm, &get("/a").accept(accept), &verdict);
            assert_eq!((reply.status, reply.content_type), (403, Some(content_type)));
            assert!(body.is_empty() || reply.body == body, "{}", reply.body);
            assert_eq!(header(&reply, "Location"), None);
            assert!(!reply.body.contains("/authgate/login"), "{}", reply.body);
            let links = reply.body.contains("/authgate/logout");
            assert_eq!(links, signs_out && accept == "text/html", "{}", reply.body);
            assert_eq!(event(&reply).unwrap(), "forbidden, user \"alice\", realm \"ops\"");
        }
    }
}

#[test]
fn h88_who_is_verified_is_told_and_nobody_else() {
    let realm = realm_of_all();
    let verified = |verdict: Option<&Verdict>| {
        let reply = realm.gate().verified(verdict);
        assert_eq!((reply.status, &*reply.body), (204, ""));
        assert!(is_guarded(&reply), "{reply:?}");
        ["Remote-User", "X-Forwarded-User", "Remote-Groups", "X-Forwarded-Groups"]
            .map(|name| header(&reply, name).map(str::to_owned))
    };
    let of =
        |user: &str| Verdict::Admit(realm.admitted(&get("/").cookie(&realm.session(user)), NOW));
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(verified(Some(&of("alice"))), [some("alice"), some("alice"), None, None]);
    let groups = some("sre,on call");
    assert_eq!(
        verified(Some(&of("carol"))),
        [some("carol"), some("carol"), groups.clone(), groups]
    );
    for nobody in [None, Some(&Verdict::Challenge(Cause::Missing)), Some(&Verdict::Busy)] {
        assert_eq!(verified(nobody), [None, None, None, None]);
    }
    let Verdict::Admit(identity) = of("carol") else { panic!("carol is let in") };
    assert_eq!(verified(Some(&Verdict::Forbid(identity))), [None, None, None, None]);
}

#[test]
fn h88_who_asks_for_another_gets_401_in_place_of_a_redirect() {
    let realm = realm_of_all();
    let navigation = get("/a?b").field("sec-fetch-mode", "navigate").accept("text/html");
    let missing = Verdict::Challenge(Cause::Missing);
    assert_eq!(refusal(&realm, &navigation, &missing).status, 302);
    let reply =
        navigation.with_head(|head| realm.gate().refusal_without_redirect(head, &missing, NOW));
    assert_eq!((reply.status, header(&reply, "Location")), (401, None));
    assert!(is_guarded(&reply));
    assert_eq!(header(&reply, "WWW-Authenticate"), Some("Bearer realm=\"ops\""));
}

#[test]
fn j121_what_failed_for_nobody_says_nothing_of_a_user_who_comes_with_that_very_hash() {
    let realm = realm_of_all();
    let before = check_of(&realm, &with("zoe", PASSWORD));
    let text = format!(r#"{{"alice": "{BCRYPT}", "zoe": "{}"}}"#, before.hash.as_str());
    let after = check_of(&realm.with_users(&text), &with("zoe", PASSWORD));
    assert_eq!(after.hash.as_str(), before.hash.as_str());
    assert_ne!(after.digest, before.digest);
}
