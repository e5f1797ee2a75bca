//! The keys file.
#![no_main]

use authgate_core::keyring::{KeyError, KeyRing, Keys};
use authgate_core::token::{Claims, PayloadBuffer, Purpose, Scope, SessionId};
use authgate_fuzz::{WHITE, base64url, lines};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    match (Keys::parse(text), expected(text)) {
        (Err(seen), Err(expected)) => {
            assert_eq!((seen.line, seen.error), expected);
            // Not a byte of the file but the number of its line.
            let shown = seen.to_string();
            assert_eq!(shown, format!("{}: {}", seen.line, seen.error));
        }
        (Ok(keys), Ok(expected)) => {
            let ids: Vec<_> = keys.ids().map(|id| id.as_str()).collect();
            assert_eq!(ids.len(), expected.len());
            for (seen, (name, _)) in ids.iter().zip(&expected) {
                assert!(name.as_ref().is_none_or(|name| name == seen), "{seen}");
                assert!((1..=16).contains(&seen.len()));
            }
            rotated(&keys, &expected);
        }
        (seen, expected) => panic!("{seen:?} instead of {:?}", expected.map(|it| it.len())),
    }
});

type Named = (Option<String>, Vec<u8>);

/// Line by line, as the documentation has it.
fn expected(text: &[u8]) -> Result<Vec<Named>, (usize, KeyError)> {
    let mut keys: Vec<Named> = Vec::new();
    for (line, number) in lines(text).into_iter().zip(1..) {
        let words: Vec<_> = line.split(|b| WHITE.contains(b)).filter(|it| !it.is_empty()).collect();
        let (name, secret) = match words[..] {
            [] => continue,
            [first, ..] if first[0] == b'#' => continue,
            [secret] => (None, secret),
            [name, secret] => (Some(name), secret),
            _ => return Err((number, KeyError::TrailingText)),
        };
        let decoded = base64url::decode_either(secret).ok_or((number, KeyError::InvalidBase64))?;
        if decoded.len() < 32 {
            return Err((number, KeyError::TooShort));
        }
        let is_name = |id: &[u8]| {
            id.len() <= 16 && id.iter().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(b))
        };
        if name.is_some_and(|name| !is_name(name)) {
            return Err((number, KeyError::InvalidKeyId));
        }
        let name = name.map(|name| String::from_utf8_lossy(name).into_owned());
        let name = name.or_else(|| Some(authgate_fuzz::token::derived_name(&decoded)));
        if keys.iter().any(|(other, _)| *other == name) {
            return Err((number, KeyError::DuplicateKeyId));
        }
        keys.push((name, decoded));
    }
    if keys.is_empty() { Err((1, KeyError::Empty)) } else { Ok(keys) }
}

/// A token of any of the keys holds with all of them, and with none of the others alone.
fn rotated(keys: &Keys, expected: &[Named]) {
    let ring = KeyRing::derive(keys, "ops", b"");
    assert_eq!(ring.count(), expected.len());
    for (at, (name, secret)) in expected.iter().enumerate().take(4) {
        let name = name.as_deref().expect("a name");
        let line = format!("{name} {}", base64url::encode(secret));
        let one = Keys::parse(line.as_bytes()).expect("one key");
        let one = KeyRing::derive(&one, "ops", b"");
        let token = one.sign(Purpose::Session, &claims()).expect("a token");
        let mut buffer = PayloadBuffer::default();
        let seen = ring.verify(Purpose::Session, token.as_bytes(), 1, &mut buffer);
        assert_eq!(seen.expect("a token of one of the keys").is_signed_by_first(), at == 0);
    }
}

fn claims() -> Claims<'static> {
    let (issued_at, expires_at, ends_at, epoch) = (0, 2, 2, 0);
    let (session, user, scope) = (SessionId([7; 16]), "alice", Scope::default());
    Claims { session, user, issued_at, expires_at, ends_at, epoch, scope }
}
