//! The hashes that crypt(3) or `ngx_crypt` compute: recognized here, computed there.

use super::scheme::{SHA_CRYPT_ROUNDS, check_blocks};
use super::{Crypt, HashError, Scheme};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const SHA1_LENGTH: usize = 20;
const DES_LENGTH: usize = 13;
/// The rounds where none are written.
const DEFAULT_ROUNDS: u32 = 5000;

pub(super) fn parse(identifier: &str, text: &str) -> Result<Scheme, HashError> {
    let rest = text.strip_prefix(identifier).unwrap_or_default();
    match identifier {
        "$5$" => sha_crypt("sha256-crypt", rest, 43).map(|rounds| Scheme::Sha256Crypt { rounds }),
        "$6$" => sha_crypt("sha512-crypt", rest, 86).map(|rounds| Scheme::Sha512Crypt { rounds }),
        "$y$" => yescrypt(rest),
        "$apr1$" => salted(rest, 8, 22).then_some(Scheme::Apr1).ok_or(malformed("apr1")),
        "$1$" => salted(rest, 8, 22).then_some(Scheme::Md5Crypt).ok_or(malformed("md5-crypt")),
        "{SHA}" => sha1(rest, |length| length == SHA1_LENGTH).map(|()| Scheme::Sha),
        "{SSHA}" => sha1(rest, |length| length > SHA1_LENGTH).map(|()| Scheme::SaltedSha),
        "{PLAIN}" => Ok(Scheme::Plain),
        "" if text.len() == DES_LENGTH && is_crypt64(text) => Ok(Scheme::Des),
        _ => Err(HashError::Unknown),
    }
}

pub(super) fn verify(password: &[u8], text: &str, crypt: Crypt) -> bool {
    // C would end the password at the NUL
    let refused = password.contains(&0);
    let checked = if refused { b"" } else { password };
    let computed = crypt(checked, text).map(Zeroizing::new);
    let matches = computed.is_some_and(|hash| hash.as_bytes().ct_eq(text.as_bytes()).into());
    matches & !refused
}

/// `[rounds=N$]salt$hash`
fn sha_crypt(name: &'static str, rest: &str, length: usize) -> Result<u32, HashError> {
    let (rounds, rest) = match rest.strip_prefix("rounds=") {
        Some(rest) => rest.split_once('$').ok_or(malformed(name))?,
        None => return salted(rest, 16, length).then_some(DEFAULT_ROUNDS).ok_or(malformed(name)),
    };
    // libcrypt writes no leading zero, and so its output would never be equal
    let canonical = rounds.bytes().all(|byte| byte.is_ascii_digit()) && !rounds.starts_with('0');
    if !canonical || !salted(rest, 16, length) {
        return Err(malformed(name));
    }
    let rounds: u64 = rounds.parse().map_err(|_| malformed(name))?;
    let in_range = u32::try_from(rounds).ok().filter(|_| SHA_CRYPT_ROUNDS.contains(&rounds));
    in_range.ok_or(HashError::ShaCryptRounds(rounds))
}

/// `params$salt$hash`. Only what crypt_gensalt(3) writes: the native mode, no extra time, no ROM.
fn yescrypt(rest: &str) -> Result<Scheme, HashError> {
    let (params, rest) = rest.split_once('$').ok_or(malformed("yescrypt"))?;
    let params: yescrypt::Params = params.parse().map_err(|_| malformed("yescrypt"))?;
    let (n, r, p) = (params.n(), params.r(), params.p());
    check_blocks("yescrypt", n, r, p)?;
    let plain = yescrypt::Params::new(yescrypt::Mode::default(), n, r, p);
    // 512 bits of salt at the most, 256 bits of hash
    let salt = rest.split('$').next().unwrap_or_default();
    if plain != Ok(params) || !salted(rest, 86, 43) || !is_whole(salt) {
        return Err(malformed("yescrypt"));
    }
    let log_n = u8::try_from(n.ilog2()).map_err(|_| malformed("yescrypt"))?;
    Ok(Scheme::Yescrypt { log_n, r, p })
}

fn sha1(rest: &str, is_length: impl Fn(usize) -> bool) -> Result<(), HashError> {
    let decoded = BASE64_STANDARD.decode(rest).ok();
    decoded.filter(|bytes| is_length(bytes.len())).map(|_| ()).ok_or(malformed("{SHA}"))
}

/// `salt$hash`
fn salted(text: &str, max_salt: usize, length: usize) -> bool {
    text.split_once('$').is_some_and(|(salt, hash)| {
        salt.len() <= max_salt && is_crypt64(salt) && hash.len() == length && is_whole(hash)
    })
}

/// Of the alphabet of crypt(3).
fn is_crypt64(text: &str) -> bool {
    text.bytes().all(|byte| crypt64(byte).is_some())
}

/// The same, of whole bytes: crypt(3) writes nothing else. The low bits come first, so that what is
/// left over are the high ones of the last character.
fn is_whole(text: &str) -> bool {
    let left_over = text.len() * 6 % 8;
    let last = text.bytes().next_back().and_then(crypt64).unwrap_or_default();
    is_crypt64(text) && left_over < 6 && last >> (6 - left_over) == 0
}

fn crypt64(digit: u8) -> Option<u8> {
    match digit {
        b'.' | b'/' => Some(digit - b'.'),
        b'0'..=b'9' => Some(digit - b'0' + 2),
        b'A'..=b'Z' => Some(digit - b'A' + 12),
        b'a'..=b'z' => Some(digit - b'a' + 38),
        _ => None,
    }
}

fn malformed(name: &'static str) -> HashError {
    HashError::Malformed(name)
}
