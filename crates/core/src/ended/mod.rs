//! Ended sessions: a fixed table of integers in shared memory, read without a lock.
//!
//! Open addressing with linear probing: an entry stands between the slot its id points at and the
//! next free one. An entry that is spent gives its slot to another one, but does not interrupt the
//! chain. When slots become short, entries move up into those that are spent; a reader that finds
//! nothing while entries move looks again.
//!
//! A full table forgets nothing, it becomes coarser. The users are parted into buckets; where a
//! bucket takes more than its share, or the table is full and no bucket takes more, all sessions
//! of its users with an end up to the middle of the ends that it lists count as ended. That takes
//! the sessions nearest to their end first, and their slots become free. Users all of whose sessions
//! have ended take a quarter of the table: one more ends all sessions of its bucket that were made
//! until then. Only when nothing is left but what operators have named, every token made until now
//! counts as ended.
//!
//! API tokens are ended by id, or with everyone: no session ever takes them along.

mod bucket;
mod slot;
#[cfg(test)]
mod tests;
mod write;

pub use bucket::Bucket;
pub use slot::Slot;

use crate::journal::{Record, UserTag};
use crate::token::{MAX_LIFE, MAX_SKEW, SessionId};
use bucket::UserPrefix;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Acquire, Relaxed};
use slot::{Kind, MAX_TIME, id_of_user, words};

/// How long, in seconds, an entry is kept beyond its end: a clock that steps back by less, or a
/// worker whose clock is behind, never sees an ended session again.
pub const KEPT_BEYOND_END: u64 = 3600;

/// How long, in seconds, it matters when a token was made: none holds longer.
pub const KEPT_BEYOND_ISSUE: u64 = MAX_LIFE;

/// How far ahead, in seconds, of the clock here a token may say that it was made, for a table that
/// ends everyone to end it too. A session that begins after that says that it was made later still,
/// and has to hold at once, here and where the clock is behind: hence half of what is believed.
/// So clocks of nodes may differ by so much.
pub const MADE_AHEAD: u64 = MAX_SKEW / 2;

/// How many users are named one by one where all their sessions end at once. More of them are parted
/// into as many parts, and whoever shares one signs in anew.
pub const NAMED_AT_ONCE: usize = 4096;

/// The head of the table. Every field zero is an empty table.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Head {
    /// How many slots are not free.
    count: AtomicU64,
    /// How often an entry has moved to another slot.
    moves: AtomicU64,
    /// How many entries and buckets ask for the user's name. At zero nobody hashes it.
    by_user: AtomicU64,
    /// Every token made at this second or before has ended.
    issued_until: AtomicU64,
    /// No token that exists says that it was made later.
    made_until: AtomicU64,
}

