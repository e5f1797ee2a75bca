//! Reading Basic credentials (RFC 7617).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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
