//! Hashes made by other people's tools, and the bounds of what is taken.

#![allow(clippy::panic, clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod libcrypt;

use authgate_core::password::{HashError, PasswordHash, Scheme};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use libcrypt::crypt;
use proptest::prelude::*;
use std::time::Instant;

const PASSWORD: &[u8] = b"correct horse";

fn hashes(file: &str) -> impl Iterator<Item = &str> {
    file.lines().filter(|line| !line.starts_with('#'))
}

fn refusal(text: &str) -> String {
    PasswordHash::parse(text, false).unwrap_err().to_string()
}

fn no_crypt(_: &[u8], _: &str) -> Option<String> {
    panic!("not a hash of the crypt family")
}

#[test]
fn hashes_of_other_tools_are_verified() {
    for text in hashes(include_str!("data/hashes")) {
        let hash = PasswordHash::parse(text, false).expect(text);
        assert!(hash.verify(PASSWORD, crypt), "{text}");
        assert!(!hash.verify(b"correct horsf", crypt), "{text}");
        assert_eq!(hash.as_str(), text);
    }
}

#[test]
fn weak_hashes_want_allow_weak() {
    for text in hashes(include_str!("data/weak_hashes")) {
        assert!(matches!(PasswordHash::parse(text, false), Err(HashError::Weak(_))), "{text}");
        let hash = PasswordHash::parse(text, true).expect(text);
        let stored: fn(&[u8], &str) -> Option<String> = |_, setting| Some(setting.into());
        assert!(hash.verify(PASSWORD, stored) && !hash.verify(PASSWORD, |_, _| None));
        assert!(!hash.verify(PASSWORD, |_, _| Some("*0".into())), "{text}");
    }
}

#[test]
fn what_cannot_be_checked_is_refused_with_its_reason() {
    let bcrypt = "BPzoXhDlcpBXqfHL7GjOd.uSCPkpLzOEAsFrZvq4wKMbnhKiEmKcS";
    assert_eq!(refusal(""), "unknown hash");
    assert_eq!(refusal("12345678"), "unknown hash");
    assert_eq!(refusal("$9$salt$hash"), "unknown hash");
    assert_eq!(refusal("sha1$salt$da39a3ee5e6b4b0d3255bfef95601890afd80709"), "unknown hash");
    assert_eq!(refusal(&"x".repeat(513)), "hash is too long");
    assert_eq!(refusal(&format!("$2x$05${bcrypt}")), "hash \"2x\" is not supported");
    assert_eq!(refusal(&format!("$2y$31${bcrypt}")), "bcrypt cost 31 is out of range 4-15");
    assert_eq!(refusal(&format!("$2y$16${bcrypt}")), "bcrypt cost 16 is out of range 4-15");
    assert_eq!(refusal(&format!("$2y$03${bcrypt}")), "bcrypt cost 3 is out of range 4-15");
    assert_eq!(refusal(&format!("$2y$05${bcrypt}x")), "malformed bcrypt hash");
    assert_eq!(refusal("abJnggxhB/yWI"), "weak hash \"des\" (see allow_weak)");
    assert_eq!(refusal("{PLAIN}x"), "weak hash \"{PLAIN}\" (see allow_weak)");
    assert_eq!(refusal("{SHA}x"), "malformed {SHA} hash");
    assert_eq!(refusal("{SSHA}L55TUjtiq8FBorTWAZ0jy6g129A="), "malformed {SHA} hash");
    assert_eq!(refusal("$apr1$saltsaltsalt$XD3p.mqCzScENgumzutbo/"), "malformed apr1 hash");
}

