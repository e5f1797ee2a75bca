//! The token: `v1.KID.PAYLOAD.MAC`. docs/TOKEN.md lays it out byte for byte.

mod payload;
mod scope;
#[cfg(test)]
mod tests;

pub use payload::PayloadBuffer;
pub use scope::{Scope, ScopeBuf, ScopeError};

use crate::keyring::{KeyId, KeyRing};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use core::fmt;
use core::str::FromStr;
use hmac::Mac as _;
use subtle::ConstantTimeEq as _;

/// What a token is for. Each purpose has keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A session cookie.
    Session,
    /// An API token (`agt_…`).
    Api,
    /// A known device.
    Device,
}

/// 128 random bits that name a session. Written as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(pub [u8; 16]);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// Not a session id: anything but 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid session id")]
pub struct InvalidSessionId;

impl FromStr for SessionId {
    type Err = InvalidSessionId;

    fn from_str(text: &str) -> Result<Self, InvalidSessionId> {
        // from_str_radix would also take a sign.
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(InvalidSessionId);
        }
        let id = u128::from_str_radix(text, 16).map_err(|_| InvalidSessionId)?;
        Ok(Self(id.to_be_bytes()))
    }
}

/// What a token says. Times in Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims<'a> {
    /// The session.
    pub session: SessionId,
    /// The user's name: 1–128 bytes without control characters.
    pub user: &'a str,
    /// When this token was made.
    pub issued_at: u64,
    /// When this token ends: it is refused from this second on.
    pub expires_at: u64,
    /// When the session ends whatever happens, fixed at sign-in.
    pub ends_at: u64,
    /// The user's epoch; zero where the purpose has none.
    pub epoch: u64,
    /// What the token is limited to: API tokens alone have limits.
    pub scope: Scope<'a>,
}

/// Why a token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token.
    #[error("malformed")]
    Malformed,
    /// No key of that name.
    #[error("unknown key")]
    UnknownKey,
    /// Not signed by the key it names.
    #[error("bad signature")]
    BadSignature,
    /// Past its end, or from the future.
    #[error("expired")]
    Expired,
}

/// The longest token, in bytes.
pub const MAX_LENGTH: usize = 512;
/// How far in the future, in seconds, a token may have been made: clocks of nodes differ.
pub const MAX_SKEW: u64 = 60;
/// The longest, in seconds, that a token holds once it was made. What ends one before its time is
/// remembered for so long. Browsers keep no cookie longer (RFC 6265bis, section 5.5).
pub const MAX_LIFE: u64 = 400 * 24 * 3600;
/// The longest user name, in bytes.
pub const MAX_USER: usize = 128;

const VERSION: &str = "v1";
const MAC_LENGTH: usize = 32;
const MAC_TEXT_LENGTH: usize = 43;

impl KeyRing {
    /// Signs `claims` with the first key. `None` where the claims are outside the format: a user
    /// name that is empty, over 128 bytes or with control characters, limits of anything but an API
    /// token, a token of more than [`MAX_LENGTH`].
    pub fn sign(&self, purpose: Purpose, claims: &Claims<'_>) -> Option<String> {
        if !claims.may_be_for(purpose) {
            return None;
        }
        let key = self.signing();
        let payload = payload::encode(key.realm_tag, claims)?;
        let mut token = format!("{VERSION}.{}.{}", key.id, URL_SAFE_NO_PAD.encode(payload));
        let mac = key.mac(purpose).chain_update(&token).finalize().into_bytes();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(mac, &mut token);
        (token.len() <= MAX_LENGTH).then_some(token)
    }

    /// Verifies `token` at `now`: one HMAC at most, the payload parsed only after it holds.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn verify<'b>(
        &self,
        purpose: Purpose,
        token: &[u8],
        now: u64,
        buffer: &'b mut PayloadBuffer,
    ) -> Result<Verified<'b>, TokenError> {
        let parts = Parts::split(token)?;
        let mac = parts.decode_mac()?;
        let (place, key) = self.named(parts.key_id).ok_or(TokenError::UnknownKey)?;
        // verify_slice compares in constant time, and the length too.
        let computed = key.mac(purpose).chain_update(parts.signed);
        computed.verify_slice(&mac).map_err(|_| TokenError::BadSignature)?;
        let (realm_tag, claims) = buffer.parse(parts.payload)?;
        if !claims.may_be_for(purpose) {
            return Err(TokenError::Malformed);
        }
        if realm_tag != key.realm_tag {
            return Err(TokenError::BadSignature);
        }
        claims.hold_at(now)?;
        Ok(Verified { claims, key: place })
    }
}

