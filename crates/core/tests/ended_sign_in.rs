//! Case J139: who signs in is signed in at once, whatever a full table has ended.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod support;

use authgate_core::ended::{KEPT_BEYOND_ISSUE, MADE_AHEAD};
use authgate_core::journal::Record;
use authgate_core::token::{MAX_SKEW, Purpose, SessionId};
use support::pages::{FRESH, outcome};
use support::*;

/// As many as end everyone so many times over.
fn name_tokens(realm: &Realm, times: u128, now: u64) {
    let everyone = |realm: &Realm| realm.ended().earliest("bob").issued_at;
    let (before, keep_until) = (everyone(realm), now + KEPT_BEYOND_ISSUE);
    for number in 0..57 * times {
        let id = SessionId((number << 96).to_be_bytes());
        realm.ended().apply(&Record::Token { id, keep_until }, now);
    }
    assert!(everyone(realm) > before, "everyone has ended");
}

/// The cookie of a sign-in.
fn sign_in(realm: &Realm, request: &Request) -> String {
    let reply = outcome(realm, request, "username=alice", true);
    token_of(session_cookie(&reply).unwrap()).to_owned()
}

#[test]
fn j139_a_session_that_begins_after_all_have_ended_holds_at_once() {
    let realm = realm();
    let before = realm.session("alice");
    name_tokens(&realm, 1, NOW);
    assert_eq!(realm.says(&get("/").cookie(&before), NOW), "revoked");
    let request = get("/").cookie(&sign_in(&realm, &form().cookie(&before)));
    // Also where the clock is behind: in another worker by a second, on another node by half a minute.
    for now in [NOW, NOW - 1, NOW - (MAX_SKEW - MADE_AHEAD - 1), NOW + 1, NOW + IDLE] {
        assert_eq!(realm.says(&request, now), "ok alice", "{now}");
    }
}

#[test]
fn j139_it_goes_on_when_it_is_renewed() {
    let realm = realm();
    name_tokens(&realm, 1, NOW);
    let request = get("/").cookie(&sign_in(&realm, &form()));
    let mut renewals = 0;
    for now in NOW..NOW + IDLE {
        let identity = realm.admitted(&request, now);
        if let Some(cookie) = realm.renewal(&identity, &get("/"), now) {
            renewals += 1;
            assert_eq!(realm.says(&get("/").cookie(token_of(&cookie)), now), "ok alice", "{now}");
        }
    }
    assert!(renewals > 0);
}

/// As when nginx reads a long `state` at its start.
#[test]
fn j139_everyone_ended_a_hundred_times_within_a_second() {
    let realm = realm();
    name_tokens(&realm, 100, NOW);
    let request = get("/").cookie(&sign_in(&realm, &form()));
    assert_eq!(realm.says(&request, NOW), "ok alice");
    // That one ends with everyone as well, and the next one holds.
    name_tokens(&realm, 100, NOW);
    assert_eq!(realm.says(&request, NOW), "revoked");
    let request = get("/").cookie(&sign_in(&realm, &form()));
    assert_eq!(realm.says(&request, NOW), "ok alice");
}

/// The session that gives way is the one too many for the user's part of the table, and all of them
/// end in the same second.
#[test]
fn j139_a_session_outlives_the_end_of_the_one_it_replaces() {
    for listed in 0..64 {
        let realm = realm();
        for number in 0..listed {
            realm.ended().apply(&ended(SessionId([100 + number; 16]), "alice", NOW + MAX), NOW);
        }
        let request = get("/").cookie(&sign_in(&realm, &form().cookie(&realm.session("alice"))));
        assert_eq!(realm.says(&request, NOW), "ok alice", "{listed}");
        assert_eq!(realm.admitted(&request, NOW).id(), Some(FRESH.session));
        let before = realm.sign(Purpose::Session, &realm.claims("alice"));
        assert_eq!(realm.says(&get("/").cookie(&before), NOW), "revoked", "{listed}");
    }
}
