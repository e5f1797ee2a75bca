//! What has come to a realm's journal, on its way into the zone.

use super::{complain, is_incomplete, lacks_what_is_known};
use crate::nginx::clock;
use crate::nginx::memory::JournalMarks;
use crate::realm::Realm;
use authgate_core::journal::{self, Record};
use authgate_state::Journal;
use std::io;
use std::sync::atomic::Ordering::{AcqRel, Release};

const RECORD: u64 = journal::LENGTH as u64;

/// What has come to the journal since the last reading.
#[derive(Default)]
pub(super) struct News {
    records: Vec<Record>,
    /// Since when, in milliseconds of the monotonic clock, something may have come unread.
    read_at: u64,
    /// How many records there are, those of before too.
    pub(super) total: u64,
    damaged: u64,
    /// Whether the journal was made just now.
    pub(super) is_made: bool,
}

impl News {
    pub(super) fn read(journal: &mut Journal) -> io::Result<Self> {
        // Before the reading: what is written after it may be missed.
        let read_at = clock::monotonic();
        let mut records = Vec::new();
        let read = journal.read_new(|record| records.push(record))?;
        let (total, damaged) = (journal.records()?, read.damaged);
        Ok(Self { records, read_at, total, damaged, is_made: false })
    }

    /// `None` where something inside has failed: then nobody says that all has been read.
    pub(super) fn take_in(self, realm: &Realm) -> Option<()> {
        let now = clock::now();
        realm.zone.locked(|locked| {
            let ended = locked.ended();
            self.records.iter().for_each(|record| ended.apply(record, now));
        })?;
        if let Some(JournalMarks { read_at, length, .. }) = realm.zone.journal() {
            read_at.fetch_max(self.read_at, AcqRel);
            length.store(self.total * RECORD, Release);
        }
        if self.is_made {
            lacks_what_is_known(realm);
        }
        if self.damaged > 0 {
            is_incomplete(realm);
            let text = format!("{} damaged records skipped", self.damaged);
            complain(realm, &io::Error::other(text));
        }
        Some(())
    }
}
