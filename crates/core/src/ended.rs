//! Ended sessions: a fixed table of integers in shared memory, read without a lock.

use crate::token::SessionId;
use core::sync::atomic::AtomicU64;

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
    count: AtomicU64,
    everyone_until: AtomicU64,
}

/// The table, borrowed from the zone. Writers hold the zone's lock, readers none.
#[derive(Clone, Copy)]
pub struct Ended<'a> {
    /// Its head.
    pub head: &'a Head,
    /// Its slots.
    pub slots: &'a [Slot],
}

impl Ended<'_> {
    /// Whether the session has ended.
    pub fn contains(&self, _session: SessionId, _ends_at: u64) -> bool {
        todo!()
    }

    /// Ends the session. The caller holds the zone's lock.
    pub fn insert(&self, _session: SessionId, _ends_at: u64, _now: u64) {
        todo!()
    }

    /// The earliest absolute end of a session that begins now: past those ended by the coarse mark.
    pub fn earliest_new_end(&self) -> u64 {
        todo!()
    }

    /// Remembers the farthest absolute end given out.
    pub fn note_sign_in(&self, _ends_at: u64) {
        todo!()
    }
}
