//! The gate: who a request comes from, and what to say to one that comes from nobody.

use crate::cookie::CookieSettings;
use crate::ended::Ended;
use crate::event::Event;
use crate::keyring::KeyRing;
use crate::negotiate::{self, Format};
use crate::page;
use crate::reply::Reply;
use crate::request::RequestHead;
use crate::return_path;
use crate::settings::{Renew, Settings};
use crate::token::{Claims, PayloadBuffer, Purpose, Scope, SessionId, TokenError, Verified};
use crate::users::{User, Users};

/// All that a decision rests on, borrowed for one request.
#[derive(Clone, Copy)]
pub struct Gate<'a> {
    /// The realm's settings.
    pub settings: &'a Settings,
    /// Who may sign in.
    pub users: &'a Users,
    /// The realm's keys.
    pub ring: &'a KeyRing,
    /// Sessions that have ended before their time.
    pub ended: Ended<'a>,
}

/// Who a request comes from.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A user.
    Admit(Identity),
    /// Nobody.
    Challenge(Cause),
}

/// Which credential was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// The session cookie.
    Cookie,
    /// An API token.
    Bearer,
}

impl Credential {
    /// Its name in `$authgate_method`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Bearer => "bearer",
        }
    }
}

/// A verified user and the session or API token that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    user: UserName,
    /// How the request said who it is.
    pub credential: Credential,
    /// The session.
    pub session: SessionId,
    /// When the token was made, in Unix seconds.
    pub issued_at: u64,
    /// When the token ends.
    pub expires_at: u64,
    /// When the session ends whatever happens.
    pub ends_at: u64,
    /// The user's epoch under the key that signs, where the session may be renewed with it.
    epoch: Option<u64>,
}

impl Identity {
    /// The user's name.
    pub fn user(&self) -> &str {
        self.user.as_str()
    }

    fn new(claims: &Claims<'_>, credential: Credential, epoch: Option<u64>) -> Option<Self> {
        Some(Self {
            user: UserName::new(claims.user)?,
            credential,
            session: claims.session,
            issued_at: claims.issued_at,
            expires_at: claims.expires_at,
            ends_at: claims.ends_at,
            epoch,
        })
    }
}

/// A user name in place: a verdict allocates nothing.
#[derive(Clone, PartialEq, Eq)]
struct UserName {
    length: u8,
    bytes: [u8; 128],
}

impl UserName {
    fn new(name: &str) -> Option<Self> {
        let mut bytes = [0; 128];
        bytes.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        Some(Self { length: u8::try_from(name.len()).ok()?, bytes })
    }

    fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl core::fmt::Debug for UserName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.as_str().fmt(f)
    }
}

/// Why a request comes from nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// No credential.
    Missing,
    /// Not a token, or two that contradict each other.
    Malformed,
    /// Signed by none of our keys.
    BadSignature,
    /// Names a key that is not there.
    UnknownKey,
    /// Past its end.
    Expired,
    /// The session has been ended.
    Revoked,
    /// The user is gone or disabled.
    UnknownUser,
    /// The password has changed since sign-in.
    PasswordChanged,
}

impl Cause {
    /// Its name in `$authgate_status` and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::BadSignature => "bad_signature",
            Self::UnknownKey => "unknown_key",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::UnknownUser => "unknown_user",
            Self::PasswordChanged => "password_changed",
        }
    }
}

impl From<TokenError> for Cause {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Malformed => Self::Malformed,
            TokenError::UnknownKey => Self::UnknownKey,
            TokenError::BadSignature => Self::BadSignature,
            TokenError::Expired => Self::Expired,
        }
    }
}

impl<'a> Gate<'a> {
    /// Who the request comes from. An API token, where one is presented and taken, decides alone;
    /// otherwise the cookie.
    pub fn decide(&self, head: &RequestHead<'_>, now: u64) -> Verdict {
        let found = match self.presented_token(head) {
            Some(token) => self.admit(Purpose::Api, token, now),
            None if self.settings.accept.cookie() => self.by_cookie(head, now),
            None => Err(Cause::Missing),
        };
        match found {
            Ok(identity) => Verdict::Admit(identity),
            Err(cause) => Verdict::Challenge(cause),
        }
    }

