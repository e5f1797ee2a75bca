//! Basic credentials: what is read as one, and by what one is known again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

use authgate_core::basic::{Credentials, Malformed, token68};
use authgate_core::limit::DigestKey;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use proptest::prelude::*;

fn basic(decoded: impl AsRef<[u8]>) -> String {
    format!("Basic {}", STANDARD.encode(decoded))
}

fn credentials(authorization: &[u8]) -> Option<Result<Credentials, Malformed>> {
    token68(authorization).map(Credentials::decode)
}

fn read(value: &str) -> (String, Vec<u8>) {
    let Some(Ok(credentials)) = credentials(value.as_bytes()) else { panic!("{value}") };
    (credentials.username().into(), credentials.password().into())
}

fn is_malformed(value: impl AsRef<[u8]>) -> bool {
    matches!(credentials(value.as_ref()), Some(Err(_)))
}

#[test]
fn g78_the_example_of_rfc_7617() {
    let value = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
    assert_eq!(read(value), ("Aladdin".into(), b"open sesame".into()));
    assert_eq!(read("Basic dGVzdDoxMjPCow=="), ("test".into(), "123£".into()));
}

#[test]
fn g78_the_scheme_is_read_in_any_case() {
    for scheme in ["Basic", "basic", "BASIC", "bAsIc"] {
        let value = basic("alice:x").replacen("Basic", scheme, 1);
        assert!(token68(value.as_bytes()).is_some(), "{value}");
        assert_eq!(read(&value), ("alice".into(), b"x".into()), "{value}");
    }
    for blanks in ["  ", "\t", " \t "] {
        let value = basic("alice:x").replacen(' ', blanks, 1);
        assert_eq!(read(&value), ("alice".into(), b"x".into()), "{value:?}");
    }
}

#[test]
fn g78_another_scheme_is_not_basic() {
    let credential = STANDARD.encode("alice:x");
    let values = ["", "B", "Basi", "Basi c", " Basic", "Bearer", "Digest", "Bäsic", "Basic:"];
    for value in values {
        assert!(token68(value.as_bytes()).is_none(), "{value:?}");
        let value = format!("{value}{credential}");
        assert!(credentials(value.as_bytes()).is_none(), "{value:?}");
    }
    for value in ["Basics", "Basic2", "BasicYWxpY2U6eA==", "Basic\x0bYWxpY2U6eA==", "Basic=x"] {
        assert!(credentials(value.as_bytes()).is_none(), "{value:?}");
    }
}

#[test]
fn g78_what_is_not_base64_is_malformed() {
    let right = STANDARD.encode("alice:x?");
    let values = [
        String::new(),
        "=".into(),
        "====".into(),
        ":".into(),
        "alice:x".into(),
        "%%%%".into(),
        STANDARD_NO_PAD.encode("alice:xy"),
        URL_SAFE.encode("alice:??>>"),
        format!("{right}="),
        format!("{right} x"),
        format!("{right},{right}"),
        format!("{right}, Basic {right}"),
        right.replacen('Y', "Y ", 1),
        right.replacen('Y', "Y\u{0}", 1),
        right.replacen('Y', "ä", 1),
        // Bits that say nothing must be zero: one text for each credential.
        "YWxpY2U6eB==".into(),
    ];
    for text in values {
        assert!(is_malformed(format!("Basic {text}")), "{text:?}");
    }
    assert!(is_malformed("Basic"));
    assert!(is_malformed("Basic "));
    assert!(is_malformed([b"Basic ".as_slice(), &[0xff, 0xfe, 0, 1]].concat()));
}

#[test]
fn g78_no_colon_and_no_user_name_are_malformed() {
    for decoded in ["alice", "", ":", ":x", "::", "\u{0}"] {
        assert!(is_malformed(basic(decoded)), "{decoded:?}");
    }
    for user in [b"\xc0\xaf".as_slice(), b"al\xffice", b"\xed\xa0\x80"] {
        assert!(is_malformed(basic([user, b":x"].concat())), "{user:?}");
    }
}

