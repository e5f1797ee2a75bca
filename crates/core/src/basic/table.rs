//! The credentials that held, and those that are being checked: a table of integers in shared
//! memory, for all workers. Readers take no lock, writers hold the zone's.
//!
//! The table is set-associative: a digest stands in the set that it names, which nobody outside can
//! aim at. What comes into a full set pushes out what is spent, then what holds for the shortest
//! time; never a check that is under way.

use super::Digest;
use crate::limit::ABANDONED;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Acquire, Release};

/// One credential. All zero is a free slot.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Slot {
    digest: [AtomicU64; 2],
    state: AtomicU64,
}

/// The table, borrowed from the zone.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    /// Its slots.
    pub slots: &'a [Slot],
    /// How long, in seconds, a credential that held is taken without a check.
    pub ttl: u64,
}

/// What is known of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    /// It held; taken without a check until then, in Unix seconds.
    Verified(u64),
    /// It is being checked; last heard of then, in milliseconds of a monotonic clock.
    Claimed(u64),
    /// It did not hold when it was checked, which ended then, in milliseconds of that clock.
    Failed(u64),
}

/// What to do with a credential.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: it holds.
    Holds,
    /// Nothing: the check that it waited for says that it does not.
    Fails,
    /// Ask again when the check that is under way has ended.
    Wait,
    /// Check it, and call [`Table::conclude`].
    Check,
}

/// How a check has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concluded {
    /// The credential holds.
    Verified,
    /// It does not.
    Failed,
    /// Nobody knows: it was not checked.
    Dropped,
}

/// Two clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Unix seconds.
    pub unix: u64,
    /// Milliseconds of a monotonic clock.
    pub monotonic: u64,
}

/// By how many seconds the clock of one worker may be behind another's: each reads it once for all that
/// has come in the meantime, and what it answers to that may take a while.
pub const CLOCKS_DIFFER: u64 = 2;

/// Slots in a set.
const WAYS: usize = 8;

impl Table<'_> {
    /// Whether the credential held not longer ago than the table keeps it. The clock of Unix seconds
    /// may step: what seems to have been verified in the future, by more than workers differ, has to be
    /// checked anew.
    pub fn holds(&self, digest: Digest, now: u64) -> bool {
        self.set(digest).iter().any(|slot| {
            let word = slot.word();
            // Once more after the digest: a writer that gives the slot to another one changes the word
            // before it writes the digest, and the word of before never comes back.
            self.is_fresh(State::of(word), now) && slot.is_of(digest) && slot.word() == word
        })
    }

    /// What to do with a credential, and takes it where that is to check it. `waits_since`: since when,
    /// in milliseconds of the monotonic clock, it has waited for the check of an equal one. The caller
    /// holds the lock.
    pub fn ask(&self, digest: Digest, waits_since: Option<u64>, now: Moment) -> Answer {
        let known = self.find(digest);
        let state = known.map_or(State::Free, Slot::state);
        match state {
            state if self.is_fresh(state, now.unix) => Answer::Holds,
            State::Claimed(_) if !is_abandoned(state, now.monotonic) => Answer::Wait,
            State::Failed(at) if waits_since.is_some_and(|since| since <= at) => Answer::Fails,
            _ => {
                self.put(digest, State::Claimed(now.monotonic), now);
                Answer::Check
            }
        }
    }

    /// Says that a check is still under way: one of which nothing is heard for so long was a worker's
    /// that was killed. The caller holds the lock.
    pub fn touch(&self, digest: Digest, now: u64) {
        if let Some(slot) = self.find(digest)
            && matches!(slot.state(), State::Claimed(_))
        {
            slot.set(State::Claimed(now));
        }
    }

    /// Says how a check has ended. The caller holds the lock.
    pub fn conclude(&self, digest: Digest, how: Concluded, now: Moment) {
        let state = match how {
            Concluded::Verified => State::Verified(now.unix.saturating_add(self.ttl)),
            Concluded::Failed => State::Failed(now.monotonic),
            Concluded::Dropped => State::Free,
        };
        match (self.find(digest), how) {
            (Some(slot), _) => slot.set(state),
            (None, Concluded::Verified) => self.put(digest, state, now),
            (None, _) => {}
        }
    }

    /// How many credentials hold at `now`, in Unix seconds.
    pub fn used(&self, now: u64) -> u64 {
        self.slots.iter().filter(|slot| self.is_fresh(slot.state(), now)).count() as u64
    }

    fn is_fresh(&self, state: State, now: u64) -> bool {
        let longest = self.ttl.saturating_add(CLOCKS_DIFFER);
        matches!(state, State::Verified(until) if until > now && until - now <= longest)
    }

    fn find(&self, digest: Digest) -> Option<&Slot> {
        let mut slots = self.set(digest).iter();
        slots.find(|slot| slot.state() != State::Free && slot.is_of(digest))
    }

    /// In its own slot, or in that of what can be spared; nowhere, where all are being checked.
    fn put(&self, digest: Digest, state: State, now: Moment) {
        let own = self.find(digest);
        let spared = || {
            let slots = self.set(digest).iter().map(|slot| (slot, self.worth(slot.state(), now)));
            slots.filter_map(|(slot, worth)| Some((slot, worth?))).min_by_key(|(_, worth)| *worth)
        };
        if let Some(slot) = own.or_else(|| spared().map(|(slot, _)| slot)) {
            slot.fill(digest, state);
        }
    }

    /// What is pushed out last; `None` for what has to stay.
    fn worth(&self, state: State, now: Moment) -> Option<Worth> {
        match state {
            State::Verified(until) if self.is_fresh(state, now.unix) => Some(Worth::Holds(until)),
            State::Claimed(_) if !is_abandoned(state, now.monotonic) => None,
            State::Failed(at) => Some(Worth::Told(at)),
            State::Free => Some(Worth::Free),
            _ => Some(Worth::Spent),
        }
    }

    /// The slots where the digest may stand.
    fn set(&self, digest: Digest) -> &[Slot] {
        let [word, _] = digest.words();
        let sets = (self.slots.len() / WAYS).max(1);
        let scaled = u128::from(word) * sets as u128;
        let start = (scaled >> 64) as usize * WAYS;
        let end = self.slots.len().min(start + WAYS);
        self.slots.get(start..end).unwrap_or_default()
    }
}

