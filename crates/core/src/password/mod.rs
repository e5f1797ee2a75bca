//! Password hashes: which are taken, what they may cost, and the check itself.

mod argon2;
mod bcrypt;
mod crypt;
mod error;
mod scheme;
mod werkzeug;

pub use error::HashError;
pub use scheme::{Argon2Variant, Digest, Scheme};

use core::fmt;

/// crypt(3): the hash of a password under a setting (an earlier hash), `None` where it fails.
/// nginx's `ngx_crypt` in the module, libcrypt in the command.
pub type Crypt = fn(password: &[u8], setting: &str) -> Option<String>;

/// The longest stored hash, in bytes. libcrypt's own limit is 384.
pub const MAX_HASH_LENGTH: usize = 512;

/// A stored password hash of a known scheme with costs in range.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    text: Box<str>,
    scheme: Scheme,
    decoy: bool,
}

impl PasswordHash {
    /// Recognizes a stored hash.
    ///
    /// # Errors
    /// An unknown, malformed or too costly hash; a weak one without `allow_weak`.
    pub fn parse(text: &str, allow_weak: bool) -> Result<Self, HashError> {
        if text.len() > MAX_HASH_LENGTH {
            return Err(HashError::TooLong);
        }
        let scheme = recognize(text)?;
        if scheme.is_weak() && !allow_weak {
            return Err(HashError::Weak(scheme.name()));
        }
        Ok(Self { text: text.into(), scheme, decoy: false })
    }

    /// The hash as it is stored.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its scheme and cost.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// A hash whose check costs the same and never succeeds.
    #[must_use]
    pub fn decoy(&self) -> Self {
        Self { decoy: true, ..self.clone() }
    }

    /// Checks a password. Takes as long as the hash's cost demands: never call it on an event loop.
    #[must_use]
    pub fn verify(&self, password: &[u8], crypt: Crypt) -> bool {
        let matches = match self.scheme {
            Scheme::Bcrypt { .. } => bcrypt::verify(password, &self.text),
            Scheme::Pbkdf2 { .. } | Scheme::Scrypt { .. } => werkzeug::verify(password, &self.text),
            Scheme::Argon2 { .. } => argon2::verify(password, &self.text),
            _ => crypt::verify(password, &self.text, crypt),
        };
        matches & !self.decoy
    }
}

/// The scheme without the hash: a hash belongs in no log.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHash({})", self.scheme)
    }
}

fn recognize(text: &str) -> Result<Scheme, HashError> {
    match identifier(text) {
        "$2a$" | "$2b$" | "$2y$" => bcrypt::parse(text),
        // crypt_blowfish's marker for hashes made with its sign extension bug
        "$2x$" => Err(HashError::Unsupported("2x")),
        "pbkdf2:" | "scrypt:" => werkzeug::parse(text),
        "$argon2id$" | "$argon2i$" => argon2::parse(text),
        "$argon2d$" => Err(HashError::Unsupported("argon2d")),
        identifier => crypt::parse(identifier, text),
    }
}

/// `$id$`, `{ID}` or `id:`, with its punctuation; empty where the hash begins with none.
fn identifier(text: &str) -> &str {
    let end = match text.as_bytes().first() {
        Some(b'$') => text.get(1..).and_then(|rest| rest.find('$')).map(|end| end + 2),
        Some(b'{') => text.find('}').map(|end| end + 1),
        _ => text.find(':').map(|end| end + 1),
    };
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}
