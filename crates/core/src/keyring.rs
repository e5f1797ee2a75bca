//! Signing keys: the keys file, and the ring of keys derived from it for one realm.
//! docs/TOKEN.md gives every derivation with its HKDF salt and info.

use crate::lines::LineError;
use crate::token::Purpose;
use crate::users::GenerationKey;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_NO_PAD};
use core::fmt;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _};
use sha2::Sha256;
use siphasher::sip::SipHasher24;
use std::hash::Hasher as _;
use zeroize::Zeroizing;

/// The shortest secret of a keys file, in bytes: the output of SHA-256 (RFC 2104, section 3).
const MIN_SECRET: usize = 32;
/// The longest name of a key, in bytes.
const MAX_KEY_ID: usize = 16;

/// The name of a key: 1–16 of `[A-Za-z0-9_-]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyId(Box<str>);

impl KeyId {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let well_formed = (1..=MAX_KEY_ID).contains(&text.len())
            && text.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        let text = core::str::from_utf8(text).ok()?;
        well_formed.then(|| Self(text.into()))
    }

    /// The name of a key that was given none: the same on every node that has the key.
    fn derived(secret: &[u8]) -> Self {
        let mut name = [0; 6];
        expand(&Hkdf::new(None, secret), &[INFO, b"kid"], &mut name);
        Self(URL_SAFE_NO_PAD.encode(name).into())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A mistake in a keys file. Never carries key bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Less than 32 bytes.
    #[error("key is shorter than 32 bytes")]
    TooShort,
    /// Not base64 (RFC 4648, section 4).
    #[error("invalid base64 in key")]
    InvalidBase64,
    /// Not 1–16 of `[A-Za-z0-9_-]`.
    #[error("invalid key name")]
    InvalidKeyId,
    /// Two keys of one name, or one key twice.
    #[error("key name is duplicate")]
    DuplicateKeyId,
    /// Something after the key.
    #[error("unexpected text after key")]
    TrailingText,
    /// A file without a key.
    #[error("no keys")]
    Empty,
}

/// The keys of a keys file: at least one, the first signs.
pub struct Keys(Vec<(KeyId, Zeroizing<Vec<u8>>)>);

impl Keys {
    /// Reads a keys file: a key a line, `[KID] base64`; blank lines and lines that begin with `#`
    /// say nothing.
    ///
    /// # Errors
    /// The first mistake and its line; line 1 where there is no key at all.
    pub fn parse(text: &[u8]) -> Result<Self, LineError<KeyError>> {
        let mut keys = Self(Vec::new());
        for (line, number) in text.split(|&b| b == b'\n').zip(1..) {
            keys.parse_line(line).map_err(|error| LineError { line: number, error })?;
        }
        if keys.0.is_empty() {
            return Err(LineError { line: 1, error: KeyError::Empty });
        }
        Ok(keys)
    }

    /// The single key of a realm without a keys file.
    pub fn generated(secret: [u8; 32]) -> Self {
        let secret = Zeroizing::new(secret);
        Self(vec![(KeyId::derived(&*secret), Zeroizing::new(secret.to_vec()))])
    }

    /// The names of the keys, the one that signs first.
    pub fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.0.iter().map(|(id, _)| id)
    }

    fn parse_line(&mut self, line: &[u8]) -> Result<(), KeyError> {
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let (first, second) = match (fields.next(), fields.next()) {
            (None, _) => return Ok(()),
            (Some(first), _) if first.starts_with(b"#") => return Ok(()),
            (Some(first), second) => (first, second),
        };
        if fields.next().is_some() {
            return Err(KeyError::TrailingText);
        }
        let secret = decode_secret(second.unwrap_or(first))?;
        let id = match second {
            Some(_) => KeyId::parse(first).ok_or(KeyError::InvalidKeyId)?,
            None => KeyId::derived(&secret),
        };
        if self.ids().any(|other| *other == id) {
            return Err(KeyError::DuplicateKeyId);
        }
        self.0.push((id, secret));
        Ok(())
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

fn decode_secret(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    // Sized beforehand: a vector that grows leaves copies of the key behind.
    let mut secret = Zeroizing::new(vec![0; text.len()]);
    let length = STANDARD_PAD_INDIFFERENT
        .decode_slice(text, &mut secret)
        .map_err(|_| KeyError::InvalidBase64)?;
    secret.truncate(length);
    if length < MIN_SECRET { Err(KeyError::TooShort) } else { Ok(secret) }
}

/// The keys of one realm, prepared: the first signs, all verify.
pub struct KeyRing {
    /// The names of all keys, packed: to compare them costs next to nothing, however many there are.
    names: Vec<u128>,
    signing: RealmKey,
    /// The keys that only verify.
    others: Vec<RealmKey>,
}

impl KeyRing {
    /// Derives the keys of `realm` (HKDF-SHA256). `session_salt` enters the session keys alone:
    /// the random number made with the realm's shared memory where there is no `state`, else empty.
    pub fn derive(keys: &Keys, realm: &str, session_salt: &[u8]) -> Self {
        let names = keys.ids().filter_map(|id| packed(id.0.as_bytes())).collect();
        let mut keys = keys.0.iter().map(|(id, secret)| {
            let plain = Hkdf::new(None, secret);
            let salted = Hkdf::new(Some(session_salt), secret);
            RealmKey::derive(id, &plain, &salted, realm.as_bytes())
        });
        #[expect(clippy::expect_used, reason = "Keys is made with at least one key")]
        let signing = keys.next().expect("a key that signs");
        Self { names, signing, others: keys.collect() }
    }

    /// The epoch of a user under the key that signs.
    pub fn epoch(&self, user: &str, stored_hash: &str) -> u64 {
        self.signing.epoch(user, stored_hash)
    }

    /// The key that signs, for the generations of users.
    pub fn generation_key(&self) -> &GenerationKey {
        &self.signing.generation
    }

    /// The key of that packed name, for the generations of users.
    pub(crate) fn generation_key_named(&self, id: &[u8; MAX_KEY_ID]) -> Option<&GenerationKey> {
        let place = self.names.iter().position(|name| *name == u128::from_ne_bytes(*id))?;
        Some(&self.placed(place)?.generation)
    }

    /// The packed name of the key that signs.
    pub(crate) fn signing_key_id(&self) -> [u8; MAX_KEY_ID] {
        packed(self.signing.id.0.as_bytes()).unwrap_or_default().to_ne_bytes()
    }

    /// How many keys there are.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn signing(&self) -> &RealmKey {
        &self.signing
    }

    /// The key of that name and its place in the ring.
    pub(crate) fn named(&self, id: &[u8]) -> Option<(usize, &RealmKey)> {
        let id = packed(id)?;
        let place = self.names.iter().position(|name| *name == id)?;
        Some((place, self.placed(place)?))
    }

    /// The key in that place.
    pub(crate) fn placed(&self, place: usize) -> Option<&RealmKey> {
        self.all().nth(place)
    }

    fn all(&self) -> impl Iterator<Item = &RealmKey> {
        core::iter::once(&self.signing).chain(&self.others)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all().map(|key| &key.id)).finish()
    }
}

