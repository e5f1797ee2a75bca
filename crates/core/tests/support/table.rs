//! A table of ended sessions of any size.

use authgate_core::ended::{Bucket, Ended, Head, Slot, Usage};
use authgate_core::journal::{Record, UserTag};
use authgate_core::token::SessionId;

/// A table and what it borrows.
pub(crate) struct Table {
    head: Head,
    slots: Vec<Slot>,
    buckets: Vec<Bucket>,
}

impl Table {
    pub(crate) fn of(slots: usize, buckets: usize) -> Self {
        Self {
            head: Head::default(),
            slots: core::iter::repeat_with(Slot::default).take(slots).collect(),
            buckets: core::iter::repeat_with(Bucket::default).take(buckets).collect(),
        }
    }

    pub(crate) fn ended(&self) -> Ended<'_> {
        Ended { head: &self.head, slots: &self.slots, buckets: &self.buckets }
    }

    pub(crate) fn apply(&self, record: Record, now: u64) {
        self.ended().apply(&record, now);
    }

    /// Another table that was told all that this one says.
    pub(crate) fn restored(&self, slots: usize, buckets: usize, now: u64) -> Self {
        let other = Self::of(slots, buckets);
        self.ended().records(now).iter().for_each(|record| other.ended().apply(record, now));
        other
    }

    /// Whether a session of this user has ended, however late it was made.
    pub(crate) fn holds(&self, id: SessionId, user: &str, ends_at: u64) -> bool {
        self.ended().session_has_ended(id, user, u64::MAX, ends_at)
    }

    pub(crate) fn usage(&self) -> Usage {
        self.ended().usage()
    }

    /// Whether a session of this user is ended by its id alone.
    pub(crate) fn is_exact_for(&self, user: &str) -> bool {
        let earliest = self.ended().earliest(user);
        (earliest.issued_at, earliest.ends_at) == (0, 0)
    }

    /// The bucket of a user.
    pub(crate) fn bucket(&self, user: &str) -> usize {
        part_of(user, self.buckets.len() as u64) as usize
    }
}

/// Which part of so many a user is in.
pub(crate) fn part_of(user: &str, of: u64) -> u64 {
    ((UserTag::of(user).0 >> 40) * of) >> 24
}

/// Random enough for the table: ids spread over the slots.
pub(crate) fn spread(number: u64) -> SessionId {
    let spread = u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    SessionId(spread.to_be_bytes())
}

/// Ids that crowd in four places of the table.
pub(crate) fn crowded(number: u64) -> SessionId {
    let place = u128::from(number & 3) << 126;
    SessionId((place | u128::from(number)).to_be_bytes())
}
