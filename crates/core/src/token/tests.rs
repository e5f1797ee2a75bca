//! What only this module can see: how many MACs were begun, what was decoded, payloads that
//! `sign` would never make.
#![allow(clippy::string_slice, reason = "a test stops where it is wrong")]

use super::payload::{FIXED_LENGTH, MAX_PAYLOAD, encode};
use super::*;
use crate::cookie::{CookieSettings, SameSite, Secure};
use crate::keyring::{Keys, macs};

fn ring() -> KeyRing {
    KeyRing::derive(&Keys::generated([1; 32]), "ops", b"")
}

fn token() -> String {
    ring().sign(Purpose::Session, &claims_of("alice")).unwrap()
}

fn claims_of(user: &str) -> Claims<'_> {
    let session = SessionId([7; 16]);
    Claims {
        session,
        user,
        issued_at: 0,
        expires_at: 9,
        ends_at: 9,
        epoch: 0,
        scope: Scope::default(),
    }
}

fn verdict(token: &str) -> (Result<(), TokenError>, usize) {
    verdict_as(Purpose::Session, token)
}

fn verdict_as(purpose: Purpose, token: &str) -> (Result<(), TokenError>, usize) {
    let mut buffer = PayloadBuffer::default();
    let ring = ring();
    macs::begun_by(|| ring.verify(purpose, token.as_bytes(), 1, &mut buffer).map(|_| ()))
}

/// Signs any payload, as nobody without the key can.
fn signed(payload: &str) -> String {
    signed_for(Purpose::Session, payload)
}

fn signed_for(purpose: Purpose, payload: &str) -> String {
    let ring = ring();
    let signed = format!("v1.{}.{payload}", ring.signing().id);
    let mac = ring.signing().mac(purpose).chain_update(&signed).finalize();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.into_bytes()))
}

/// What is said of a token for alice with these bytes after the name.
fn followed_by(purpose: Purpose, bytes: &[u8]) -> Result<(), TokenError> {
    let mut payload = encode(ring().signing().realm_tag, &claims_of("alice")).unwrap();
    payload.extend_from_slice(bytes);
    verdict_as(purpose, &signed_for(purpose, &URL_SAFE_NO_PAD.encode(payload))).0
}

/// docs/TOKEN.md: the user name begins at 53.
#[test]
fn the_buffer_of_a_payload_holds_the_longest_and_no_more() {
    let text = (MAX_PAYLOAD * 4).div_ceil(3);
    assert_eq!("v1.k.".len() + text + ".".len() + MAC_TEXT_LENGTH, MAX_LENGTH);
    assert_eq!((FIXED_LENGTH, MAX_PAYLOAD), (53, 347));
}

#[test]
fn a5_one_mac_at_the_most() {
    let token = token();
    assert_eq!(verdict(&token), (Ok(()), 1));
    assert_eq!(verdict(&token.replacen("v1.", "v1.x", 1)), (Err(TokenError::UnknownKey), 0));
    assert_eq!(verdict(&token.replacen("v1.", "v2.", 1)), (Err(TokenError::Malformed), 0));
    assert_eq!(verdict(&token[..token.len() - 1]), (Err(TokenError::Malformed), 0));
    let forged = token.replacen(&token[12..16], "AAAA", 1);
    assert_eq!(verdict(&forged), (Err(TokenError::BadSignature), 1));
}

/// Timing cannot be asserted here; what can: nothing but `Mac::verify_slice`, which is
/// documented to take constant time, ever sees a token's MAC.
#[test]
fn a16_the_mac_is_compared_in_constant_time() {
    let code = include_str!("mod.rs");
    assert_eq!(code.matches(".verify_slice(&mac)").count(), 1);
    assert_eq!(code.matches(".finalize()").count(), 1, "for signing only");
    assert!(!code.contains("mac =="));
}

#[test]
fn a17_a_payload_without_its_mac_is_not_parsed() {
    let no_payload = signed("");
    let (start, mac) = no_payload.split_at(no_payload.rfind('.').unwrap());
    let mut buffer = PayloadBuffer::default();
    for payload in ["AAAA", "/+=", "A", &"_".repeat(200)] {
        let forged = format!("{start}{payload}{mac}");
        let refused = ring().verify(Purpose::Session, forged.as_bytes(), 1, &mut buffer).err();
        // Not Malformed, which these payloads are, and nothing was decoded.
        assert_eq!(refused, Some(TokenError::BadSignature), "{payload}");
        assert_eq!(buffer.0, [0; MAX_PAYLOAD], "{payload}");
    }
}

