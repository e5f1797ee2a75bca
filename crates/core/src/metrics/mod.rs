//! What is counted of a realm, over all workers: plain numbers in shared memory, read by summing.
//!
//! Each worker counts in one of a few stripes, so that workers do not wait for each other's cache
//! lines. Nothing is taken under a lock, and nothing is decided from what stands here.

mod text;

pub use text::{Bans, BasicUse, Build, LimiterUse, RealmMetrics, refusal, render, reply};

use crate::event::{Event, LoginMethod, Reason};
use crate::status::Status;
use core::array;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64};
use core::time::Duration;

/// So many stripes: workers with the same number modulo this share one.
const STRIPES: usize = 8;
/// nginx's lowest process slots, of old workers as of new ones: what those beyond have running or
/// waiting is not seen.
const PROCESSES: usize = 128;

/// The counters of one realm. All bytes zero: nothing has happened yet.
#[repr(C)]
#[derive(Debug)]
pub struct Metrics {
    stripes: [Stripe; STRIPES],
    processes: [Process; PROCESSES],
}

// One page of the zone, as the smallest zone has one left.
const _: () = assert!(size_of::<Metrics>() <= 4096);

/// What some of the workers have counted. Two cache lines apart from the next: processors fetch
/// them in pairs.
#[repr(C, align(128))]
#[derive(Debug, Default)]
pub struct Stripe {
    verdicts: [AtomicU64; Status::ALL.len()],
    logins: [[AtomicU64; LoginResult::ALL.len()]; LoginMethod::ALL.len()],
    logouts: AtomicU64,
    /// Checks that took as long as a bound and longer than the one before; the last: any longer.
    checks: [AtomicU64; BOUNDS.len() + 1],
    check_nanoseconds: AtomicU64,
}

/// What one process has to do now, and when it said so, in milliseconds of a monotonic clock.
#[repr(C)]
#[derive(Debug, Default)]
struct Process {
    at: AtomicU32,
    running: AtomicU16,
    waiting: AtomicU16,
}

/// How long, in milliseconds, a process is believed that says nothing more.
const SILENT: u32 = 2000;

/// The bounds of the histogram in seconds, as text and in milliseconds: from bcrypt at its lowest
/// cost to argon2 on a busy machine.
const BOUNDS: [(&str, u64); 11] = [
    ("0.005", 5),
    ("0.01", 10),
    ("0.025", 25),
    ("0.05", 50),
    ("0.1", 100),
    ("0.25", 250),
    ("0.5", 500),
    ("1", 1000),
    ("2.5", 2500),
    ("5", 5000),
    ("10", 10_000),
];

/// How a login ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LoginResult {
    Ok,
    BadPassword,
    UnknownUser,
    Limited,
    Busy,
}

impl LoginResult {
    const ALL: [Self; 5] =
        [Self::Ok, Self::BadPassword, Self::UnknownUser, Self::Limited, Self::Busy];

    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::BadPassword => "bad_password",
            Self::UnknownUser => "unknown_user",
            Self::Limited => "limited",
            Self::Busy => "busy",
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            stripes: array::from_fn(|_| Stripe::default()),
            processes: array::from_fn(|_| Process::default()),
        }
    }
}

impl Metrics {
    /// Where this worker counts.
    pub fn stripe(&self, worker: usize) -> &Stripe {
        let [first, ..] = &self.stripes;
        self.stripes.get(worker % STRIPES).unwrap_or(first)
    }

    /// Takes what the process in that slot has running and waiting now: said again at least each
    /// second, or it is forgotten.
    pub fn report(&self, process: usize, checks: Checks, now: u64) {
        let narrow = |count: u64| u16::try_from(count).unwrap_or(u16::MAX);
        if let Some(place) = self.processes.get(process) {
            place.running.store(narrow(checks.running), Relaxed);
            place.waiting.store(narrow(checks.waiting), Relaxed);
            place.at.store(clock(now), Relaxed);
        }
    }

    /// What all processes have running and waiting.
    pub fn checks(&self, now: u64) -> Checks {
        let live = self.processes.iter().filter(|process| process.is_live(now));
        live.fold(Checks::default(), |sum, process| Checks {
            running: sum.running + u64::from(process.running.load(Relaxed)),
            waiting: sum.waiting + u64::from(process.waiting.load(Relaxed)),
        })
    }

    /// What all workers have counted.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for stripe in &self.stripes {
            add(&mut totals.verdicts, &stripe.verdicts);
            for (sums, counts) in totals.logins.iter_mut().zip(&stripe.logins) {
                add(sums, counts);
            }
            totals.logouts = totals.logouts.wrapping_add(stripe.logouts.load(Relaxed));
            add(&mut totals.checks, &stripe.checks);
            let nanoseconds = stripe.check_nanoseconds.load(Relaxed);
            totals.check_nanoseconds = totals.check_nanoseconds.wrapping_add(nanoseconds);
        }
        totals
    }
}

fn add(sums: &mut [u64], counts: &[AtomicU64]) {
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum = sum.wrapping_add(count.load(Relaxed));
    }
}

impl Stripe {
    /// A request has gone this way.
    pub fn verdict(&self, status: Status) {
        increment(self.verdicts.get(status.index()));
    }

    /// A login or a logout has ended; other events are counted as verdicts.
    pub fn event(&self, event: &Event) {
        use LoginResult::{BadPassword, Busy, Limited, Ok, UnknownUser};
        match event {
            Event::LoginOk { method, .. } => self.login(*method, Ok),
            Event::LoginFailed { method, reason, .. } => match reason {
                Reason::BadPassword => self.login(*method, BadPassword),
                Reason::UnknownUser => self.login(*method, UnknownUser),
            },
            Event::LoginLimited { method, .. } => self.login(*method, Limited),
            Event::LoginBusy { method, .. } => self.login(*method, Busy),
            Event::Logout { .. } => increment(Some(&self.logouts)),
            Event::Forbidden { .. }
            | Event::ConnectionClosed { .. }
            | Event::TokenRefused { .. }
            | Event::WouldRefuse { .. } => {}
        }
    }

    fn login(&self, method: LoginMethod, result: LoginResult) {
        increment(self.logins.get(method as usize).and_then(|it| it.get(result as usize)));
    }

    /// A password check took so long.
    pub fn check(&self, took: Duration) {
        let fits = |(_, bound): &(&str, u64)| took <= Duration::from_millis(*bound);
        let place = BOUNDS.iter().position(fits).unwrap_or(BOUNDS.len());
        increment(self.checks.get(place));
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.check_nanoseconds.fetch_add(nanoseconds, Relaxed);
    }
}

fn increment(counter: Option<&AtomicU64>) {
    if let Some(counter) = counter {
        counter.fetch_add(1, Relaxed);
    }
}

impl Process {
    fn is_live(&self, now: u64) -> bool {
        // The clocks that two processes have read last differ a little, either way.
        let age = clock(now).wrapping_sub(self.at.load(Relaxed)).cast_signed();
        age.unsigned_abs() <= SILENT
    }
}

/// A clock that goes round in 49 days: more than is ever asked of it.
fn clock(now: u64) -> u32 {
    (now & u64::from(u32::MAX)) as u32
}

/// How many password checks there are at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checks {
    /// In a thread.
    pub running: u64,
    /// Waiting for one, or for the limiter.
    pub waiting: u64,
}

/// What all workers have counted since the memory was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    verdicts: [u64; Status::ALL.len()],
    logins: [[u64; LoginResult::ALL.len()]; LoginMethod::ALL.len()],
    logouts: u64,
    checks: [u64; BOUNDS.len() + 1],
    check_nanoseconds: u64,
}
