//! Asking the pages of the gate.

use super::*;
use authgate_core::pages::{Action, Check, Fresh, Page};
use authgate_core::reply::Reply;
use authgate_core::token::SessionId;

pub(crate) const FRESH: Fresh = Fresh { session: SessionId([1; 16]), device: SessionId([2; 16]) };

pub(crate) fn page(realm: &Realm, page: Page, request: &Request) -> Reply {
    let reply = page_at(realm, page, request, NOW);
    assert!(is_guarded(&reply), "{reply:?}");
    reply
}

pub(crate) fn page_at(realm: &Realm, page: Page, request: &Request, now: u64) -> Reply {
    match request.with_head(|head| realm.gate().page(page, head, now)) {
        Action::Identify => {
            let verdict = realm.decide(request, now);
            request.with_head(|head| realm.gate().session(head, &verdict, now))
        }
        action => reply(action),
    }
}

pub(crate) fn is_read(request: &Request) -> bool {
    let action = request.with_head(|head| realm().gate().page(Page::Login, head, NOW));
    matches!(action, Action::ReadBody)
}

pub(crate) fn check(realm: &Realm, body: &str) -> Check {
    check_of(realm, &form(), body, NOW)
}

pub(crate) fn check_of(realm: &Realm, request: &Request, body: &str, now: u64) -> Check {
    match request.with_head(|head| realm.gate().posted(head, body.as_bytes(), now)) {
        Action::Check(check) => check,
        Action::ReadBody | Action::Identify => panic!("asks for something else"),
        Action::Reply(reply) => panic!("answers {}", reply.status),
    }
}

/// The answer to a body that needs no check.
pub(crate) fn posted(realm: &Realm, request: &Request, body: &[u8]) -> Reply {
    let reply = reply(request.with_head(|head| realm.gate().posted(head, body, NOW)));
    assert!(is_guarded(&reply), "{reply:?}");
    reply
}

/// What comes of a login once its password has been checked: the reply, and what is ended before it.
pub(crate) fn outcome(realm: &Realm, request: &Request, body: &str, matches: bool) -> Reply {
    let check = check_of(realm, request, body, NOW);
    let (ends, reply) = request.with_head(|head| {
        let ends = realm.gate().replaced_sessions(head, &check, matches, NOW);
        ends.iter().for_each(|record| realm.ended().apply(record, NOW));
        (ends, realm.gate().checked(head, &check, matches, FRESH, NOW))
    });
    let reply = reply.unwrap();
    assert_eq!(reply.ends, []);
    let reply = reply.ending(ends);
    assert!(is_guarded(&reply), "{reply:?}");
    reply
}

/// The whole of a login, with the real check.
pub(crate) fn sign_in(realm: &Realm, request: &Request, body: &str) -> Reply {
    let verification = check(realm, body).begin();
    outcome(realm, request, body, verification.verify(|_, _| None))
}