    /// The API token that decides alone.
    pub(crate) fn presented_token<'h>(&self, head: &RequestHead<'h>) -> Option<&'h [u8]> {
        let bearer = self.settings.accept.bearer();
        head.authorization.filter(|_| bearer).and_then(api_token)
    }

    /// Several cookies of our name may come, from other paths or hosts of the domain: any valid one
    /// counts, the newest of one user; valid ones of two users count for nobody.
    fn by_cookie(&self, head: &RequestHead<'_>, now: u64) -> Result<Identity, Cause> {
        let mut best: Result<Identity, Cause> = Err(Cause::Missing);
        for candidate in self.settings.cookie.candidates(head.tls, head.cookies) {
            best = match (best, self.admit(Purpose::Session, candidate, now)) {
                (Ok(a), Ok(b)) if a.user != b.user => return Err(Cause::Malformed),
                (Ok(a), Ok(b)) => Ok(if b.issued_at > a.issued_at { b } else { a }),
                (Ok(a), Err(_)) => Ok(a),
                (Err(_), Ok(b)) => Ok(b),
                (Err(Cause::Missing), Err(cause)) => Err(cause),
                (Err(first), Err(_)) => Err(first),
            };
        }
        best
    }

    /// Every session that the request's cookies name, of whichever user.
    pub(crate) fn sessions(&self, head: &RequestHead<'_>, now: u64) -> Vec<Identity> {
        let candidates = self.settings.cookie.candidates(head.tls, head.cookies);
        candidates.filter_map(|token| self.admit(Purpose::Session, token, now).ok()).collect()
    }

    fn admit(&self, purpose: Purpose, token: &[u8], now: u64) -> Result<Identity, Cause> {
        let mut buffer = PayloadBuffer::default();
        let verified = self.ring.verify(purpose, token, now, &mut buffer)?;
        let (credential, epoch) = self.check_user(purpose, &verified, now)?;
        let claims = &verified.claims;
        let ended = match purpose {
            Purpose::Api => self.ended.api_token_has_ended(claims.session, claims.issued_at),
            Purpose::Session | Purpose::Device => self.ended.session_has_ended(
                claims.session,
                claims.user,
                claims.issued_at,
                claims.ends_at,
            ),
        };
        if ended {
            return Err(Cause::Revoked);
        }
        Identity::new(claims, credential, epoch).ok_or(Cause::Malformed)
    }

    fn check_user(
        &self,
        purpose: Purpose,
        token: &Verified<'_>,
        now: u64,
    ) -> Result<(Credential, Option<u64>), Cause> {
        let user = self.active_user(token.claims.user).ok_or(Cause::UnknownUser)?;
        if purpose == Purpose::Api {
            return Ok((Credential::Bearer, None));
        }
        let hash = user.hash.as_str();
        if !token.has_epoch_of(self.ring, hash) {
            return Err(Cause::PasswordChanged);
        }
        // Another key's epoch is not the one to renew with; until that is due, it costs for nothing.
        let wanted = token.is_signed_by_first() || now >= self.renewal_due(token.claims.issued_at);
        Ok((Credential::Cookie, wanted.then(|| token.epoch_to_renew(self.ring, hash))))
    }

    /// A tenth of `idle` after a token was made.
    fn renewal_due(&self, issued_at: u64) -> u64 {
        issued_at.saturating_add((self.settings.session.idle / 10).max(1))
    }

    /// The user of this name, unless disabled.
    pub fn active_user(&self, name: &str) -> Option<&'a User> {
        self.users.get(name).filter(|user| !user.disabled)
    }

    /// `Set-Cookie` for a session that has been used, once a tenth of `idle` has passed since its
    /// token was made, and only by a navigation where the settings say so. The session's absolute
    /// end never moves. Where that time comes while the request runs and another key than the first
    /// has signed the token, the next request renews it.
    pub fn renewal(&self, identity: &Identity, head: &RequestHead<'_>, now: u64) -> Option<String> {
        if !self.renews(identity, head, now) {
            return None;
        }
        let claims = Claims {
            session: identity.session,
            user: identity.user(),
            issued_at: now,
            expires_at: self.expiry(now, identity.ends_at),
            ends_at: identity.ends_at,
            // Not that of the users now: a password that changed during the request ends the session.
            epoch: identity.epoch?,
            scope: Scope::default(),
        };
        let later = claims.expires_at > identity.expires_at;
        later.then(|| self.session_cookie(&claims, head.tls, now)).flatten()
    }

    fn renews(&self, identity: &Identity, head: &RequestHead<'_>, now: u64) -> bool {
        let Identity { credential, session, issued_at, ends_at, .. } = *identity;
        let counts = match self.settings.session.renew {
            Renew::Any => true,
            Renew::Navigation => negotiate::is_navigation(head),
        };
        // A logout elsewhere may have come while the request ran.
        let ended = || self.ended.session_has_ended(session, identity.user(), issued_at, ends_at);
        credential == Credential::Cookie && now >= self.renewal_due(issued_at) && counts && !ended()
    }

    /// When a token made now ends.
    pub(crate) fn expiry(&self, now: u64, ends_at: u64) -> u64 {
        now.saturating_add(self.settings.session.idle).min(ends_at)
    }

    pub(crate) fn session_cookie(
        &self,
        claims: &Claims<'_>,
        tls: bool,
        now: u64,
    ) -> Option<String> {
        let token = self.ring.sign(Purpose::Session, claims)?;
        Some(self.cookie().set(tls, &token, claims.expires_at.saturating_sub(now)))
    }

    pub(crate) fn cookie(&self) -> &'a CookieSettings {
        &self.settings.cookie
    }

    /// What a request from nobody gets: a navigation is sent to the login page, anything else 401,
    /// and so is what a login would not help: a refused API token, a gate that takes no cookie.
    pub fn refusal(&self, head: &RequestHead<'_>, cause: Cause) -> Reply {
        let login = self.login_location(head);
        let by_token = self.presented_token(head).is_some();
        let login_helps = self.settings.accept.cookie() && !by_token;
        let reply = if login_helps && negotiate::is_navigation(head) {
            Reply::redirect(302, login)
        } else {
            let body = match Format::of(head) {
                Format::Json => unauthenticated_json(&login),
                Format::Html => unauthenticated_page(&login),
                Format::Text => Reply::text(401, "unauthenticated"),
            };
            body.header("WWW-Authenticate", self.challenge(head))
        };
        let reply = reply.uncached();
        match cause {
            Cause::Missing => reply,
            reason => {
                reply.event(Event::TokenRefused { reason, realm: self.settings.name.clone() })
            }
        }
    }

    /// `WWW-Authenticate` (RFC 9110, section 11.6.1; RFC 6750, section 3).
    pub fn challenge(&self, head: &RequestHead<'_>) -> String {
        let scheme = if self.settings.accept.bearer() { "Bearer" } else { "Cookie" };
        let failed = self.presented_token(head).is_some();
        let error = if failed { ", error=\"invalid_token\"" } else { "" };
        format!("{scheme} realm=\"{}\"{error}", self.settings.name)
    }

    fn login_location(&self, head: &RequestHead<'_>) -> String {
        let login = format!("{}login", self.settings.path);
        if head.target.len() > return_path::MAX_LENGTH {
            // The login would not return there, and nginx might not take an address so long.
            return login;
        }
        format!("{login}?rd={}", return_path::encode(head.target))
    }
}

fn unauthenticated_json(login: &str) -> Reply {
    Reply::json(401, &serde_json::json!({ "error": "unauthenticated", "login": login }))
}

fn unauthenticated_page(login: &str) -> Reply {
    let text = "You are not signed in, or your session has ended.";
    Reply::html(401, page::message("Please sign in", text, Some((login, "Sign in"))))
}

const API_TOKEN_PREFIX: &[u8] = b"agt_";

/// The API token in an `Authorization` value (RFC 6750, section 2.1), its prefix removed. Any other
/// bearer is the application's own.
fn api_token(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = authorization.split_at_checked(7)?;
    let bearer = scheme.eq_ignore_ascii_case(b"bearer ");
    bearer.then(|| rest.trim_ascii().strip_prefix(API_TOKEN_PREFIX)).flatten()
}

/// Whether an `Authorization` value is an API token: a gate that takes it keeps it from the
/// application.
pub fn is_api_token(authorization: &[u8]) -> bool {
    api_token(authorization).is_some()
}