#[test]
fn a19_a_payload_has_one_text() {
    let payload = encode(ring().signing().realm_tag, &claims_of("al")).unwrap();
    let text = URL_SAFE_NO_PAD.encode(&payload);
    assert_eq!(payload.len() % 3, 1, "the last character has unused bits");
    assert_eq!(verdict(&signed(&text)).0, Ok(()));
    for other in [format!("{text}=="), text[..text.len() - 1].to_owned() + "B", text + " "] {
        assert_eq!(verdict(&signed(&other)).0, Err(TokenError::Malformed), "{other}");
    }
}

#[test]
fn a25_a_signed_payload_outside_the_format_is_refused() {
    let tag = ring().signing().realm_tag;
    let good = encode(tag, &claims_of("alice")).unwrap();
    let named = |length: usize, user: &[u8]| {
        let mut payload = good[..FIXED_LENGTH - 1].to_vec();
        payload.push(length as u8);
        payload.extend_from_slice(user);
        verdict(&signed(&URL_SAFE_NO_PAD.encode(payload))).0
    };
    assert_eq!(named(5, b"alice"), Ok(()));
    let long = [b'u'; 255];
    let names = [b"", &b"a\rb"[..], b"a\n", b"\0", b"\x7f", b"\x1b", b"\xC2\x85", b"\xC0\xAF"];
    for user in names.into_iter().chain([&b"\xFF"[..], &long[..129], &long]) {
        assert_eq!(named(user.len(), user), Err(TokenError::Malformed), "{user:?}");
    }
    for length in [0, 4, 6, 255] {
        assert_eq!(named(length, b"alice"), Err(TokenError::Malformed), "{length}");
    }
    for length in 0..FIXED_LENGTH {
        let short = URL_SAFE_NO_PAD.encode(&good[..length]);
        assert_eq!(verdict(&signed(&short)).0, Err(TokenError::Malformed), "{length}");
    }
}

#[test]
fn a25_what_is_no_limit_makes_a_signed_token_malformed() {
    let good: [&[u8]; 6] = [
        b"",
        b"\x01\x03GET",
        b"\x02\x01/",
        b"\x01\x01g",
        b"\x02\x02/a\x01\x03PUT\x02\x02/b",
        b"\x02\x04/\xF0a",
    ];
    let [good @ .., not_text] = good;
    for bytes in good {
        assert_eq!(followed_by(Purpose::Api, bytes), Ok(()), "{bytes:?}");
    }
    let bad: [&[u8]; 20] = [
        not_text,
        b"\x00",
        b"\x01",
        b"\x02",
        b"\x00\x03GET",
        b"\x03\x03GET",
        b"\xFF\x02/a",
        b"\x01\x00",
        b"\x02\x00",
        b"\x01\x04GET",
        b"\x01\x02GET",
        b"\x02\x02/a\x00",
        b"\x02\x02/a\x03\x01x",
        b"\x03\x01x\x02\x02/a",
        b"\x01\x04G\tET",
        b"\x01\x03G\xC3\x89",
        b"\x02\x01a",
        b"\x02\x05/a/..",
        b"\x02\x03/\xC2\x85",
        b"\x02\x02/\n",
    ];
    for bytes in bad {
        assert_eq!(followed_by(Purpose::Api, bytes), Err(TokenError::Malformed), "{bytes:?}");
    }
}

#[test]
fn a25_a_session_or_device_with_limits_is_malformed() {
    for purpose in [Purpose::Session, Purpose::Device] {
        assert_eq!(followed_by(purpose, b""), Ok(()), "{purpose:?}");
        for bytes in [&b"\x02\x02/a"[..], b"\x01\x03GET", b"\x00"] {
            let refused = followed_by(purpose, bytes);
            assert_eq!(refused, Err(TokenError::Malformed), "{purpose:?} {bytes:?}");
        }
    }
}

#[test]
fn a9_a_realm_tag_of_another_realm_is_refused() {
    let payload = encode([0; 4], &claims_of("alice")).unwrap();
    let token = signed(&URL_SAFE_NO_PAD.encode(payload));
    assert_eq!(verdict(&token), (Err(TokenError::BadSignature), 1));
}

#[test]
fn b31_a_request_full_of_cookies_costs_four_macs() {
    let cookies = CookieSettings::new("authgate", None, SameSite::Lax, Secure::Auto).unwrap();
    let forged = token().replacen(&token()[12..16], "AAAA", 1);
    let line = format!("authgate={forged}; ").repeat(32 * 1024 / forged.len());
    let (ring, mut buffer) = (ring(), PayloadBuffer::default());
    let (tried, macs) = macs::begun_by(|| {
        let tokens = cookies.candidates(false, &[line.as_bytes(), line.as_bytes()]);
        tokens.map(|token| ring.verify(Purpose::Session, token, 1, &mut buffer).is_ok()).count()
    });
    assert_eq!((tried, macs), (4, 4));
}
