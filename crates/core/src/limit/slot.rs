//! One counter: failures and tries under way, or a ban.

use super::{ABANDONED, Limits, Subject};

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

    pub(super) fn counts(&self, subject: Subject) -> bool {
        (self.kind, self.key) == subject.words()
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

    /// Whether those under way could use up all tries. Never without one under way, whatever the
    /// limit was before a reload: what is not decided by anyone would stay so.
    pub(super) fn is_exhausted(&self, limit: u32) -> bool {
        self.pending > 0 && self.failures.saturating_add(self.pending.into()) >= limit
    }

    /// Seconds until the ban ends, rounded up.
    pub(super) fn wait(&self, limits: &Limits, now: u64) -> Option<u32> {
        let left = self.since.saturating_add(limits.ban).saturating_sub(now);
        let seconds = u32::try_from(left.div_ceil(1000)).unwrap_or(u32::MAX);
        self.is_banned().then_some(seconds.max(1))
    }

    /// What the table keeps longest: bans, then those nearest to one, then the latest.
    pub(super) fn guilt(&self) -> (bool, u32, u64) {
        (self.is_banned(), self.failures.saturating_add(self.pending.into()), self.heard)
    }

    /// Forgets what is over at `now`.
    pub(super) fn advance(&mut self, limits: &Limits, now: u64) {
        let span = if self.is_banned() { limits.ban } else { limits.find };
        if has_passed(&mut self.since, span, now) {
            self.forgive();
        }
        if has_passed(&mut self.heard, ABANDONED, now) {
            self.pending = 0;
        }
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

    /// Forgets the ban and the failures. Tries under way stay.
    pub(super) fn forgive(&mut self) {
        (self.banned, self.failures) = (0, 0);
    }
}

/// Whether `span` has passed since `time`. Other workers' clocks may be a little ahead; a time
/// further ahead than `span` comes from a clock that was wrong and becomes `now`.
fn has_passed(time: &mut u64, span: u64, now: u64) -> bool {
    if *time > now.saturating_add(span) {
        *time = now;
    }
    now.saturating_sub(*time) >= span
}
