//! The limiter: which passwords are checked, and what is answered without a check.
//!
//! An algorithm over slices of integers in shared memory, whose lock the caller holds. A login
//! reserves a try before its password is checked and settles it afterwards. Times are milliseconds
//! of a monotonic clock.
//!
//! **Every answer that depends on whether a password is right uses up a budget**: that of the
//! network and that of the name (or the device), or that of the place. Three things are known of
//! credentials, each of one network alone, so that none tells another network anything:
//!
//! - one that is being checked: whoever sends it again waits for that check,
//! - one that is known to fail: it is answered without a check, and has counted already,
//! - one that held by Basic: it makes a place ([`places`]), where it is taken without a check, and
//!   where a ban of the network or the name does not hold for it.

mod bans;
mod digest;
mod places;
mod slot;
mod subject;
mod table;

pub use bans::{Ban, Banned};
pub use digest::{Digest, DigestKey};
pub use places::{Place, PlaceSlot, Places, REMEMBERED};
pub use slot::Slot;
pub use subject::Subject;
pub use table::user_key;

use crate::network::Network;
use crate::token::SessionId;

/// `limit [retries=N] [find=T] [ban=T] [user_retries=N]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// So many failures of a network within `find` ban it.
    pub retries: u32,
    /// How long failures are counted together, in milliseconds.
    pub find: u64,
    /// How long a ban lasts, in milliseconds.
    pub ban: u64,
    /// So many failures with a user name, over all networks, ban the name.
    pub user_retries: u32,
}

/// What holds unless the configuration says otherwise.
pub const DEFAULT_LIMITS: Limits =
    Limits { retries: 5, find: 120_000, ban: 300_000, user_retries: 50 };

/// The counters and the places, borrowed from the zone under its lock.
pub struct Limiter<'a> {
    /// The realm's limits; `None` with `limit off`: nobody is counted and nobody banned.
    pub limits: Option<Limits>,
    /// The key of the hashes that name counters: random, of the zone.
    pub key: &'a [u8; 16],
    /// The counters.
    pub slots: &'a mut [Slot],
    /// Where Basic credentials held.
    pub places: Places<'a>,
}

/// A login, as far as it counts.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Where it comes from.
    pub network: Network,
    /// The name that was typed, exactly.
    pub user: &'a str,
    /// The credential.
    pub digest: Digest,
    /// How it came.
    pub by: By,
}

/// How a credential came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// By the login form.
    Form {
        /// The device that this user has signed in on before.
        device: Option<SessionId>,
    },
    /// By Basic: where it holds, there is a place.
    Basic,
}

/// What to do with a login.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// Check its password, and settle what was reserved for it.
    Granted(Reservation),
    /// Ask again when one of those under way has been decided.
    Undecided,
    /// Ask again when the check of this very credential, which is under way, has ended.
    Follow,
    /// Let it in: the credential held here a while ago.
    Holds,
    /// Refuse it: the credential failed from here a while ago, and has counted.
    Fails,
    /// Refuse it unchecked.
    Limited(Limited),
}

/// How long a login has to wait, and because of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    /// Seconds until the ban ends, rounded up.
    pub seconds: u32,
    /// What is banned.
    pub reason: LimitReason,
    /// Whether the log is to have a line of it: the first of a network within `find`.
    pub is_first: bool,
}

/// What is banned: of several, what is so for longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitReason {
    /// The network.
    Network,
    /// The user name.
    User,
    /// The name from this network, where its credential held before.
    Place,
}

/// A try that has been reserved: integers alone. Whoever holds it settles it once.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    /// The credential that is being checked.
    credential: Subject,
    /// The counters of the network and of the name or the device, as far as they count it.
    counters: [Option<Subject>; 2],
    /// Where the credential holds if it does.
    place: Option<(Place, Digest)>,
    /// Whether it held there before and still covers the stored hash: it can only hold.
    is_certain: bool,
}

impl Reservation {
    /// Whether the check is of a credential that held at its place: nobody has to wait for that.
    pub fn is_certain(&self) -> bool {
        self.is_certain
    }

    fn counters(&self) -> impl DoubleEndedIterator<Item = Subject> + use<> {
        self.counters.into_iter().flatten()
    }

