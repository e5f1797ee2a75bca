//! Buckets: the users in equal parts, by the top bits of their tags.

use super::slot::LAST_PREFIX;
use super::{KEPT_BEYOND_END, KEPT_BEYOND_ISSUE, is_until};
use crate::journal::{Record, UserTag};
use core::ops::RangeInclusive;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// The coarsened end of one part of the users. All zero: nothing is coarsened.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Bucket {
    /// How many sessions are listed one by one.
    count: AtomicU64,
    /// The first and the last of their ends.
    ends: [AtomicU64; 2],
    /// Every session that ends at this second or before has ended.
    ends_until: AtomicU64,
    /// Every session's token that was made at this second or before has ended.
    issued_until: AtomicU64,
}

/// The top 24 bits of a user's tag, which is all that an ended session says of its user. The last
/// two of them mark other entries; their users go with their neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UserPrefix(pub(super) u32);

const PREFIX_BITS: u32 = 24;

impl UserPrefix {
    pub(super) fn of(UserTag(tag): UserTag) -> Self {
        Self(((tag >> (u64::BITS - PREFIX_BITS)) as u32).min(LAST_PREFIX))
    }

    /// A tag with this prefix.
    pub(super) fn tag(self) -> UserTag {
        UserTag(u64::from(self.0) << (u64::BITS - PREFIX_BITS))
    }

    /// Which of so many buckets it falls into.
    pub(super) fn place(self, buckets: usize) -> usize {
        ((u128::from(self.0) * buckets as u128) >> PREFIX_BITS) as usize
    }
}

impl Bucket {
    pub(super) fn count(&self) -> u64 {
        self.count.load(Relaxed)
    }

    pub(super) fn begin_count(&self) {
        self.count.store(0, Relaxed);
    }

    /// Counts a session.
    pub(super) fn take_in(&self, ends_at: u64) {
        let count = self.count.fetch_add(1, Relaxed);
        let [first, last] = &self.ends;
        if count == 0 {
            self.ends.iter().for_each(|end| end.store(ends_at, Relaxed));
        }
        first.fetch_min(ends_at, Relaxed);
        last.fetch_max(ends_at, Relaxed);
    }

    /// The middle of the ends of those that were counted.
    pub(super) fn middle(&self) -> u64 {
        let [first, last] = self.ends.each_ref().map(|end| end.load(Relaxed));
        first.midpoint(last)
    }

    pub(super) fn ends_until(&self) -> u64 {
        self.ends_until.load(Acquire)
    }

    pub(super) fn set_ends_until(&self, ends_until: u64) {
        self.ends_until.store(ends_until, Release);
    }

    pub(super) fn covers(&self, ends_at: u64) -> bool {
        is_until(self.ends_until(), ends_at)
    }

    pub(super) fn issued_until(&self) -> u64 {
        self.issued_until.load(Acquire)
    }

    pub(super) fn set_issued_until(&self, issued_until: u64) {
        self.issued_until.store(issued_until, Release);
    }

    /// Whether anything is coarsened here.
    pub(super) fn is_coarsened(&self) -> bool {
        self.ends_until() != 0 || self.issued_until() != 0
    }

    /// Takes back what is past all that it covers.
    pub(super) fn take_back(&self, now: u64) {
        if self.ends_until().saturating_add(KEPT_BEYOND_END) <= now {
            self.set_ends_until(0);
        }
        if self.issued_until().saturating_add(KEPT_BEYOND_ISSUE) <= now {
            self.set_issued_until(0);
        }
    }
}

/// What is coarsened.
pub(super) fn parts(buckets: &[Bucket]) -> impl Iterator<Item = Record> {
    let of = buckets.len() as u32;
    let both = (0..).zip(buckets).flat_map(move |(part, bucket)| {
        let (ends_until, issued_until) = (bucket.ends_until(), bucket.issued_until());
        let ends = (ends_until != 0).then_some(Record::Part { part, of, ends_until });
        let issued = (issued_until != 0).then_some(Record::Users { part, of, issued_until });
        [ends, issued]
    });
    both.flatten()
}

/// Which of so many buckets hold users of part `part` of `of`; `None` where nobody can be in it.
pub(super) fn overlapping(part: u32, of: u32, buckets: usize) -> Option<RangeInclusive<usize>> {
    let first_of = |part: u64| (part << PREFIX_BITS).div_ceil(u64::from(of));
    let part = Some(u64::from(part)).filter(|part| *part < u64::from(of))?;
    let (first, end) = (first_of(part), first_of(part + 1));
    let last = end.checked_sub(1).filter(|last| first <= *last)?;
    let place = |prefix: u64| UserPrefix((prefix as u32).min(LAST_PREFIX)).place(buckets);
    Some(place(first)..=place(last))
}
