//! The hashes of Werkzeug's `generate_password_hash`: `METHOD$salt$hex`, the salt used as text.

use super::scheme::{Digest, MAX_PBKDF2_ITERATIONS, check_blocks};
use super::{HashError, Scheme};
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

/// scrypt's output; also the longest of PBKDF2's.
const MAX_OUTPUT: usize = 64;

pub(super) fn parse(text: &str) -> Result<Scheme, HashError> {
    Hash::parse(text).map(|hash| hash.scheme)
}

pub(super) fn verify(password: &[u8], text: &str) -> bool {
    Hash::parse(text).is_ok_and(|hash| hash.verify(password))
}

struct Hash<'a> {
    scheme: Scheme,
    salt: &'a [u8],
    expected: Vec<u8>,
}

impl<'a> Hash<'a> {
    fn parse(text: &'a str) -> Result<Self, HashError> {
        let name = if text.starts_with("scrypt") { "scrypt" } else { "pbkdf2" };
        let malformed = HashError::Malformed(name);
        let (method, rest) = text.split_once('$').ok_or(malformed)?;
        let (salt, hex) = rest.split_once('$').ok_or(malformed)?;
        let scheme = parse_method(method)?;
        let expected = base16ct::lower::decode_vec(hex).map_err(|_| malformed)?;
        if !is_salt(salt) || expected.len() != output_length(scheme) {
            return Err(malformed);
        }
        Ok(Self { scheme, salt: salt.as_bytes(), expected })
    }

    fn verify(&self, password: &[u8]) -> bool {
        let mut output = [0; MAX_OUTPUT];
        let Some(output) = output.get_mut(..self.expected.len()) else { return false };
        let derived = self.derive(password, output).is_some();
        derived & bool::from(output.ct_eq(&self.expected))
    }

    fn derive(&self, password: &[u8], output: &mut [u8]) -> Option<()> {
        match self.scheme {
            Scheme::Pbkdf2 { digest, iterations } => {
                let derive = match digest {
                    Digest::Sha1 => pbkdf2_hmac::<Sha1>,
                    Digest::Sha256 => pbkdf2_hmac::<Sha256>,
                    Digest::Sha512 => pbkdf2_hmac::<Sha512>,
                };
                derive(password, self.salt, iterations, output);
                Some(())
            }
            Scheme::Scrypt { log_n, r, p } => {
                let params = scrypt::Params::new(log_n, r, p).ok()?;
                scrypt::scrypt(password, self.salt, &params, output).ok()
            }
            _ => None,
        }
    }
}

/// Werkzeug writes letters and digits. What crypt(5) forbids in a salt would end the field of a htpasswd file.
fn is_salt(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
}

fn parse_method(method: &str) -> Result<Scheme, HashError> {
    let mut words = method.split(':');
    match [(); 5].map(|()| words.next()) {
        [Some("pbkdf2"), Some(digest), Some(iterations), None, _] => pbkdf2(digest, iterations),
        [Some("pbkdf2"), _, None, _, _] => Err(HashError::NoPbkdf2Iterations),
        [Some("scrypt"), Some(n), Some(r), Some(p), None] => scrypt(n, r, p),
        [Some("scrypt"), ..] => Err(HashError::Malformed("scrypt")),
        _ => Err(HashError::Malformed("pbkdf2")),
    }
}

fn pbkdf2(digest: &str, iterations: &str) -> Result<Scheme, HashError> {
    let digest = match digest {
        "sha1" => Digest::Sha1,
        "sha256" => Digest::Sha256,
        "sha512" => Digest::Sha512,
        _ => return Err(HashError::Unknown),
    };
    let iterations: u64 = iterations.parse().map_err(|_| HashError::Malformed("pbkdf2"))?;
    match u32::try_from(iterations) {
        Ok(count @ 1..=MAX_PBKDF2_ITERATIONS) => Ok(Scheme::Pbkdf2 { digest, iterations: count }),
        _ => Err(HashError::Pbkdf2Iterations(iterations)),
    }
}

fn scrypt(n: &str, r: &str, p: &str) -> Result<Scheme, HashError> {
    let malformed = HashError::Malformed("scrypt");
    let n: u64 = n.parse().map_err(|_| malformed)?;
    let r: u32 = r.parse().map_err(|_| malformed)?;
    let p: u32 = p.parse().map_err(|_| malformed)?;
    if n < 2 || !n.is_power_of_two() || r == 0 || p == 0 {
        return Err(malformed);
    }
    check_blocks("scrypt", n, r, p)?;
    let log_n = u8::try_from(n.ilog2()).map_err(|_| malformed)?;
    Ok(Scheme::Scrypt { log_n, r, p })
}

/// Werkzeug writes the whole digest, and `hashlib.scrypt`'s default of 64 bytes.
fn output_length(scheme: Scheme) -> usize {
    match scheme {
        Scheme::Pbkdf2 { digest: Digest::Sha1, .. } => 20,
        Scheme::Pbkdf2 { digest: Digest::Sha256, .. } => 32,
        _ => MAX_OUTPUT,
    }
}