/// What a slot is worth, in the order in which slots are spared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// Nothing is there.
    Free,
    /// It held, or it was being checked; a clock that steps may make it hold again.
    Spent,
    /// Some may still wait to hear that it failed.
    Told(u64),
    /// It holds until then.
    Holds(u64),
}

/// Whether nobody has spoken of the check for so long that nobody is at it.
fn is_abandoned(state: State, now: u64) -> bool {
    // A time ahead of ours by more than clocks of workers differ comes from before a restart.
    matches!(state, State::Claimed(heard) if now.abs_diff(heard) >= ABANDONED)
}

impl Slot {
    fn word(&self) -> u64 {
        self.state.load(Acquire)
    }

    fn state(&self) -> State {
        State::of(self.word())
    }

    fn is_of(&self, digest: Digest) -> bool {
        self.digest.iter().zip(digest.words()).all(|(word, value)| word.load(Acquire) == value)
    }

    fn set(&self, state: State) {
        self.state.store(self.word() & TENANTS | state.word(), Release);
    }

    /// A reader in between finds a free slot, and one that has begun before finds another tenant.
    fn fill(&self, digest: Digest, state: State) {
        self.state.store(self.word().wrapping_add(NEXT_TENANT) & TENANTS, Release);
        for (word, value) in self.digest.iter().zip(digest.words()) {
            word.store(value, Release);
        }
        self.set(state);
    }
}

/// In a word: the kind, how many credentials the slot has had, and a time of 139 years in milliseconds.
const KIND_SHIFT: u32 = 62;
const TIME_BITS: u32 = 42;
const MAX_TIME: u64 = (1 << TIME_BITS) - 1;
const NEXT_TENANT: u64 = 1 << TIME_BITS;
const TENANTS: u64 = (1 << KIND_SHIFT) - NEXT_TENANT;

impl State {
    fn word(self) -> u64 {
        let (kind, time) = match self {
            Self::Free => return 0,
            Self::Verified(time) => (1, time),
            Self::Claimed(time) => (2, time),
            Self::Failed(time) => (3, time),
        };
        kind << KIND_SHIFT | time.min(MAX_TIME)
    }

    fn of(word: u64) -> Self {
        let time = word & MAX_TIME;
        match word >> KIND_SHIFT {
            1 => Self::Verified(time),
            2 => Self::Claimed(time),
            3 => Self::Failed(time),
            _ => Self::Free,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g79_what_a_reader_has_seen_of_a_slot_never_comes_back_with_another_credential() {
        let slots = [Slot::default()];
        let table = Table { slots: &slots, ttl: 300 };
        let now = Moment { unix: 1_800_000_000, monotonic: 5_000_000 };
        let [slot] = &slots;
        let words = (0..1000).map(|number| {
            assert_eq!(table.ask(Digest([number; 2]), None, now), Answer::Check);
            table.conclude(Digest([number; 2]), Concluded::Verified, now);
            assert!(table.holds(Digest([number; 2]), now.unix));
            slot.word()
        });
        let mut words: Vec<u64> = words.collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), 1000, "all in one second, and each with a word of its own");
    }
}
