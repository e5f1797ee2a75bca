//! The limiter: how many logins are let through to a password check, and who has to wait.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod bans;
#[path = "../cases/mod.rs"]
mod cases;
mod credential;
mod device;
mod model;
mod table;
mod tries;

use authgate_core::limit::{Attempt, Decision, LimitReason, Limited, Limiter, Limits};
use authgate_core::limit::{Reservation, Settled, Slot};
use authgate_core::network::Network;
use authgate_core::token::SessionId;

const LIMITS: Limits = Limits { retries: 5, find: 120_000, ban: 300_000, user_retries: 50 };
const NOW: u64 = 1_000_000;

/// A limiter with its memory.
struct Table {
    limits: Limits,
    slots: Vec<Slot>,
}

impl Table {
    fn of(slots: usize) -> Self {
        Self { limits: LIMITS, slots: vec![Slot::default(); slots] }
    }

    fn limiter(&mut self) -> Limiter<'_> {
        Limiter { limits: self.limits, key: &[7; 16], slots: &mut self.slots }
    }

    fn reserve(&mut self, attempt: &Attempt<'_>, now: u64) -> Decision {
        self.limiter().reserve(attempt, now)
    }

    fn settle(&mut self, reservation: Reservation, how: Settled, now: u64) {
        self.limiter().settle(reservation, how, now);
    }

    fn grant(&mut self, attempt: &Attempt<'_>, now: u64) -> Reservation {
        match self.reserve(attempt, now) {
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
        let Decision::Granted(reservation) = self.reserve(attempt, now) else { return false };
        self.settle(reservation, Settled::Unchecked, now);
        true
    }
}

/// Network number `number`, none of those that the tests name.
fn network(number: u32) -> Network {
    Network::V4((0x0B00_0000 + number).to_be_bytes())
}

fn from(number: u32, user: &str) -> Attempt<'_> {
    Attempt { network: network(number), user, device: None, credential: None }
}

fn at(address: &str) -> Network {
    Network::of(Some(address.parse().unwrap()))
}

fn attempt<'a>(address: &str, user: &'a str) -> Attempt<'a> {
    Attempt { network: at(address), user, device: None, credential: None }
}

fn unix(user: &str) -> Attempt<'_> {
    Attempt { network: Network::of(None), user, device: None, credential: None }
}

fn on_device(attempt: Attempt<'_>, device: u8) -> Attempt<'_> {
    Attempt { device: Some(SessionId([device; 16])), ..attempt }
}

fn limited(seconds: u32, reason: LimitReason) -> Decision {
    Decision::Limited(Limited { seconds, reason })
}