#[test]
fn g78_the_first_colon_ends_the_user_name() {
    for (decoded, user, password) in [
        ("alice:", "alice", ""),
        ("alice:x:y", "alice", "x:y"),
        ("alice::", "alice", ":"),
        ("a b:x", "a b", "x"),
        (" alice :x", " alice ", "x"),
        ("al\u{0}ice:\u{0}", "al\u{0}ice", "\u{0}"),
        ("älice:ü\r\n", "älice", "ü\r\n"),
    ] {
        assert_eq!(read(&basic(decoded)), (user.into(), password.into()), "{decoded:?}");
    }
    let value = basic(b"alice:\xff\xfe\x00");
    assert_eq!(read(&value), ("alice".into(), b"\xff\xfe\x00".into()));
}

#[test]
fn g78_what_is_too_long_is_malformed() {
    let of = |length: usize| basic("alice:".to_owned() + &"x".repeat(length - 6));
    // 2048 bytes of base64 are 1536 bytes.
    assert_eq!(read(&of(1536)).1.len(), 1530);
    assert!(is_malformed(of(1537)));
    assert!(is_malformed(of(1_000_000)));
}

proptest! {
    #[test]
    fn g78_nothing_that_a_client_sends_stops_it(value in proptest::collection::vec(any::<u8>(), 0..80)) {
        let value = [b"Basic ".as_slice(), &value].concat();
        if let Some(Ok(credentials)) = credentials(&value) {
            let again = [credentials.username().as_bytes(), b":", credentials.password()].concat();
            prop_assert_eq!(basic(again), String::from_utf8(value.trim_ascii().to_vec()).unwrap());
        }
    }

    #[test]
    fn g78_each_credential_is_read_as_it_was_written(
        user in "[^:]{1,40}",
        password in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let value = basic([user.as_bytes(), b":", &password].concat());
        prop_assert_eq!(read(&value), (user, password));
    }
}

#[test]
fn g79_a_digest_is_of_all_three_with_their_lengths() {
    let key = DigestKey::new(&[7; 32]);
    let of = |user: &str, password: &str, hash| key.digest(user, password.as_bytes(), hash);
    let digest = of("alice", "secret", "$2y$04$hash");
    assert_eq!(digest, of("alice", "secret", "$2y$04$hash"));
    for (user, password, hash) in [
        ("alic", "esecret", "$2y$04$hash"),
        ("alices", "ecret", "$2y$04$hash"),
        ("alice", "secret$", "2y$04$hash"),
        ("alice", "secre", "t$2y$04$hash"),
        ("alicesecret", "", "$2y$04$hash"),
        ("", "alicesecret", "$2y$04$hash"),
        ("secret", "alice", "$2y$04$hash"),
        ("alice", "secret", "$2y$04$hasi"),
        ("alice", "secret", ""),
        ("Alice", "secret", "$2y$04$hash"),
        ("alice", "secret\u{0}", "$2y$04$hash"),
    ] {
        assert_ne!(digest, of(user, password, hash), "{user:?} {password:?} {hash:?}");
    }
    assert_ne!(of("a", "bc", "h"), of("ab", "c", "h"));
    assert_ne!(of("a", "b:c", "h"), of("a:b", "c", "h"));
}

#[test]
fn g79_another_key_gives_another_digest() {
    let digest = |secret| DigestKey::new(&secret).digest("alice", b"secret", "hash");
    let mut last = [7; 32];
    *last.last_mut().unwrap() = 8;
    let mut first = [7; 32];
    *first.first_mut().unwrap() = 8;
    assert_eq!(digest([7; 32]), digest([7; 32]));
    for other in [[0; 32], last, first] {
        assert_ne!(digest([7; 32]), digest(other), "{other:?}");
    }
}

/// A digest is what HMAC-SHA256 (RFC 2104) makes of the fields and their lengths, and shows neither
/// key nor password.
#[test]
fn g79_a_digest_is_an_hmac() {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&[7; 32]).unwrap();
    for field in ["alice", "secret", "hash"] {
        mac.update(&(field.len() as u64).to_le_bytes());
        mac.update(field.as_bytes());
    }
    let bytes = mac.finalize().into_bytes();
    let word = |at: usize| u64::from_le_bytes(bytes.get(at..at + 8).unwrap().try_into().unwrap());
    let digest = DigestKey::new(&[7; 32]).digest("alice", b"secret", "hash");
    assert_eq!(format!("{digest:?}"), format!("Digest([{}, {}])", word(0), word(8)));
}
