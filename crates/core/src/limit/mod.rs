//! The limiter: failed logins, counted for a network and for a user name, over all workers.
//!
//! An algorithm over a slice of integers in shared memory, whose lock the caller holds. A login
//! reserves a try before its password is checked and settles it afterwards. Times are milliseconds
//! of a monotonic clock.
//!
//! The table is set-associative: a counter stands in the set that a keyed hash names, which nobody
//! outside can aim at. A counter that comes into a full set pushes out the least guilty one there.

mod slot;
mod subject;

pub use slot::Slot;
pub use subject::Subject;

use crate::basic::Digest;
use crate::network::Network;
use crate::token::SessionId;
use siphasher::sip::SipHasher24;
use std::hash::Hasher as _;

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

/// The counters, borrowed from the zone under its lock.
pub struct Limiter<'a> {
    /// The realm's limits.
    pub limits: Limits,
    /// The key of the hashes that name counters: random, of the zone.
    pub key: &'a [u8; 16],
    /// The counters.
    pub slots: &'a mut [Slot],
}

/// A login, as far as it counts.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Where it comes from.
    pub network: Network,
    /// The name that was typed, exactly.
    pub user: &'a str,
    /// The device that this user has signed in on before.
    pub device: Option<SessionId>,
    /// The credential, where it comes with each request: failing again it counts once.
    pub credential: Option<Digest>,
}

/// Whether a login may have its password checked.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes: to be settled.
    Granted(Reservation),
    /// Not before one of those under way has been decided: ask again then.
    Undecided,
    /// No.
    Limited(Limited),
}

/// How long a login has to wait, and because of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    /// Seconds until the ban ends, rounded up.
    pub seconds: u32,
    /// What is banned.
    pub reason: LimitReason,
}

/// What is banned: where a network and a name are, what is so for longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitReason {
    /// The network.
    Network,
    /// The user name.
    User,
}

/// A try that has been reserved: integers alone. Whoever holds it settles it once.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    network: Network,
    /// The user name, or the device in its place.
    who: Subject,
    /// The credential, where it counts once.
    credential: Option<Subject>,
}

impl Reservation {
    /// The network's counter and the name's or the device's. All clients of unix sockets together
    /// are not one network: they have none.
    fn subjects(&self) -> impl DoubleEndedIterator<Item = Subject> + use<> {
        let network = (self.network != Network::Unix).then_some(Subject::Network(self.network));
        network.into_iter().chain([self.who])
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

/// A ban in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ban {
    /// What is banned.
    pub subject: Subject,
    /// Seconds until it ends, rounded up.
    pub seconds: u32,
}

/// How long, in milliseconds, a reserved try counts without a word from its worker.
pub const ABANDONED: u64 = 2000;

/// Slots in a set.
const WAYS: usize = 8;

impl Limiter<'_> {
    /// Reserves a try. What has no room in the table is not counted: without a slot all is granted.
    pub fn reserve(&mut self, attempt: &Attempt<'_>, now: u64) -> Decision {
        let credential = attempt.credential.map(|digest| self.credential(attempt.network, digest));
        let (network, who) = (attempt.network, self.who(attempt, now));
        let reservation = Reservation { network, who, credential };
        if let Some(limited) = self.limited(&reservation, now) {
            return Decision::Limited(limited);
        }
        if reservation.subjects().any(|subject| self.is_exhausted(subject, now)) {
            return Decision::Undecided;
        }
        for subject in reservation.subjects() {
            if let Some(slot) = self.enter(subject, &reservation, now) {
                slot.begin(now);
            }
        }
        Decision::Granted(reservation)
    }

    /// Says how a reserved try ended. A success does not take earlier failures back: else whoever
    /// has an account could guess at another's for ever.
    ///
    /// A credential that comes with each request, of a client that does not know better, counts once
    /// within `find`, from one network.
    pub fn settle(&mut self, reservation: Reservation, how: Settled, now: u64) {
        let again = how == Settled::Failed && self.has_failed_before(&reservation, now);
        let how = if again { Settled::Unchecked } else { how };
        for subject in reservation.subjects() {
            let limit = self.limit(subject);
            let slot = match how {
                // Where its counter was pushed out meanwhile, the failure counts all the same.
                Settled::Failed => self.enter(subject, &reservation, now),
                Settled::Succeeded | Settled::Unchecked => self.find(subject, now),
            };
            let Some(slot) = slot else { continue };
            slot.end(now);
            if how == Settled::Failed {
                slot.fail(limit, now);
            }
        }
    }

