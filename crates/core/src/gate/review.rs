//! Whether what let a request in still holds: for a connection that outlives its request's verdict.

use super::{Cause, Credential, Gate, Identity, Verdict};

impl Gate<'_> {
    /// The epoch of an admitted user, which changes with the password. Where a session tells it, it is
    /// that of the moment when the session was looked at.
    pub fn epoch(&self, identity: &Identity) -> u64 {
        let known = identity.session().and_then(|session| session.epoch);
        known.or_else(|| self.current_epoch(identity.user())).unwrap_or_default()
    }

    /// `None` where the user may not sign in.
    fn current_epoch(&self, user: &str) -> Option<u64> {
        Some(self.ring.epoch(user, self.active_user(user)?.hash.as_str()))
    }

    /// The verdict on an admitted user now; `epoch` is the one of before. A session does not end here
    /// for want of requests: what goes over the connection is none.
    pub fn review(&self, identity: &Identity, epoch: u64, now: u64) -> Verdict {
        match self.has_ended(identity, epoch, now) {
            Some(cause) => Verdict::Challenge(cause),
            None => Verdict::Admit(identity.clone()),
        }
    }

    fn has_ended(&self, identity: &Identity, epoch: u64, now: u64) -> Option<Cause> {
        let Some(current) = self.current_epoch(identity.user()) else {
            return Some(Cause::UnknownUser);
        };
        let (ends_at, revoked, has_password) = match identity.credential {
            Credential::Cookie(session) => {
                let (id, user) = (session.id, identity.user());
                let (issued_at, ends_at) = (session.issued_at, session.ends_at);
                let revoked = self.ended.session_has_ended(id, user, issued_at, ends_at);
                (Some(ends_at), revoked, true)
            }
            Credential::Bearer { id, issued_at, expires_at } => {
                (Some(expires_at), self.ended.api_token_has_ended(id, issued_at), false)
            }
            Credential::Basic => (None, false, true),
        };
        if revoked {
            Some(Cause::Revoked)
        } else if has_password && current != epoch {
            Some(Cause::PasswordChanged)
        } else {
            ends_at.is_some_and(|end| now >= end).then_some(Cause::Expired)
        }
    }
}
