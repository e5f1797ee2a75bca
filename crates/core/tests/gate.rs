//! The gate: who a request comes from, when its session is renewed, what nobody gets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod support;

use authgate_core::gate::{Cause, Credential, is_api_token};
use authgate_core::reply::Reply;
use authgate_core::request::Method;
use authgate_core::return_path::{ReturnPath, from_query};
use authgate_core::token::{Claims, Purpose, SessionId};
use proptest::prelude::*;
use support::*;

const CAUSES: [Cause; 8] = [
    Cause::Missing,
    Cause::Malformed,
    Cause::BadSignature,
    Cause::UnknownKey,
    Cause::Expired,
    Cause::Revoked,
    Cause::UnknownUser,
    Cause::PasswordChanged,
];

/// What the realm says of a session cookie, now.
fn of_cookie(realm: &Realm, token: &str) -> String {
    realm.says(&get("/").cookie(token), NOW)
}

fn of_bearer(realm: &Realm, token: &str) -> String {
    realm.says(&get("/").bearer(token), NOW)
}

fn altered(token: &str) -> String {
    let last = if token.ends_with("AA") { "BA" } else { "AA" };
    format!("{}{last}", token.get(..token.len() - 2).unwrap())
}

#[test]
fn each_cause_of_a_session_cookie() {
    let realm = realm();
    let claims = realm.claims("alice");
    let sign = |claims| realm.sign(Purpose::Session, &claims);
    let ended = SessionId([9; 16]);
    realm.ended().insert(ended, NOW + MAX, NOW);
    let token = realm.session("alice");

    assert_eq!(realm.says(&get("/"), NOW), "missing");
    for (token, word) in [
        (token.clone(), "ok alice"),
        (String::new(), "malformed"),
        ("garbage".into(), "malformed"),
        (format!("agt_{token}"), "malformed"),
        (token.replacen("v1.", "v2.", 1), "malformed"),
        (altered(&token), "bad_signature"),
        (token.replacen("first", "third", 1), "unknown_key"),
        (sign(Claims { expires_at: NOW, ..claims.clone() }), "expired"),
        (sign(Claims { session: ended, ..claims.clone() }), "revoked"),
        (realm.session("nobody"), "unknown_user"),
        (realm.session("Alice"), "unknown_user"),
        (realm.session("dave"), "unknown_user"),
        (sign(Claims { epoch: claims.epoch ^ 1, ..claims.clone() }), "password_changed"),
        (sign(Claims { epoch: 0, ..claims }), "password_changed"),
    ] {
        assert_eq!(of_cookie(&realm, &token), word, "{token}");
    }
}

#[test]
fn each_cause_of_an_api_token() {
    let realm = realm();
    let claims = Claims { epoch: 0, ..realm.claims("alice") };
    let sign = |claims| format!("agt_{}", realm.sign(Purpose::Api, &claims));
    let ended = SessionId([9; 16]);
    realm.ended().insert(ended, NOW + MAX, NOW);
    let token = realm.api_token("alice");

    for (token, word) in [
        (token.clone(), "ok alice"),
        ("agt_".into(), "malformed"),
        ("agt_garbage".into(), "malformed"),
        (format!("agt_{token}"), "malformed"),
        (altered(&token), "bad_signature"),
        (token.replacen("first", "third", 1), "unknown_key"),
        (sign(Claims { expires_at: NOW, ..claims.clone() }), "expired"),
        (sign(Claims { session: ended, ..claims.clone() }), "revoked"),
        (sign(Claims { user: "nobody", ..claims.clone() }), "unknown_user"),
        (sign(Claims { user: "dave", ..claims }), "unknown_user"),
    ] {
        assert_eq!(of_bearer(&realm, &token), word, "{token}");
    }
}

