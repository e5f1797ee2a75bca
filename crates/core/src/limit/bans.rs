//! The bans in force, and how an operator lifts them.

use super::{Limiter, Slot, Subject};
use crate::network::Network;

/// A ban in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ban {
    /// What is banned.
    pub subject: Banned,
    /// Seconds until it ends, rounded up.
    pub seconds: u32,
}

/// What is banned. Names and devices are known by their hash alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Banned {
    /// A network.
    Network(Network),
    /// A user name: see [`Limiter::user_key`].
    User(u64),
    /// A known device.
    Device(u64),
    /// A user name from one network: see [`Limiter::place_key`].
    Place(Network, u64),
}

impl Limiter<'_> {
    /// The bans in force, in no order.
    pub fn bans(&self, now: u64) -> impl Iterator<Item = Ban> {
        let counters = self.slots.iter().filter_map(move |slot| self.ban_in(slot, now));
        counters.chain(self.places.used_up().map(|(place, seconds)| {
            let subject = Banned::Place(place.network(), place.tag());
            Ban { subject, seconds }
        }))
    }

    fn ban_in(&self, slot: &Slot, now: u64) -> Option<Ban> {
        let subject = match slot.subject()? {
            Subject::Network(network) => Banned::Network(network),
            Subject::User(key) => Banned::User(key),
            Subject::Device(key) => Banned::Device(key),
            Subject::Credential(_) | Subject::Told(_) => return None,
        };
        let mut slot = *slot;
        slot.advance(self.spans(), now);
        Some(Ban { subject, seconds: slot.wait(self.spans(), now)? })
    }

    /// The key of the place of a user name in a network.
    pub fn place_key(&self, network: Network, name: &str) -> u64 {
        self.places.place(network, name).tag()
    }

    /// Lifts the ban of a network, and of names in it, and forgets their failures. False where there
    /// were none.
    pub fn lift_network(&mut self, network: Network) -> bool {
        let places = self.places.forgive(|place| place.network() == network);
        self.lift(Subject::Network(network)) | places
    }

    /// The same for a user name, wherever it is banned.
    pub fn lift_user(&mut self, name: &str) -> bool {
        let is_of = |place: super::Place| self.places.place(place.network(), name) == place;
        let places = self.places.forgive(is_of);
        self.lift(Subject::User(self.user_key(name))) | places
    }

    fn lift(&mut self, subject: Subject) -> bool {
        let words = subject.words();
        let counter = |slot: &&mut Slot| slot.words() == words && slot.is_used();
        self.set(subject).iter_mut().find(counter).map(Slot::forgive).is_some()
    }
}
