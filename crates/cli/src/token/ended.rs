//! What has ended before its time, read from `state` into a table as nginx has one.

use crate::failure::Failure;
use crate::revocation::no_journal;
use authgate_core::ended::{Bucket, Ended, Head, Slot};
use authgate_core::token::{Claims, Purpose};
use authgate_state::Journal;
use std::io::{self, ErrorKind};
use std::iter::repeat_with;
use std::path::Path;

/// Parts of the users: more than nginx has, which loses nothing.
const BUCKETS: usize = 1 << 16;
/// So many slots for each record that no part of the users takes more than its share.
const SLOTS_PER_RECORD: usize = 16;

pub(super) struct Table {
    head: Head,
    slots: Vec<Slot>,
    buckets: Vec<Bucket>,
}

impl Table {
    pub(super) fn read(folder: &Path, realm: &str, now: u64) -> Result<Self, Failure> {
        Self::read_journal(folder, realm, now).map_err(|error| {
            Failure::Error(match error.kind() {
                ErrorKind::NotFound => no_journal(folder, realm),
                _ => error.to_string(),
            })
        })
    }

    fn read_journal(folder: &Path, realm: &str, now: u64) -> io::Result<Self> {
        let mut records = Vec::new();
        Journal::open_existing(folder, realm)?.read_new(|record| records.push(record))?;
        let table = Self {
            head: Head::default(),
            slots: repeat_with(Slot::default).take(SLOTS_PER_RECORD * records.len()).collect(),
            buckets: repeat_with(Bucket::default).take(BUCKETS).collect(),
        };
        records.iter().for_each(|record| table.ended().apply(record, now));
        Ok(table)
    }

    pub(super) fn ends(&self, purpose: Purpose, claims: &Claims<'_>) -> bool {
        let Claims { session, user, issued_at, ends_at, .. } = *claims;
        match purpose {
            Purpose::Api => self.ended().api_token_has_ended(session, issued_at),
            Purpose::Session | Purpose::Device => {
                self.ended().session_has_ended(session, user, issued_at, ends_at)
            }
        }
    }

    fn ended(&self) -> Ended<'_> {
        Ended { head: &self.head, slots: &self.slots, buckets: &self.buckets }
    }
}
