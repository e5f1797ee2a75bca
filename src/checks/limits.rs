//! What a login is asked before its password is checked, and what is said of it afterwards: the one
//! place that speaks with the limiter.

use super::Login;
use crate::faults;
use crate::nginx::clock;
use crate::realm::Realm;
use authgate_core::gate::Outcome;
use authgate_core::limit::{Decision, Digest, Reservation, Settled};
use authgate_core::network::Network;
use std::cell::RefCell;
use std::rc::{Rc, Weak};

/// What this worker has reserved for checks that run or wait. A login that is lost, to a panic, takes what
/// was reserved for it along: nobody says of it that it is under way.
#[derive(Default)]
pub(super) struct Reserved(RefCell<Vec<Weak<Reservation>>>);

/// A credential of one network: whoever sends it again follows its check.
pub(super) type Credential = (Network, Digest);

/// What becomes of a login now.
pub(super) enum Step {
    /// Its password is checked.
    Check,
    /// It waits until the check of this very credential has ended, perhaps in another worker.
    Follow,
    /// It waits until one of the tries under way has been decided.
    Undecided,
    /// It is answered without a check; without an outcome where something inside has failed.
    Answer(Option<Outcome>),
}

/// Asks the limiter what becomes of a login.
pub(super) fn ask(realm: &Realm, login: &mut Login) -> Step {
    let Some(decision) = realm.reserve(&login.check.attempt()) else { return Step::Answer(None) };
    match decision {
        Decision::Granted(reservation) => {
            let reservation = Rc::new(reservation);
            realm.checks.reserved.0.borrow_mut().push(Rc::downgrade(&reservation));
            login.reserved = Some(reservation);
            assert!(!faults::is_asked_by(&login.check, "panic-when-granted"), "on request");
            Step::Check
        }
        Decision::Undecided => Step::Undecided,
        Decision::Follow => Step::Follow,
        Decision::Holds => Step::Answer(Some(Outcome::Known(true))),
        Decision::Fails => Step::Answer(Some(Outcome::Known(false))),
        Decision::Limited(limited) => Step::Answer(Some(Outcome::Limited(limited))),
    }
}

/// Gives up what a login has reserved, once, and says how its check has ended, whether its client is still
/// there or not: nothing, where it was not checked.
pub(super) fn settle(realm: &Realm, login: &mut Login, matches: Option<bool>) {
    let how = match matches.map(|matches| login.check.succeeds(matches)) {
        None => Settled::Unchecked,
        Some(true) => Settled::Succeeded,
        Some(false) => Settled::Failed,
    };
    if let Some(reservation) = login.reserved.take() {
        realm.settle(*reservation, how);
    }
}

/// Says that the checks of this worker are still under way.
pub(super) fn touch(realm: &Realm) {
    let mut reserved = realm.checks.reserved.0.borrow_mut();
    reserved.retain(|it| it.strong_count() > 0);
    if !reserved.is_empty() {
        let now = clock::monotonic();
        let tries = reserved.iter().filter_map(Weak::upgrade);
        realm.with_limiter(|limiter| tries.for_each(|it| limiter.touch(&it, now)));
    }
}
