//! Whether what let a request in still holds, while its connection goes on.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod support;

use authgate_core::gate::{Decision, Identity, Outcome};
use authgate_core::journal::Record;
use support::*;

/// The word of the verdict on `identity`, admitted by `before`, that `after` gives at `now`.
fn says(before: &Realm, after: &Realm, identity: &Identity, now: u64) -> &'static str {
    let epoch = before.gate().epoch(identity);
    after.gate().review(identity, epoch, now).status().as_str()
}

/// alice's, by session, API token and password.
fn all(realm: &Realm) -> [Identity; 3] {
    let session = get("/").cookie(&realm.session("alice"));
    let token = get("/").authorization(format!("Bearer {}", realm.api_token("alice")));
    let by_basic = get("/").authorization("Basic YWxpY2U6Y29ycmVjdCBob3JzZQ==");
    let check = match realm.decision(&by_basic, NOW) {
        Decision::Check(check) => *check,
        Decision::Verdict(_) => panic!("no check"),
    };
    let verdict = realm.gate().of_check(&check, Outcome::Checked(true)).0;
    [
        realm.admitted(&session, NOW),
        realm.admitted(&token, NOW),
        verdict.admitted().unwrap().clone(),
    ]
}

fn taking_all() -> Realm {
    realm_with(&[("accept", &["cookie", "bearer", "basic"])])
}

#[test]
fn a13_only_the_end_of_a_session_ends_it_and_not_its_idle_time() {
    let realm = taking_all();
    let [session, token, basic] = all(&realm);
    for (now, expected) in [
        (NOW, ["ok"; 3]),
        (NOW + IDLE, ["ok"; 3]),
        (NOW + MAX - 1, ["ok"; 3]),
        (NOW + MAX, ["expired", "expired", "ok"]),
        (u64::MAX, ["expired", "expired", "ok"]),
    ] {
        let said = [&session, &token, &basic].map(|identity| says(&realm, &realm, identity, now));
        assert_eq!(said, expected, "{now}");
    }
}

#[test]
fn a22_a_user_who_has_gone_or_has_another_password() {
    let realm = taking_all();
    let identities = all(&realm);
    for (text, expected) in [
        (format!("bob:{BCRYPT}"), ["unknown_user"; 3]),
        (
            format!(r#"{{"alice": {{"password": "{BCRYPT}", "disabled": true}}}}"#),
            ["unknown_user"; 3],
        ),
        (format!("alice:{OTHER_BCRYPT}"), ["password_changed", "ok", "password_changed"]),
        (format!("alice:{BCRYPT}:groups=sre"), ["ok"; 3]),
    ] {
        let after = taking_all().with_users(&text);
        let said = identities.clone().map(|identity| says(&realm, &after, &identity, NOW));
        assert_eq!(said, expected, "{text}");
    }
}

#[test]
fn a22_a_password_that_changes_while_the_application_answers() {
    let realm = taking_all();
    let [session, _, _] = all(&realm);
    let after = taking_all().with_users(&format!("alice:{OTHER_BCRYPT}"));
    assert_eq!(says(&after, &after, &session, NOW), "password_changed");
}

#[test]
fn a22_a_user_who_has_gone_before_the_application_answers() {
    let realm = taking_all();
    let after = taking_all().with_users(&format!("bob:{BCRYPT}"));
    for identity in all(&realm) {
        assert_eq!(says(&after, &after, &identity, NOW), "unknown_user");
    }
}

#[test]
fn a23_what_has_been_ended() {
    let realm = taking_all();
    let [session, token, basic] = all(&realm);
    realm.ended().apply(&ended(session_of(&session).id, "alice", NOW + MAX), NOW);
    assert_eq!(says(&realm, &realm, &session, NOW), "revoked");
    assert_eq!(says(&realm, &realm, &basic, NOW), "ok");
    let realm = taking_all();
    let record = Record::Token { id: token.id().unwrap(), keep_until: NOW + MAX };
    realm.ended().apply(&record, NOW);
    assert_eq!(says(&realm, &realm, &token, NOW), "revoked");
}
