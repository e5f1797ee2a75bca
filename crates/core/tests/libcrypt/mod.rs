//! crypt(3) for the tests, on RustCrypto: for a check, the setting is the whole hash.

use sha_crypt::ShaCrypt;
use sha_crypt::password_hash::PasswordVerifier;
use yescrypt::Yescrypt;

pub(crate) fn crypt(password: &[u8], setting: &str) -> Option<String> {
    let checked = if setting.starts_with("$y$") {
        Yescrypt::default().verify_password(password, setting)
    } else {
        ShaCrypt::default().verify_password(password, setting)
    };
    checked.ok().map(|()| setting.into())
}