#[test]
fn werkzeug_methods_are_held_to_their_form_and_range() {
    let hex = "ab".repeat(32);
    let pbkdf2 = |method: &str| refusal(&format!("{method}$salt${hex}"));
    let range = |count| format!("pbkdf2 iterations {count} are out of range 1-5000000");
    assert!(PasswordHash::parse(&format!("pbkdf2:sha256:5000000$salt${hex}"), false).is_ok());
    assert_eq!(pbkdf2("pbkdf2:sha256:5000001"), range("5000001"));
    assert_eq!(pbkdf2("pbkdf2:sha256:4294967297"), range("4294967297"));
    assert_eq!(pbkdf2("pbkdf2:sha256:0"), range("0"));
    assert_eq!(pbkdf2("pbkdf2:sha256"), "pbkdf2 hash has no iteration count");
    assert_eq!(pbkdf2("pbkdf2:md5:1000"), "unknown hash");
    for bad in ["pbkdf2:sha256:", "pbkdf2:sha256:x", "pbkdf2:sha256:1:1", "pbkdf2:sha512:1"] {
        assert_eq!(pbkdf2(bad), "malformed pbkdf2 hash", "{bad}");
    }
    assert_eq!(refusal(&format!("pbkdf2:sha256:1$${hex}")), "malformed pbkdf2 hash");
    assert_eq!(refusal("pbkdf2:sha256:1$salt$abc"), "malformed pbkdf2 hash");
    for bad in ["sa:lt", "sa lt", "sa\nlt", "s\u{e4}lt"] {
        assert_eq!(
            refusal(&format!("pbkdf2:sha256:1${bad}${hex}")),
            "malformed pbkdf2 hash",
            "{bad}"
        );
    }

    let hex = "ab".repeat(64);
    let scrypt = |method: &str| refusal(&format!("{method}$salt${hex}"));
    assert!(PasswordHash::parse(&format!("scrypt:262144:8:1$salt${hex}"), false).is_ok());
    assert_eq!(scrypt("scrypt:524288:8:1"), "scrypt memory is over 256 MiB");
    assert_eq!(scrypt("scrypt:9223372036854775808:8:1"), "scrypt memory is over 256 MiB");
    assert_eq!(scrypt("scrypt:2:4294967295:1"), "scrypt memory is over 256 MiB");
    assert_eq!(scrypt("scrypt:32768:8:33"), "scrypt memory times passes is over 1024 MiB");
    assert_eq!(scrypt("scrypt:2:1:4294967295"), "scrypt memory times passes is over 1024 MiB");
    for bad in ["scrypt:1:8:1", "scrypt:3:8:1", "scrypt:2:0:1", "scrypt:2:1:0", "scrypt:2:1"] {
        assert_eq!(scrypt(bad), "malformed scrypt hash", "{bad}");
    }
}

#[test]
fn argon2_is_held_to_its_form_and_range() {
    let tail = "$VURzDTwMn2ctGDsCzK3zAA$n8Stdrtpw9OGI0hhcH1g3AJia5GLT0mKVnkE5HCsFcA";
    let argon2 = |head: &str| PasswordHash::parse(&format!("{head}{tail}"), false);
    let refusal = |head: &str| argon2(head).unwrap_err().to_string();
    assert!(argon2("$argon2id$v=19$m=262144,t=4,p=4").is_ok());
    assert_eq!(refusal("$argon2id$v=19$m=262145,t=1,p=1"), "argon2 memory is over 256 MiB");
    let work = "argon2 memory times passes is over 1024 MiB";
    assert_eq!(refusal("$argon2id$v=19$m=262144,t=5,p=1"), work);
    assert_eq!(refusal("$argon2id$v=19$m=8,t=4294967295,p=1"), work);
    assert_eq!(
        refusal("$argon2id$v=19$m=262144,t=1,p=65"),
        "argon2 lanes 65 are out of range 1-64"
    );
    assert_eq!(refusal("$argon2d$v=19$m=64,t=1,p=1"), "hash \"argon2d\" is not supported");
    for bad in ["v=18$m=64,t=1,p=1", "v=19$m=7,t=1,p=1", "v=19$m=64,t=0,p=1", "v=19$m=64,x=1"] {
        assert_eq!(refusal(&format!("$argon2id${bad}")), "malformed argon2 hash", "{bad}");
    }
}

