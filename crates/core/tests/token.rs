//! Tokens, by the cases of group A: the names carry the case numbers.
#![allow(clippy::string_slice, clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod cases;

use authgate_core::keyring::{KeyRing, Keys};
use authgate_core::token::{
    Claims, InvalidSessionId, MAX_LENGTH, MAX_LIFE, PayloadBuffer, Purpose, Scope, SessionId,
    TokenError, inspect,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cases::cases;
use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::prelude::*;
use sha2::Sha256;
use std::sync::LazyLock;

const NOW: u64 = 1_800_000_000;

fn keys_of(lines: &[(&str, u8)]) -> Keys {
    let lines: Vec<_> =
        lines.iter().map(|(id, byte)| format!("{id} {}", STANDARD.encode([*byte; 32]))).collect();
    Keys::parse(lines.join("\n").as_bytes()).unwrap()
}

fn ring_of(lines: &[(&str, u8)]) -> KeyRing {
    KeyRing::derive(&keys_of(lines), "ops", b"")
}

fn ring() -> &'static KeyRing {
    static RING: LazyLock<KeyRing> = LazyLock::new(|| ring_of(&[("one", 1)]));
    &RING
}

fn claims() -> Claims<'static> {
    Claims {
        session: SessionId([7; 16]),
        user: "alice",
        issued_at: NOW,
        expires_at: NOW + 3600,
        ends_at: NOW + 43_200,
        epoch: 0,
        scope: Scope::default(),
    }
}

fn token() -> String {
    ring().sign(Purpose::Session, &claims()).unwrap()
}

fn verdict(ring: &KeyRing, token: impl AsRef<[u8]>) -> Result<(), TokenError> {
    verdict_at(ring, token, NOW)
}

fn verdict_at(ring: &KeyRing, token: impl AsRef<[u8]>, now: u64) -> Result<(), TokenError> {
    let mut buffer = PayloadBuffer::default();
    ring.verify(Purpose::Session, token.as_ref(), now, &mut buffer).map(|_| ())
}

fn verdict_of(claims: &Claims<'_>, now: u64) -> Result<(), TokenError> {
    verdict_at(ring(), ring().sign(Purpose::Session, claims).unwrap(), now)
}

#[test]
fn a_token_says_what_was_signed() {
    let mut buffer = PayloadBuffer::default();
    let verified = ring().verify(Purpose::Session, token().as_bytes(), NOW, &mut buffer).unwrap();
    assert_eq!(verified.claims, claims());
}

#[test]
fn the_signed_text_of_a_short_name_takes_two_blocks() {
    let keys = Keys::generated([1; 32]);
    let ring = KeyRing::derive(&keys, "ops", b"salt");
    let user = "a-name-of-twenty-seven-byte";
    let token = ring.sign(Purpose::Session, &Claims { user, ..claims() }).unwrap();
    assert!(token.rfind('.').unwrap() <= 119, "{}", token.rfind('.').unwrap());
}

#[test]
fn the_longest_token_is_within_the_limit() {
    let ring = ring_of(&[("sixteen-bytes-id", 1)]);
    let user = "u".repeat(128);
    let token = ring.sign(Purpose::Session, &Claims { user: &user, ..claims() }).unwrap();
    assert!(token.len() <= MAX_LENGTH);
    assert_eq!(verdict(&ring, token), Ok(()));
}