    /// Whether this credential has failed within `find`; remembers that it has now.
    fn has_failed_before(&mut self, reservation: &Reservation, now: u64) -> bool {
        let Some(credential) = reservation.credential else { return false };
        let Some(slot) = self.enter(credential, reservation, now) else { return false };
        let before = slot.is_used();
        if !before {
            slot.fail(u32::MAX, now);
        }
        before
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

    /// The bans in force, in no order.
    pub fn bans(&self, now: u64) -> impl Iterator<Item = Ban> {
        self.slots.iter().filter(|slot| slot.is_banned()).filter_map(move |slot| {
            let mut slot = *slot;
            slot.advance(&self.limits, now);
            let seconds = slot.wait(&self.limits, now)?;
            Some(Ban { subject: slot.subject()?, seconds })
        })
    }

    /// How many slots are in use. A counter whose time is over is cleared when its set is next
    /// needed, and counts until then.
    pub fn used(&self) -> usize {
        self.slots.iter().filter(|slot| slot.is_used()).count()
    }

    /// The key of a user name's counter.
    pub fn user_key(&self, name: &str) -> u64 {
        self.hash(subject::USER, name.as_bytes())
    }

    /// Lifts the ban of a network and forgets its failures. False where it has no counter.
    pub fn lift_network(&mut self, network: Network) -> bool {
        self.lift(Subject::Network(network))
    }

    /// The same for a user name.
    pub fn lift_user(&mut self, name: &str) -> bool {
        self.lift(Subject::User(self.user_key(name)))
    }

    fn lift(&mut self, subject: Subject) -> bool {
        let counter = |slot: &&mut Slot| slot.counts(subject) && slot.is_used();
        self.set(subject).iter_mut().find(counter).map(Slot::forgive).is_some()
    }

    /// The known device in place of the user name, so that nobody locks the user out by failing
    /// from elsewhere; while the device itself is banned, it is like any other.
    fn who(&mut self, attempt: &Attempt<'_>, now: u64) -> Subject {
        attempt
            .device
            .map(|SessionId(id)| Subject::Device(self.hash(subject::DEVICE, &id)))
            .filter(|device| !self.find(*device, now).is_some_and(|slot| slot.is_banned()))
            .unwrap_or_else(|| Subject::User(self.user_key(attempt.user)))
    }

    /// The longest of the bans; the network's of two equal ones, as the last.
    fn limited(&mut self, reservation: &Reservation, now: u64) -> Option<Limited> {
        let limits = self.limits;
        let bans = reservation.subjects().rev().filter_map(|subject| {
            let seconds = self.find(subject, now)?.wait(&limits, now)?;
            Some(Limited { seconds, reason: reason(subject) })
        });
        bans.max_by_key(|limited| limited.seconds)
    }

    fn is_exhausted(&mut self, subject: Subject, now: u64) -> bool {
        let limit = self.limit(subject);
        self.find(subject, now).is_some_and(|slot| slot.is_exhausted(limit))
    }

    fn limit(&self, subject: Subject) -> u32 {
        match subject {
            Subject::Network(_) | Subject::Device(_) => self.limits.retries,
            Subject::User(_) => self.limits.user_retries,
            Subject::Credential(_) => u32::MAX,
        }
    }

    /// The counter of `subject` as of `now`, if it has one.
    fn find(&mut self, subject: Subject, now: u64) -> Option<&mut Slot> {
        let limits = self.limits;
        let slot = self.set(subject).iter_mut().find(|slot| slot.counts(subject))?;
        slot.advance(&limits, now);
        Some(slot)
    }

    /// The counter of `subject` as of `now`, or a new one.
    fn enter(
        &mut self,
        subject: Subject,
        reservation: &Reservation,
        now: u64,
    ) -> Option<&mut Slot> {
        if self.find(subject, now).is_none() {
            self.insert(subject, reservation, now);
        }
        self.find(subject, now)
    }

    /// Pushes out the least guilty of the set, except the other counter of the same reservation.
    fn insert(&mut self, subject: Subject, reservation: &Reservation, now: u64) {
        let limits = self.limits;
        let set = self.set(subject);
        set.iter_mut().for_each(|slot| slot.advance(&limits, now));
        let own = || reservation.subjects().chain(reservation.credential);
        let is_own = |slot: &Slot| own().any(|own| slot.counts(own));
        let others = set.iter_mut().filter(|slot| !is_own(slot));
        if let Some(slot) = others.min_by_key(|slot| slot.guilt()) {
            *slot = Slot::of(subject);
        }
    }

    /// The slots where the counter of `subject` may stand.
    fn set(&mut self, subject: Subject) -> &mut [Slot] {
        let sets = (self.slots.len() / WAYS).max(1);
        let scaled = u128::from(self.place(subject)) * sets as u128;
        self.slots.chunks_mut(WAYS).nth((scaled >> 64) as usize).unwrap_or_default()
    }

    fn place(&self, subject: Subject) -> u64 {
        match subject {
            Subject::Network(_) => {
                let (kind, address) = subject.words();
                self.hash(kind, &address.to_be_bytes())
            }
            Subject::User(hash) | Subject::Device(hash) | Subject::Credential(hash) => hash,
        }
    }

    /// The counter of a credential from one network.
    fn credential(&self, network: Network, digest: Digest) -> Subject {
        let (kind, address) = Subject::Network(network).words();
        let [first, second] = digest.words();
        let mut hasher = SipHasher24::new_with_key(self.key);
        hasher.write(&[subject::CREDENTIAL, kind]);
        [address, first, second].iter().for_each(|word| hasher.write(&word.to_be_bytes()));
        Subject::Credential(hasher.finish())
    }

    fn hash(&self, kind: u8, bytes: &[u8]) -> u64 {
        let mut hasher = SipHasher24::new_with_key(self.key);
        hasher.write(&[kind]);
        hasher.write(bytes);
        hasher.finish()
    }
}

fn reason(subject: Subject) -> LimitReason {
    match subject {
        Subject::Network(_) => LimitReason::Network,
        Subject::User(_) | Subject::Device(_) | Subject::Credential(_) => LimitReason::User,
    }
}
