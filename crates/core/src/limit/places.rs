//! Places: where a Basic credential held. A place is a network and a user name; it remembers the
//! credential that held there, so that it is not checked with each request, and what else has been
//! tried for the name from there.
//!
//! A table of integers in shared memory, for all workers. Readers take no lock, writers hold the
//! zone's. It is set-associative: a place stands in the set that a keyed hash names, which nobody
//! outside can aim at. Only a credential that held makes a place, and then it is the place of the
//! set that held longest ago that gives way: failures push nothing out.

use super::slot::is_within;
use super::subject::PLACE;
use super::{Digest, Limits};
use crate::network::Network;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Acquire, Release};
use siphasher::sip::SipHasher24;
use std::hash::Hasher as _;

/// One place. All zero is a free slot.
#[repr(C)]
#[derive(Debug, Default)]
pub struct PlaceSlot {
    /// The keyed hash of network and name.
    tag: AtomicU64,
    /// The address of the network; `state` has its kind.
    address: AtomicU64,
    digest: [AtomicU64; 2],
    /// The kind of the network, how many places the slot has had, and when the credential held.
    state: AtomicU64,
    /// What else has been tried here: see [`Budget`].
    budget: AtomicU64,
}

/// The table, borrowed from the zone.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    /// Its slots.
    pub slots: &'a [PlaceSlot],
    /// The key of the hashes that name places: random, of the zone.
    pub key: &'a [u8; 16],
    /// How long, in milliseconds, a credential that held is taken without a check.
    pub ttl: u64,
    /// What may be tried at a place; `None` with `limit off`.
    pub limits: Option<Limits>,
    /// Now, in milliseconds of a monotonic clock.
    pub now: u64,
}

/// A network and a user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    network: Network,
    tag: u64,
}

/// How long, in milliseconds, a place is one after its credential held: a day.
pub const REMEMBERED: u64 = 24 * 3600 * 1000;

/// Slots in a set.
const WAYS: usize = 8;

impl<'a> Places<'a> {
    /// The place of a name in a network.
    pub fn place(&self, network: Network, user: &str) -> Place {
        let (kind, address) = network.words();
        let [a, b, c, d, e, f, g, h] = address.to_be_bytes();
        let mut hasher = SipHasher24::new_with_key(self.key);
        // One piece: this is asked with each request that brings a Basic credential.
        hasher.write(&[PLACE, kind, a, b, c, d, e, f, g, h]);
        hasher.write(user.as_bytes());
        Place { network, tag: hasher.finish() }
    }

    /// Whether the credential held at the place not longer ago than it is taken without a check, and
    /// what else was tried there leaves it its say. Takes no lock.
    pub fn holds(&self, place: Place, digest: Digest) -> bool {
        self.set(place.tag).iter().any(|slot| {
            let word = slot.state.load(Acquire);
            // Once more after the rest: a writer that gives the slot to another place changes the
            // word before it writes anything else, and the word of before never comes back.
            State::of(word).is_some_and(|state| is_within(state.held_at, self.ttl, self.now))
                && slot.is_of(place, digest)
                && self.wait(slot).is_none()
                && slot.state.load(Acquire) == word
        })
    }