/// The claims of a token whose signature and times hold, and the key that signed it.
#[derive(Debug)]
#[must_use]
pub struct Verified<'b> {
    /// What it says.
    pub claims: Claims<'b>,
    key: usize,
}

impl Verified<'_> {
    /// Whether the epoch is that of this stored hash (under the key that signed the token).
    pub fn has_epoch_of(&self, ring: &KeyRing, stored_hash: &str) -> bool {
        ring.placed(self.key).is_some_and(|key| {
            key.epoch(self.claims.user, stored_hash).ct_eq(&self.claims.epoch).into()
        })
    }

    /// Whether the key that signs now has signed it.
    pub fn is_signed_by_first(&self) -> bool {
        self.key == 0
    }

    /// The epoch of this stored hash under the key that signs now: the token's own, where that key
    /// signed it and [`Self::has_epoch_of`] holds.
    pub fn epoch_to_renew(&self, ring: &KeyRing, stored_hash: &str) -> u64 {
        if self.is_signed_by_first() {
            return self.claims.epoch;
        }
        ring.epoch(self.claims.user, stored_hash)
    }
}

/// What a token says of itself. Nothing is verified: for display only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// The key it names.
    pub key_id: KeyId,
    /// The session.
    pub session: SessionId,
    /// The user's name.
    pub user: String,
    /// When it was made, in Unix seconds.
    pub issued_at: u64,
    /// When it ends, in Unix seconds.
    pub expires_at: u64,
    /// When its session ends, in Unix seconds.
    pub ends_at: u64,
    /// The user's epoch.
    pub epoch: u64,
    /// What it is limited to.
    pub scope: ScopeBuf,
}

/// Reads a token without keys. Anyone can write such a token: **unverified**, for display only.
///
/// # Errors
/// [`TokenError::Malformed`] where it is no token.
pub fn inspect(token: &[u8]) -> Result<Inspected, TokenError> {
    let parts = Parts::split(token)?;
    parts.decode_mac()?;
    let key_id = KeyId::parse(parts.key_id).ok_or(TokenError::Malformed)?;
    let mut buffer = PayloadBuffer::default();
    let (_, claims) = buffer.parse(parts.payload)?;
    Ok(Inspected {
        key_id,
        session: claims.session,
        user: claims.user.to_owned(),
        issued_at: claims.issued_at,
        expires_at: claims.expires_at,
        ends_at: claims.ends_at,
        epoch: claims.epoch,
        scope: claims.scope.into(),
    })
}

impl Claims<'_> {
    /// Limits belong to API tokens alone: nothing would keep to those of a session or a device.
    fn may_be_for(&self, purpose: Purpose) -> bool {
        purpose == Purpose::Api || self.scope.is_unlimited()
    }

    /// No arithmetic on what the token says that could wrap.
    fn hold_at(&self, now: u64) -> Result<(), TokenError> {
        let life = self.expires_at.saturating_sub(self.issued_at);
        if self.expires_at > self.ends_at || life > MAX_LIFE {
            return Err(TokenError::Malformed);
        }
        let from_the_future = self.issued_at > now.saturating_add(MAX_SKEW);
        if from_the_future || now >= self.expires_at || now >= self.ends_at {
            return Err(TokenError::Expired);
        }
        Ok(())
    }
}

/// A token cut at its dots. Nothing is decoded yet.
struct Parts<'a> {
    /// All before the last dot.
    signed: &'a [u8],
    key_id: &'a [u8],
    payload: &'a [u8],
    mac: &'a [u8; MAC_TEXT_LENGTH],
}

impl<'a> Parts<'a> {
    fn split(token: &'a [u8]) -> Result<Self, TokenError> {
        Self::cut(token).ok_or(TokenError::Malformed)
    }

    fn cut(token: &'a [u8]) -> Option<Self> {
        if token.len() > MAX_LENGTH {
            return None;
        }
        let (with_dot, mac) = token.split_last_chunk()?;
        let signed = with_dot.strip_suffix(b".")?;
        let rest = signed.strip_prefix(VERSION.as_bytes())?.strip_prefix(b".")?;
        let dot = rest.iter().position(|&b| b == b'.')?;
        let (key_id, payload) = rest.split_at_checked(dot)?;
        Some(Self { signed, key_id, payload: payload.strip_prefix(b".")?, mac })
    }

    fn decode_mac(&self) -> Result<[u8; MAC_LENGTH], TokenError> {
        let mut mac = [0; MAC_LENGTH];
        // The decoder takes neither padding nor stray trailing bits: one text per MAC.
        match URL_SAFE_NO_PAD.decode_slice(self.mac, &mut mac) {
            Ok(MAC_LENGTH) => Ok(mac),
            _ => Err(TokenError::Malformed),
        }
    }
}
