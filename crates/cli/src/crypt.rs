//! crypt(3) for checks, in Rust: the libcrypt crates want libclang to build and take text alone.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha_crypt::ShaCrypt;
use sha_crypt::password_hash::PasswordVerifier;
use sha1::{Digest, Sha1};
use yescrypt::Yescrypt;

const SHA1_LENGTH: usize = 20;

/// The hash of `password` under `setting`, which must be a whole stored hash; `None` where it is
/// another password's, and for apr1, MD5-crypt and DES.
pub(crate) fn crypt(password: &[u8], setting: &str) -> Option<String> {
    let whole = |matches: bool| matches.then(|| setting.to_owned());
    if setting.starts_with("$y$") {
        whole(Yescrypt::default().verify_password(password, setting).is_ok())
    } else if setting.starts_with("$5$") || setting.starts_with("$6$") {
        whole(ShaCrypt::default().verify_password(password, setting).is_ok())
    } else if setting.starts_with("{SHA}") {
        Some(sha("{SHA}", password, b""))
    } else if let Some(stored) = setting.strip_prefix("{SSHA}") {
        let stored = BASE64_STANDARD.decode(stored).ok()?;
        Some(sha("{SSHA}", password, stored.get(SHA1_LENGTH..)?))
    } else if setting.starts_with("{PLAIN}") {
        Some(format!("{{PLAIN}}{}", str::from_utf8(password).ok()?))
    } else {
        None
    }
}

fn sha(prefix: &str, password: &[u8], salt: &[u8]) -> String {
    let digest = Sha1::new().chain_update(password).chain_update(salt).finalize();
    let stored = [digest.as_slice(), salt].concat();
    format!("{prefix}{}", BASE64_STANDARD.encode(stored))
}
