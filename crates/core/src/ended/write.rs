//! What the holder of the zone's lock does to the table.
//!
//! A writer may be killed between any two stores. Hence each of them leaves a table that forgets
//! nothing: counts go up before there is more to count, and down after.

use super::bucket::{self, UserPrefix};
use super::slot::{Entry, Kind, Slot};
use super::{Bucket, Ended, KEPT_BEYOND_END, KEPT_BEYOND_ISSUE, MADE_AHEAD, after, is_until};
use crate::journal::Record;
use core::sync::atomic::Ordering::{Relaxed, Release};

/// A table that is full looks for room for one part in so many of its entries, so as not to look
/// through all of them each time.
const ROOM: u64 = 64;

/// The users all of whose sessions have ended may take one part in so many of the table.
const USERS: u64 = 4;

impl Ended<'_> {
    /// Takes in what has ended. The caller holds the zone's lock. `now` in Unix seconds.
    pub fn apply(&self, record: &Record, now: u64) {
        self.may_be_made_until(now.saturating_add(MADE_AHEAD));
        match *record {
            Record::Part { part, of, ends_until } => self.end_part(part, of, ends_until),
            Record::Everyone { issued_until } => {
                // By who made sessions that do not count as ended.
                self.may_be_made_until(after(issued_until));
                self.end_everyone(issued_until);
            }
            Record::Users { part, of, issued_until } => self.end_users(part, of, issued_until),
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
        if let Some(user) = entry.user() {
            return self.end_bucket_of(user, entry.until);
        }
        self.reclaim(now);
        // Each round covers a session of a bucket, at the latest the entry itself.
        while !self.is_spent(entry, now) && !self.place(entry, now) {
            if !self.coarsen(entry) {
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
            Kind::User => {
                let bucket = entry.user().and_then(|user| self.bucket(user));
                let coarsened = bucket.is_some_and(|it| is_until(it.issued_until(), entry.until));
                (KEPT_BEYOND_ISSUE, coarsened || self.has_ended_for_everyone(entry.until))
            }
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
            slot.give_up();
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
        self.chain(id).filter_map(Slot::with_entry)
    }

    /// Counts the entry by its kind.
    fn count(&self, entry: &Entry) {
        if let Some(bucket) = self.bucket_of(entry) {
            bucket.take_in(entry.until);
        }
        if entry.kind == Kind::User {
            self.head.by_user.fetch_add(1, Release);
        }
    }

    /// The bucket of a session.
    fn bucket_of(&self, entry: &Entry) -> Option<&Bucket> {
        entry.session_of().and_then(|user| self.bucket(user))
    }

    /// Whether the entry is one of a bucket that takes no more, or of a user where those take as
    /// much of the table as they may. Both are then coarsened: users leave room for sessions.
    fn has_its_share(&self, entry: &Entry) -> bool {
        if entry.kind == Kind::User {
            let share = self.limit().div_ceil(USERS) + self.buckets.len() as u64;
            return self.head.by_user.load(Relaxed) >= share;
        }
        let share = self.limit().div_ceil(8);
        self.bucket_of(entry).is_some_and(|bucket| bucket.count() >= share)
    }

    /// Gives up what is spent, moves what is left together, and counts it.
    pub(super) fn reclaim(&self, now: u64) {
        let mut by_user = self.begin_count(now);
        // From a free slot on: what stands before an entry in its chain has had its turn.
        let start = self.slots.iter().position(Slot::is_free).unwrap_or_default();
        for (slot, entry) in self.from(start).filter_map(Slot::with_entry) {
            if self.is_spent(&entry, now) {
                slot.give_up();
                continue;
            }
            if let Some(bucket) = self.bucket_of(&entry) {
                bucket.take_in(entry.until);
            }
            by_user += u64::from(entry.kind == Kind::User);
            self.move_up(slot, &entry);
        }
        // Now no entry's chain leads through a slot that is given up.
        self.slots.iter().filter(|slot| slot.is_given_up()).for_each(Slot::free);
        let taken = self.slots.iter().filter(|slot| !slot.is_free()).count();
        self.head.by_user.store(by_user, Release);
        self.head.count.store(taken as u64, Release);
    }

    /// Moves the entry to the first slot of its chain that has been given up, if there is one
    /// before it. It stands in both until the readers know.
    fn move_up(&self, slot: &Slot, entry: &Entry) {
        let mut before = self.chain(entry.id).take_while(|it| !core::ptr::eq(*it, slot));
        if let Some(gap) = before.find(|it| it.is_given_up()) {
            gap.fill(entry);
            self.head.moves.fetch_add(1, Release);
            slot.give_up();
        }
    }

    /// Takes buckets back that are past all that they cover; gives how many remain coarsened.
    fn begin_count(&self, now: u64) -> u64 {
        let mut coarsened = 0;
        for bucket in self.buckets {
            bucket.begin_count();
            bucket.take_back(now);
            coarsened += u64::from(bucket.is_coarsened());
        }
        coarsened
    }

    /// Raises the ends of buckets, each to the middle of what is listed or to be listed there: the
    /// entry's own if that has its share; else those with the most entries, until there is room
    /// for some more. False where no bucket has any.
    fn coarsen(&self, entry: &Entry) -> bool {
        if let Some(own) = self.bucket_of(entry) {
            let has_its_share = self.has_its_share(entry);
            own.take_in(entry.until);
            if has_its_share {
                self.end_bucket(own, own.middle());
                return true;
            }
        }
        let mut room = 0;
        while room <= self.limit() / ROOM {
            let most = self.buckets.iter().max_by_key(|bucket| bucket.count());
            let Some(bucket) = most.filter(|bucket| bucket.count() > 0) else { break };
            self.end_bucket(bucket, bucket.middle());
            room += bucket.count().div_ceil(2);
            bucket.begin_count();
        }
        room > 0
    }

    fn end_bucket(&self, bucket: &Bucket, ends_until: u64) {
        self.count_coarsened(bucket);
        bucket.set_ends_until(ends_until.max(bucket.ends_until()));
    }

    fn end_bucket_issued(&self, bucket: &Bucket, issued_until: u64) {
        self.count_coarsened(bucket);
        bucket.set_issued_until(issued_until.max(bucket.issued_until()));
    }

    fn count_coarsened(&self, bucket: &Bucket) {
        if !bucket.is_coarsened() {
            self.head.by_user.fetch_add(1, Release);
        }
    }

    /// Ends a user's sessions with those of the others of its bucket.
    fn end_bucket_of(&self, user: UserPrefix, issued_until: u64) {
        match self.bucket(user) {
            Some(bucket) => self.end_bucket_issued(bucket, issued_until),
            None => self.end_everyone(issued_until),
        }
    }

    /// Ends a part of the users, in whichever buckets they are here.
    fn end_part(&self, part: u32, of: u32, ends_until: u64) {
        if self.buckets.is_empty() {
            return self.end_everyone(self.head.made_until.load(Relaxed));
        }
        let buckets = self.buckets_of(part, of);
        buckets.iter().for_each(|bucket| self.end_bucket(bucket, ends_until));
    }

    /// As [`Self::end_part`], by the time of issue.
    fn end_users(&self, part: u32, of: u32, issued_until: u64) {
        self.may_be_made_until(after(issued_until));
        if self.buckets.is_empty() {
            return self.end_everyone(issued_until);
        }
        let buckets = self.buckets_of(part, of);
        buckets.iter().for_each(|bucket| self.end_bucket_issued(bucket, issued_until));
    }

    fn buckets_of(&self, part: u32, of: u32) -> &[Bucket] {
        let places = bucket::overlapping(part, of, self.buckets.len());
        places.and_then(|places| self.buckets.get(places)).unwrap_or_default()
    }

    /// Ends everyone, and then gives up every entry: whatever was to be listed up to now, that one
    /// covers it.
    fn give_up_all(&self) {
        self.end_everyone(self.head.made_until.load(Relaxed));
        let taken = self.slots.iter().filter(|slot| !slot.is_free());
        taken.for_each(Slot::give_up);
    }

    fn end_everyone(&self, issued_until: u64) {
        self.head.issued_until.fetch_max(issued_until, Release);
    }

    /// From now on a token may say that it was made then. Who makes a session says so before, and
    /// needs no lock for it.
    pub fn may_be_made_until(&self, time: u64) {
        self.head.made_until.fetch_max(time, Release);
    }
}