/// A name in one number; `None` for what is none: no name is longer, or ends with a byte 0.
fn packed(id: &[u8]) -> Option<u128> {
    id.last().filter(|last| **last != 0)?;
    let mut bytes = [0; MAX_KEY_ID];
    bytes.get_mut(..id.len())?.copy_from_slice(id);
    Some(u128::from_ne_bytes(bytes))
}

/// What every HKDF info begins with. The byte 0 keeps the parts of an info apart.
const INFO: &[u8] = b"authgate v1\0";

/// One key, derived for one realm. The HMAC states are keyed once and cloned for each token.
pub(crate) struct RealmKey {
    pub(crate) id: KeyId,
    pub(crate) realm_tag: [u8; 4],
    session: Hmac<Sha256>,
    api: Hmac<Sha256>,
    device: Hmac<Sha256>,
    epoch: Zeroizing<[u8; 16]>,
    pub(crate) generation: GenerationKey,
}

impl RealmKey {
    fn derive(id: &KeyId, plain: &Hkdf<Sha256>, salted: &Hkdf<Sha256>, realm: &[u8]) -> Self {
        let mut realm_tag = [0; 4];
        expand(plain, &[INFO, b"realm\0", realm], &mut realm_tag);
        let mut epoch = Zeroizing::new([0; 16]);
        expand(plain, &[INFO, b"epoch\0", realm], &mut *epoch);
        let mut generation = GenerationKey::default();
        expand(plain, &[INFO, b"users\0", realm], &mut *generation.0);
        Self {
            id: id.clone(),
            realm_tag,
            session: keyed(salted, &[INFO, b"session\0", realm]),
            api: keyed(plain, &[INFO, b"api\0", realm]),
            device: keyed(plain, &[INFO, b"device\0", realm]),
            epoch,
            generation,
        }
    }

    /// A fresh MAC under the key of `purpose`.
    pub(crate) fn mac(&self, purpose: Purpose) -> Hmac<Sha256> {
        #[cfg(test)]
        macs::count();
        match purpose {
            Purpose::Session => self.session.clone(),
            Purpose::Api => self.api.clone(),
            Purpose::Device => self.device.clone(),
        }
    }

    /// Keyed hash of what a change of password changes. Both fields carry their length, so that
    /// no two pairs run into the same bytes.
    pub(crate) fn epoch(&self, user: &str, stored_hash: &str) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.epoch);
        for field in [user, stored_hash] {
            hasher.write(&(field.len() as u64).to_le_bytes());
            hasher.write(field.as_bytes());
        }
        hasher.finish()
    }
}

fn keyed(hkdf: &Hkdf<Sha256>, info: &[&[u8]]) -> Hmac<Sha256> {
    // A block of the hash function: HMAC pads a key of 32 bytes with zeros (RFC 2104, section 2).
    let mut block = Zeroizing::new([0; 64]);
    if let Some(key) = block.first_chunk_mut::<32>() {
        expand(hkdf, info, key);
    }
    Hmac::new((&*block).into())
}

fn expand(hkdf: &Hkdf<Sha256>, info: &[&[u8]], key: &mut [u8]) {
    #[expect(clippy::expect_used, reason = "32 bytes of the 8160 of RFC 5869, section 2.3")]
    hkdf.expand_multi_info(info, key).expect("a length that HKDF can give");
}

/// How many MACs this thread has begun, for the tests that bound them.
#[cfg(test)]
pub(crate) mod macs {
    use core::cell::Cell;

    std::thread_local! {
        static BEGUN: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn count() {
        BEGUN.set(BEGUN.get() + 1);
    }

    /// How many MACs `work` begins.
    pub(crate) fn begun_by<T>(work: impl FnOnce() -> T) -> (T, usize) {
        let before = BEGUN.get();
        let result = work();
        (result, BEGUN.get() - before)
    }
}
