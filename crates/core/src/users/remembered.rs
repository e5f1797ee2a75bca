//! The generations as they are kept in a file (`REALM.users` under `state`), so that a change of the
//! users counts that comes while nginx is down.
//!
//! All numbers big-endian:
//!
//! | Bytes | |
//! | --- | --- |
//! | 0–7 | `authgusr` |
//! | 8–23 | name of the key that the rest is made with, filled with zeros |
//! | 24–39 | a random number |
//! | 16 for each user | keyed tag, keyed hash of the generation (8 bytes each) |
//! | the last 8 | checksum |
//!
//! A keyed tag is the user's tag, exclusive-or SipHash-2-4 of eight bytes 0xFF, the random number and
//! the user's place in the file. The users stand in the order of their tags. The checksum is
//! SipHash-2-4 of the bytes before it, with the key `authgate  users`. It finds damage, not forgery:
//! who may write the file may also remove it.

use super::generations::{GenerationKey, Generations};
use crate::journal::UserTag;
use crate::keyring::KeyRing;
use siphasher::sip::SipHasher24;
use std::hash::Hasher as _;

/// The longest file, in bytes: of a million users.
pub const MAX_LENGTH: u64 = 16 * 1_000_000 + 48;

/// Generations of before.
#[derive(Debug, PartialEq, Eq)]
pub enum Remembered {
    /// Whole, and made with a key that the realm still has.
    Known(GenerationKey, Generations),
    /// Of a key that is gone, or damaged.
    Unknown,
}

impl Remembered {
    /// What the bytes of a file say.
    pub fn decode(bytes: &[u8], ring: &KeyRing) -> Self {
        let known = || {
            let file = File::parse(bytes)?;
            let key = ring.generation_key_named(file.key_id)?;
            Some(Self::Known(key.clone(), file.generations(key)?))
        };
        known().unwrap_or(Self::Unknown)
    }

    /// The bytes of a file with these generations, made with the key that signs. `random` is fresh.
    pub fn encode(new: &Generations, ring: &KeyRing, random: [u8; 16]) -> Vec<u8> {
        let (key, mut bytes) = (ring.generation_key(), MAGIC.to_vec());
        bytes.extend(ring.signing_key_id());
        bytes.extend(random);
        for (place, (UserTag(tag), generation)) in (0..).zip(&new.0) {
            bytes.extend((tag ^ key.mask(random, place)).to_be_bytes());
            bytes.extend(generation.to_be_bytes());
        }
        bytes.extend(checksum(&bytes));
        bytes
    }

    /// Whether a file is to be written, to say the same as `new`.
    pub fn is_other_than(bytes: &[u8], new: &Generations, ring: &KeyRing) -> bool {
        Self::decode(bytes, ring) != Self::Known(ring.generation_key().clone(), new.clone())
    }
}

const MAGIC: &[u8; 8] = b"authgusr";
const CHECKSUM_KEY: &[u8; 16] = b"authgate  users ";

struct File<'b> {
    key_id: &'b [u8; 16],
    random: [u8; 16],
    users: &'b [[u8; 16]],
}

impl<'b> File<'b> {
    fn parse(bytes: &'b [u8]) -> Option<Self> {
        let (bytes, sum) = bytes.split_last_chunk::<8>()?;
        let rest = bytes.strip_prefix(MAGIC)?;
        let (key_id, rest) = rest.split_first_chunk::<16>()?;
        let (random, rest) = rest.split_first_chunk::<16>()?;
        let (users, more) = rest.as_chunks::<16>();
        let is_whole = more.is_empty() && checksum(bytes) == *sum;
        is_whole.then_some(Self { key_id, random: *random, users })
    }

    fn generations(&self, key: &GenerationKey) -> Option<Generations> {
        let decode = |(place, user): (u64, &[u8; 16])| {
            let both = u128::from_be_bytes(*user);
            let tag = (both >> 64) as u64 ^ key.mask(self.random, place);
            (UserTag(tag), both as u64)
        };
        let all: Vec<_> = (0..).zip(self.users).map(decode).collect();
        all.is_sorted_by_key(|&(UserTag(tag), generation)| (tag, generation))
            .then_some(Generations(all))
    }
}

