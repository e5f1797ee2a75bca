//! Basic credentials (RFC 7617): reading one, and knowing again one that held.
//!
//! A credential is known by a keyed digest of user name, password and stored hash, each with its
//! length: whatever changes about the user's password, the digest is another one. Neither the
//! password nor anything from which it could be computed without the key is kept.

mod table;

pub use table::{Answer, CLOCKS_DIFFER, Concluded, Moment, Slot, Table};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The longest value of `Authorization` that is decoded, in bytes: name and password have less.
const MAX_VALUE: usize = 2048;

/// What follows the scheme in an `Authorization` value, where the scheme is Basic, in whichever case
/// (RFC 9110, section 11.1): base64, if it is well-formed.
pub fn token68(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = authorization.split_at_checked(5)?;
    let is_basic = scheme.eq_ignore_ascii_case(b"basic") && matches!(rest, [] | [b' ' | b'\t', ..]);
    is_basic.then(|| rest.trim_ascii())
}

/// Not a Basic credential, though the scheme says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed")]
pub struct Malformed;

/// A user name and a password, decoded. Not `Debug`: it holds a password.
pub struct Credentials {
    /// `name:password`, wiped when dropped.
    decoded: Zeroizing<Vec<u8>>,
    colon: usize,
}

impl Credentials {
    /// Reads what [`token68`] gives.
    ///
    /// # Errors
    /// What is not base64 with its padding, has no colon, no user name or one that is not UTF-8.
    pub fn decode(token68: &[u8]) -> Result<Self, Malformed> {
        if token68.len() > MAX_VALUE {
            return Err(Malformed);
        }
        // All the room at once: a vector that grows leaves copies behind.
        let room = base64::decoded_len_estimate(token68.len());
        let mut decoded = Zeroizing::new(Vec::with_capacity(room));
        STANDARD.decode_vec(token68, &mut decoded).map_err(|_| Malformed)?;
        let colon = memchr::memchr(b':', &decoded).filter(|colon| *colon > 0).ok_or(Malformed)?;
        let credentials = Self { decoded, colon };
        credentials.name().map(|_| ()).ok_or(Malformed)?;
        Ok(credentials)
    }

    /// The user name: what stands before the first colon.
    pub fn username(&self) -> &str {
        self.name().unwrap_or_default()
    }

    fn name(&self) -> Option<&str> {
        core::str::from_utf8(self.decoded.get(..self.colon)?).ok()
    }

    /// The password. Any bytes.
    pub fn password(&self) -> &[u8] {
        self.decoded.get(self.colon + 1..).unwrap_or_default()
    }
}

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
        let mut mac = self.0.clone();
        for field in [username.as_bytes(), password, stored_hash.as_bytes()] {
            mac.update(&(field.len() as u64).to_le_bytes());
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
    /// As one number.
    pub(crate) fn words(self) -> [u64; 2] {
        self.0
    }
}
