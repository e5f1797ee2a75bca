//! The keys file (cases A6, A7, A21).
#![allow(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test stops where it is wrong"
)]

mod cases;

use authgate_core::keyring::{KeyError, KeyRing, Keys};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cases::cases;
use proptest::prelude::*;

fn key(byte: u8) -> String {
    STANDARD.encode([byte; 32])
}

fn ids(text: &str) -> Vec<String> {
    Keys::parse(text.as_bytes()).unwrap().ids().map(ToString::to_string).collect()
}

fn mistake(text: impl AsRef<[u8]>) -> (usize, KeyError) {
    let error = Keys::parse(text.as_ref()).unwrap_err();
    (error.line, error.error)
}

#[test]
fn the_output_of_openssl_is_a_keys_file() {
    let text = key(1) + "\n";
    assert_eq!(ids(&text).len(), 1);
    assert_eq!(ids(&text), ids(&key(1)), "with or without a last line end");
    assert_eq!(ids(&text), ids(&text.replace('\n', "\r\n")));
}

#[test]
fn a_key_is_named_or_gets_a_name_from_itself() {
    let text = format!("# keys of ops\n\nnew-1 {}\n  \told_2\t{}  \n{}\n", key(1), key(2), key(3));
    let names = ids(&text);
    assert_eq!(names[..2], ["new-1", "old_2"]);
    assert_eq!(names[2..], ids(&key(3))[..], "the same wherever it stands");
    assert_eq!(names[2].len(), 8);
    assert_ne!(ids(&key(3)), ids(&key(4)));
    assert!(!key(3).contains(&names[2]));
}

#[test]
fn a_generated_key_is_named_as_in_a_file() {
    let generated: Vec<_> = Keys::generated([3; 32]).ids().map(ToString::to_string).collect();
    assert_eq!(generated, ids(&key(3)));
}

#[test]
fn longer_keys_and_missing_padding_are_taken() {
    assert_eq!(ids(&STANDARD.encode([9; 48])).len(), 1);
    assert_eq!(ids(&STANDARD.encode([9; 1000])).len(), 1);
    assert_eq!(ids(key(1).trim_end_matches('=')), ids(&key(1)));
}

#[test]
fn a21_a_short_key_is_a_mistake() {
    for length in [0, 1, 16, 31] {
        let text = format!("{}\nshort {}", key(1), STANDARD.encode(vec![7; length]));
        let expected = if length == 0 { KeyError::InvalidBase64 } else { KeyError::TooShort };
        assert_eq!(mistake(text), (2, expected), "{length}");
    }
}

#[test]
fn a21_a_file_without_keys_is_a_mistake() {
    for text in ["", "\n", "# nothing\n", " \t\r\n\n"] {
        assert_eq!(mistake(text), (1, KeyError::Empty), "{text:?}");
    }
}

#[test]
fn a21_a_duplicate_name_is_a_mistake() {
    let named = format!("a {}\nb {}\n\na {}", key(1), key(2), key(3));
    assert_eq!(mistake(named), (4, KeyError::DuplicateKeyId));
    let twice = format!("{}\n{}", key(1), key(1));
    assert_eq!(mistake(twice), (2, KeyError::DuplicateKeyId));
}

#[test]
fn a21_bad_base64_is_a_mistake() {
    let url_safe = "_-".repeat(22);
    let trailing_bits = "A".repeat(42) + "B=";
    for text in ["!", "not-base64", &url_safe, &trailing_bits, "AAAA=AAA", "é"] {
        assert_eq!(mistake(text), (1, KeyError::InvalidBase64), "{text:?}");
    }
    assert_eq!(mistake(b"\xff\xfe\n"), (1, KeyError::InvalidBase64));
}

#[test]
fn a21_a_bad_name_is_a_mistake() {
    let long = "k".repeat(17);
    for id in ["a.b", "a/b", "é", "a=", &long] {
        assert_eq!(mistake(format!("{id} {}", key(1))), (1, KeyError::InvalidKeyId), "{id:?}");
    }
    assert_eq!(ids(&format!("{} {}", &long[..16], key(1))), [&long[..16]]);
}

#[test]
fn a21_text_behind_the_key_is_a_mistake() {
    let text = format!("a {} # mine", key(1));
    assert_eq!(mistake(text), (1, KeyError::TrailingText));
}

#[test]
fn a21_no_mistake_shows_key_bytes() {
    let secret = "c2VjcmV0IQ";
    for text in [
        secret.to_owned(),
        format!("{secret}é"),
        format!("{} {}", secret.repeat(2), key(1)),
        format!("a {} {secret}", key(1)),
        format!("{0}\n{0}", key(1)),
    ] {
        let error = Keys::parse(text.as_bytes()).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(secret) && !shown.contains(&key(1)[..8]), "{shown}");
    }
}

#[test]
fn keys_are_shown_by_their_names_alone() {
    let keys = Keys::parse(format!("a {}\nb {}", key(1), key(2)).as_bytes()).unwrap();
    assert_eq!(format!("{keys:?}"), r#"[KeyId("a"), KeyId("b")]"#);
    let ring = KeyRing::derive(&keys, "ops", b"");
    assert_eq!(format!("{ring:?}"), r#"[KeyId("a"), KeyId("b")]"#);
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn no_keys_file_breaks_the_parser(
        bytes in proptest::collection::vec(
            prop_oneof![4 => any::<u8>(), 1 => Just(b'\n'), 1 => Just(b' '), 4 => b'A'..b'z'],
            0..200,
        )
    ) {
        if let Ok(keys) = Keys::parse(&bytes) {
            prop_assert!(keys.ids().count() > 0);
            prop_assert!(keys.ids().all(|id| (1..=16).contains(&id.as_str().len())));
        }
    }

    #[test]
    fn every_key_that_is_long_enough_is_taken(secret in proptest::collection::vec(any::<u8>(), 32..80)) {
        let text = format!("{}\n", STANDARD.encode(&secret));
        let keys = Keys::parse(text.as_bytes()).unwrap();
        let id = keys.ids().next().unwrap().as_str();
        prop_assert!(id.len() == 8 && !text.contains(id));
    }
}