    /// The slot of a place where a credential held within a day. The caller holds the lock.
    pub(super) fn find(&self, place: Place) -> Option<&'a PlaceSlot> {
        let mut slots = self.set(place.tag).iter();
        slots.find(|slot| slot.tag.load(Acquire) == place.tag && self.is_remembered(slot))
    }

    /// A credential held at this place. The caller holds the lock.
    pub(super) fn put(&self, place: Place, digest: Digest) {
        let held_at = |slot: &&PlaceSlot| slot.state().map(|state| state.held_at);
        let spared = || self.set(place.tag).iter().min_by_key(held_at);
        match self.find(place) {
            Some(slot) => slot.replace(digest, self.now),
            None => {
                if let Some(slot) = spared() {
                    slot.fill(place, digest, self.now);
                }
            }
        }
    }

    /// Counts that something else than the credential of the place was tried there.
    pub(super) fn suspect(&self, slot: &PlaceSlot) {
        if let Some(limits) = self.limits {
            slot.budget.store(slot.budget().fail(&limits, self.now).word(), Release);
        }
    }

    /// Seconds for which nothing is taken at the place, rounded up; `None` where something is.
    pub(super) fn wait(&self, slot: &PlaceSlot) -> Option<u32> {
        let budget = slot.budget();
        let left = budget.is_used_up.then(|| budget.left(self.limits?.ban, self.now)).flatten()?;
        Some(u32::try_from(left.div_ceil(1000)).unwrap_or(u32::MAX))
    }

    /// Whether the credential of the slot is taken without a check.
    pub(super) fn is_fresh(&self, slot: &PlaceSlot) -> bool {
        slot.state().is_some_and(|state| is_within(state.held_at, self.ttl, self.now))
    }

    /// How many credentials are taken without a check.
    pub fn used(&self) -> u64 {
        self.slots.iter().filter(|slot| self.is_fresh(slot)).count() as u64
    }

    /// The places where nothing is taken now, with the seconds that are left.
    pub(super) fn used_up(&self) -> impl Iterator<Item = (Place, u32)> + use<'a> {
        let places = *self;
        places.slots.iter().filter_map(move |slot| {
            let seconds = places.wait(slot).filter(|_| places.is_remembered(slot))?;
            Some((slot.place()?, seconds))
        })
    }

    /// Forgets what else was tried at the places that `is` names. False where there was nothing.
    pub(super) fn forgive(&self, is: impl Fn(Place) -> bool) -> bool {
        let tried = self.slots.iter().filter(|slot| slot.budget.load(Acquire) != 0);
        let named = tried.filter(|slot| slot.place().is_some_and(&is));
        named.map(|slot| slot.budget.store(0, Release)).count() > 0
    }

    fn is_remembered(&self, slot: &PlaceSlot) -> bool {
        slot.state().is_some_and(|state| is_within(state.held_at, REMEMBERED, self.now))
    }

    /// The slots where a place may stand.
    fn set(&self, tag: u64) -> &'a [PlaceSlot] {
        let sets = (self.slots.len() / WAYS).max(1);
        let start = ((u128::from(tag) * sets as u128) >> 64) as usize * WAYS;
        let end = self.slots.len().min(start + WAYS);
        self.slots.get(start..end).unwrap_or_default()
    }
}

impl Place {
    /// The network.
    pub fn network(self) -> Network {
        self.network
    }

    /// The keyed hash of network and name.
    pub fn tag(self) -> u64 {
        self.tag
    }
}

impl PlaceSlot {
    /// Whether this is the credential that held at the place.
    pub(super) fn is_of(&self, place: Place, digest: Digest) -> bool {
        self.tag.load(Acquire) == place.tag && self.holds(digest)
    }

    /// Whether this is the credential that held.
    pub(super) fn holds(&self, digest: Digest) -> bool {
        self.digest.iter().zip(digest.words()).all(|(word, value)| word.load(Acquire) == value)
    }

    fn state(&self) -> Option<State> {
        State::of(self.state.load(Acquire))
    }

    fn budget(&self) -> Budget {
        Budget::of(self.budget.load(Acquire))
    }

    fn place(&self) -> Option<Place> {
        let network = Network::from_words(self.state()?.kind, self.address.load(Acquire))?;
        Some(Place { network, tag: self.tag.load(Acquire) })
    }

    /// Gives the slot to a place. A reader in between finds a free slot, and one that has begun
    /// before finds that the word has changed.
    fn fill(&self, place: Place, digest: Digest, now: u64) {
        let tenants = self.state.load(Acquire).wrapping_add(NEXT_TENANT) & TENANTS;
        self.state.store(tenants, Release);
        let (kind, address) = place.network.words();
        self.tag.store(place.tag, Release);
        self.address.store(address, Release);
        self.budget.store(0, Release);
        self.write(digest);
        self.state.store(tenants + State { kind, held_at: now }.word(), Release);
    }

    /// Takes another credential for the same place, or the same one anew.
    fn replace(&self, digest: Digest, now: u64) {
        let word = self.state.load(Acquire);
        let Some(State { kind, .. }) = State::of(word) else { return };
        let tenants = word.wrapping_add(NEXT_TENANT) & TENANTS;
        self.state.store(tenants, Release);
        self.write(digest);
        self.state.store(tenants + State { kind, held_at: now }.word(), Release);
    }

    fn write(&self, digest: Digest) {
        for (word, value) in self.digest.iter().zip(digest.words()) {
            word.store(value, Release);
        }
    }
}

/// When the credential of a slot held, and the kind of its network.
#[derive(Clone, Copy)]
struct State {
    kind: u8,
    held_at: u64,
}

