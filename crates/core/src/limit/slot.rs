//! One counter: failures and tries under way, or a ban.

use super::subject::CREDENTIAL;
use super::{ABANDONED, Spans, Subject};

/// One counter. All zero is a free slot.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Slot {
    /// Whose it is, with `kind`.
    key: u64,
    /// When the first of the failures came, or when the ban began.
    since: u64,
    /// When a try was last heard of.
    heard: u64,
    failures: u32,
    /// Tries that have been reserved and not settled.
    pending: u16,
    kind: u8,
    banned: u8,
}

impl Slot {
    pub(super) fn of(subject: Subject) -> Self {
        let (kind, key) = subject.words();
        Self { kind, key, ..Self::default() }
    }

    /// One that holds nothing but its time.
    pub(super) fn since(subject: Subject, now: u64) -> Self {
        Self { since: now, heard: now, ..Self::of(subject) }
    }

    pub(super) fn counts(&self, subject: Subject) -> bool {
        self.words() == subject.words()
    }

    /// Those of the subject that it counts for.
    pub(super) fn words(&self) -> (u8, u64) {
        (self.kind, self.key)
    }

    pub(super) fn subject(&self) -> Option<Subject> {
        Subject::from_words(self.kind, self.key)
    }

    /// Whether it holds anything.
    pub(super) fn is_used(&self) -> bool {
        self.is_banned() || self.failures > 0 || self.pending > 0
    }

    pub(super) fn is_banned(&self) -> bool {
        self.banned != 0
    }

    /// Whether a try is under way.
    pub(super) fn is_pending(&self) -> bool {
        self.pending > 0
    }

    /// Whether those under way could use up all tries. Never without one under way, whatever the
    /// limit was before a reload: what is not decided by anyone would stay so.
    pub(super) fn is_exhausted(&self, limit: u32) -> bool {
        self.pending > 0 && self.failures.saturating_add(self.pending.into()) >= limit
    }

    /// Seconds until the ban ends, rounded up.
    pub(super) fn wait(&self, spans: Spans, now: u64) -> Option<u32> {
        let left = self.since.saturating_add(self.span(spans)).saturating_sub(now);
        let seconds = u32::try_from(left.div_ceil(1000)).unwrap_or(u32::MAX);
        self.is_banned().then_some(seconds.max(1))
    }

    /// What the table keeps longest: bans, then those nearest to one, then the latest. A credential
    /// that is known to fail is worth no more than the failure that it was.
    pub(super) fn guilt(&self) -> (bool, u32, u64) {
        let (failures, pending) = (self.failures, u32::from(self.pending));
        match self.kind {
            CREDENTIAL => (false, u32::from(self.is_used()), self.heard),
            _ => (self.is_banned(), failures.saturating_add(pending), self.heard),
        }
    }

    /// Whether it holds one failure or try at the most.
    pub(super) fn is_no_worse_than_one(&self) -> bool {
        let (is_banned, failures, _) = self.guilt();
        !is_banned && failures <= 1
    }

    /// Forgets what is over at `now`.
    pub(super) fn advance(&mut self, spans: Spans, now: u64) {
        let span = self.span(spans);
        if has_passed(&mut self.since, span, now) {
            self.forgive();
        }
        if has_passed(&mut self.heard, ABANDONED, now) {
            self.pending = 0;
        }
    }

    /// How long what it says holds.
    fn span(&self, spans: Spans) -> u64 {
        if self.is_banned() && self.kind != CREDENTIAL { spans.ban } else { spans.find }
    }

    /// Whether it was made within `find`.
    pub(super) fn is_recent(&self, spans: Spans, now: u64) -> bool {
        is_within(self.since, spans.find, now)
    }

    /// A try begins.
    pub(super) fn begin(&mut self, now: u64) {
        self.pending = self.pending.saturating_add(1);
        self.heard = now;
    }

    /// A try is still under way.
    pub(super) fn touch(&mut self, now: u64) {
        self.heard = now;
    }

    /// A try is over.
    pub(super) fn end(&mut self, now: u64) {
        self.pending = self.pending.saturating_sub(1);
        self.heard = now;
    }

    /// A try has failed. Nothing lengthens a ban.
    pub(super) fn fail(&mut self, limit: u32, now: u64) {
        if self.is_banned() {
            return;
        }
        if self.failures == 0 {
            self.since = now;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= limit {
            (self.banned, self.failures, self.since) = (1, 0, now);
        }
    }

    /// A credential that is to be checked has been counted elsewhere already.
    pub(super) fn note(&mut self, now: u64) {
        if !self.is_used() {
            self.since = now;
        }
        self.failures = self.failures.max(1);
    }

    /// Forgets the ban and the failures. Tries under way stay.
    pub(super) fn forgive(&mut self) {
        (self.banned, self.failures) = (0, 0);
    }
}

/// Whether `now` is within `span` of `time`, in either direction: a time further ahead comes from a
/// clock that was wrong.
pub(super) fn is_within(time: u64, span: u64, now: u64) -> bool {
    now.saturating_sub(time) < span && time <= now.saturating_add(span)
}

/// Whether `span` has passed since `time`. Other workers' clocks may be a little ahead; a time
/// further ahead than `span` comes from a clock that was wrong and becomes `now`.
fn has_passed(time: &mut u64, span: u64, now: u64) -> bool {
    if *time > now.saturating_add(span) {
        *time = now;
    }
    now.saturating_sub(*time) >= span
}
