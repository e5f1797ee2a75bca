//! A realm and requests to try the gate with.
#![allow(dead_code, reason = "each test file takes what it needs")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

pub(crate) mod directives;
pub(crate) mod pages;
pub(crate) mod table;

use authgate_core::ended::{Bucket, Ended, Head, Slot};
use authgate_core::gate::{Decision, Gate, Identity, Session, Verdict};
use authgate_core::hosts::HostPattern;
use authgate_core::journal::{Record, UserTag};
use authgate_core::keyring::{KeyRing, Keys};
use authgate_core::limit::{self, DigestKey, Limiter, PlaceSlot, Places};
use authgate_core::network::Network;
use authgate_core::pages::Action;
use authgate_core::reply::Reply;
use authgate_core::request::{Method, RequestHead, Scheme};
use authgate_core::settings::{Builder, Settings};
use authgate_core::token::{Claims, Purpose, Scope, SessionId, inspect};
use authgate_core::users::Users;

pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const IDLE: u64 = 3600;
pub(crate) const MAX: u64 = 12 * 3600;
pub(crate) const KEYS: &str = "first MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\nlater ZDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n";
pub(crate) const PASSWORD: &[u8] = b"correct horse";
/// `htpasswd -nbBC 4 alice "correct horse"`
pub(crate) const BCRYPT: &str = "$2y$04$ffE3f5EMQcNLmV26nmwDPOO6C2A6kUXDP9EHm4Y49ex0NOvIX0aau";
/// The same with "battery staple".
pub(crate) const OTHER_BCRYPT: &str =
    "$2y$04$1AtdmLabvdpC9jc/YQye4OTjtwN8iHOp./ER9FahjldMMLPs.WVKK";
/// `correct horse`
pub(crate) const PBKDF2: &str =
    "pbkdf2:sha256:1$salt$c4e11f1baca610327c7cd483d8ce88274afc6c4e457956b18183276485593de9";

/// Everything that a gate borrows.
pub(crate) struct Realm {
    pub(crate) settings: Settings,
    pub(crate) users: Users,
    pub(crate) ring: KeyRing,
    head: Head,
    slots: Vec<Slot>,
    buckets: Vec<Bucket>,
    places: Vec<PlaceSlot>,
    digest_key: DigestKey,
}

/// A session that has ended.
pub(crate) fn ended(id: SessionId, user: &str, ends_at: u64) -> Record {
    Record::Session { id, user: UserTag::of(user), ends_at }
}

/// alice and bob have bcrypt, carol has groups and pbkdf2, dave is disabled.
pub(crate) fn users() -> Users {
    let text = format!(
        r#"{{"alice": "{BCRYPT}", "bob": "{OTHER_BCRYPT}",
        "carol": {{"password": "{PBKDF2}", "groups": ["sre", "on call"]}},
        "dave": {{"password": "{PBKDF2}", "disabled": true}}}}"#
    );
    Users::parse(text.as_bytes(), false).unwrap()
}

pub(crate) fn ring(keys: &str, realm: &str) -> KeyRing {
    KeyRing::derive(&Keys::parse(keys.as_bytes()).unwrap(), realm, b"age")
}

pub(crate) fn settings(directives: &[(&str, &[&str])]) -> Settings {
    let mut builder = Builder::new("ops").unwrap();
    builder.directive("users", &["users"]).unwrap();
    for (name, args) in directives {
        builder.directive(name, args).unwrap();
    }
    builder.finish().unwrap()
}

pub(crate) fn realm() -> Realm {
    realm_with(&[])
}

pub(crate) fn realm_with(directives: &[(&str, &[&str])]) -> Realm {
    Realm {
        settings: settings(directives),
        users: users(),
        ring: ring(KEYS, "ops"),
        head: Head::default(),
        slots: core::iter::repeat_with(Slot::default).take(64).collect(),
        buckets: core::iter::repeat_with(Bucket::default).take(16).collect(),
        places: core::iter::repeat_with(PlaceSlot::default).take(64).collect(),
        digest_key: DigestKey::new(&[3; 32]),
    }
}

impl Realm {
    /// The same realm with another users file.
    pub(crate) fn with_users(self, text: &str) -> Self {
        Self { users: Users::parse(text.as_bytes(), false).unwrap(), ..self }
    }

    /// The same settings with another ring.
    pub(crate) fn with_ring(self, ring: KeyRing) -> Self {
        Self { ring, ..self }
    }

