//! Why the visitor is on the login page: told to the holder of a cookie of ours, and to no other.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod support;

use authgate_core::pages::Page;
use authgate_core::token::{Claims, Purpose};
use support::pages::*;
use support::*;

const EXPIRED: Option<&str> = Some("Your session has ended. Please sign in again.");
const REVOKED: Option<&str> = Some("You have been signed out. Please sign in again.");
const PASSWORD_CHANGED: Option<&str> = Some("Your password has changed. Please sign in again.");

fn login() -> Request {
    get("/authgate/login?rd=/a")
}

/// The words of the notice on the login page.
fn notice(realm: &Realm, request: &Request) -> Option<String> {
    let reply = page(realm, Page::Login, request);
    assert_eq!((reply.status, event(&reply), header(&reply, "Set-Cookie")), (200, None, None));
    let (_, rest) = reply.body.split_once("id=\"notice\">")?;
    assert!(reply.body.contains("<p role=\"status\" id=\"notice\">"), "{}", reply.body);
    rest.split_once("</p>").map(|(text, _)| text.to_owned())
}

fn expired(realm: &Realm) -> String {
    realm.sign(Purpose::Session, &Claims { expires_at: NOW, ..realm.claims("alice") })
}

#[test]
fn the_end_of_a_session_is_told_by_its_cause() {
    let realm = realm();
    assert_eq!(notice(&realm, &login().cookie(&expired(&realm))).as_deref(), EXPIRED);
    let token = realm.session("alice");
    let request = login().cookie(&token);
    let changed = support::realm().with_users(&format!("alice:{OTHER_BCRYPT}"));
    assert_eq!(notice(&changed, &request).as_deref(), PASSWORD_CHANGED);
    let claims = realm.claims("alice");
    realm.ended().apply(&ended(claims.session, "alice", claims.ends_at), NOW);
    assert_eq!(notice(&realm, &request).as_deref(), REVOKED);
}

#[test]
fn a22_a_user_who_is_gone_reads_what_anyone_reads_whose_time_is_up() {
    let request = login().cookie(&realm().session("alice"));
    let disabled = format!(r#"{{"alice": {{"password": "{BCRYPT}", "disabled": true}}}}"#);
    for users in [format!("bob:{BCRYPT}"), disabled] {
        let realm = realm().with_users(&users);
        assert_eq!(notice(&realm, &request).as_deref(), EXPIRED, "{users}");
    }
}

#[test]
fn a17_nothing_is_said_of_a_cookie_that_we_have_not_signed() {
    let realm = realm();
    let altered = |place: usize| {
        let mut token = expired(&realm);
        let other = if token.as_bytes()[place] == b'A' { "B" } else { "A" };
        token.replace_range(place..=place, other);
        token
    };
    let (payload, mac) = (altered("v1.first.".len()), altered(expired(&realm).len() - 9));
    let unknown_key = expired(&realm).replacen("first", "third", 1);
    let of_another_realm = expired(&support::realm().with_ring(ring(KEYS, "lab")));
    let device = realm.sign(Purpose::Device, &Claims { expires_at: NOW, ..realm.claims("alice") });
    for token in ["", "garbage", &payload, &mac, &unknown_key, &of_another_realm, &device] {
        assert_eq!(notice(&realm, &login().cookie(token)), None, "{token}");
    }
    assert_eq!(notice(&realm, &login()), None);
    assert_eq!(notice(&realm, &login().device(&device)), None);
}

#[test]
fn nothing_is_said_to_an_api_client() {
    let realm = realm();
    let api = Claims { expires_at: NOW, epoch: 0, ..realm.claims("alice") };
    let request = login().bearer(&format!("agt_{}", realm.sign(Purpose::Api, &api)));
    assert_eq!(realm.says(&request, NOW), "expired");
    assert_eq!(notice(&realm, &request), None);
    assert_eq!(notice(&realm, &login().bearer(&realm.api_token("alice"))), None);
    assert_eq!(notice(&realm, &request.cookie(&expired(&realm))), None, "the token decides alone");
    // Where no cookie is taken none is read.
    let bearer_only = realm_with(&[("accept", &["bearer"])]);
    assert_eq!(notice(&bearer_only, &login().cookie(&expired(&bearer_only))), None);
}

#[test]
fn after_a_failed_login_the_failure_is_what_is_told() {
    let realm = realm();
    let request = form().cookie(&expired(&realm));
    let reply = outcome(&realm, &request, "username=alice", false);
    assert_eq!(reply.body.matches("id=\"notice\"").count(), 1);
    assert!(reply.body.contains("Wrong user name or password."));
    assert_eq!(reply, outcome(&realm, &form(), "username=alice", false), "C49");
}