#[test]
fn argon2_with_a_secret_of_its_own_is_refused() {
    let text = "$argon2id$v=19$m=64,t=1,p=1,keyid=Zm9v$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA";
    assert_eq!(refusal(text), "hash \"argon2 with keyid\" is not supported");
}

#[test]
fn argon2_without_its_version_is_the_first() {
    use argon2::{Algorithm, Argon2, Params, Version};
    let mut output = [0; 32];
    let params = Params::new(64, 1, 1, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x10, params);
    argon2.hash_password_into(PASSWORD, b"somesalt", &mut output).unwrap();
    let output = STANDARD_NO_PAD.encode(output);
    let verify = |version: &str| {
        let text = format!("$argon2id{version}$m=64,t=1,p=1$c29tZXNhbHQ${output}");
        PasswordHash::parse(&text, false).unwrap().verify(PASSWORD, no_crypt)
    };
    assert!(verify("") && verify("$v=16") && !verify("$v=19"));
}

#[test]
fn sha_crypt_and_yescrypt_are_held_to_their_form_and_range() {
    let hash = "wrJNj2V.AJtFPtlbtjF3U0fNBSa1Ch52GZpEOxVMmV7";
    let range = |rounds| format!("sha-crypt rounds {rounds} are out of range 1000-1000000");
    assert!(PasswordHash::parse(&format!("$5$rounds=1000000$salt${hash}"), false).is_ok());
    assert_eq!(refusal(&format!("$5$rounds=1000001$salt${hash}")), range("1000001"));
    assert_eq!(refusal(&format!("$5$rounds=999$salt${hash}")), range("999"));
    for bad in
        ["$5$rounds=05000$salt", "$5$rounds=x$salt", "$5$rounds=5000", "$5$seventeen.letters"]
    {
        assert_eq!(refusal(&format!("{bad}${hash}")), "malformed sha256-crypt hash", "{bad}");
    }
    let yescrypt = |params| refusal(&format!("$y${params}$salt${hash}"));
    assert!(PasswordHash::parse(&format!("$y$jDT$salt${hash}"), false).is_ok());
    assert_eq!(yescrypt("jET"), "yescrypt memory is over 256 MiB");
    assert_eq!(yescrypt("jzzzzzzT"), "malformed yescrypt hash");
    // crypt(3) takes no salt, and makes no hash, of bits that are no whole bytes
    for bad in ["abc", "a", "abcde", "saltz"] {
        assert_eq!(refusal(&format!("$y$jDT${bad}${hash}")), "malformed yescrypt hash", "{bad}");
    }
    assert!(PasswordHash::parse(&format!("$y$jDT$ab/${hash}"), false).is_ok());
    let [short, long] = ["a".repeat(42), "a".repeat(85)];
    for (end, is_taken) in [("D", true), ("E", false), ("z", false)] {
        for text in [format!("$5$salt${short}{end}"), format!("$y$jDT$salt${short}{end}")] {
            assert_eq!(PasswordHash::parse(&text, false).is_ok(), is_taken, "{text}");
        }
    }
    for (end, is_taken) in [("1", true), ("2", false)] {
        let text = format!("$6$salt${long}{end}");
        assert_eq!(PasswordHash::parse(&text, false).is_ok(), is_taken, "{text}");
        let text = format!("$1$salt${}{end}", "a".repeat(21));
        assert_eq!(PasswordHash::parse(&text, true).is_ok(), is_taken, "{text}");
    }
    // time of its own (t=2), and the classic mode
    assert_eq!(yescrypt("j9T//"), "malformed yescrypt hash");
    assert_eq!(yescrypt(".9T"), "malformed yescrypt hash");
}

#[test]
fn e63_a_decoy_costs_the_same_and_never_succeeds() {
    let hash = hashes(include_str!("data/hashes")).find(|text| text.starts_with("$2y$05"));
    let hash = PasswordHash::parse(hash.unwrap(), false).unwrap();
    assert!(hash.verify(PASSWORD, no_crypt));
    assert_eq!(hash.decoy().scheme(), Scheme::Bcrypt { cost: 5 });
    assert!(!hash.decoy().verify(PASSWORD, no_crypt));
}

