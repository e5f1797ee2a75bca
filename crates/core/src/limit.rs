//! The limiter: failed logins, counted for a network and for a user name, over all workers.
//!
//! An algorithm over a slice of integers in shared memory, whose lock the caller holds. A login
//! reserves a try before its password is checked and settles it afterwards. Times are milliseconds
//! of a monotonic clock.

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

/// One counter. All zero is a free slot.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Slot {
    key: u64,
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

/// What is banned.
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
    network: Option<u64>,
    who: u64,
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

/// What a counter counts for. Names and devices are known by their hash alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A network.
    Network(Network),
    /// A user name: see [`Limiter::user_key`].
    User(u64),
    /// A known device.
    Device(u64),
}

impl Limiter<'_> {
    /// Reserves a try.
    pub fn reserve(&mut self, attempt: &Attempt<'_>, now: u64) -> Decision {
        let _ = (attempt, now, &self.slots, self.key, self.limits);
        Decision::Granted(Reservation { network: None, who: 0 })
    }

    /// Says how a reserved try ended.
    pub fn settle(&mut self, reservation: Reservation, how: Settled, now: u64) {
        let _ = (reservation, how, now);
    }

    /// Says that a reserved try is still under way: one of which nothing is heard for
    /// [`ABANDONED`] was a worker's that was killed.
    pub fn touch(&mut self, reservation: &Reservation, now: u64) {
        let _ = (reservation, now);
    }

    /// The bans in force, in no order.
    pub fn bans(&self, now: u64) -> impl Iterator<Item = Ban> {
        let _ = now;
        core::iter::empty()
    }

    /// How many slots are in use.
    pub fn used(&self) -> usize {
        0
    }

    /// The key of a user name's counter.
    pub fn user_key(&self, name: &str) -> u64 {
        let _ = name;
        0
    }

    /// Lifts the ban of a network and forgets its failures. False where it has no counter.
    pub fn lift_network(&mut self, network: Network) -> bool {
        let _ = network;
        false
    }

    /// The same for a user name.
    pub fn lift_user(&mut self, name: &str) -> bool {
        let _ = name;
        false
    }
}

/// How long, in milliseconds, a reserved try counts without a word from its worker.
pub const ABANDONED: u64 = 2000;
