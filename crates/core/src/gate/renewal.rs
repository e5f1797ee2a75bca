//! Keeping a used session alive.

use super::{Gate, Identity, Session};
use crate::negotiate;
use crate::request::RequestHead;
use crate::settings::Renew;
use crate::token::{Claims, Scope};

impl Gate<'_> {
    /// A tenth of `idle` after a token was made.
    pub(super) fn renewal_due(&self, issued_at: u64) -> u64 {
        issued_at.saturating_add((self.settings.session.idle / 10).max(1))
    }

    /// `Set-Cookie` for a session that has been used, once a tenth of `idle` has passed since its
    /// token was made, and only by a navigation where the settings say so. The session's absolute
    /// end never moves. Where that time comes while the request runs and another key than the first
    /// has signed the token, the next request renews it.
    pub fn renewal(&self, identity: &Identity, head: &RequestHead<'_>, now: u64) -> Option<String> {
        let session = identity.session()?;
        if !self.renews(identity.user(), session, head, now) {
            return None;
        }
        let claims = Claims {
            session: session.id,
            user: identity.user(),
            issued_at: now,
            expires_at: self.expiry(now, session.ends_at),
            ends_at: session.ends_at,
            // Not that of the users now: a password that changed during the request ends the session.
            epoch: session.epoch?,
            scope: Scope::default(),
        };
        let later = claims.expires_at > session.expires_at;
        later.then(|| self.session_cookie(&claims, head.tls, now)).flatten()
    }

    fn renews(&self, user: &str, session: &Session, head: &RequestHead<'_>, now: u64) -> bool {
        let Session { id, issued_at, ends_at, .. } = *session;
        let counts = match self.settings.session.renew {
            Renew::Any => true,
            Renew::Navigation => negotiate::is_navigation(head),
        };
        // A logout elsewhere may have come while the request ran.
        let ended = || self.ended.session_has_ended(id, user, issued_at, ends_at);
        now >= self.renewal_due(issued_at) && counts && !ended()
    }
}
