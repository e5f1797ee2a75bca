//! What a login is asked before its password is checked, and what is said of it afterwards: by the
//! table of Basic credentials and by the limiter.

use super::Login;
use crate::nginx::clock;
use crate::realm::Realm;
use authgate_core::basic::{Answer, Concluded, Digest};
use authgate_core::check::Check;
use authgate_core::gate::Outcome;
use authgate_core::limit::{Attempt, Decision, Reservation, Settled};
use std::cell::RefCell;

/// What this worker has reserved for checks that run or wait.
#[derive(Default)]
pub(super) struct Reserved {
    /// With the limiter.
    tries: RefCell<Vec<Reservation>>,
    /// With the table of Basic credentials.
    claims: RefCell<Vec<Digest>>,
}

/// What a login holds of that.
#[derive(Default)]
pub(super) struct Held {
    /// What the limiter has granted.
    tried: Option<Reservation>,
    /// The Basic credential that nobody else is checking.
    claimed: Option<Digest>,
    /// Since when it waits for the check of an equal one.
    follows_since: Option<u64>,
}

/// What becomes of a login now.
pub(super) enum Step {
    /// Its password is checked.
    Check,
    /// It waits until the check of an equal credential has ended, perhaps in another worker.
    Follow(Digest),
    /// It waits until one of the tries under way has been decided.
    Undecided,
    /// It is answered without a check.
    Answer(Outcome),
}

/// Asks whether an equal credential is being checked, and then the limiter.
pub(super) fn ask(realm: &Realm, login: &mut Login) -> Step {
    let Some(digest) = login.check.digest().filter(|_| login.held.claimed.is_none()) else {
        return ask_limiter(realm, login);
    };
    match realm.ask_basic(digest, login.held.follows_since) {
        Answer::Holds => Step::Answer(Outcome::Shared(true)),
        Answer::Fails => Step::Answer(Outcome::Shared(false)),
        Answer::Wait => {
            login.held.follows_since.get_or_insert_with(clock::monotonic);
            Step::Follow(digest)
        }
        Answer::Check => {
            realm.checks.reserved.claims.borrow_mut().push(digest);
            login.held.claimed = Some(digest);
            ask_limiter(realm, login)
        }
    }
}

fn ask_limiter(realm: &Realm, login: &mut Login) -> Step {
    let Check { username: user, device, .. } = &login.check;
    let (network, credential) = (login.network, login.check.digest());
    match realm.reserve(&Attempt { network, user, device: *device, credential }) {
        None => Step::Check,
        Some(Decision::Granted(reservation)) => {
            realm.checks.reserved.tries.borrow_mut().push(reservation);
            login.held.tried = Some(reservation);
            Step::Check
        }
        Some(Decision::Undecided) => Step::Undecided,
        Some(Decision::Limited(limited)) => Step::Answer(Outcome::Limited(limited)),
    }
}

/// Gives up what a login holds, once, and says how its check has ended, whether its client is still there
/// or not: nothing, where it was not checked. The credential whose followers may be asked about again.
pub(super) fn settle(realm: &Realm, login: &mut Login, matches: Option<bool>) -> Option<Digest> {
    let succeeds = matches.map(|matches| login.check.succeeds(matches));
    let (settled, concluded) = match succeeds {
        None => (Settled::Unchecked, Concluded::Dropped),
        Some(true) => (Settled::Succeeded, Concluded::Verified),
        Some(false) => (Settled::Failed, Concluded::Failed),
    };
    if let Some(reservation) = login.held.tried.take() {
        forget(&realm.checks.reserved.tries, &reservation);
        realm.settle(reservation, settled);
    }
    let digest = login.held.claimed.take()?;
    forget(&realm.checks.reserved.claims, &digest);
    realm.conclude_basic(digest, concluded);
    Some(digest)
}

/// Says that the checks of this worker are still under way.
pub(super) fn touch(realm: &Realm) {
    let now = clock::monotonic();
    let tries = realm.checks.reserved.tries.borrow();
    if !tries.is_empty() {
        realm.with_limiter(|limiter| tries.iter().for_each(|tried| limiter.touch(tried, now)));
    }
    let claims = realm.checks.reserved.claims.borrow();
    if !claims.is_empty() {
        realm.touch_basic(&claims);
    }
}

fn forget<T: PartialEq + Copy>(list: &RefCell<Vec<T>>, item: &T) {
    let mut list = list.borrow_mut();
    if let Some(index) = list.iter().position(|other| other == item) {
        let _: T = list.swap_remove(index);
    }
}
