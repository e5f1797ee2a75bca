//! A slot of the table: an id, and in one word what is listed there and until when.

use super::bucket::UserPrefix;
use crate::journal::{Record, UserTag};
use crate::token::SessionId;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Acquire, Release};

/// One entry: two words of an id, and the word that makes it count (0: free). In its top 24 bits
/// stands whose session it is, or that it is none; below, a time.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Slot {
    id: [AtomicU64; 2],
    listing: AtomicU64,
}

/// What a slot lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: [u64; 2],
    pub(super) kind: Kind,
    /// A session's absolute end; how long a token is kept; the last time of issue of a user's.
    pub(super) until: u64,
}

/// What sort of entry it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Session(UserPrefix),
    Token,
    User,
}

/// The times of entries have 40 bits: 34,000 years.
pub(super) const MAX_TIME: u64 = (1 << TIME_BITS) - 1;

const TIME_BITS: u32 = 40;
/// No user's: see [`UserPrefix::of`].
const TOKEN: u64 = 0xFF_FFFF;
const USER: u64 = 0xFF_FFFE;
/// The last prefix of a user's tag.
pub(super) const LAST_PREFIX: u32 = 0xFF_FFFD;

const FREE: u64 = 0;
/// Holds the chain together, but lists nothing any more: a token that was kept until 0.
const SPENT: u64 = TOKEN << TIME_BITS;

impl Slot {
    pub(super) fn is_free(&self) -> bool {
        self.listing.load(Acquire) == FREE
    }

    /// What is listed here, as the holder of the lock sees it.
    pub(super) fn entry(&self) -> Option<Entry> {
        let listing = self.listing.load(Acquire);
        let id = self.id.each_ref().map(|word| word.load(Acquire));
        let entry = Entry { id, kind: Kind::of(listing), until: listing & MAX_TIME };
        (listing != FREE).then_some(entry)
    }

    pub(super) fn with_entry(&self) -> Option<(&Self, Entry)> {
        Some((self, self.entry()?))
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.listing.load(Acquire) == SPENT
    }

    pub(super) fn is_of(&self, id: [u64; 2]) -> bool {
        self.id.iter().zip(id).all(|(word, value)| word.load(Acquire) == value)
    }

    /// Whether something is listed here by its own id.
    pub(super) fn is_by_id(&self) -> bool {
        self.issued_until().is_none()
    }

    /// The last time of issue, where a user is listed here.
    pub(super) fn issued_until(&self) -> Option<u64> {
        let listing = self.listing.load(Acquire);
        (listing >> TIME_BITS == USER).then_some(listing & MAX_TIME)
    }

    /// Lists it here. The word that makes it count comes last.
    pub(super) fn fill(&self, entry: &Entry) {
        for (word, value) in self.id.iter().zip(entry.id) {
            word.store(value, Release);
        }
        self.listing.store(entry.listing(), Release);
    }

    /// Forgets what is listed, but holds the chain together.
    pub(super) fn give_up(&self) {
        self.listing.store(SPENT, Release);
    }

    /// To be called where no entry's chain leads through this slot.
    pub(super) fn free(&self) {
        self.listing.store(FREE, Release);
    }
}

impl Entry {
    /// What is to be listed; `None` for what is no entry.
    pub(super) fn of(record: &Record) -> Option<Self> {
        let (id, kind, until) = match *record {
            Record::Session { id, user, ends_at } => {
                (words(id.0), Kind::Session(UserPrefix::of(user)), ends_at)
            }
            Record::Token { id, keep_until } => (words(id.0), Kind::Token, keep_until),
            Record::User { user, issued_until } => (id_of_user(user), Kind::User, issued_until),
            Record::Part { .. } | Record::Everyone { .. } | Record::Users { .. } => return None,
        };
        Some(Self { id, kind, until: until.min(MAX_TIME) })
    }

    pub(super) fn record(&self) -> Record {
        let [high, low] = self.id;
        let id = SessionId((u128::from(high) << 64 | u128::from(low)).to_be_bytes());
        match self.kind {
            Kind::Session(user) => Record::Session { id, user: user.tag(), ends_at: self.until },
            Kind::Token => Record::Token { id, keep_until: self.until },
            Kind::User => Record::User { user: UserTag(high), issued_until: self.until },
        }
    }

    /// Whether both list the same, maybe until another time.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (self.id, self.kind) == (other.id, other.kind)
    }

    /// Which user all of whose sessions have ended; `None` where it says something else.
    pub(super) fn user(&self) -> Option<UserPrefix> {
        let [tag, _] = self.id;
        (self.kind == Kind::User).then(|| UserPrefix::of(UserTag(tag)))
    }

    /// Whose session it is; `None` where it is none.
    pub(super) fn session_of(&self) -> Option<UserPrefix> {
        match self.kind {
            Kind::Session(user) => Some(user),
            Kind::Token | Kind::User => None,
        }
    }

    fn listing(&self) -> u64 {
        let kind = match self.kind {
            Kind::Session(user) => u64::from(user.0),
            Kind::Token => TOKEN,
            Kind::User => USER,
        };
        kind << TIME_BITS | self.until
    }
}

impl Kind {
    fn of(listing: u64) -> Self {
        match listing >> TIME_BITS {
            TOKEN => Self::Token,
            USER => Self::User,
            user => Self::Session(UserPrefix(user as u32)),
        }
    }
}

pub(super) fn words(id: [u8; 16]) -> [u64; 2] {
    let id = u128::from_be_bytes(id);
    [(id >> 64) as u64, id as u64]
}

/// Where a user is listed. No session's id: those are random.
pub(super) fn id_of_user(UserTag(tag): UserTag) -> [u64; 2] {
    [tag, 0]
}
