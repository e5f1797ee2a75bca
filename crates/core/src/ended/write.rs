//! What the holder of the zone's lock does to the table.
//!
//! A writer may be killed between any two stores. Hence each of them leaves a table that forgets
//! nothing: counts go up before there is more to count, and down after.

use super::bucket::{self, UserPrefix};
use super::slot::{Entry, Kind, Slot};
use super::{Bucket, Ended, KEPT_BEYOND_END, KEPT_BEYOND_ISSUE, after};
use crate::journal::Record;
use crate::token::MAX_SKEW;
use core::sync::atomic::Ordering::{Relaxed, Release};

impl Ended<'_> {
    /// Takes in what has ended. The caller holds the zone's lock. `now` in Unix seconds.
    pub fn apply(&self, record: &Record, now: u64) {
        // By a node whose clock is ahead as far as is allowed.
        self.may_be_made_until(now.saturating_add(MAX_SKEW));
        match *record {
            Record::Part { part, of, ends_until } => self.end_part(part, of, ends_until),
            Record::Everyone { issued_until } => self.end_everyone(issued_until),
            Record::Session { .. } | Record::Token { .. } => self.list(record, now),
            Record::User { issued_until, .. } => {
                self.may_be_made_until(after(issued_until));
                self.list(record, now);
            }
        }
    }

    fn list(&self, record: &Record, now: u64) {
        if let Some(entry) = Entry::of(record) {
            self.take_in(&entry, now);
        }
    }

    fn take_in(&self, entry: &Entry, now: u64) {
        if self.is_spent(entry, now) || self.place(entry, now) {
            return;
        }
        self.reclaim(now);
        // Each round covers a session of a bucket, at the latest the entry itself.
        while !self.is_spent(entry, now) && !self.place(entry, now) {
            if !self.coarsen(entry, now) {
                self.give_up_all();
                return self.reclaim(now);
            }
            self.reclaim(now);
        }
    }

    /// Whether the entry may give way: long past its end, or covered by others.
    pub(super) fn is_spent(&self, entry: &Entry, now: u64) -> bool {
        let (kept, covered) = match entry.kind {
            Kind::Session(user) => {
                let bucket = self.bucket(user);
                (KEPT_BEYOND_END, bucket.is_some_and(|bucket| bucket.covers(entry.until)))
            }
            // When it was made is not known: see `give_up_all`.
            Kind::Token => (KEPT_BEYOND_END, false),
            Kind::User => (KEPT_BEYOND_ISSUE, self.has_ended_for_everyone(entry.until)),
        };
        covered || entry.until == 0 || entry.until.saturating_add(kept) <= now
    }

    /// Puts the entry into its chain, or else says that there is no room.
    fn place(&self, entry: &Entry, now: u64) -> bool {
        if let Some((slot, before)) = self.listed(entry.id).find(|(_, it)| it.is_same(entry)) {
            slot.fill(&Entry { until: entry.until.max(before.until), ..*entry });
            return true;
        }
        if self.has_its_share(entry) {
            return false;
        }
        if let Some((slot, _)) = self.listed(entry.id).find(|(_, it)| self.is_spent(it, now)) {
            self.count(entry);
            slot.fill(entry);
            return true;
        }
        let free = self.from(self.home(entry.id)).find(|slot| slot.is_free());
        match free {
            Some(slot) if !self.is_full() => {
                self.head.count.fetch_add(1, Release);
                self.count(entry);
                slot.fill(entry);
                true
            }
            _ => false,
        }
    }

    /// A chain with what it lists.
    fn listed(&self, id: [u64; 2]) -> impl Iterator<Item = (&Slot, Entry)> {
        self.chain(id).filter_map(|slot| Some((slot, slot.entry()?)))
    }

    /// Counts the entry by its kind.
    fn count(&self, entry: &Entry) {
        if let Some(bucket) = self.bucket_of(entry) {
            bucket.set_count(bucket.count() + 1);
        }
        if entry.kind == Kind::User {
            self.head.by_user.fetch_add(1, Release);
        }
    }

    /// The bucket of a session.
    fn bucket_of(&self, entry: &Entry) -> Option<&Bucket> {
        entry.session_of().and_then(|user| self.bucket(user))
    }

    /// Whether the entry is one of a bucket that takes no more.
    fn has_its_share(&self, entry: &Entry) -> bool {
        let share = self.limit().div_ceil(8);
        self.bucket_of(entry).is_some_and(|bucket| bucket.count() >= share)
    }

    /// Gives up what is spent, frees its slots at the ends of chains, and counts what is left. From
    /// a free slot backwards: only there does no other entry's chain lead through a spent slot.
    pub(super) fn reclaim(&self, now: u64) {
        let coarsened = self.begin_count(now);
        let (mut count, mut users) = (0, 0);
        let start = self.slots.iter().position(Slot::is_free).unwrap_or_default();
        let mut next_is_free = self.slots.get(start).is_some_and(Slot::is_free);
        for slot in self.from(start).rev() {
            match slot.entry() {
                Some(entry) if !self.is_spent(&entry, now) => {
                    if let Some(bucket) = self.bucket_of(&entry) {
                        bucket.set_count(bucket.count() + 1);
                    }
                    users += u64::from(entry.kind == Kind::User);
                }
                Some(_) if next_is_free => slot.free(),
                Some(_) => slot.give_up(),
                None => {}
            }
            next_is_free = slot.is_free();
            count += u64::from(!next_is_free);
        }
        self.head.by_user.store(coarsened + users, Release);
        self.head.count.store(count, Release);
    }

    /// Takes buckets back that are past all that they cover; gives how many remain coarsened.
    fn begin_count(&self, now: u64) -> u64 {
        let mut coarsened = 0;
        for bucket in self.buckets {
            bucket.set_count(0);
            if bucket.is_spent(now) {
                bucket.set_ends_until(0);
            }
            coarsened += u64::from(bucket.ends_until() != 0);
        }
        coarsened
    }

    /// Raises the end of one bucket to the middle of the ends that are listed or to be listed
    /// there. False where no bucket has any.
    fn coarsen(&self, entry: &Entry, now: u64) -> bool {
        let Some(place) = self.to_be_coarsened(entry) else { return false };
        let entries = self.slots.iter().filter_map(Slot::entry).chain([*entry]);
        let mut ends = entries
            .filter(|it| it.session_of().is_some_and(|user| self.place_of(user) == place))
            .filter(|it| !self.is_spent(it, now))
            .map(|it| it.until);
        let Some(end) = ends.next() else { return false };
        let (first, last) = ends.fold((end, end), |(a, b), end| (a.min(end), b.max(end)));
        self.end_bucket(place, first.midpoint(last));
        true
    }

    /// The entry's own bucket if that has its share; else the one with the most entries; its own if
    /// none has any.
    fn to_be_coarsened(&self, entry: &Entry) -> Option<usize> {
        let own = entry.session_of().map(|user| self.place_of(user));
        if self.has_its_share(entry) {
            return own;
        }
        let counts = self.buckets.iter().map(Bucket::count).enumerate();
        let most = counts.filter(|(_, count)| *count > 0).max_by_key(|(_, count)| *count);
        most.map(|(place, _)| place).or(own).filter(|place| *place < self.buckets.len())
    }

    fn place_of(&self, user: UserPrefix) -> usize {
        user.place(self.buckets.len())
    }

    fn end_bucket(&self, place: usize, ends_until: u64) {
        let Some(bucket) = self.buckets.get(place) else { return };
        let before = bucket.ends_until();
        if before == 0 && ends_until != 0 {
            self.head.by_user.fetch_add(1, Release);
        }
        bucket.set_ends_until(ends_until.max(before));
    }

    /// Ends a part of the users, in whichever buckets they are here.
    fn end_part(&self, part: u32, of: u32, ends_until: u64) {
        if self.buckets.is_empty() {
            return self.end_everyone(self.head.made_until.load(Relaxed));
        }
        let places = bucket::overlapping(part, of, self.buckets.len());
        places.into_iter().flatten().for_each(|place| self.end_bucket(place, ends_until));
    }

    /// Ends everyone, and then gives up every entry: whatever was to be listed up to now, that one
    /// covers it.
    fn give_up_all(&self) {
        self.end_everyone(self.head.made_until.load(Relaxed));
        let taken = self.slots.iter().filter(|slot| !slot.is_free());
        taken.for_each(Slot::give_up);
    }

    fn end_everyone(&self, issued_until: u64) {
        self.may_be_made_until(after(issued_until));
        self.head.issued_until.fetch_max(issued_until, Release);
    }

    /// From now on a token may say that it was made then: we ourselves make those that do not
    /// count as ended.
    fn may_be_made_until(&self, time: u64) {
        self.head.made_until.fetch_max(time, Release);
    }
}
