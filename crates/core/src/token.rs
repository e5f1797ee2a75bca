//! The token: `v1.KID.PAYLOAD.MAC`. docs/TOKEN.md lays it out byte for byte.

use crate::keyring::KeyRing;

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

/// 128 random bits that name a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(pub [u8; 16]);

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

/// Room for a decoded payload, on the caller's stack.
pub struct PayloadBuffer([u8; MAX_LENGTH]);

impl Default for PayloadBuffer {
    fn default() -> Self {
        Self([0; MAX_LENGTH])
    }
}

impl KeyRing {
    /// Signs `claims` with the first key. `None` where the claims are outside the format (a user
    /// name over 128 bytes or with control characters).
    pub fn sign(&self, _purpose: Purpose, _claims: &Claims<'_>) -> Option<String> {
        todo!()
    }

    /// Verifies `token` at `now`: one HMAC at most, the payload parsed only after it holds.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn verify<'b>(
        &self,
        _purpose: Purpose,
        _token: &[u8],
        _now: u64,
        _buffer: &'b mut PayloadBuffer,
    ) -> Result<Verified<'b>, TokenError> {
        todo!()
    }
}

/// The claims of a token whose signature and times hold, and the key that signed it.
pub struct Verified<'b> {
    /// What it says.
    pub claims: Claims<'b>,
    key: usize,
}

impl Verified<'_> {
    /// Whether the epoch is that of this stored hash (under the key that signed the token).
    pub fn has_epoch_of(&self, _ring: &KeyRing, _stored_hash: &str) -> bool {
        let _ = self.key;
        todo!()
    }
}
