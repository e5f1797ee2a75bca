//! docs/TOKEN.md is right: its test vectors, computed here from what the page says, are the
//! tokens that the code makes and takes.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where it is wrong"
)]

use authgate_core::keyring::{KeyRing, Keys};
use authgate_core::token::{Claims, PayloadBuffer, Purpose, ScopeBuf};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use siphasher::sip::SipHasher24;
use std::collections::HashMap;

const PAGE: &str = include_str!("../../../docs/TOKEN.md");

struct Vector(HashMap<&'static str, &'static str>);

impl Vector {
    fn all() -> Vec<Self> {
        let blocks = PAGE.split("```vector\n").skip(1);
        blocks.map(|block| Self::parse(block.split("```").next().unwrap())).collect()
    }

    fn parse(block: &'static str) -> Self {
        let fields = block.lines().map(|line| line.split_once(':').unwrap());
        Self(fields.map(|(name, value)| (name.trim(), value.trim())).collect())
    }

    fn text(&self, field: &str) -> &'static str {
        self.0.get(field).unwrap_or_else(|| panic!("no field {field}"))
    }

    fn bytes(&self, field: &str) -> Vec<u8> {
        let digits = self.text(field).as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    fn number(&self, field: &str) -> u64 {
        self.text(field).parse().unwrap()
    }

    fn purpose(&self) -> Purpose {
        match self.text("purpose") {
            "session" => Purpose::Session,
            "api" => Purpose::Api,
            "device" => Purpose::Device,
            other => panic!("purpose {other}"),
        }
    }

    fn ring(&self) -> KeyRing {
        let keys = Keys::parse(self.text("secret").as_bytes()).unwrap();
        KeyRing::derive(&keys, "ops", &self.bytes("salt"))
    }

    fn epoch(&self) -> u64 {
        u64::from_be_bytes(self.bytes("epoch").try_into().unwrap())
    }

    /// The words of a field that not every vector has.
    fn words(&self, field: &str) -> impl Iterator<Item = &'static str> {
        self.0.get(field).copied().unwrap_or_default().split_whitespace()
    }

    fn scope(&self) -> ScopeBuf {
        let mut scope = ScopeBuf::default();
        self.words("methods").for_each(|method| scope.add_method(method).unwrap());
        self.words("paths").for_each(|path| scope.add_path(path).unwrap());
        scope
    }

    fn claims<'s>(&self, scope: &'s ScopeBuf) -> Claims<'s> {
        Claims {
            session: self.text("session").parse().unwrap(),
            user: self.text("user"),
            issued_at: self.number("issued at"),
            expires_at: self.number("expires at"),
            ends_at: self.number("ends at"),
            epoch: self.epoch(),
            scope: scope.as_scope(),
        }
    }

    /// As the page says, with none of our code.
    fn derive<const N: usize>(&self, salt: &[u8], info: &str) -> [u8; N] {
        let secret = STANDARD.decode(self.text("secret").split(' ').next_back().unwrap()).unwrap();
        let mut key = [0; N];
        Hkdf::<Sha256>::new(Some(salt), &secret).expand(info.as_bytes(), &mut key).unwrap();
        key
    }

    fn payload(&self) -> Vec<u8> {
        let mut payload = self.derive::<4>(b"", "authgate v1\0realm\0ops").to_vec();
        payload.extend(self.bytes("session"));
        for field in ["issued at", "expires at", "ends at"] {
            payload.extend(self.number(field).to_be_bytes());
        }
        payload.extend(self.bytes("epoch"));
        payload.push(self.text("user").len() as u8);
        payload.extend(self.text("user").bytes());
        for (kind, field) in [(1, "methods"), (2, "paths")] {
            for text in self.words(field) {
                payload.extend([kind, text.len() as u8]);
                payload.extend(text.bytes());
            }
        }
        payload
    }
}

#[test]
fn the_page_has_a_vector_for_every_purpose() {
    let purposes: Vec<_> = Vector::all().iter().map(|vector| vector.text("purpose")).collect();
    assert_eq!(purposes, ["session", "session", "api", "api", "device"]);
}

#[test]
fn the_code_makes_the_tokens_of_the_page() {
    for vector in Vector::all() {
        let scope = vector.scope();
        let token = vector.ring().sign(vector.purpose(), &vector.claims(&scope)).unwrap();
        assert_eq!(token, vector.text("token"));
    }
}

#[test]
fn the_code_takes_the_tokens_of_the_page() {
    for vector in Vector::all() {
        let (ring, scope) = (vector.ring(), vector.scope());
        let claims = vector.claims(&scope);
        let (token, now) = (vector.text("token").as_bytes(), claims.issued_at);
        let mut buffer = PayloadBuffer::default();
        let verified = ring.verify(vector.purpose(), token, now, &mut buffer).unwrap();
        assert_eq!(verified.claims, claims);
        let has_epoch = claims.epoch != 0;
        assert_eq!(verified.has_epoch_of(&ring, vector.text("stored hash")), has_epoch);
    }
}

#[test]
fn the_page_describes_its_own_vectors() {
    for vector in Vector::all() {
        let info = format!("authgate v1\0{}\0ops", vector.text("purpose"));
        let key: [u8; 32] = vector.derive(&vector.bytes("salt"), &info);
        assert_eq!(key.to_vec(), vector.bytes("derived"));
        assert_eq!(vector.payload(), vector.bytes("payload"));

        let id = match vector.text("secret").split_once(' ') {
            Some((id, _)) => id.to_owned(),
            None => URL_SAFE_NO_PAD.encode(vector.derive::<6>(b"", "authgate v1\0kid")),
        };
        let signed = format!("v1.{id}.{}", URL_SAFE_NO_PAD.encode(vector.payload()));
        let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(&signed).finalize();
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.into_bytes()));
        assert_eq!(token, vector.text("token"));
    }
}

#[test]
fn the_page_describes_its_own_epochs() {
    for vector in Vector::all().iter().filter(|vector| vector.epoch() != 0) {
        let (user, hash) = (vector.text("user"), vector.text("stored hash"));
        let length = |text: &str| (text.len() as u64).to_le_bytes();
        let fields = [&length(user)[..], user.as_bytes(), &length(hash), hash.as_bytes()].concat();
        let key = vector.derive(b"", "authgate v1\0epoch\0ops");
        assert_eq!(SipHasher24::new_with_key(&key).hash(&fields), vector.epoch());
    }
}