/// In a word: the kind, how many places the slot has had, and a time of 139 years in milliseconds.
const KIND_SHIFT: u32 = 62;
const TIME_BITS: u32 = 42;
const MAX_TIME: u64 = (1 << TIME_BITS) - 1;
const NEXT_TENANT: u64 = 1 << TIME_BITS;
const TENANTS: u64 = (1 << KIND_SHIFT) - NEXT_TENANT;

impl State {
    /// `None`: a free slot.
    fn of(word: u64) -> Option<Self> {
        let kind = (word >> KIND_SHIFT) as u8;
        (kind != 0).then_some(Self { kind, held_at: word & MAX_TIME })
    }

    fn word(self) -> u64 {
        (u64::from(self.kind) << KIND_SHIFT) + self.held_at.min(MAX_TIME)
    }
}

/// What may still be tried at a place beside the credential that held: as the budget of a network,
/// but for each try that is asked for, not only for those that were checked.
#[derive(Clone, Copy)]
struct Budget {
    is_used_up: bool,
    failures: u16,
    /// When the first of the failures came, or when they had used the budget up.
    since: u64,
}

const USED_UP: u64 = 1 << 63;
const FAILURES_SHIFT: u32 = 47;
const MAX_SINCE: u64 = (1 << FAILURES_SHIFT) - 1;

impl Budget {
    fn of(word: u64) -> Self {
        Self {
            is_used_up: word & USED_UP != 0,
            failures: ((word & !USED_UP) >> FAILURES_SHIFT) as u16,
            since: word & MAX_SINCE,
        }
    }

    fn word(self) -> u64 {
        let used_up = if self.is_used_up { USED_UP } else { 0 };
        used_up + (u64::from(self.failures) << FAILURES_SHIFT) + self.since.min(MAX_SINCE)
    }

    /// Nothing makes the time longer for which nothing is taken.
    fn fail(self, limits: &Limits, now: u64) -> Self {
        if self.is_used_up && self.left(limits.ban, now).is_some() {
            return self;
        }
        let goes_on = !self.is_used_up && self.left(limits.find, now).is_some();
        let (before, since) = if goes_on { (self.failures, self.since) } else { (0, now) };
        let failures = before.saturating_add(1);
        // Where more may fail than the bits hold, as many as they hold may.
        match u32::from(failures) >= limits.retries.min(u16::MAX.into()) {
            true => Self { is_used_up: true, failures: 0, since: now },
            false => Self { is_used_up: false, failures, since },
        }
    }

    /// The milliseconds that are left of `span`.
    fn left(self, span: u64, now: u64) -> Option<u64> {
        is_within(self.since, span, now)
            .then(|| span.saturating_sub(now.saturating_sub(self.since)).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_word_lie_side_by_side() {
        let kind = 0b11 << KIND_SHIFT;
        assert_eq!(MAX_TIME ^ TENANTS ^ kind, u64::MAX);
        assert_eq!(MAX_TIME.count_ones() + TENANTS.count_ones() + 2, u64::BITS);
        assert_eq!(TENANTS & NEXT_TENANT.wrapping_neg(), TENANTS, "the lowest bit of a tenant");
        assert_eq!(TENANTS & NEXT_TENANT, NEXT_TENANT);
    }

    #[test]
    fn a_budget_is_what_its_word_says() {
        for is_used_up in [false, true] {
            for (failures, since) in [(0, 0), (1, 1), (u16::MAX, MAX_SINCE), (9, u64::MAX)] {
                let Budget { is_used_up: used_up, failures: count, since: time } =
                    Budget::of(Budget { is_used_up, failures, since }.word());
                assert_eq!(used_up, is_used_up);
                assert_eq!((count, time), (failures, since.min(MAX_SINCE)));
            }
        }
    }

    #[test]
    fn g79_no_word_comes_back_soon() {
        let (slot, place) = (PlaceSlot::default(), Place { network: Network::Unix, tag: 7 });
        let digest = super::super::DigestKey::new(&[7; 32]).digest("", b"", "");
        let words = (0..1000).map(|round| {
            match round % 2 {
                0 => slot.fill(place, digest, 5),
                _ => slot.replace(digest, 5),
            }
            assert_eq!(slot.state().map(|state| (state.kind, state.held_at)), Some((3, 5)));
            slot.state.load(Acquire)
        });
        assert_eq!(words.collect::<std::collections::HashSet<_>>().len(), 1000);
    }
}
