//! Buckets: the users in equal parts, by the top bits of their tags.

use super::slot::LAST_PREFIX;
use super::{KEPT_BEYOND_END, is_until};
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
    /// Every session that ends at this second or before has ended.
    ends_until: AtomicU64,
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

    pub(super) fn set_count(&self, count: u64) {
        self.count.store(count, Relaxed);
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

    /// Whether it is past all that it covers.
    pub(super) fn is_spent(&self, now: u64) -> bool {
        self.ends_until().saturating_add(KEPT_BEYOND_END) <= now
    }
}

/// What is coarsened.
pub(super) fn parts(buckets: &[Bucket]) -> impl Iterator<Item = Record> {
    let of = buckets.len() as u32;
    let coarsened = (0..).zip(buckets).filter(|(_, bucket)| bucket.ends_until() != 0);
    coarsened.map(move |(part, bucket)| Record::Part { part, of, ends_until: bucket.ends_until() })
}

/// Which of so many buckets hold users of part `part` of `of`; `None` where nobody can be in it.
pub(super) fn overlapping(part: u32, of: u32, buckets: usize) -> Option<RangeInclusive<usize>> {
    let first_of = |part: u64| (part << PREFIX_BITS).div_ceil(u64::from(of));
    let (first, end) = (of != 0 && part < of)
        .then(|| (first_of(u64::from(part)), first_of(u64::from(part) + 1)))?;
    let last = end.checked_sub(1).filter(|last| first <= *last)?;
    let place = |prefix: u64| UserPrefix((prefix as u32).min(LAST_PREFIX)).place(buckets);
    Some(place(first)..=place(last))
}