    pub(crate) fn ended(&self) -> Ended<'_> {
        Ended { head: &self.head, slots: &self.slots, buckets: &self.buckets }
    }

    /// The places, as of `now` in seconds.
    pub(crate) fn places(&self, now: u64) -> Places<'_> {
        Places {
            slots: &self.places,
            key: &[5; 16],
            ttl: 1000 * self.settings.basic_cache,
            limits: self.settings.limits,
            now: now.saturating_mul(1000),
        }
    }

    /// A limiter with no counter but these.
    pub(crate) fn limiter<'a>(&'a self, slots: &'a mut [limit::Slot], now: u64) -> Limiter<'a> {
        Limiter { limits: self.settings.limits, key: &[5; 16], slots, places: self.places(now) }
    }

    pub(crate) fn gate(&self) -> Gate<'_> {
        self.gate_at(NOW)
    }

    /// The gate whose clock says so.
    pub(crate) fn gate_at(&self, now: u64) -> Gate<'_> {
        let Self { settings, users, ring, digest_key, .. } = self;
        Gate { settings, users, ring, ended: self.ended(), places: self.places(now), digest_key }
    }

    /// What a session token says that is made `NOW`, by default settings.
    pub(crate) fn claims<'u>(&self, user: &'u str) -> Claims<'u> {
        let hash = self.users.get(user).map_or("", |user| user.hash.as_str());
        Claims {
            session: SessionId([7; 16]),
            user,
            issued_at: NOW,
            expires_at: NOW + IDLE,
            ends_at: NOW + MAX,
            epoch: self.ring.epoch(user, hash),
            scope: Scope::default(),
        }
    }

    pub(crate) fn sign(&self, purpose: Purpose, claims: &Claims<'_>) -> String {
        self.ring.sign(purpose, claims).unwrap()
    }

    pub(crate) fn session(&self, user: &str) -> String {
        self.sign(Purpose::Session, &self.claims(user))
    }

    pub(crate) fn api_token(&self, user: &str) -> String {
        let claims = Claims { expires_at: NOW + MAX, epoch: 0, ..self.claims(user) };
        format!("agt_{}", self.sign(Purpose::Api, &claims))
    }

    pub(crate) fn renewal(
        &self,
        identity: &Identity,
        request: &Request,
        now: u64,
    ) -> Option<String> {
        request.with_head(|head| self.gate().renewal(identity, head, now))
    }

    pub(crate) fn decide(&self, request: &Request, now: u64) -> Verdict {
        match self.decision(request, now) {
            Decision::Verdict(verdict) => verdict,
            Decision::Check(check) => panic!("wants a check of {}", check.username),
        }
    }

    pub(crate) fn decision(&self, request: &Request, now: u64) -> Decision {
        request.with_head(|head| self.gate_at(now).decide(head, now))
    }

    /// The verdict in a word: its `$authgate_status`, and who it is.
    pub(crate) fn says(&self, request: &Request, now: u64) -> String {
        match self.decide(request, now) {
            Verdict::Admit(identity) => format!("ok {}", identity.user()),
            verdict => verdict.status().as_str().into(),
        }
    }

    pub(crate) fn admitted(&self, request: &Request, now: u64) -> Identity {
        match self.decide(request, now) {
            Verdict::Admit(identity) => identity,
            verdict => panic!("{}", verdict.status().as_str()),
        }
    }
}

/// The session of an identity.
pub(crate) fn session_of(identity: &Identity) -> Session {
    *identity.session().unwrap()
}

/// The names of the server that requests come to.
pub(crate) const SERVER_NAMES: [&str; 3] = ["gate.example", "*.gate.example", "~^x"];

/// Where requests come from unless they say otherwise.
pub(crate) const HOME: Network = Network::V4([192, 0, 2, 7]);

/// A request, owned.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: Method,
    target: Vec<u8>,
    host: Option<&'static str>,
    scheme: Option<Scheme>,
    network: Network,
    tls: bool,
    cookies: Vec<String>,
    authorization: Option<String>,
    fields: Vec<(&'static str, String)>,
}

pub(crate) fn request(method: Method, target: impl Into<Vec<u8>>) -> Request {
    let (cookies, fields) = (Vec::new(), Vec::new());
    Request {
        method,
        target: target.into(),
        host: None,
        scheme: None,
        network: HOME,
        tls: false,
        cookies,
        authorization: None,
        fields,
    }
}

pub(crate) fn get(target: &str) -> Request {
    request(Method::Get, target)
}

pub(crate) fn post(target: &str) -> Request {
    request(Method::Post, target)
}

/// A post of the login form.
pub(crate) fn form() -> Request {
    post("/authgate/login").field("content-type", "application/x-www-form-urlencoded")
}

impl Request {
    pub(crate) fn method(self, method: Method) -> Self {
        Self { method, ..self }
    }

    pub(crate) fn target(self, target: &str) -> Self {
        Self { target: target.into(), ..self }
    }

    pub(crate) fn host(self, host: &'static str) -> Self {
        Self { host: Some(host), ..self }
    }

    /// The scheme that another proxy tells.
    pub(crate) fn scheme(self, scheme: Scheme) -> Self {
        Self { scheme: Some(scheme), ..self }
    }