#[test]
fn e63_a_check_takes_as_long_for_a_decoy_and_a_refused_password() {
    let hash = hashes(include_str!("data/hashes")).find(|text| text.starts_with("$2y$05"));
    let hash = PasswordHash::parse(hash.unwrap(), false).unwrap();
    let decoy = hash.decoy();
    // the best of many: another process may take the machine in between
    let time = |hash: &PasswordHash, password: &[u8]| {
        let once = |_| {
            let start = Instant::now();
            let _ = hash.verify(password, no_crypt);
            start.elapsed()
        };
        (0..30).map(once).min().unwrap()
    };
    let usual = time(&hash, PASSWORD);
    for other in [
        time(&hash, b"wrong"),
        time(&decoy, PASSWORD),
        time(&hash, &[b'a'; 73]),
        time(&hash, b"\0"),
    ] {
        assert!(usual / 2 < other && other < usual * 2, "{usual:?} {other:?}");
    }
}

/// bcrypt 5.0.0 for Python, hashpw(b"a" * 72) and hashpw(b""), cost 4
const SEVENTY_TWO: &str = "$2b$04$7H.lJmh5UoVf0RZAF6Pi/ueZ9V8PDR/LxSIfJZvUFLUSlya2IEUMi";
const EMPTY: &str = "$2b$04$2BDSyQbvhZqK/nMBMyMtn.uPqb8C5GkFr9.Gxtp4JaSBzpSiivUNq";

#[test]
fn e64_bcrypt_refuses_over_72_bytes_and_nul() {
    let hash = PasswordHash::parse(SEVENTY_TWO, false).unwrap();
    assert!(hash.verify(&[b'a'; 72], no_crypt));
    assert!(!hash.verify(&[b'a'; 73], no_crypt));
    assert!(!hash.verify(&[b'a'; 1024], no_crypt));
    assert!(!hash.verify(&[[b'a'; 71].as_slice(), b"\0"].concat(), no_crypt));
    // the stand-in of a refused password is no way in either
    let hash = PasswordHash::parse(EMPTY, false).unwrap();
    assert!(hash.verify(b"", no_crypt));
    assert!(!hash.verify(&[b'a'; 73], no_crypt) && !hash.verify(b"\0", no_crypt));
}

#[test]
fn e64_the_crypt_family_refuses_nul() {
    for text in hashes(include_str!("data/hashes")).filter(|text| text.starts_with("$6$")) {
        let hash = PasswordHash::parse(text, false).unwrap();
        assert!(!hash.verify(b"correct horse\0", |_, setting| Some(setting.into())), "{text}");
    }
}

#[test]
fn i115_debug_output_has_no_hash() {
    for text in hashes(include_str!("data/hashes")) {
        let debug = format!("{:?}", PasswordHash::parse(text, true).unwrap());
        let last = text.rsplit('$').next().unwrap();
        assert!(!debug.contains(last) && debug.len() < 60, "{debug}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Any accepted text can be checked; nothing panics.
    #[test]
    fn parsing_takes_anything(text in "(\\$(2y|5|6|y|1|apr1|argon2id|argon2i)\\$|pbkdf2:|scrypt:|\\{SHA\\})?[ -~]{0,80}") {
        let _ = PasswordHash::parse(&text, true);
    }

    #[test]
    fn parsing_takes_a_changed_hash(which in 0_usize..20, at in any::<prop::sample::Index>(), byte in "[ -~é]") {
        let all: Vec<_> = hashes(include_str!("data/hashes")).collect();
        let mut text = all[which % all.len()].to_owned();
        let at = at.index(text.len());
        text.replace_range(at..at + 1, &byte);
        let _ = PasswordHash::parse(&text, true);
    }
}
