//! When a session is renewed, and when not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod cases;
mod support;

use authgate_core::request::Method;
use authgate_core::token::{Claims, Purpose};
use cases::cases;
use proptest::prelude::*;
use support::*;

#[test]
fn a13_nothing_is_renewed_once_the_session_has_ended() {
    let realm = realm();
    let later = NOW + IDLE / 2;
    let identity = realm.admitted(&get("/").cookie(&realm.session("alice")), later);
    realm.ended().apply(
        &support::ended(session_of(&identity).id, "alice", session_of(&identity).ends_at),
        later,
    );
    assert_eq!(realm.renewal(&identity, &get("/"), later), None);
}

#[test]
fn a13_renewed_after_a_tenth_of_idle() {
    let realm = realm();
    let identity = realm.admitted(&get("/").cookie(&realm.session("alice")), NOW);
    let renewal = |age| realm.renewal(&identity, &get("/"), NOW + age);
    for age in [0, 1, IDLE / 10 - 1] {
        assert_eq!(renewal(age), None, "{age}");
    }
    let renewed = renewal(IDLE / 10).unwrap();
    let token = token_of(&renewed);
    assert_eq!(
        renewed,
        format!("authgate={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={IDLE}")
    );
    let after = session_of(&realm.admitted(&get("/").cookie(token), NOW + IDLE / 10));
    let before = session_of(&identity);
    assert_eq!((after.id, after.ends_at), (before.id, before.ends_at));
    assert_eq!(after.issued_at, NOW + IDLE / 10);
    assert_eq!(after.expires_at, NOW + IDLE / 10 + IDLE);
    let on_tls = realm.renewal(&identity, &get("/").tls(), NOW + IDLE / 10).unwrap();
    assert!(on_tls.starts_with("__Host-authgate=v1.first.") && on_tls.contains("; Secure;"));
}

#[test]
fn a6_a_session_of_another_key_is_renewed_by_the_first() {
    let realm = realm();
    let second = KEYS.lines().nth(1).unwrap();
    let other = support::realm().with_ring(ring(second, "ops"));
    let request = get("/").cookie(&other.session("alice"));
    let due = NOW + IDLE / 10;
    let identity = realm.admitted(&request, due);
    let renewed = realm.renewal(&identity, &get("/"), due).unwrap();
    assert!(renewed.starts_with("authgate=v1.first."));
    let after = get("/").cookie(token_of(&renewed));
    assert_eq!(realm.admitted(&after, due).id(), identity.id());
    // Due only when the answer goes out: the next request renews it.
    let early = realm.admitted(&request, due - 1);
    assert_eq!(realm.renewal(&early, &get("/"), due), None);
}

#[test]
fn a13_nothing_gained_nothing_renewed() {
    // At the session's end, and where `idle` has become shorter.
    let realm = realm();
    let claims = Claims { expires_at: NOW + MAX, ..realm.claims("alice") };
    let request = get("/").cookie(&realm.sign(Purpose::Session, &claims));
    let identity = realm.admitted(&request, NOW + 600);
    for age in [600, MAX - IDLE, MAX - 1, MAX, 2 * MAX] {
        assert_eq!(realm.renewal(&identity, &get("/"), NOW + age), None, "{age}");
    }
    // In the second that made the token, even where `idle` has become longer.
    let short = realm_with(&[("session", &["idle=5s"])]);
    let claims = Claims { expires_at: NOW + 1, ..short.claims("alice") };
    let request = get("/").cookie(&short.sign(Purpose::Session, &claims));
    assert_eq!(short.renewal(&short.admitted(&request, NOW), &get("/"), NOW), None);
}

#[test]
fn a13_api_tokens_are_not_renewed() {
    let realm = realm();
    let claims = Claims { epoch: 0, ..realm.claims("alice") };
    let token = realm.sign(Purpose::Api, &claims);
    let identity = realm.admitted(&get("/").bearer(&format!("agt_{token}")), NOW);
    for age in [IDLE / 2, IDLE - 1] {
        assert_eq!(realm.renewal(&identity, &get("/"), NOW + age), None);
    }
}

#[test]
fn a13_a_renewal_during_a_logout_does_not_outlive_it() {
    let realm = realm();
    let later = NOW + IDLE / 2;
    let identity = realm.admitted(&get("/").cookie(&realm.session("alice")), later);
    let renewed = realm.renewal(&identity, &get("/"), later).unwrap();
    realm.ended().apply(
        &support::ended(session_of(&identity).id, "alice", session_of(&identity).ends_at),
        later,
    );
    let request = get("/").cookie(token_of(&renewed));
    assert_eq!(realm.says(&request, later), "revoked");
}

#[test]
fn a13_where_only_navigations_renew_nothing_else_does() {
    let realm = realm_with(&[("session", &["renew=navigation"])]);
    let any = support::realm();
    let navigation = || get("/").field("sec-fetch-mode", "navigate");
    let later = NOW + IDLE / 2;
    let identity = realm.admitted(&get("/").cookie(&realm.session("alice")), later);
    for request in [
        get("/"),
        get("/").accept("application/json"),
        get("/").field("sec-fetch-mode", "cors").accept("text/html"),
        navigation().method(Method::Post),
        navigation().method(Method::Delete),
        navigation().field("upgrade", "websocket"),
    ] {
        assert_eq!(realm.renewal(&identity, &request, later), None, "{request:?}");
        assert!(any.renewal(&identity, &request, later).is_some(), "{request:?}");
    }
    for request in [navigation(), get("/").accept("text/html"), navigation().method(Method::Head)] {
        assert!(realm.renewal(&identity, &request, later).is_some(), "{request:?}");
        assert_eq!(realm.renewal(&identity, &request, NOW + 1), None, "not due");
    }
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
        let renewed = realm.renewal(&identity, &get("/"), now);
        prop_assert_eq!(renewed.is_some(), is_due);
        if let Some(renewed) = renewed {
            let after = session_of(&realm.admitted(&get("/").cookie(token_of(&renewed)), now));
            prop_assert_eq!(Some(after.id), identity.id());
            prop_assert_eq!((after.issued_at, after.expires_at, after.ends_at), (now, expected, ends_at));
            let age = format!("; Max-Age={}", expected - now);
            prop_assert!(renewed.ends_with(&age), "{}", renewed);
        }
    }
}
