//! The device cookie: what makes a device known, and what it is good for.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod support;

use authgate_core::journal::{Record, UserTag};
use authgate_core::keyring::KeyRing;
use authgate_core::pages::Page;
use authgate_core::token::{Claims, Purpose, SessionId, inspect};
use support::pages::*;
use support::*;

const DAYS_90: u64 = 90 * 86400;
const DEVICE: SessionId = SessionId([5; 16]);

/// What a device's token says that is made `NOW`.
fn claims<'u>(realm: &Realm, user: &'u str) -> Claims<'u> {
    let (expires_at, ends_at) = (NOW + DAYS_90, NOW + DAYS_90);
    Claims { session: DEVICE, expires_at, ends_at, ..realm.claims(user) }
}

fn token(realm: &Realm, user: &str) -> String {
    realm.sign(Purpose::Device, &claims(realm, user))
}

/// The device of a login as alice.
fn known(realm: &Realm, request: &Request, now: u64) -> Option<SessionId> {
    check_of(realm, request, "username=alice", now).device()
}

#[test]
fn f73_a_login_makes_the_device_known() {
    let realm = realm();
    for (name, tls) in [("alice", false), ("carol", true)] {
        let request = if tls { form().tls() } else { form() };
        let body = format!("username={name}&password=correct+horse");
        let reply = sign_in(&realm, &request, &body);
        let cookie = device_cookie(&reply).unwrap();
        let token = token_of(cookie);
        let (prefix, secure) = if tls { ("__Host-", "; Secure") } else { ("", "") };
        let expected = format!(
            "{prefix}authgate-device={token}; Path=/{secure}; HttpOnly; SameSite=Lax; Max-Age=7776000"
        );
        assert_eq!(cookie, expected);

        let says = inspect(token.as_bytes()).unwrap();
        assert_eq!((says.session, says.user.as_str()), (FRESH.device, name));
        let times = (says.issued_at, says.expires_at, says.ends_at);
        assert_eq!(times, (NOW, NOW + DAYS_90, NOW + DAYS_90));
        let again = check_of(&realm, &request.device(token), &body, NOW + DAYS_90 - 1);
        assert_eq!(again.device(), Some(FRESH.device));
    }
}

#[test]
fn f73_the_json_login_makes_it_known_too_and_a_failure_does_not() {
    let realm = realm();
    let json = form().accept("application/json");
    assert!(device_cookie(&outcome(&realm, &json, "username=alice", true)).is_some());
    for request in [json, form(), form().device(&token(&realm, "alice"))] {
        let reply = outcome(&realm, &request, "username=alice", false);
        assert_eq!(header(&reply, "Set-Cookie"), None);
    }
}

#[test]
fn f73_a_known_device_keeps_its_name_and_is_known_for_longer() {
    let realm = realm();
    let before = Claims { issued_at: NOW - 1000, ..claims(&realm, "alice") };
    let request = form().device(&realm.sign(Purpose::Device, &before));
    let reply = outcome(&realm, &request, "username=alice", true);
    let says = inspect(token_of(device_cookie(&reply).unwrap()).as_bytes()).unwrap();
    assert_eq!((says.session, says.expires_at), (DEVICE, NOW + DAYS_90));
    // Another user's device is a new one.
    let reply = outcome(&realm, &request, "username=bob", true);
    let says = inspect(token_of(device_cookie(&reply).unwrap()).as_bytes()).unwrap();
    assert_eq!((says.session, says.user.as_str()), (FRESH.device, "bob"));
}

#[test]
fn f73_a_device_is_known_for_the_very_user_alone() {
    // Two users of one stored hash: the epoch alone would not tell them apart.
    let realm = realm().with_users(&format!("alice:{BCRYPT}\nbob:{BCRYPT}"));
    let request = form().device(&token(&realm, "alice"));
    let of = |name: &str| check_of(&realm, &request, &format!("username={name}"), NOW).device();
    assert_eq!(of("alice"), Some(DEVICE));
    for name in ["bob", "Alice", "alice+", "+alice", "alic", "nobody", ""] {
        assert_eq!(of(name), None, "{name}");
    }
}

#[test]
fn f73_a_device_is_known_for_90_days() {
    let realm = realm();
    let request = form().device(&token(&realm, "alice"));
    for (age, device) in [(0, Some(DEVICE)), (DAYS_90 - 1, Some(DEVICE)), (DAYS_90, None)] {
        assert_eq!(known(&realm, &request, NOW + age), device, "{age}");
    }
}

