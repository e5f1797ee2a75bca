//! The limiter: how many logins are let through to a password check, and who has to wait.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod bans;
#[path = "../cases/mod.rs"]
mod cases;
mod credential;
mod device;
mod guesser;
mod model;
mod places;
mod table;
mod told;
mod tries;

use authgate_core::limit::{Attempt, By, Decision, Digest, DigestKey, LimitReason, Limited};
use authgate_core::limit::{Limiter, Limits, PlaceSlot, Places, Reservation, Settled, Slot};
use authgate_core::network::Network;
use authgate_core::token::SessionId;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

const LIMITS: Limits = Limits { retries: 5, find: 120_000, ban: 300_000, user_retries: 50 };
const NOW: u64 = 1_000_000;
/// How long a credential that held is taken without a check.
const TTL: u64 = 300_000;

/// A limiter with its memory.
struct Table {
    limits: Limits,
    slots: Vec<Slot>,
    places: Vec<PlaceSlot>,
}

impl Table {
    fn of(slots: usize) -> Self {
        let places = std::iter::repeat_with(PlaceSlot::default).take(slots / 8).collect();
        Self { limits: LIMITS, slots: vec![Slot::default(); slots], places }
    }

    fn limiter(&mut self) -> Limiter<'_> {
        self.limiter_at(NOW)
    }

    fn limiter_at(&mut self, now: u64) -> Limiter<'_> {
        let Self { limits, slots, places } = self;
        let limits = Some(*limits);
        let places = Places { slots: places, key: &[7; 16], ttl: TTL, limits, now };
        Limiter { limits, key: &[7; 16], slots, places }
    }

    /// Which refusal the log has a line of is for the tests of that alone.
    fn reserve(&mut self, attempt: &Attempt<'_>, now: u64) -> Decision {
        match self.limiter_at(now).reserve(attempt, now) {
            Decision::Limited(limited) => Decision::Limited(Limited { is_first: false, ..limited }),
            other => other,
        }
    }

    fn settle(&mut self, reservation: Reservation, how: Settled, now: u64) {
        self.limiter_at(now).settle(reservation, how, now);
    }

    /// A try with a password that nobody has tried before.
    fn grant(&mut self, attempt: &Attempt<'_>, now: u64) -> Reservation {
        match self.reserve(&Attempt { digest: fresh(), ..*attempt }, now) {
            Decision::Granted(reservation) => reservation,
            other => panic!("{other:?} for {attempt:?} at {now}"),
        }
    }

    /// A whole login that fails.
    fn fail(&mut self, attempt: &Attempt<'_>, now: u64) {
        let reservation = self.grant(attempt, now);
        self.settle(reservation, Settled::Failed, now);
    }

    fn fail_times(&mut self, times: u32, attempt: &Attempt<'_>, now: u64) {
        (0..times).for_each(|_| self.fail(attempt, now));
    }

    /// Fails from as many networks until the name is banned.
    fn exhaust(&mut self, user: &str, now: u64) {
        (0..LIMITS.user_retries).for_each(|number| self.fail(&from(number, user), now));
    }

    /// Whether a login would be let through; undone at once.
    fn lets_through(&mut self, attempt: &Attempt<'_>, now: u64) -> bool {
        let attempt = Attempt { digest: fresh(), ..*attempt };
        let Decision::Granted(reservation) = self.reserve(&attempt, now) else { return false };
        self.settle(reservation, Settled::Unchecked, now);
        true
    }
}

/// Network number `number`, none of those that the tests name.
fn network(number: u32) -> Network {
    Network::V4((0x0B00_0000 + number).to_be_bytes())
}

fn from(number: u32, user: &str) -> Attempt<'_> {
    by_form(network(number), user)
}

fn at(address: &str) -> Network {
    Network::of(Some(address.parse().unwrap()))
}

fn attempt<'a>(address: &str, user: &'a str) -> Attempt<'a> {
    by_form(at(address), user)
}

fn unix(user: &str) -> Attempt<'_> {
    by_form(Network::of(None), user)
}

/// A login by the form with a password that nobody has tried before.
fn by_form(network: Network, user: &str) -> Attempt<'_> {
    Attempt { network, user, digest: fresh(), by: By::Form { device: None } }
}

/// The same by Basic, with this password.
fn basic<'a>(address: &str, user: &'a str, password: &str) -> Attempt<'a> {
    Attempt { network: at(address), user, digest: digest(user, password), by: By::Basic }
}

fn on_device(attempt: Attempt<'_>, device: u8) -> Attempt<'_> {
    Attempt { by: By::Form { device: Some(SessionId([device; 16])) }, ..attempt }
}

fn digest(user: &str, password: &str) -> Digest {
    static KEY: LazyLock<DigestKey> = LazyLock::new(|| DigestKey::new(&[7; 32]));
    KEY.digest(user, password.as_bytes(), "hash")
}

/// That of a credential that is like no other.
fn fresh() -> Digest {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    digest("", &COUNT.fetch_add(1, Ordering::Relaxed).to_string())
}

fn limited(seconds: u32, reason: LimitReason) -> Decision {
    Decision::Limited(Limited { seconds, reason, is_first: false })
}