/// The table, borrowed from the zone. Writers hold the zone's lock, readers none.
///
/// A reader that comes in the middle of a change finds what was there before or what is there
/// after, never less. All it loads is acquired. A writer stores what covers an entry before it
/// gives up the entry, and a reader loads in the same order: the entry, its bucket, everyone.
#[derive(Clone, Copy)]
pub struct Ended<'a> {
    /// Its head.
    pub head: &'a Head,
    /// Its slots.
    pub slots: &'a [Slot],
    /// What is coarsened: a bucket for each part of the users.
    pub buckets: &'a [Bucket],
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
        self.lists(session)
            || self.has_ended_for_user(user, issued_at, ends_at)
            || self.has_ended_for_everyone(issued_at)
    }

    /// Whether an API token has been ended. Its time in Unix seconds.
    pub fn api_token_has_ended(&self, id: SessionId, issued_at: u64) -> bool {
        self.lists(id) || self.has_ended_for_everyone(issued_at)
    }

    /// The least times of a new session of this user.
    pub fn earliest(&self, user: &str) -> Earliest {
        self.earliest_of(UserTag::of(user))
    }

    fn earliest_of(&self, tag: UserTag) -> Earliest {
        let bucket = self.bucket(UserPrefix::of(tag));
        let [ends_until, issued_until] =
            [Bucket::ends_until, Bucket::issued_until].map(|until| bucket.map_or(0, until));
        let issued_until = issued_until.max(self.user_issued_until(tag));
        let issued_until = issued_until.max(self.everyone_issued_until());
        Earliest { issued_at: after(issued_until), ends_at: after(ends_until) }
    }

    /// What ends all sessions of these users that anybody can have made up to now, also those that
    /// [`Self::earliest`] has put off. Many users at once are named by the parts that they fall
    /// into. `now` in Unix seconds.
    pub fn ends_of(&self, users: &[UserTag], now: u64) -> Vec<Record> {
        let issued_until = |tag| last_made(self.earliest_of(tag).issued_at, now);
        if users.len() <= NAMED_AT_ONCE {
            let named = |&user| Record::User { user, issued_until: issued_until(user) };
            return users.iter().map(named).collect();
        }
        let mut parts = vec![0; NAMED_AT_ONCE];
        for &tag in users {
            if let Some(until) = parts.get_mut(UserPrefix::of(tag).place(NAMED_AT_ONCE)) {
                *until = issued_until(tag).max(*until);
            }
        }
        let parts = (0..).zip(parts).filter(|(_, until)| *until != 0);
        let of = NAMED_AT_ONCE as u32;
        parts.map(|(part, issued_until)| Record::Users { part, of, issued_until }).collect()
    }

    /// The same for the sessions of all users.
    pub fn end_of_all(&self, now: u64) -> Record {
        let users = self.slots.iter().filter_map(Slot::issued_until);
        let parts = self.buckets.iter().map(Bucket::issued_until);
        let last = users.chain(parts).max().unwrap_or(0).max(self.everyone_issued_until());
        Record::Users { part: 0, of: 1, issued_until: last_made(after(last), now) }
    }

    /// All that has ended, to be written down: applied in this order to an empty table of whatever
    /// size, it forgets nothing. Gives up on the way what is spent. The caller holds the zone's
    /// lock. `now` in Unix seconds.
    pub fn records(&self, now: u64) -> Vec<Record> {
        self.reclaim(now);
        let entries = self.slots.iter().filter_map(Slot::entry);
        let entries = entries.filter(|entry| !self.is_spent(entry, now));
        let issued_until = self.everyone_issued_until();
        let matters = issued_until != 0 && issued_until.saturating_add(KEPT_BEYOND_ISSUE) > now;
        let everyone = matters.then_some(Record::Everyone { issued_until });
        let records = entries.map(|entry| entry.record()).chain(everyone);
        let mut records: Vec<_> = records.chain(bucket::parts(self.buckets)).collect();
        // First what tells how late a token may have been made: a table that is too small for the
        // others, and ends everyone, has to know.
        records.sort_by_key(|record| match record {
            Record::User { .. } | Record::Users { .. } | Record::Everyone { .. } => 0,
            Record::Part { .. } => 1,
            Record::Session { .. } | Record::Token { .. } => 2,
        });
        records
    }

    /// How many slots are taken: what [`Self::records`] gives is hardly more.
    pub fn entries(&self) -> u64 {
        self.head.count.load(Acquire)
    }

    /// How full the table is. Looks at all of it; what was past its end when the table was last
    /// full, or written down, is not counted.
    pub fn usage(&self) -> Usage {
        let coarsened = self.buckets.iter().filter(|bucket| bucket.is_coarsened()).count();
        let empty =
            Usage { capacity: self.limit(), coarsened: coarsened as u64, ..Usage::default() };
        // Without the time, what has been covered by others counts as gone, but not what is past.
        let entries = self.slots.iter().filter_map(Slot::entry);
        entries.filter(|entry| !self.is_spent(entry, 0)).fold(empty, |usage, entry| {
            match entry.kind {
                Kind::Session(_) => Usage { sessions: usage.sessions + 1, ..usage },
                Kind::Token => Usage { tokens: usage.tokens + 1, ..usage },
                Kind::User => Usage { users: usage.users + 1, ..usage },
            }
        })
    }

    /// Whether this very id has been ended.
    fn lists(&self, SessionId(id): SessionId) -> bool {
        let id = words(id);
        self.head.count.load(Acquire) != 0
            && self.find(id, |slot| slot.is_by_id().then_some(())).is_some()
    }

    fn has_ended_for_user(&self, user: &str, issued_at: u64, ends_at: u64) -> bool {
        if self.head.by_user.load(Acquire) == 0 {
            return false;
        }
        let tag = UserTag::of(user);
        // In this order: what covers an entry is stored before the entry is given up.
        is_until(self.user_issued_until(tag), issued_at)
            || self.bucket(UserPrefix::of(tag)).is_some_and(|bucket| {
                bucket.covers(ends_at) || is_until(bucket.issued_until(), issued_at)
            })
    }

    fn has_ended_for_everyone(&self, issued_at: u64) -> bool {
        is_until(self.everyone_issued_until(), issued_at)
    }

    fn everyone_issued_until(&self) -> u64 {
        self.head.issued_until.load(Acquire)
    }

    /// Zero where not all sessions of this user have been ended.
    fn user_issued_until(&self, tag: UserTag) -> u64 {
        let id = id_of_user(tag);
        // The id once more, lest it be the time of who has the slot after.
        let issued_until = |slot: &Slot| slot.issued_until().filter(|_| slot.is_of(id));
        self.find(id, issued_until).unwrap_or_default()
    }

    /// The first thing found of that id. Looks again where an entry has moved behind the reader's
    /// back: whoever sees its former slot reused also sees that `moves` has grown.
    fn find<T>(&self, id: [u64; 2], find: impl Fn(&Slot) -> Option<T>) -> Option<T> {
        loop {
            let moves = self.head.moves.load(Acquire);
            let found = self.chain(id).filter(|slot| slot.is_of(id)).find_map(&find);
            if found.is_some() || self.head.moves.load(Acquire) == moves {
                return found;
            }
        }
    }

    fn bucket(&self, user: UserPrefix) -> Option<&Bucket> {
        self.buckets.get(user.place(self.buckets.len()))
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

    /// Ids are random, tags of users are hashes: the first word is spread over the slots as it is.
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
}

/// Whether `time` is in what has ended `until` then. Zero: nothing has. What the table cannot
/// tell apart at the end of time is one.
fn is_until(until: u64, time: u64) -> bool {
    until != 0 && time.min(MAX_TIME) <= until
}

/// When the last session was made, where a new one would have been dated `earliest`. None is dated
/// further ahead than is believed, the next after it neither.
fn last_made(earliest: u64, now: u64) -> u64 {
    earliest.max(now).min(now.saturating_add(MAX_SKEW - 1))
}

/// The first second that is not in what has ended `until` then.
fn after(until: u64) -> u64 {
    until.saturating_add(u64::from(until != 0))
}