#[test]
fn f73_a_change_of_the_user_drops_the_power_of_the_device() {
    let request = form().device(&token(&realm(), "alice"));
    let disabled = format!(r#"{{"alice": {{"password": "{BCRYPT}", "disabled": true}}}}"#);
    for (users, device) in [
        (format!("alice:{BCRYPT}"), Some(DEVICE)),
        (format!("alice:{BCRYPT}:groups=sre"), Some(DEVICE)),
        (format!("alice:{OTHER_BCRYPT}"), None),
        (format!("bob:{BCRYPT}"), None),
        (disabled, None),
    ] {
        assert_eq!(known(&realm().with_users(&users), &request, NOW), device, "{users}");
    }
}

#[test]
fn f73_a_device_stays_known_when_sessions_end() {
    let realm = realm();
    let logout = post("/authgate/logout").cookie(&realm.session("alice"));
    let reply = page(&realm, Page::Logout, &logout.device(&token(&realm, "alice")));
    assert_eq!((reply.ends.len(), device_cookie(&reply)), (1, None));
    let everything = Record::User { user: UserTag::of("alice"), issued_until: NOW + 9 };
    for record in [ended(DEVICE, "alice", NOW + DAYS_90), everything] {
        realm.ended().apply(&record, NOW);
    }
    let request = form().device(&token(&realm, "alice"));
    assert_eq!(known(&realm, &request, NOW), Some(DEVICE));
}

#[test]
fn a10_a_device_cookie_is_no_session_and_a_session_no_device() {
    let realm = realm();
    let claims = claims(&realm, "alice");
    let [session, api, device] = [Purpose::Session, Purpose::Api, Purpose::Device]
        .map(|purpose| realm.sign(purpose, &claims));
    assert_eq!(realm.says(&get("/").cookie(&session), NOW), "ok alice");
    assert_eq!(realm.says(&get("/").cookie(&device), NOW), "bad_signature");
    assert_eq!(realm.says(&get("/").bearer(&format!("agt_{device}")), NOW), "bad_signature");
    for name in [&session, &api, &device] {
        assert_eq!(realm.says(&get("/").device(name), NOW), "missing", "by its cookie's name");
    }
    for other in [&session, &api] {
        assert_eq!(known(&realm, &form().device(other), NOW), None);
    }
    assert_eq!(known(&realm, &form().cookie(&device), NOW), None, "under the session's name");
    assert_eq!(known(&realm, &form().device(&device), NOW), Some(DEVICE));
}

#[test]
fn a9_a_device_of_another_realm_or_key_is_not_known() {
    let ring_of = |keys: &str, name: &str| -> KeyRing { ring(keys, name) };
    let other_keys = "first MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDI=\n";
    for (ring, device) in [
        (ring_of(KEYS, "ops"), Some(DEVICE)),
        (ring_of(KEYS, "lab"), None),
        (ring_of(other_keys, "ops"), None),
    ] {
        let issuer = realm().with_ring(ring);
        let request = form().device(&token(&issuer, "alice"));
        assert_eq!(known(&realm(), &request, NOW), device);
    }
    // After a rotation: signed by a key that now only verifies.
    let lines: Vec<&str> = KEYS.lines().rev().collect();
    let rotated = realm().with_ring(ring(&lines.join("\n"), "ops"));
    let request = form().device(&token(&realm(), "alice"));
    assert_eq!(known(&rotated, &request, NOW), Some(DEVICE));
}

#[test]
fn a1_an_altered_device_cookie_is_not_known() {
    let realm = realm();
    let token = token(&realm, "alice");
    for place in 0..token.len() {
        let mut altered = token.clone().into_bytes();
        altered[place] ^= 1;
        let altered = String::from_utf8(altered).unwrap();
        assert_eq!(known(&realm, &form().device(&altered), NOW), None, "{place}");
    }
}

#[test]
fn b27_b31_four_device_cookies_are_looked_at() {
    let realm = realm();
    let device = token(&realm, "alice");
    let after = |others: usize| {
        let request = (0..others).fold(form(), |request, _| request.device("garbage"));
        known(&realm, &request.device(&token(&realm, "bob")).device(&device), NOW)
    };
    assert_eq!((after(0), after(2), after(3)), (Some(DEVICE), Some(DEVICE), None));
    assert_eq!(known(&realm, &form().tls().device(&device), NOW), Some(DEVICE));
    // On TLS the name without a prefix is not read.
    let plain = form().device(&device);
    assert_eq!(known(&realm, &plain.tls(), NOW), None);
}
