//! One check in a thread, and what comes of it on the event loop.

use super::{Login, answer, limits, report, retry, start_waiting, wake};
use crate::faults;
use crate::nginx::crypt::crypt;
use crate::nginx::entry::guard;
use crate::nginx::log;
use crate::nginx::threads::{self, Panicked, Pool, Priority};
use crate::realm::Realm;
use authgate_core::check::Verification;
use authgate_core::gate::Outcome;
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What a thread makes of a check: whether the password matches, and how long that took.
type Verified = (bool, Duration);

/// Starts a check. Where no thread takes it, its request is answered.
pub(super) fn start(realm: &Realm, mut login: Login) {
    let verification = login.check.begin();
    let panics = faults::is_asked_by(&login.check, "panic-in-check");
    let has_thread = !faults::is_asked_by(&login.check, "no-thread");
    let work = move || {
        assert!(!panics, "on request");
        verify(&verification)
    };
    let login = Rc::new(Cell::new(Some(login)));
    let then = {
        let (realm, login) = (realm.this.clone(), Rc::clone(&login));
        move |result: Result<Verified, Panicked>| {
            if let Err(panicked) = &result {
                log::alert(&format!("{panicked} in a password check"));
            }
            if let Some((realm, login)) = Realm::still(&realm).zip(login.take()) {
                completed(&realm, login, result.ok());
            }
        }
    };
    if has_thread && threads::run_in(pool(realm), work, then) {
        realm.checks.scheduler.borrow_mut().has_begun();
        report(realm);
    } else if let Some(login) = login.take() {
        answer(realm, login, None);
    }
}

fn pool(realm: &Realm) -> Pool<'_> {
    let name = realm.settings.checks.pool.as_str();
    let priority = if name == "default" { Priority::Shared } else { Priority::Lowest };
    Pool { name, priority, keeps_worker: true }
}

fn verify(verification: &Verification) -> Verified {
    let began = Instant::now();
    let matches = verification.verify(crypt);
    (matches, began.elapsed())
}

/// A thread has ended a check, or has panicked.
fn completed(realm: &Realm, mut login: Login, verified: Option<Verified>) {
    guard((), || conclude(realm, &mut login, verified));
    guard((), || answer(realm, login, verified.map(|(matches, _)| Outcome::Checked(matches))));
}

/// Says how a check has ended, and goes on with those that waited for that.
fn conclude(realm: &Realm, login: &mut Login, verified: Option<Verified>) {
    realm.checks.scheduler.borrow_mut().has_ended();
    if let Some((_, took)) = verified {
        realm.count_check(took);
    }
    limits::settle(realm, login, verified.map(|(matches, _)| matches));
    start_waiting(realm);
    retry(realm);
    wake(realm, login.credential());
    report(realm);
}
