//! The gate: who a request comes from.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod support;

use authgate_core::gate::takes;
use authgate_core::settings::Accept;
use authgate_core::token::{Claims, Purpose, SessionId};
use support::*;

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
    realm.ended().apply(&support::ended(ended, "alice", NOW + MAX), NOW);
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
    realm.ended().apply(&support::ended(ended, "alice", NOW + MAX), NOW);
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
    let session = support::session_of(&by_cookie);
    assert_eq!((by_cookie.user(), by_cookie.credential.as_str()), ("carol", "cookie"));
    assert_eq!((by_cookie.id(), by_cookie.expires_at()), (Some(session.id), Some(NOW + IDLE)));
    assert_eq!(session.id, SessionId([7; 16]));
    let times = (session.issued_at, session.expires_at, session.ends_at);
    assert_eq!(times, (NOW, NOW + IDLE, NOW + MAX));
    assert!(format!("{by_cookie:?}").contains("\"carol\""));

    let by_bearer = realm.admitted(&get("/").bearer(&realm.api_token("bob")), NOW);
    assert_eq!((by_bearer.user(), by_bearer.credential.as_str()), ("bob", "bearer"));
    assert_eq!(by_bearer.session(), None);
    let facts = (by_bearer.id(), by_bearer.expires_at());
    assert_eq!(facts, (Some(SessionId([7; 16])), Some(NOW + MAX)));
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
    let renewed = after.renewal(&identity, &get("/"), now).unwrap();
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
        assert_eq!(support::session_of(&identity).ends_at, NOW + MAX, "{max}");
        let renewed = realm.renewal(&identity, &get("/"), NOW + IDLE / 2).unwrap();
        let request = get("/").cookie(token_of(&renewed));
        let later = realm.admitted(&request, NOW + IDLE);
        assert_eq!(support::session_of(&later).ends_at, NOW + MAX, "{max}");
    }
}

#[test]
fn a12_no_number_wraps() {
    let realm = realm();
    for number in [0, 1, 1 << 31, 1 << 32, 1 << 63, u64::MAX] {
        let claims = Claims { expires_at: number, ends_at: number, ..realm.claims("alice") };
        let token = realm.sign(Purpose::Session, &claims);
        // None holds for so long: J124.
        let word = if number > NOW { "malformed" } else { "expired" };
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
    assert_eq!(realm.renewal(&identity, &get("/"), NOW - 30), None);
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
        let renewed = after.renewal(&identity, &get("/"), now).unwrap();
        assert_eq!(after.says(&get("/").cookie(token_of(&renewed)), now), word);
    }
}

#[test]
fn a23_an_ended_session_is_refused_and_another_of_its_user_not() {
    let realm = realm();
    let claims = realm.claims("alice");
    let other = Claims { session: SessionId([8; 16]), ..claims.clone() };
    realm.ended().apply(&support::ended(claims.session, "alice", claims.ends_at), NOW);
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

#[test]
fn i112_a_table_full_of_ended_sessions_says_nothing_of_api_tokens() {
    let realm = realm();
    for id in 0..1000_u32 {
        let mut session = [0; 16];
        session[..4].copy_from_slice(&id.wrapping_mul(2_654_435_761).to_be_bytes());
        realm.ended().apply(&support::ended(SessionId(session), "alice", NOW + MAX), NOW);
    }
    assert_eq!(of_cookie(&realm, &realm.session("alice")), "revoked");
    assert_eq!(of_bearer(&realm, &realm.api_token("alice")), "ok alice");
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
        assert!(!takes(Accept::BEARER, authorization.as_bytes()), "{authorization}");
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
        assert!(takes(Accept::BEARER, authorization.as_bytes()));
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
