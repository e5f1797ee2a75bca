//! By what a credential is known again, without keeping a password.
//!
//! The digest covers user name, password and stored hash, each with its length: whatever changes
//! about the user's password, the digest is another one. Neither the password nor anything from
//! which it could be computed without the key is kept.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The key of the digests: random, as old as the shared memory that they stand in.
pub struct DigestKey(Hmac<Sha256>);

impl DigestKey {
    /// Prepares the key.
    pub fn new(secret: &[u8; 32]) -> Self {
        // A block of the hash function: HMAC pads a key of 32 bytes with zeros (RFC 2104, section 2).
        let mut block = Zeroizing::new([0; 64]);
        if let Some(key) = block.first_chunk_mut() {
            *key = *secret;
        }
        Self(Hmac::new((&*block).into()))
    }

    /// The digest of a credential that is to be checked against this stored hash.
    pub fn digest(&self, username: &str, password: &[u8], stored_hash: &str) -> Digest {
        self.of(username, password, stored_hash, 0)
    }

    /// The digest of a credential of nobody, whose check only takes its time: another one than that
    /// of a user who is given this very hash later.
    pub fn digest_of_nobody(&self, username: &str, password: &[u8], dummy_hash: &str) -> Digest {
        self.of(username, password, dummy_hash, 1 << 63)
    }

    /// As long for nobody as for a user. No field is so long that its length is that of nobody.
    fn of(&self, username: &str, password: &[u8], hash: &str, nobody: u64) -> Digest {
        let mut mac = self.0.clone();
        for field in [username.as_bytes(), password, hash.as_bytes()] {
            mac.update(&(field.len() as u64 + nobody).to_le_bytes());
            mac.update(field);
        }
        let bytes: [u8; 32] = mac.finalize().into_bytes().into();
        let [first, second, ..] = bytes.as_chunks::<8>().0 else { return Digest([0; 2]) };
        Digest([u64::from_le_bytes(*first), u64::from_le_bytes(*second)])
    }
}

/// A credential, as far as two are told apart: 128 bits of HMAC-SHA256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u64; 2]);

impl Digest {
    /// As two numbers.
    pub(super) fn words(self) -> [u64; 2] {
        self.0
    }
}
