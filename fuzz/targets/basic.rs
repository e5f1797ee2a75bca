//! A value of `Authorization`, as Basic credentials.
#![no_main]

use authgate_core::basic::{Credentials, token68};
use authgate_core::gate::{Cause, Decision, Outcome, Verdict};
use authgate_core::request::RequestHead;
use authgate_fuzz::realm::{NOW, Realm};
use authgate_fuzz::{WHITE, base64url, trimmed};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static REALM: LazyLock<Realm> = LazyLock::new(|| Realm::new(&[("accept", &["basic"])]));

fuzz_target!(|value: &[u8]| {
    assert_eq!(token68(value), encoded(value));
    let expected = encoded(value).map(decoded);
    match (token68(value).map(Credentials::decode), &expected) {
        (None, None) | (Some(Err(_)), Some(None)) => {}
        (Some(Ok(seen)), Some(Some((name, password)))) => {
            assert_eq!((seen.username(), seen.password()), (&**name, &**password));
        }
        (seen, expected) => panic!("{:?} instead of {expected:?}", seen.map(|it| it.is_ok())),
    }
    decide(value, expected.flatten());
});

/// What stands behind the scheme (RFC 9110, section 11.4).
fn encoded(value: &[u8]) -> Option<&[u8]> {
    let end = value.iter().position(|byte| b" \t".contains(byte)).unwrap_or(value.len());
    let is_basic = value[..end].eq_ignore_ascii_case(b"basic");
    is_basic.then(|| trimmed(&value[end..], WHITE))
}

/// RFC 7617, section 2.
fn decoded(text: &[u8]) -> Option<(String, Vec<u8>)> {
    let bytes = base64url::decode_padded(text).filter(|_| text.len() <= 2048)?;
    let colon = bytes.iter().position(|byte| *byte == b':').filter(|colon| *colon > 0)?;
    let name = String::from_utf8(bytes[..colon].to_vec()).ok()?;
    Some((name, bytes[colon + 1..].to_vec()))
}

/// Nobody gets in without a check, and after one only a user whose password holds.
fn decide(value: &[u8], credentials: Option<(String, Vec<u8>)>) {
    let none = |_: &str| None;
    let head = RequestHead { authorization: Some(value), ..REALM.head(&none) };
    let gate = REALM.gate();
    match (gate.decide(&head, NOW), credentials) {
        (Decision::Check(check), Some((name, password))) => {
            assert_eq!((&check.username, &*check.password), (&name, &password));
            for matches in [true, false] {
                let (verdict, _) = gate.of_check(&check, Outcome::Checked(matches));
                let is_user = matches && matches!(&*name, "alice" | "bob");
                assert_eq!(verdict.admitted().is_some(), is_user, "{name:?}");
            }
        }
        (Decision::Check(_), None) => panic!("a check of nothing"),
        (Decision::Verdict(Verdict::Challenge(cause)), Some((_, password))) => {
            assert!(password.len() > 1024, "{cause:?}");
        }
        (Decision::Verdict(Verdict::Challenge(cause)), None) => {
            assert!(matches!(cause, Cause::Malformed | Cause::Missing), "{cause:?}");
        }
        (Decision::Verdict(verdict), _) => panic!("{verdict:?}"),
    }
}