    fn counts_in(&self, slot: &Slot) -> bool {
        self.subjects().any(|subject| slot.counts(subject))
    }

    fn subjects(&self) -> impl Iterator<Item = Subject> + use<> {
        self.counters().chain([self.credential])
    }
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The password was wrong, or there is no such user.
    Failed,
    /// It was right.
    Succeeded,
    /// No password was checked.
    Unchecked,
}

/// How long, in milliseconds, a reserved try counts without a word from its worker.
pub const ABANDONED: u64 = 2000;

/// How long, in milliseconds, failures and bans count.
#[derive(Debug, Clone, Copy)]
struct Spans {
    find: u64,
    ban: u64,
}

impl Limiter<'_> {
    /// Decides on a login. What has no room in the table is not counted: without a slot every try is
    /// granted.
    pub fn reserve(&mut self, attempt: &Attempt<'_>, now: u64) -> Decision {
        let credential = self.credential(attempt.network, attempt.digest);
        if let Some(decision) = self.at_place(attempt, credential, now) {
            return decision;
        }
        let counters = self.counters(attempt, now);
        if let Some((seconds, reason)) = self.ban_of(counters, now) {
            let is_first = !self.was_told(attempt.network, now);
            return Decision::Limited(Limited { seconds, reason, is_first });
        }
        match self.known(credential, now) {
            // Logins by the form do not follow each other: where the password is right, each is checked.
            Some(Decision::Follow) if attempt.by != By::Basic => {}
            Some(known) => return known,
            None => {}
        }
        if counters.into_iter().flatten().any(|counter| self.is_exhausted(counter, now)) {
            return Decision::Undecided;
        }
        let place = (attempt.by == By::Basic).then(|| self.place(attempt));
        self.begin(Reservation { credential, counters, place, is_certain: false }, now)
    }

    /// What a place has to say: of the credential that held there, and of any other for that name.
    fn at_place(
        &mut self,
        attempt: &Attempt<'_>,
        credential: Subject,
        now: u64,
    ) -> Option<Decision> {
        let place = (attempt.by == By::Basic).then(|| self.place(attempt))?;
        let slot = self.places.find(place.0)?;
        if let Some(seconds) = self.places.wait(slot) {
            let is_first = !self.was_told(attempt.network, now);
            let reason = LimitReason::Place;
            return Some(Decision::Limited(Limited { seconds, reason, is_first }));
        }
        if !slot.holds(attempt.digest) {
            if !self.was_tried(credential, now) {
                self.places.suspect(slot);
            }
            return None;
        }
        if self.places.is_fresh(slot) {
            return Some(Decision::Holds);
        }
        // It holds for certain, since its digest covers the stored hash: checked anew, but out of
        // nobody's budget, whatever is banned.
        let counters = [None; 2];
        let anew = Reservation { credential, counters, place: Some(place), is_certain: true };
        Some(self.known(credential, now).unwrap_or_else(|| self.begin(anew, now)))
    }

    fn place(&self, attempt: &Attempt<'_>) -> (Place, Digest) {
        (self.places.place(attempt.network, attempt.user), attempt.digest)
    }

    /// Whether this credential was tried within `find`, from this network; remembers that it is now.
    fn was_tried(&mut self, credential: Subject, now: u64) -> bool {
        let before = self.find(credential, now).is_some_and(|slot| slot.is_used());
        if !before && let Some(slot) = self.enter(credential, |_| false, now) {
            slot.note(now);
        }
        before
    }

    /// What is known of a credential from one network.
    fn known(&mut self, credential: Subject, now: u64) -> Option<Decision> {
        let slot = self.find(credential, now)?;
        if slot.is_banned() {
            return Some(Decision::Fails);
        }
        slot.is_pending().then_some(Decision::Follow)
    }

    fn begin(&mut self, reservation: Reservation, now: u64) -> Decision {
        for subject in reservation.subjects() {
            if let Some(slot) = self.enter(subject, |slot| reservation.counts_in(slot), now) {
                slot.begin(now);
            }
        }
        Decision::Granted(reservation)
    }

    /// Says how a reserved try ended. A success does not take earlier failures back: else whoever
    /// has an account could guess at another's for ever. Of equal credentials that were checked at
    /// once and fail one counts.
    pub fn settle(&mut self, reservation: Reservation, how: Settled, now: u64) {
        let fails = |slot: &mut Slot| slot.is_banned();
        let again = self.find(reservation.credential, now).is_some_and(fails);
        let how = if again && how == Settled::Failed { Settled::Unchecked } else { how };
        for subject in reservation.subjects() {
            let limit = self.limit(subject);
            let slot = match how {
                // Where its counter was pushed out meanwhile, the failure counts all the same.
                Settled::Failed => self.enter(subject, |slot| reservation.counts_in(slot), now),
                Settled::Succeeded | Settled::Unchecked => self.find(subject, now),
            };
            let Some(slot) = slot else { continue };
            slot.end(now);
            if how == Settled::Failed {
                slot.fail(limit, now);
            }
        }
        if how == Settled::Succeeded {
            self.held(&reservation, now);
        }
    }

    /// The credential is no other than the one that holds there from now on.
    fn held(&mut self, reservation: &Reservation, now: u64) {
        if let Some((place, digest)) = reservation.place {
            self.places.put(place, digest);
        }
        if let Some(slot) = self.find(reservation.credential, now) {
            slot.forgive();
        }
    }

    /// Says that a reserved try is still under way: one of which nothing is heard for
    /// [`ABANDONED`] was a worker's that was killed.
    pub fn touch(&mut self, reservation: &Reservation, now: u64) {
        for subject in reservation.subjects() {
            if let Some(slot) = self.find(subject, now) {
                slot.touch(now);
            }
        }
    }

    /// The counters of a login. All clients of unix sockets together are not one network: they have
    /// none.
    fn counters(&mut self, attempt: &Attempt<'_>, now: u64) -> [Option<Subject>; 2] {
        if self.limits.is_none() {
            return [None; 2];
        }
        let network = attempt.network;
        let network = (network != Network::Unix).then_some(Subject::Network(network));
        [network, Some(self.who(attempt, now))]
    }

    /// The known device in place of the user name, so that nobody locks the user out by failing
    /// from elsewhere; while the device itself is banned, it is like any other.
    fn who(&mut self, attempt: &Attempt<'_>, now: u64) -> Subject {
        let device = match attempt.by {
            By::Form { device } => device,
            By::Basic => None,
        };
        device
            .map(|SessionId(id)| Subject::Device(self.hash(subject::DEVICE, &id)))
            .filter(|device| !self.find(*device, now).is_some_and(|slot| slot.is_banned()))
            .unwrap_or_else(|| Subject::User(self.user_key(attempt.user)))
    }

    /// The longest of the bans; the network's of two equal ones, as the last.
    fn ban_of(&mut self, counters: [Option<Subject>; 2], now: u64) -> Option<(u32, LimitReason)> {
        let spans = self.spans();
        let bans = counters.into_iter().flatten().rev().filter_map(|counter| {
            let seconds = self.find(counter, now)?.wait(spans, now)?;
            Some((seconds, reason(counter)))
        });
        bans.max_by_key(|(seconds, _)| *seconds)
    }

    fn is_exhausted(&mut self, subject: Subject, now: u64) -> bool {
        let limit = self.limit(subject);
        self.find(subject, now).is_some_and(|slot| slot.is_exhausted(limit))
    }

    fn limit(&self, subject: Subject) -> u32 {
        let limits = self.limits.unwrap_or(DEFAULT_LIMITS);
        match subject {
            Subject::Network(_) | Subject::Device(_) => limits.retries,
            Subject::User(_) => limits.user_retries,
            Subject::Credential(_) | Subject::Told(_) => 1,
        }
    }

    fn spans(&self) -> Spans {
        let Limits { find, ban, .. } = self.limits.unwrap_or(DEFAULT_LIMITS);
        Spans { find, ban }
    }
}

fn reason(counter: Subject) -> LimitReason {
    match counter {
        Subject::Network(_) | Subject::Told(_) => LimitReason::Network,
        Subject::User(_) | Subject::Device(_) | Subject::Credential(_) => LimitReason::User,
    }
}
