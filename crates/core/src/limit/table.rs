//! The table of counters. It is set-associative: a counter stands in the set that a keyed hash names,
//! which nobody outside can aim at. A counter that comes into a full set pushes out the least guilty
//! one there; a credential nothing that is guiltier than itself.

use super::subject::{CREDENTIAL, TOLD, USER};
use super::{Digest, Limiter, Slot, Subject};
use crate::network::Network;
use siphasher::sip::SipHasher24;
use std::hash::Hasher as _;

/// Slots in a set.
const WAYS: usize = 8;

impl Limiter<'_> {
    /// How many slots are in use. A counter whose time is over is cleared when its set is next
    /// needed, and counts until then.
    pub fn used(&self) -> usize {
        self.slots.iter().filter(|slot| slot.is_used()).count()
    }

    /// The key of a user name's counter.
    pub fn user_key(&self, name: &str) -> u64 {
        user_key(self.key, name)
    }

    /// The counter of `subject` as of `now`, if it has one.
    pub(super) fn find(&mut self, subject: Subject, now: u64) -> Option<&mut Slot> {
        let (spans, words) = (self.spans(), subject.words());
        let slot = self.set(subject).iter_mut().find(|slot| slot.words() == words)?;
        slot.advance(spans, now);
        Some(slot)
    }

    /// The counter of `subject` as of `now`, or a new one, which pushes out nothing that `stays`.
    pub(super) fn enter(
        &mut self,
        subject: Subject,
        stays: impl Fn(&Slot) -> bool,
        now: u64,
    ) -> Option<&mut Slot> {
        if self.find(subject, now).is_none()
            && let Some(slot) = self.least_guilty(subject, stays, now)
            && (!matches!(subject, Subject::Credential(_)) || slot.is_no_worse_than_one())
        {
            *slot = Slot::of(subject);
        }
        self.find(subject, now)
    }

    /// Whether the log has a line of what this network was refused within `find`; if not, it gets one
    /// now. Where there is room alone: a line pushes out no failure.
    pub(super) fn was_told(&mut self, network: Network, now: u64) -> bool {
        let (kind, address) = network.words();
        let mut hasher = SipHasher24::new_with_key(self.key);
        hasher.write(&[TOLD, kind]);
        hasher.write(&address.to_be_bytes());
        let (told, spans) = (Subject::Told(hasher.finish()), self.spans());
        if let Some(slot) = self.find(told, now) {
            let before = slot.is_recent(spans, now);
            if !before {
                *slot = Slot::since(told, now);
            }
            return before;
        }
        let spare = self.least_guilty(told, |_| false, now).filter(|slot| !slot.is_used());
        spare.map(|slot| *slot = Slot::since(told, now)).is_none()
    }

    /// What gives way in the set of `subject`.
    fn least_guilty(
        &mut self,
        subject: Subject,
        stays: impl Fn(&Slot) -> bool,
        now: u64,
    ) -> Option<&mut Slot> {
        let spans = self.spans();
        let set = self.set(subject);
        set.iter_mut().for_each(|slot| slot.advance(spans, now));
        set.iter_mut().filter(|slot| !stays(slot)).min_by_key(|slot| slot.guilt())
    }

    /// The slots where the counter of `subject` may stand.
    pub(super) fn set(&mut self, subject: Subject) -> &mut [Slot] {
        let sets = (self.slots.len() / WAYS).max(1);
        let scaled = u128::from(self.place_of(subject)) * sets as u128;
        self.slots.chunks_mut(WAYS).nth((scaled >> 64) as usize).unwrap_or_default()
    }

    fn place_of(&self, subject: Subject) -> u64 {
        match subject {
            Subject::Network(network) => {
                let (kind, address) = network.words();
                self.hash(kind, &address.to_be_bytes())
            }
            Subject::User(hash)
            | Subject::Device(hash)
            | Subject::Credential(hash)
            | Subject::Told(hash) => hash,
        }
    }

    /// The counter of a credential from one network.
    pub(super) fn credential(&self, network: Network, digest: Digest) -> Subject {
        let (kind, address) = network.words();
        let [first, second] = digest.words();
        let mut hasher = SipHasher24::new_with_key(self.key);
        hasher.write(&[CREDENTIAL, kind]);
        [address, first, second].iter().for_each(|word| hasher.write(&word.to_be_bytes()));
        Subject::Credential(hasher.finish())
    }

    pub(super) fn hash(&self, kind: u8, bytes: &[u8]) -> u64 {
        hash(self.key, kind, bytes)
    }
}

/// The key of a user name's counter, where `key` is that of the hashes.
pub fn user_key(key: &[u8; 16], name: &str) -> u64 {
    hash(key, USER, name.as_bytes())
}

fn hash(key: &[u8; 16], kind: u8, bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new_with_key(key);
    hasher.write(&[kind]);
    hasher.write(bytes);
    hasher.finish()
}
