//! The gate: who a request comes from, and what to say to one that comes from nobody.

mod by_basic;
mod by_token;
mod identity;
mod login_page;
mod refusal;
mod renewal;
mod review;

pub use by_basic::Outcome;
pub use identity::{Cause, Credential, Identity, Session, Verdict};

use crate::basic;
use crate::check::Check;
use crate::cookie::CookieSettings;
use crate::ended::Ended;
use crate::keyring::KeyRing;
use crate::limit::{DigestKey, Places};
use crate::request::RequestHead;
use crate::rules::Rules;
use crate::settings::{Accept, Settings};
use crate::status::Status;
use crate::token::{Claims, Purpose};
use crate::users::{User, Users};
use by_token::api_token;

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
    /// Where Basic credentials held.
    pub places: Places<'a>,
    /// The key of the digests of credentials.
    pub digest_key: &'a DigestKey,
}

/// What is known of a request's credential.
#[must_use]
pub enum Decision {
    /// Who it comes from.
    Verdict(Verdict),
    /// A Basic credential whose password has to be checked first: [`Gate::of_check`] has the verdict.
    Check(Box<Check>),
}

/// The credential that decides alone.
#[derive(Clone, Copy)]
pub(crate) enum Presented<'h> {
    /// An API token, without its prefix.
    Token(&'h [u8]),
    /// What follows `Basic`.
    Basic(&'h [u8]),
}

impl<'h> Presented<'h> {
    fn of(accept: Accept, authorization: &'h [u8]) -> Option<Self> {
        let token = || api_token(authorization).filter(|_| accept.bearer()).map(Self::Token);
        let basic = || basic::token68(authorization).filter(|_| accept.basic()).map(Self::Basic);
        token().or_else(basic)
    }
}

/// Whether a gate that accepts this takes an `Authorization` value, valid or not, and keeps it from
/// the application.
pub fn takes(accept: Accept, authorization: &[u8]) -> bool {
    Presented::of(accept, authorization).is_some()
}

impl<'a> Gate<'a> {
    /// Who the request comes from. A credential in `Authorization`, where it is of a kind that is
    /// taken, decides alone; otherwise the cookie.
    pub fn decide(&self, head: &RequestHead<'_>, now: u64) -> Decision {
        match self.presented(head) {
            Some(Presented::Token(token)) => Decision::Verdict(self.by_api_token(token, head, now)),
            Some(Presented::Basic(token68)) => self.by_basic(token68, head.network),
            None => Decision::Verdict(self.by_cookie(head, now)),
        }
    }

    /// What of `Authorization` decides alone. Anything else there is the application's own.
    pub(crate) fn presented<'h>(&self, head: &RequestHead<'h>) -> Option<Presented<'h>> {
        Presented::of(self.settings.accept, head.authorization?)
    }

    /// Whether it is a Basic credential that decides.
    pub fn is_asked_by_basic(&self, head: &RequestHead<'_>) -> bool {
        matches!(self.presented(head), Some(Presented::Basic(_)))
    }

    /// How a request with this verdict fares where these rules hold.
    pub fn status(&self, verdict: &Verdict, rules: &Rules) -> Status {
        match verdict {
            Verdict::Admit(identity) if !self.permits(identity, rules) => Status::Forbidden,
            verdict => verdict.status(),
        }
    }

    fn permits(&self, identity: &Identity, rules: &Rules) -> bool {
        let user = || self.users.get(identity.user());
        rules.0.is_empty() || user().is_some_and(|user| rules.allows(identity.user(), &user.groups))
    }

    /// The user of this name, unless disabled.
    pub fn active_user(&self, name: &str) -> Option<&'a User> {
        self.users.get(name).filter(|user| !user.disabled)
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
}