#[test]
fn an_identity_says_what_the_token_says() {
    let realm = realm();
    let by_cookie = realm.admitted(&get("/").cookie(&realm.session("carol")), NOW);
    assert_eq!((by_cookie.user(), by_cookie.credential), ("carol", Credential::Cookie));
    assert_eq!(by_cookie.credential.as_str(), "cookie");
    assert_eq!(by_cookie.session, SessionId([7; 16]));
    let times = (by_cookie.issued_at, by_cookie.expires_at, by_cookie.ends_at);
    assert_eq!(times, (NOW, NOW + IDLE, NOW + MAX));
    assert!(format!("{by_cookie:?}").contains("\"carol\""));

    let by_bearer = realm.admitted(&get("/").bearer(&realm.api_token("bob")), NOW);
    assert_eq!((by_bearer.user(), by_bearer.credential), ("bob", Credential::Bearer));
    assert_eq!(by_bearer.credential.as_str(), "bearer");
}

#[test]
fn the_longest_name_is_admitted_whole() {
    let name = "é".repeat(64);
    let realm = realm().with_users(&format!("{name}:{BCRYPT}"));
    assert_eq!(of_cookie(&realm, &realm.session(&name)), format!("ok {name}"));
}

#[test]
fn a6_a_key_that_only_verifies_is_taken_and_renewal_moves_to_the_first() {
    let rotated = KEYS.lines().rev().collect::<Vec<_>>().join("\n");
    let before = realm();
    let token = before.session("alice");
    assert_eq!(key_of(&token), "first");

    let after = realm().with_ring(ring(&rotated, "ops"));
    let now = NOW + IDLE / 2;
    let identity = after.admitted(&get("/").cookie(&token), now);
    let renewed = after.gate().renewal(&identity, false, now).unwrap();
    assert_eq!(key_of(token_of(&renewed)), "later");
    assert_eq!(after.says(&get("/").cookie(token_of(&renewed)), now), "ok alice");
}

#[test]
fn a7_a_key_that_is_gone_verifies_nothing() {
    let token = realm().session("alice");
    let without = KEYS.lines().last().unwrap();
    let after = realm().with_ring(ring(without, "ops"));
    assert_eq!(of_cookie(&after, &token), "unknown_key");
}

#[test]
fn a9_a_token_of_another_realm_is_refused() {
    let other = realm().with_ring(ring(KEYS, "dev"));
    let here = realm();
    assert_eq!(of_cookie(&here, &other.session("alice")), "bad_signature");
    assert_eq!(of_bearer(&here, &other.api_token("alice")), "bad_signature");
}

#[test]
fn a10_a_token_of_one_purpose_is_no_other() {
    let realm = realm();
    let claims = realm.claims("alice");
    let [session, api, device] = [Purpose::Session, Purpose::Api, Purpose::Device]
        .map(|purpose| realm.sign(purpose, &claims));
    for token in [&api, &device] {
        assert_eq!(of_cookie(&realm, token), "bad_signature");
    }
    for token in [&session, &device] {
        assert_eq!(of_bearer(&realm, &format!("agt_{token}")), "bad_signature");
    }
    // Without its prefix it is a bearer of the application's.
    assert_eq!(of_bearer(&realm, &api), "missing");
}

#[test]
fn a11_the_last_second() {
    let realm = realm();
    let request = get("/").cookie(&realm.session("alice"));
    assert_eq!(realm.says(&request, NOW + IDLE - 1), "ok alice");
    for now in [NOW + IDLE, NOW + IDLE + 1, u64::MAX] {
        assert_eq!(realm.says(&request, now), "expired");
    }
}

#[test]
fn a12_the_end_is_the_session_s_own_whatever_max_becomes() {
    let token = realm().session("alice");
    for max in ["1h", "12h", "10d"] {
        let realm = realm_with(&[("session", &[&format!("max={max}")])]);
        let identity = realm.admitted(&get("/").cookie(&token), NOW + IDLE / 2);
        assert_eq!(identity.ends_at, NOW + MAX, "{max}");
        let renewed = realm.gate().renewal(&identity, false, NOW + IDLE / 2).unwrap();
        let request = get("/").cookie(token_of(&renewed));
        assert_eq!(realm.admitted(&request, NOW + IDLE).ends_at, NOW + MAX, "{max}");
    }
}