impl GenerationKey {
    /// What hides the tag of the user in that place.
    fn mask(&self, random: [u8; 16], place: u64) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        // No name is as long: see `generation`.
        hasher.write(&u64::MAX.to_be_bytes());
        hasher.write(&random);
        hasher.write(&place.to_be_bytes());
        hasher.finish()
    }
}

fn checksum(bytes: &[u8]) -> [u8; 8] {
    let mut hasher = SipHasher24::new_with_key(CHECKSUM_KEY);
    hasher.write(bytes);
    hasher.finish().to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::Keys;
    use crate::users::Users;

    const FIRST: &str = "first MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n";
    const LATER: &str = "later ZDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n";
    const RANDOM: [u8; 16] = *b"sixteen at least";

    fn ring(keys: &str) -> KeyRing {
        KeyRing::derive(&Keys::parse(keys.as_bytes()).unwrap(), "ops", b"")
    }

    fn generations(ring: &KeyRing) -> Generations {
        let text = "alice:{PLAIN}a\nbob:{PLAIN}b\n";
        Generations::of(&Users::parse(text.as_bytes(), true).unwrap(), ring.generation_key())
    }

    /// By another implementation of HKDF, SipHash and this format.
    #[test]
    fn j123_the_format_is_fixed() {
        let ring = ring(FIRST);
        let bytes = Remembered::encode(&generations(&ring), &ring, RANDOM);
        assert_eq!(hex(&bytes), VECTOR);
    }

    const VECTOR: &str = "6175746867757372666972737400000000000000000000007369787465656e206174206c65617374ec651c9fff793836495e96f7362a179234b7bcbea1d7a01fbb907a755a54b93afcd86f3e2e39df63";

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn j123_what_is_written_is_read_and_is_not_written_again() {
        let ring = ring(FIRST);
        let new = generations(&ring);
        let bytes = Remembered::encode(&new, &ring, RANDOM);
        let known = Remembered::Known(ring.generation_key().clone(), new.clone());
        assert_eq!(Remembered::decode(&bytes, &ring), known);
        assert!(!Remembered::is_other_than(&bytes, &new, &ring));
    }

    #[test]
    fn j123_the_longest_file_is_of_a_million_users() {
        let ring = ring(FIRST);
        let length = |count: u64| {
            let users = (0..count).map(|number| (UserTag(number), number)).collect();
            Remembered::encode(&Generations::sorted(users), &ring, RANDOM).len() as u64
        };
        assert_eq!(length(1) - length(0), 16);
        assert_eq!(length(0) + 1_000_000 * 16, MAX_LENGTH);
    }

    #[test]
    fn j123_any_damage_is_found() {
        let ring = ring(FIRST);
        let whole = Remembered::encode(&generations(&ring), &ring, RANDOM);
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Remembered::decode(&bytes, &ring), Remembered::Unknown, "{bit}");
        }
        for length in 0..whole.len() {
            assert_eq!(Remembered::decode(&whole[..length], &ring), Remembered::Unknown);
        }
    }

    #[test]
    fn j123_a_rotation_ends_nothing_and_a_key_that_is_gone_is_told() {
        let [old, both, new] =
            [FIRST.into(), format!("{LATER}{FIRST}"), LATER.into()].map(|keys: String| ring(&keys));
        let before = generations(&old);
        let bytes = Remembered::encode(&before, &old, RANDOM);
        let Remembered::Known(key, known) = Remembered::decode(&bytes, &both) else {
            panic!("not read")
        };
        assert_eq!(known, before);
        assert_eq!(key, *old.generation_key());
        // It is to be written with the key that signs now.
        assert!(Remembered::is_other_than(&bytes, &generations(&both), &both));
        assert_eq!(Remembered::decode(&bytes, &new), Remembered::Unknown);
        let rewritten = Remembered::encode(&generations(&both), &both, RANDOM);
        let Remembered::Known(..) = Remembered::decode(&rewritten, &new) else {
            panic!("not read")
        };
    }

    #[test]
    fn j123_two_editions_show_no_common_tag() {
        let ring = ring(FIRST);
        let new = generations(&ring);
        let [one, other] = [RANDOM, [9; 16]].map(|it| Remembered::encode(&new, &ring, it));
        assert_ne!(one[40..48], other[40..48]);
        let alice = UserTag::of("alice").0.to_be_bytes();
        assert!(!one.windows(8).any(|bytes| bytes == alice));
    }
}
