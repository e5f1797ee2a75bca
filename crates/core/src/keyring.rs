//! Signing keys: the keys file, and the ring of keys derived from it for one realm.

use crate::lines::LineError;
use crate::token::Purpose;
use zeroize::Zeroizing;

/// The name of a key: 1–16 of `[A-Za-z0-9_-]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyId(Box<str>);

/// A mistake in a keys file. Never carries key bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Less than 32 bytes.
    #[error("key is shorter than 32 bytes")]
    TooShort,
}

/// The keys of a keys file: at least one, the first signs.
pub struct Keys(Vec<(KeyId, Zeroizing<Vec<u8>>)>);

impl Keys {
    /// Reads a keys file.
    ///
    /// # Errors
    /// The first mistake and its line.
    pub fn parse(_text: &[u8]) -> Result<Self, LineError<KeyError>> {
        todo!()
    }

    /// The single key of a realm without a keys file.
    pub fn generated(_secret: [u8; 32]) -> Self {
        todo!()
    }
}

/// The keys of one realm, prepared: the first signs, all verify.
pub struct KeyRing {}

impl KeyRing {
    /// Derives the keys of `realm` (HKDF-SHA256). `session_salt` enters the session keys alone:
    /// the random number made with the realm's shared memory where there is no `state`, else empty.
    pub fn derive(_keys: &Keys, _realm: &str, _session_salt: &[u8]) -> Self {
        todo!()
    }

    /// The epoch of a user under the key that signs.
    pub fn epoch(&self, _user: &str, _stored_hash: &str) -> u64 {
        todo!()
    }

    /// Whether some key signs for `purpose`; see [`crate::token`] for signing and verifying.
    pub fn signs(&self, _purpose: Purpose) -> bool {
        todo!()
    }
}