#[test]
fn a12_no_number_wraps() {
    let realm = realm();
    for number in [0, 1, 1 << 31, 1 << 32, 1 << 63, u64::MAX] {
        let claims = Claims { expires_at: number, ends_at: number, ..realm.claims("alice") };
        let token = realm.sign(Purpose::Session, &claims);
        let word = if number > NOW { "ok alice" } else { "expired" };
        assert_eq!(of_cookie(&realm, &token), word, "{number}");
    }
    let claims = Claims { expires_at: NOW + MAX + 1, ..realm.claims("alice") };
    assert_eq!(of_cookie(&realm, &realm.sign(Purpose::Session, &claims)), "malformed");
}

#[test]
fn a14_a_token_may_be_a_minute_ahead() {
    let realm = realm();
    let request = get("/").cookie(&realm.session("alice"));
    assert_eq!(realm.says(&request, NOW - 60), "ok alice");
    assert_eq!(realm.says(&request, NOW - 61), "expired");
}

#[test]
fn a15_a_clock_set_back_gives_no_session_more_time() {
    let realm = realm();
    let request = get("/").cookie(&realm.session("alice"));
    assert_eq!(realm.says(&request, NOW - 3600), "expired");
    let identity = realm.admitted(&request, NOW - 30);
    assert_eq!(realm.gate().renewal(&identity, false, NOW - 30), None);
}

