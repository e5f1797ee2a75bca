//! A stored hash. The first line has options: `w` weak hashes too; the second is a password, the third
//! the hash. What costs little is checked, too, by crypt(3) where that is what it takes.
#![no_main]

use authgate_core::password::{HashError, PasswordHash, Scheme};
use authgate_fuzz::{cut, has};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (options, rest) = cut(data);
    let (password, text) = cut(rest);
    let Ok(text) = core::str::from_utf8(text) else { return };
    let weak = has(options, b'w');
    let hash = match PasswordHash::parse(text, weak) {
        Ok(hash) => hash,
        Err(error) => return refused(text, error),
    };
    assert!(text.len() <= 512 && hash.as_str() == text);
    assert!(weak || !hash.scheme().is_weak());
    in_range(hash.scheme());
    let shown = format!("{hash:?}");
    assert!(shown.len() < 100, "{shown}");
    assert_eq!(PasswordHash::parse(text, true).as_ref(), Ok(&hash));
    if is_cheap(hash.scheme()) {
        check(&hash, password);
    }
});

/// A message holds nothing of the hash but its scheme and cost.
fn refused(text: &str, error: HashError) {
    let shown = error.to_string();
    assert!(shown.len() < 100, "{shown}");
    if let HashError::Weak(_) = error {
        let hash = PasswordHash::parse(text, true).expect("a weak hash");
        assert!(hash.scheme().is_weak());
    }
}

fn in_range(scheme: Scheme) {
    let mib = |n: u64, r: u32| n.saturating_mul(128).saturating_mul(r.into()) >> 20;
    let blocks = |log_n: u8, r, p: u32| {
        let memory = mib(1 << log_n, r);
        assert!(memory <= 256 && memory * u64::from(p) <= 1024, "{scheme}");
    };
    match scheme {
        Scheme::Bcrypt { cost } => assert!((4..=15).contains(&cost)),
        Scheme::Pbkdf2 { iterations, .. } => assert!((1..=5_000_000).contains(&iterations)),
        Scheme::Scrypt { log_n, r, p } | Scheme::Yescrypt { log_n, r, p } => blocks(log_n, r, p),
        Scheme::Argon2 { memory, passes, lanes, .. } => {
            assert!(memory <= 256 << 10 && lanes <= 64, "{scheme}");
            assert!(u64::from(memory) * u64::from(passes) <= 1 << 20, "{scheme}");
        }
        Scheme::Sha256Crypt { rounds } | Scheme::Sha512Crypt { rounds } => {
            assert!((1000..=1_000_000).contains(&rounds));
        }
        _ => assert!(scheme.is_weak(), "{scheme}"),
    }
}

/// A few milliseconds at the most.
fn is_cheap(scheme: Scheme) -> bool {
    match scheme {
        Scheme::Bcrypt { cost } => cost == 4,
        Scheme::Pbkdf2 { iterations, .. } => iterations <= 1000,
        Scheme::Scrypt { log_n, r, p } | Scheme::Yescrypt { log_n, r, p } => {
            (u64::from(r) * u64::from(p)) << log_n <= 1 << 10
        }
        Scheme::Argon2 { memory, passes, .. } => u64::from(memory) * u64::from(passes) <= 512,
        Scheme::Sha256Crypt { rounds } | Scheme::Sha512Crypt { rounds } => rounds <= 2000,
        Scheme::Apr1 => false, // nginx alone computes it
        _ => true,
    }
}

fn check(hash: &PasswordHash, password: &[u8]) {
    assert!(!hash.decoy().verify(password, crypt), "a decoy matches nothing");
    let matches = hash.verify(password, crypt);
    assert_eq!(matches, hash.verify(password, crypt));
    let is_text = is_text(password);
    match hash.scheme() {
        Scheme::Bcrypt { .. } => bcrypt(hash, password, matches),
        Scheme::Sha256Crypt { .. }
        | Scheme::Sha512Crypt { .. }
        | Scheme::Yescrypt { .. }
        | Scheme::Md5Crypt
        | Scheme::Des
            if is_text =>
        {
            by_crypt(hash, password, matches);
        }
        _ => {}
    }
    // Another password matches only where the scheme itself reads no further.
    if matches && !matches!(hash.scheme(), Scheme::Des) {
        assert!(!hash.verify(&[password, b"x"].concat(), crypt), "{password:?}");
    }
}

/// The system's own says the same, but for passwords that it cuts short.
fn bcrypt(hash: &PasswordHash, password: &[u8], matches: bool) {
    let is_whole = password.len() <= 72 && !password.contains(&0);
    assert!(is_whole || !matches);
    let is_whole = is_whole && is_text(password);
    // libxcrypt's `$2a$` differs on purpose for some passwords (crypt_blowfish, SECURITY).
    if is_whole && !hash.as_str().starts_with("$2a$") {
        let computed = crypt(password, hash.as_str());
        assert_eq!(matches, computed.as_deref() == Some(hash.as_str()), "{computed:?}");
    }
}

/// What is taken can be checked: crypt(3) makes of the setting a hash that is taken as well, and that
/// the password matches.
fn by_crypt(hash: &PasswordHash, password: &[u8], matches: bool) {
    let computed = crypt(password, hash.as_str()).expect("a setting for crypt(3)");
    assert_eq!(matches, computed == hash.as_str());
    let computed = PasswordHash::parse(&computed, true).expect("what crypt(3) makes");
    assert_eq!(computed.scheme(), hash.scheme());
    assert!(computed.verify(password, crypt));
}

/// What the crate xcrypt takes.
fn is_text(password: &[u8]) -> bool {
    core::str::from_utf8(password).is_ok_and(|text| !text.contains('\0'))
}

/// crypt(3), as the command has it. `None` where it fails.
fn crypt(password: &[u8], setting: &str) -> Option<String> {
    let hash = xcrypt::crypt(core::str::from_utf8(password).ok()?, setting).ok()?;
    (!hash.starts_with('*')).then_some(hash)
}