    pub(crate) fn from(self, network: Network) -> Self {
        Self { network, ..self }
    }

    pub(crate) fn tls(self) -> Self {
        Self { tls: true, ..self }
    }

    pub(crate) fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    pub(crate) fn accept(self, types: &str) -> Self {
        self.field("accept", types)
    }

    /// Adds a session cookie.
    pub(crate) fn cookie(mut self, token: &str) -> Self {
        let name = if self.tls { "__Host-authgate" } else { "authgate" };
        self.cookies.push(format!("{name}={token}"));
        self
    }

    /// Adds a device cookie.
    pub(crate) fn device(mut self, token: &str) -> Self {
        let name = if self.tls { "__Host-authgate-device" } else { "authgate-device" };
        self.cookies.push(format!("{name}={token}"));
        self
    }

    pub(crate) fn query(self, query: &str) -> Self {
        let path = String::from_utf8_lossy(&self.target).into_owned();
        self.target(&format!("{path}?{query}"))
    }

    pub(crate) fn authorization(self, value: impl Into<String>) -> Self {
        Self { authorization: Some(value.into()), ..self }
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.authorization(format!("Bearer {token}"))
    }

    pub(crate) fn with_head<R>(&self, with: impl FnOnce(&RequestHead<'_>) -> R) -> R {
        let cookies: Vec<&[u8]> = self.cookies.iter().map(String::as_bytes).collect();
        let lookup = |name: &str| {
            let field = self.fields.iter().find(|(key, _)| *key == name);
            field.map(|(_, value)| value.as_bytes())
        };
        let names = SERVER_NAMES.into_iter().filter_map(HostPattern::of_server).collect();
        let mut halves = self.target.splitn(2, |&byte| byte == b'?');
        with(&RequestHead {
            method: self.method,
            method_name: method_name(self.method),
            target: Some(&self.target),
            query: halves.nth(1).unwrap_or_default(),
            host: self.host.map(str::as_bytes),
            scheme: self.scheme,
            network: self.network,
            server_names: &names,
            tls: self.tls,
            cookies: &cookies,
            authorization: self.authorization.as_deref().map(str::as_bytes),
            fields: &lookup,
        })
    }
}

pub(crate) fn method_name(method: Method) -> &'static [u8] {
    match method {
        Method::Get => b"GET",
        Method::Head => b"HEAD",
        Method::Post => b"POST",
        Method::Delete => b"DELETE",
        Method::Other => b"PUT",
    }
}

pub(crate) fn header<'r>(reply: &'r Reply, name: &str) -> Option<&'r str> {
    let mut found = reply.headers.iter().filter(|(key, _)| *key == name);
    let (_, value) = found.next()?;
    assert!(found.next().is_none(), "{name} twice");
    Some(value)
}

/// The `Set-Cookie` that brings the session.
pub(crate) fn session_cookie(reply: &Reply) -> Option<&str> {
    set_cookie(reply, false)
}

/// The `Set-Cookie` that makes the device known.
pub(crate) fn device_cookie(reply: &Reply) -> Option<&str> {
    set_cookie(reply, true)
}

fn set_cookie(reply: &Reply, of_the_device: bool) -> Option<&str> {
    let cookies = reply.headers.iter().filter(|(name, _)| *name == "Set-Cookie");
    let mut found = cookies.filter(|(_, it)| it.contains("authgate-device=") == of_the_device);
    let (_, value) = found.next()?;
    assert!(found.next().is_none(), "twice");
    Some(value)
}

/// What no answer of the gate lacks, each of it once.
pub(crate) fn is_guarded(reply: &Reply) -> bool {
    let html = reply.content_type.is_some_and(|is| is.starts_with("text/html"));
    header(reply, "Cache-Control") == Some("no-store")
        && header(reply, "X-Content-Type-Options") == Some("nosniff")
        && header(reply, "Content-Security-Policy").is_some() == html
        && header(reply, "Referrer-Policy").is_some() == html
        && reply.content_type.is_none() == reply.body.is_empty()
}

pub(crate) fn event(reply: &Reply) -> Option<String> {
    reply.event.as_ref().map(ToString::to_string)
}

pub(crate) fn reply(action: Action) -> Reply {
    match action {
        Action::Reply(reply) => reply,
        Action::ReadBody => panic!("asks for the body"),
        Action::Check(_) => panic!("asks for a check"),
        Action::Identify => panic!("asks who it is"),
    }
}

/// The token in a `Set-Cookie`.
pub(crate) fn token_of(set_cookie: &str) -> &str {
    set_cookie.split_once('=').unwrap().1.split(';').next().unwrap()
}

/// The key that signed a token.
pub(crate) fn key_of(token: &str) -> String {
    inspect(token.as_bytes()).unwrap().key_id.to_string()
}
