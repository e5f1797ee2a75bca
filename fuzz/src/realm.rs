//! A realm to be asked: three users, two keys, and everything that a gate borrows.

use authgate_core::ended::{Bucket, Ended, Head, Slot};
use authgate_core::gate::Gate;
use authgate_core::hosts::{HostPattern, Hosts};
use authgate_core::keyring::{KeyRing, Keys};
use authgate_core::limit::{DigestKey, PlaceSlot, Places};
use authgate_core::network::Network;
use authgate_core::request::{Method, RequestHead};
use authgate_core::settings::{Builder, Settings};
use authgate_core::token::{Claims, Purpose, Scope, SessionId};
use authgate_core::users::Users;

pub const NOW: u64 = 1_800_000_000;
pub const SECRET: &[u8; 32] = b"01234567890123456789012345678901";
pub const KEYS: &str = "first MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\nlater ZDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n";

/// Hashes of "correct horse" at the least cost.
const USERS: &str = r#"{
    "alice": "$2y$04$ffE3f5EMQcNLmV26nmwDPOO6C2A6kUXDP9EHm4Y49ex0NOvIX0aau",
    "bob": {"password": "pbkdf2:sha256:1$salt$c4e11f1baca610327c7cd483d8ce88274afc6c4e457956b18183276485593de9", "groups": ["sre"]},
    "dave": {"password": "pbkdf2:sha256:1$salt$c4e11f1baca610327c7cd483d8ce88274afc6c4e457956b18183276485593de9", "disabled": true}
}"#;

/// Everything that a gate borrows.
pub struct Realm {
    pub settings: Settings,
    pub users: Users,
    pub ring: KeyRing,
    pub server_names: Hosts,
    head: Head,
    slots: Vec<Slot>,
    buckets: Vec<Bucket>,
    places: Vec<PlaceSlot>,
    digest_key: DigestKey,
}

impl Realm {
    pub fn new(directives: &[(&str, &[&str])]) -> Self {
        let mut builder = Builder::new("ops").expect("a name");
        for (name, args) in [("users", &["users"][..])].iter().chain(directives) {
            builder.directive(name, args).expect("a directive");
        }
        let keys = Keys::parse(KEYS.as_bytes()).expect("keys");
        let names = ["gate.example", "*.gate.example"].map(HostPattern::of_server);
        Self {
            settings: builder.finish().expect("settings"),
            users: Users::parse(USERS.as_bytes(), false).expect("users"),
            ring: KeyRing::derive(&keys, "ops", b""),
            server_names: names.into_iter().flatten().collect(),
            head: Head::default(),
            slots: core::iter::repeat_with(Slot::default).take(64).collect(),
            buckets: core::iter::repeat_with(Bucket::default).take(16).collect(),
            places: core::iter::repeat_with(PlaceSlot::default).take(64).collect(),
            digest_key: DigestKey::new(&[3; 32]),
        }
    }

    pub fn ended(&self) -> Ended<'_> {
        Ended { head: &self.head, slots: &self.slots, buckets: &self.buckets }
    }

    pub fn gate(&self) -> Gate<'_> {
        let Self { settings, users, ring, digest_key, .. } = self;
        let (ttl, limits) = (1000 * settings.basic_cache, settings.limits);
        let places = Places { slots: &self.places, key: &[5; 16], ttl, limits, now: 1000 * NOW };
        Gate { settings, users, ring, ended: self.ended(), places, digest_key }
    }

    /// A token for this user that holds for an hour.
    pub fn token(&self, purpose: Purpose, user: &str, scope: Scope<'_>) -> Option<String> {
        let hash = self.users.get(user).map_or("", |user| user.hash.as_str());
        let epoch = if purpose == Purpose::Api { 0 } else { self.ring.epoch(user, hash) };
        let session = SessionId([7; 16]);
        let (issued_at, expires_at, ends_at) = (NOW, NOW + 3600, NOW + 7200);
        let claims = Claims { session, user, issued_at, expires_at, ends_at, epoch, scope };
        self.ring.sign(purpose, &claims)
    }

    /// A request that says nothing, to be filled in.
    pub fn head<'a>(&'a self, fields: &'a dyn Fn(&str) -> Option<&'a [u8]>) -> RequestHead<'a> {
        RequestHead {
            method: Method::Get,
            method_name: b"GET",
            target: Some(b"/"),
            query: b"",
            host: None,
            scheme: None,
            server_names: &self.server_names,
            network: Network::V4([192, 0, 2, 7]),
            tls: false,
            cookies: &[],
            authorization: None,
            fields,
        }
    }
}
