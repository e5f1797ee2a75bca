//! Password hashes: which are taken, what they may cost, and the check itself.

/// crypt(3): the hash of a password under a setting (an earlier hash), `None` where it fails.
/// nginx's `ngx_crypt` in the module, libcrypt in the command.
pub type Crypt = fn(password: &[u8], setting: &str) -> Option<String>;

/// Why a stored hash is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// No known scheme.
    #[error("unknown hash")]
    Unknown,
}

/// A stored password hash of a known scheme with costs in range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordHash {/* text and scheme */}

impl PasswordHash {
    /// Recognizes a stored hash.
    ///
    /// # Errors
    /// An unknown, malformed or too costly hash; a weak one without `allow_weak`.
    pub fn parse(_text: &str, _allow_weak: bool) -> Result<Self, HashError> {
        todo!()
    }

    /// The hash as it is stored.
    pub fn as_str(&self) -> &str {
        todo!()
    }

    /// Checks a password. Takes as long as the hash's cost demands: never call it on an event loop.
    #[must_use]
    pub fn verify(&self, _password: &[u8], _crypt: Crypt) -> bool {
        todo!()
    }
}