#[test]
fn a1_every_flipped_bit_is_refused() {
    let (ring, token) = (ring(), token().into_bytes());
    for bit in 0..token.len() * 8 {
        let mut flipped = token.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(verdict(ring, &flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn a2_every_truncation_and_extension_is_refused() {
    let (ring, token) = (ring(), token());
    for length in 0..token.len() {
        assert!(verdict(ring, &token[..length]).is_err(), "first {length}");
        assert!(verdict(ring, &token[token.len() - length..]).is_err(), "last {length}");
    }
    for filler in ["A", "=", ".", " ", "\0", "_"] {
        for count in 1..=8 {
            let more = filler.repeat(count);
            assert!(verdict(ring, format!("{token}{more}")).is_err(), "{token}{more:?}");
            assert!(verdict(ring, format!("{more}{token}")).is_err(), "{more:?}{token}");
        }
    }
}

#[test]
fn a3_a_mac_of_another_length_or_all_zero_is_refused() {
    let (ring, token) = (ring(), token());
    let (signed, mac) = token.rsplit_once('.').unwrap();
    let mac = URL_SAFE_NO_PAD.decode(mac).unwrap();
    assert_eq!(verdict(ring, signed), Err(TokenError::Malformed));
    assert_eq!(verdict(ring, format!("{signed}.")), Err(TokenError::Malformed));
    for length in [1, 16, 31, 33, 64] {
        let other: Vec<_> = mac.iter().copied().cycle().take(length).collect();
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(other));
        assert_eq!(verdict(ring, token), Err(TokenError::Malformed), "{length}");
    }
    let zero = format!("{signed}.{}", URL_SAFE_NO_PAD.encode([0; 32]));
    assert_eq!(verdict(ring, zero), Err(TokenError::BadSignature));
}

#[test]
fn a4_another_version_is_refused() {
    let (ring, token) = (ring(), token());
    for version in ["", "v", "v0", "v2", "v11", "V1", "1"] {
        let other = token.replacen("v1", version, 1);
        assert_eq!(verdict(ring, other), Err(TokenError::Malformed), "{version}");
    }
}

#[test]
fn a4_a_jwt_is_refused() {
    let ring = ring();
    let payload = URL_SAFE_NO_PAD.encode(r#"{"sub":"alice","exp":9999999999}"#);
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    assert_eq!(verdict(ring, format!("{none}.{payload}.")), Err(TokenError::Malformed));
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","kid":"one"}"#);
    let signed = format!("{head}.{payload}");
    let mac = Hmac::<Sha256>::new_from_slice(&[1; 32]).unwrap().chain_update(&signed).finalize();
    let jwt = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.into_bytes()));
    assert_eq!(verdict(ring, jwt), Err(TokenError::Malformed));
}

#[test]
fn a5_an_unknown_key_is_refused() {
    let (ring, token) = (ring(), token());
    let long = "k".repeat(1024);
    for id in ["", "two", "On", "onee", "ONE", "../x", &long] {
        let other = token.replacen("one", id, 1);
        let expected = if id == long { TokenError::Malformed } else { TokenError::UnknownKey };
        assert_eq!(verdict(ring, other), Err(expected), "{id}");
    }
}

#[test]
fn a6_every_key_verifies_and_the_first_signs() {
    let old = ring_of(&[("one", 1)]);
    let announced = ring_of(&[("one", 1), ("two", 2)]);
    let rotated = ring_of(&[("two", 2), ("one", 1)]);
    for (signs, name) in [(&old, "v1.one."), (&announced, "v1.one."), (&rotated, "v1.two.")] {
        let token = signs.sign(Purpose::Session, &claims()).unwrap();
        assert!(token.starts_with(name), "{token}");
        assert_eq!(verdict(&announced, &token), Ok(()));
        assert_eq!(verdict(&rotated, &token), Ok(()));
    }
}

#[test]
fn a6_the_epoch_holds_under_the_key_that_signed() {
    let old = ring_of(&[("one", 1)]);
    let rotated = ring_of(&[("two", 2), ("one", 1)]);
    let epoch = old.epoch("alice", "$2y$hash");
    assert_ne!(epoch, rotated.epoch("alice", "$2y$hash"));
    let token = old.sign(Purpose::Session, &Claims { epoch, ..claims() }).unwrap();
    let mut buffer = PayloadBuffer::default();
    let verified = rotated.verify(Purpose::Session, token.as_bytes(), NOW, &mut buffer).unwrap();
    assert!(verified.has_epoch_of(&rotated, "$2y$hash"));
    assert!(!verified.has_epoch_of(&rotated, "$2y$other"));
}

#[test]
fn a6_a_session_is_renewed_with_the_epoch_of_the_key_that_signs() {
    let old = ring_of(&[("one", 1)]);
    let rotated = ring_of(&[("two", 2), ("one", 1)]);
    for (signs, is_first) in [(&rotated, true), (&old, false)] {
        let epoch = signs.epoch("alice", "$2y$hash");
        let token = signs.sign(Purpose::Session, &Claims { epoch, ..claims() }).unwrap();
        let mut buffer = PayloadBuffer::default();
        let verified =
            rotated.verify(Purpose::Session, token.as_bytes(), NOW, &mut buffer).unwrap();
        assert_eq!(verified.is_signed_by_first(), is_first);
        let renewed = verified.epoch_to_renew(&rotated, "$2y$hash");
        assert_eq!(renewed, rotated.epoch("alice", "$2y$hash"));
    }
}

#[test]
fn a7_a_removed_key_verifies_no_more() {
    let rotated = ring_of(&[("two", 2)]);
    assert_eq!(verdict(&rotated, token()), Err(TokenError::UnknownKey));
    let renamed = ring_of(&[("one", 2)]);
    assert_eq!(verdict(&renamed, token()), Err(TokenError::BadSignature));
}

#[test]
fn a9_a_token_of_another_realm_is_refused() {
    let keys = keys_of(&[("one", 1)]);
    for realm in ["op", "opsy", "OPS", "", "session", "ops\0"] {
        let other = KeyRing::derive(&keys, realm, b"");
        for purpose in [Purpose::Session, Purpose::Api, Purpose::Device] {
            let token = ring().sign(purpose, &claims()).unwrap();
            let mut buffer = PayloadBuffer::default();
            let refused = other.verify(purpose, token.as_bytes(), NOW, &mut buffer).unwrap_err();
            assert_eq!(refused, TokenError::BadSignature, "{realm} {purpose:?}");
        }
    }
}

#[test]
fn a10_a_token_of_another_purpose_is_refused() {
    let purposes = [Purpose::Session, Purpose::Api, Purpose::Device];
    for signed_for in purposes {
        let token = ring().sign(signed_for, &claims()).unwrap();
        for purpose in purposes {
            let mut buffer = PayloadBuffer::default();
            let verified = ring().verify(purpose, token.as_bytes(), NOW, &mut buffer).map(|_| ());
            let expected =
                if purpose == signed_for { Ok(()) } else { Err(TokenError::BadSignature) };
            assert_eq!(verified, expected, "{signed_for:?} as {purpose:?}");
        }
    }
}

#[test]
fn a11_a_token_ends_at_its_expiry() {
    let expiry = claims().expires_at;
    assert_eq!(verdict_at(ring(), token(), expiry - 1), Ok(()));
    assert_eq!(verdict_at(ring(), token(), expiry), Err(TokenError::Expired));
    assert_eq!(verdict_at(ring(), token(), expiry + 1), Err(TokenError::Expired));
}

#[test]
fn a12_extreme_times_do_not_wrap() {
    let extremes =
        [0, 1, 1 << 31, 1 << 32, i64::MAX as u64, i64::MIN as u64, -1_i64 as u64, u64::MAX - 60];
    for end in extremes {
        for now in extremes.into_iter().chain([NOW]) {
            for issued_at in extremes {
                let claims = Claims { issued_at, expires_at: end, ends_at: end, ..claims() };
                let life = i128::from(end) - i128::from(issued_at);
                let from_the_future = i128::from(issued_at) > i128::from(now) + 60;
                let expected = match (life > i128::from(MAX_LIFE), from_the_future || now >= end) {
                    (true, _) => Err(TokenError::Malformed),
                    (false, true) => Err(TokenError::Expired),
                    (false, false) => Ok(()),
                };
                let all = format!("issued {issued_at}, end {end}, now {now}");
                assert_eq!(verdict_of(&claims, now), expected, "{all}");
            }
        }
    }
}

/// What has ended is remembered for as long as anything can hold.
#[test]
fn j124_no_token_holds_longer_than_400_days() {
    let longest = Claims { expires_at: NOW + MAX_LIFE, ends_at: u64::MAX, ..claims() };
    assert_eq!(MAX_LIFE, 400 * 86400);
    for now in [NOW, NOW + MAX_LIFE - 1] {
        assert_eq!(verdict_of(&longest, now), Ok(()));
        let longer = Claims { expires_at: NOW + MAX_LIFE + 1, ..longest.clone() };
        assert_eq!(verdict_of(&longer, now), Err(TokenError::Malformed));
    }
}

#[test]
fn a12_a_token_that_outlives_its_session_is_refused() {
    let claims = Claims { ends_at: NOW + 3599, ..claims() };
    assert_eq!(verdict_of(&claims, NOW), Err(TokenError::Malformed));
    let claims = Claims { ends_at: 0, ..claims };
    assert_eq!(verdict_of(&claims, NOW), Err(TokenError::Malformed));
}

#[test]
fn a13_no_token_holds_at_the_end_of_its_session() {
    let end = claims().ends_at;
    let last = Claims { issued_at: end - 1, expires_at: end, ..claims() };
    assert_eq!(verdict_of(&last, end - 1), Ok(()));
    assert_eq!(verdict_of(&last, end), Err(TokenError::Expired));
}

#[test]
fn a14_a_token_may_come_60_seconds_from_the_future() {
    assert_eq!(verdict_at(ring(), token(), NOW - 60), Ok(()));
    assert_eq!(verdict_at(ring(), token(), NOW - 61), Err(TokenError::Expired));
}

#[test]
fn a18_fields_do_not_run_into_each_other() {
    let ring = ring();
    assert_ne!(ring.epoch("a", "bc"), ring.epoch("ab", "c"));
    assert_ne!(ring.epoch("", "abc"), ring.epoch("abc", ""));
    // In a token the user name carries its length: a name and what follows cannot be recut.
    let sign =
        |user, epoch| ring.sign(Purpose::Session, &Claims { user, epoch, ..claims() }).unwrap();
    assert_ne!(sign("a", 0), sign("ab", 0));
    assert_ne!(sign("a", 1), sign("a", 2));
}

#[test]
fn a19_a_token_has_one_text() {
    let (ring, token) = (ring(), token());
    for variant in [
        format!("{token}="),
        format!("{token}=="),
        format!(" {token}"),
        format!("{token}\n"),
        format!("\"{token}\""),
        token.replacen('.', ". ", 1),
        token.replace('_', "/").replace('-', "+") + "/",
    ] {
        assert!(verdict(ring, &variant).is_err(), "{variant}");
    }
    // 32 bytes leave two bits of the last character unused.
    let (rest, last) = token.split_at(token.len() - 1);
    let accepted: Vec<_> = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/="
        .chars()
        .filter(|c| verdict(ring, format!("{rest}{c}")).is_ok())
        .collect();
    assert_eq!(accepted, last.chars().collect::<Vec<_>>());
}

#[test]
fn a25_a_user_name_outside_the_format_is_not_signed() {
    let long = "u".repeat(129);
    let names = ["", "a\r", "a\nb", "\0", "a\t", "\x1b[2J", "a\x7f", "a\u{85}", "\u{9b}31m", &long];
    for user in names {
        assert_eq!(ring().sign(Purpose::Session, &Claims { user, ..claims() }), None, "{user:?}");
    }
    for user in ["a", "a b", "Zoë", "a:b", "用户", &long[..128]] {
        assert!(ring().sign(Purpose::Session, &Claims { user, ..claims() }).is_some(), "{user:?}");
    }
}

#[test]
fn a_session_salt_enters_the_session_keys_alone() {
    let keys = keys_of(&[("one", 1)]);
    let restarted = KeyRing::derive(&keys, "ops", b"another number");
    assert_eq!(ring().epoch("alice", "hash"), restarted.epoch("alice", "hash"));
    for (purpose, survives) in
        [(Purpose::Session, false), (Purpose::Api, true), (Purpose::Device, true)]
    {
        let token = ring().sign(purpose, &claims()).unwrap();
        let mut buffer = PayloadBuffer::default();
        let verified = restarted.verify(purpose, token.as_bytes(), NOW, &mut buffer);
        assert_eq!(verified.is_ok(), survives, "{purpose:?}");
    }
}

#[test]
fn a_session_id_is_32_hexadecimal_digits() {
    let id = SessionId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
    assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0eff");
    assert_eq!(id.to_string().parse(), Ok(id));
    for text in ["", "+00102030405060708090a0b0c0d0eff", "00", "0g0102030405060708090a0b0c0d0eff"] {
        assert_eq!(text.parse::<SessionId>(), Err(InvalidSessionId), "{text}");
    }
}

#[test]
fn inspecting_needs_no_key() {
    let inspected = inspect(token().as_bytes()).unwrap();
    assert_eq!(inspected.key_id.as_str(), "one");
    assert_eq!((inspected.user.as_str(), inspected.session), ("alice", SessionId([7; 16])));
    assert_eq!((inspected.issued_at, inspected.expires_at), (NOW, NOW + 3600));
    assert_eq!((inspected.ends_at, inspected.epoch), (NOW + 43_200, 0));
    assert_eq!(inspect(b"v1.one.AAAA.AAAA"), Err(TokenError::Malformed));
}

fn any_claims() -> impl Strategy<Value = (String, Claims<'static>)> {
    let numbers = (any::<[u8; 16]>(), any::<[u64; 4]>(), 0..2 * MAX_LIFE, any::<bool>());
    ("\\PC{1,32}", numbers).prop_map(|(user, (id, numbers, life, is_likely))| {
        let (session, [issued_at, expires_at, ends_at, epoch]) = (SessionId(id), numbers);
        let likely = issued_at.saturating_add(life);
        let expires_at = if is_likely { likely } else { expires_at };
        (user, Claims { session, issued_at, expires_at, ends_at, epoch, ..claims() })
    })
}

proptest! {
    #![proptest_config(cases(100_000))]

    #[test]
    fn every_signed_token_is_read_back((user, claims) in any_claims()) {
        let claims = Claims { user: &user, ..claims };
        let token = ring().sign(Purpose::Api, &claims).unwrap();
        let inspected = inspect(token.as_bytes()).unwrap();
        prop_assert_eq!(
            (inspected.session, &*inspected.user, inspected.issued_at, inspected.expires_at),
            (claims.session, claims.user, claims.issued_at, claims.expires_at)
        );
        prop_assert_eq!((inspected.ends_at, inspected.epoch), (claims.ends_at, claims.epoch));
        let mut buffer = PayloadBuffer::default();
        let now = claims.issued_at;
        match ring().verify(Purpose::Api, token.as_bytes(), now, &mut buffer) {
            Ok(verified) => {
                prop_assert!(now < claims.expires_at && claims.expires_at <= claims.ends_at);
                prop_assert!(claims.expires_at - now <= MAX_LIFE);
                prop_assert_eq!(verified.claims, claims);
            }
            Err(TokenError::Expired) => prop_assert!(now >= claims.expires_at),
            Err(error) => {
                prop_assert_eq!(error, TokenError::Malformed);
                let life = claims.expires_at.saturating_sub(now);
                prop_assert!(claims.expires_at > claims.ends_at || life > MAX_LIFE);
            }
        }
    }

    #[test]
    fn no_bytes_but_ours_verify(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(verdict(ring(), &bytes).is_err());
        let _ = inspect(&bytes);
    }

    #[test]
    fn no_text_of_our_shape_verifies(text in "v1\\.(one|two|)\\.[A-Za-z0-9_-]{0,120}\\.[A-Za-z0-9_-]{43}") {
        prop_assert!(verdict(ring(), &text).is_err());
        let _ = inspect(text.as_bytes());
    }

    #[test]
    fn a1_every_edited_token_is_refused(
        at in any::<proptest::sample::Index>(),
        removed in 0_usize..4,
        added in proptest::collection::vec(any::<u8>(), 0..4),
    ) {
        let token = token().into_bytes();
        let start = at.index(token.len());
        let end = (start + removed).min(token.len());
        let mut edited = token.clone();
        edited.splice(start..end, added);
        prop_assert_eq!(verdict(ring(), &edited).is_ok(), edited == token);
    }
}