#[test]
fn a22_a_changed_password_ends_the_session_and_groups_do_not() {
    let realm = realm();
    let token = realm.session("alice");
    for (users, word) in [
        (format!("alice:{OTHER_BCRYPT}"), "password_changed"),
        (format!("bob:{BCRYPT}"), "unknown_user"),
        (format!("# moved\nbob:{PBKDF2}\nalice:{BCRYPT}:groups=sre"), "ok alice"),
        (format!(r#"{{"alice": {{"password": "{BCRYPT}", "disabled": true}}}}"#), "unknown_user"),
    ] {
        let realm = support::realm().with_users(&users);
        assert_eq!(of_cookie(&realm, &token), word);
    }
}

#[test]
fn a22_a_password_changed_during_a_request_ends_its_renewed_session_too() {
    let before = realm();
    let now = NOW + IDLE / 2;
    let identity = before.admitted(&get("/").cookie(&before.session("alice")), now);
    for (users, word) in [
        (format!("alice:{OTHER_BCRYPT}"), "password_changed"),
        (format!("bob:{BCRYPT}"), "unknown_user"),
        (format!("alice:{BCRYPT}:groups=sre"), "ok alice"),
    ] {
        let after = realm().with_users(&users);
        let renewed = after.gate().renewal(&identity, false, now).unwrap();
        assert_eq!(after.says(&get("/").cookie(token_of(&renewed)), now), word);
    }
}

#[test]
fn a23_an_ended_session_is_refused_and_another_of_its_user_not() {
    let realm = realm();
    let claims = realm.claims("alice");
    let other = Claims { session: SessionId([8; 16]), ..claims.clone() };
    realm.ended().insert(claims.session, claims.ends_at, NOW);
    assert_eq!(of_cookie(&realm, &realm.session("alice")), "revoked");
    assert_eq!(of_cookie(&realm, &realm.sign(Purpose::Session, &other)), "ok alice");
}

#[test]
fn b27_garbage_beside_a_valid_cookie() {
    let realm = realm();
    let token = realm.session("alice");
    for cookies in [["garbage", &token], [&token, "garbage"], [&altered(&token), &token]] {
        let request = cookies.iter().fold(get("/"), |request, cookie| request.cookie(cookie));
        assert_eq!(realm.says(&request, NOW), "ok alice");
    }
    let four = ["1", "2", "3", "4"].iter().fold(get("/"), |request, cookie| request.cookie(cookie));
    assert_eq!(realm.says(&four.cookie(&token), NOW), "malformed", "four are looked at");
}

#[test]
fn b27_of_failures_the_first_is_named() {
    let realm = realm();
    let token = realm.session("alice");
    let request = get("/").cookie(&altered(&token)).cookie("garbage");
    assert_eq!(realm.says(&request, NOW), "bad_signature");
    let request = get("/").cookie("garbage").cookie(&altered(&token));
    assert_eq!(realm.says(&request, NOW), "malformed");
}

#[test]
fn b28_valid_cookies_of_two_users_are_nobody_s() {
    let realm = realm();
    let [alice, bob] = ["alice", "bob"].map(|user| realm.session(user));
    for cookies in [[&alice, &bob], [&bob, &alice]] {
        let request = cookies.iter().fold(get("/"), |request, cookie| request.cookie(cookie));
        assert_eq!(realm.says(&request, NOW), "malformed");
        assert_eq!(realm.says(&request.cookie("garbage").cookie(&alice), NOW), "malformed");
    }
    let disabled = realm.session("dave");
    assert_eq!(realm.says(&get("/").cookie(&disabled).cookie(&bob), NOW), "ok bob");
}

#[test]
fn b30_the_other_form_of_the_cookie_is_not_read() {
    let realm = realm();
    let token = realm.session("alice");
    assert_eq!(realm.says(&get("/").tls().cookie(&token), NOW), "ok alice");
    assert_eq!(realm.says(&get("/").cookie(&token).tls(), NOW), "missing");
}

/// What may stand in a cookie of our name.
#[derive(Debug, Clone, Copy)]
enum Sort {
    Garbage,
    Expired,
    Ended,
    Alice { age: u64 },
    Bob,
}

fn any_sort() -> impl Strategy<Value = Sort> {
    prop_oneof![
        Just(Sort::Garbage),
        Just(Sort::Expired),
        Just(Sort::Ended),
        (0_u64..3000).prop_map(|age| Sort::Alice { age }),
        (0_u64..3000).prop_map(|age| Sort::Alice { age }),
        Just(Sort::Bob),
    ]
}

#[test]
fn a13_nothing_is_renewed_once_the_session_has_ended() {
    let realm = realm();
    let later = NOW + IDLE / 2;
    let identity = realm.admitted(&get("/").cookie(&realm.session("alice")), later);
    realm.ended().insert(identity.session, identity.ends_at, later);
    assert_eq!(realm.gate().renewal(&identity, false, later), None);
}

#[test]
fn i112_a_table_full_of_ended_sessions_says_nothing_of_api_tokens() {
    let realm = realm();
    for id in 0..1000_u32 {
        let mut session = [0; 16];
        session[..4].copy_from_slice(&id.wrapping_mul(2_654_435_761).to_be_bytes());
        realm.ended().insert(SessionId(session), NOW + MAX, NOW);
    }
    assert_eq!(of_cookie(&realm, &realm.session("alice")), "revoked");
    assert_eq!(of_bearer(&realm, &realm.api_token("alice")), "ok alice");
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn b27_b28_the_newest_cookie_of_one_user_counts(
        sorts in proptest::collection::vec(any_sort(), 0..7),
        in_one_line in any::<bool>(),
    ) {
        let realm = realm();
        let ended = SessionId([9; 16]);
        realm.ended().insert(ended, NOW + MAX, NOW);
        let alice = realm.claims("alice");
        let token = |sort: &Sort| match *sort {
            Sort::Garbage => "garbage".into(),
            Sort::Expired => realm.sign(Purpose::Session, &Claims { expires_at: NOW, ..alice.clone() }),
            Sort::Ended => realm.sign(Purpose::Session, &Claims { session: ended, ..alice.clone() }),
            Sort::Alice { age } => realm.sign(Purpose::Session, &Claims { issued_at: NOW - age, ..alice.clone() }),
            Sort::Bob => realm.session("bob"),
        };
        let tokens: Vec<String> = sorts.iter().map(token).collect();
        let request = if in_one_line && !tokens.is_empty() {
            get("/").cookie(&tokens.join("; authgate="))
        } else {
            tokens.iter().fold(get("/"), |request, token| request.cookie(token))
        };

        let seen = sorts.iter().take(4);
        let newest = seen.clone().filter_map(|sort| match sort {
            Sort::Alice { age } => Some(NOW - age),
            _ => None,
        }).max();
        let bob = seen.clone().any(|sort| matches!(sort, Sort::Bob));
        match (newest, bob) {
            (Some(issued_at), false) => {
                let identity = realm.admitted(&request, NOW);
                prop_assert_eq!((identity.user(), identity.issued_at), ("alice", issued_at));
            }
            (None, true) => prop_assert_eq!(realm.says(&request, NOW), "ok bob"),
            (Some(_), true) => prop_assert_eq!(realm.says(&request, NOW), "malformed"),
            (None, false) => {
                let first = seen.clone().next().map_or("missing", |sort| match sort {
                    Sort::Expired => "expired",
                    Sort::Ended => "revoked",
                    _ => "malformed",
                });
                prop_assert_eq!(realm.says(&request, NOW), first);
            }
        }
    }

    #[test]
    fn a11_to_a14_exactly_the_times_that_hold_admit(
        issued in 0_u64..400, expires in 0_u64..400, ends in 0_u64..400, now in 0_u64..400,
    ) {
        let realm = realm();
        let [issued_at, expires_at, ends_at] = [issued, expires, ends].map(|time| NOW + time);
        let claims = Claims { issued_at, expires_at, ends_at, ..realm.claims("alice") };
        let request = get("/").cookie(&realm.sign(Purpose::Session, &claims));
        let holds = issued <= now + 60 && now < expires && expires <= ends;
        prop_assert_eq!(realm.says(&request, NOW + now) == "ok alice", holds);
    }
}

#[test]
fn a13_renewed_after_a_tenth_of_idle() {
    let realm = realm();
    let identity = realm.admitted(&get("/").cookie(&realm.session("alice")), NOW);
    let renewal = |age| realm.gate().renewal(&identity, false, NOW + age);
    for age in [0, 1, IDLE / 10 - 1] {
        assert_eq!(renewal(age), None, "{age}");
    }
    let renewed = renewal(IDLE / 10).unwrap();
    let token = token_of(&renewed);
    assert_eq!(
        renewed,
        format!("authgate={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={IDLE}")
    );
    let after = realm.admitted(&get("/").cookie(token), NOW + IDLE / 10);
    assert_eq!((after.session, after.ends_at), (identity.session, identity.ends_at));
    assert_eq!(after.issued_at, NOW + IDLE / 10);
    assert_eq!(after.expires_at, NOW + IDLE / 10 + IDLE);
    let on_tls = realm.gate().renewal(&identity, true, NOW + IDLE / 10).unwrap();
    assert!(on_tls.starts_with("__Host-authgate=v1.first.") && on_tls.contains("; Secure;"));
}

#[test]
fn a13_nothing_gained_nothing_renewed() {
    // At the session's end, and where `idle` has become shorter.
    let realm = realm();
    let claims = Claims { expires_at: NOW + MAX, ..realm.claims("alice") };
    let request = get("/").cookie(&realm.sign(Purpose::Session, &claims));
    let identity = realm.admitted(&request, NOW + 600);
    for age in [600, MAX - IDLE, MAX - 1, MAX, 2 * MAX] {
        assert_eq!(realm.gate().renewal(&identity, false, NOW + age), None, "{age}");
    }
    // In the second that made the token, even where `idle` has become longer.
    let short = realm_with(&[("session", &["idle=5s"])]);
    let claims = Claims { expires_at: NOW + 1, ..short.claims("alice") };
    let request = get("/").cookie(&short.sign(Purpose::Session, &claims));
    assert_eq!(short.gate().renewal(&short.admitted(&request, NOW), false, NOW), None);
}

#[test]
fn a13_api_tokens_are_not_renewed() {
    let realm = realm();
    let claims = Claims { epoch: 0, ..realm.claims("alice") };
    let token = realm.sign(Purpose::Api, &claims);
    let identity = realm.admitted(&get("/").bearer(&format!("agt_{token}")), NOW);
    for age in [IDLE / 2, IDLE - 1] {
        assert_eq!(realm.gate().renewal(&identity, false, NOW + age), None);
    }
}

#[test]
fn a13_a_renewal_during_a_logout_does_not_outlive_it() {
    let realm = realm();
    let later = NOW + IDLE / 2;
    let identity = realm.admitted(&get("/").cookie(&realm.session("alice")), later);
    let renewed = realm.gate().renewal(&identity, false, later).unwrap();
    realm.ended().insert(identity.session, identity.ends_at, later);
    let request = get("/").cookie(token_of(&renewed));
    assert_eq!(realm.says(&request, later), "revoked");
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a13_renewal_gains_time_and_never_past_the_end(
        idle in 1_u64..5000, max in 1_u64..9000, new_idle in 1_u64..5000, age in 0_u64..9000,
    ) {
        let new_idle_text = format!("idle={new_idle}");
        let realm = realm_with(&[("session", &[&new_idle_text])]);
        let ends_at = NOW + max;
        let expires_at = ends_at.min(NOW + idle);
        let age = age % (expires_at - NOW);
        let now = NOW + age;
        let claims = Claims { expires_at, ends_at, ..realm.claims("alice") };
        let identity = realm.admitted(&get("/").cookie(&realm.sign(Purpose::Session, &claims)), now);

        let expected = ends_at.min(now + new_idle);
        let is_due = age >= (new_idle / 10).max(1) && expected > expires_at;
        let renewed = realm.gate().renewal(&identity, false, now);
        prop_assert_eq!(renewed.is_some(), is_due);
        if let Some(renewed) = renewed {
            let after = realm.admitted(&get("/").cookie(token_of(&renewed)), now);
            prop_assert_eq!(after.session, identity.session);
            prop_assert_eq!((after.issued_at, after.expires_at, after.ends_at), (now, expected, ends_at));
            let age = format!("; Max-Age={}", expected - now);
            prop_assert!(renewed.ends_with(&age), "{}", renewed);
        }
    }
}

#[test]
fn g82_basic_beside_the_cookie_says_nothing() {
    let realm = realm();
    let request = get("/").cookie(&realm.session("alice")).authorization("Basic Ym9iOng=");
    assert_eq!(realm.says(&request, NOW), "ok alice");
    assert_eq!(realm.says(&get("/").authorization("Basic Ym9iOng="), NOW), "missing");
}

#[test]
fn g83_the_application_s_bearer_leaves_the_cookie_to_decide() {
    let realm = realm();
    let cookie = get("/").cookie(&realm.session("alice"));
    for authorization in [
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Bearer v1.first.x.y",
        "Bearer AGT_x",
        "Bearer x agt_y",
        "Bearer",
        "Bearer ",
        "Beareragt_x",
        "Bearer\tagt_x",
        "Digest agt_x",
        "agt_x",
        "",
    ] {
        assert!(!is_api_token(authorization.as_bytes()), "{authorization}");
        let request = cookie.clone().authorization(authorization);
        assert_eq!(realm.says(&request, NOW), "ok alice", "{authorization}");
    }
}

#[test]
fn g83_an_api_token_decides_alone() {
    let realm = realm();
    let cookie = get("/").cookie(&realm.session("alice"));
    let bob = realm.api_token("bob");
    for scheme in ["Bearer ", "bearer ", "BEARER   "] {
        let authorization = format!("{scheme}{bob} ");
        assert!(is_api_token(authorization.as_bytes()));
        let request = cookie.clone().authorization(authorization);
        assert_eq!(realm.says(&request, NOW), "ok bob");
    }
    assert_eq!(realm.says(&cookie.bearer("agt_x"), NOW), "malformed");
}

#[test]
fn accept_names_the_credentials_that_are_taken() {
    for (accept, by_cookie, by_bearer, by_both) in [
        (["cookie"].as_slice(), "ok alice", "missing", "ok alice"),
        (&["bearer"], "missing", "ok bob", "ok bob"),
        (&["cookie", "bearer"], "ok alice", "ok bob", "ok bob"),
    ] {
        let realm = realm_with(&[("accept", accept)]);
        let cookie = get("/").cookie(&realm.session("alice"));
        let bob = realm.api_token("bob");
        assert_eq!(realm.says(&cookie, NOW), by_cookie, "{accept:?}");
        assert_eq!(realm.says(&get("/").bearer(&bob), NOW), by_bearer, "{accept:?}");
        assert_eq!(realm.says(&cookie.bearer(&bob), NOW), by_both, "{accept:?}");
    }
}

fn refusal(realm: &Realm, request: &Request, cause: Cause) -> Reply {
    let reply = request.with_head(|head| realm.gate().refusal(head, cause));
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
