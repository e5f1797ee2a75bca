//! Tokens: session cookies and API tokens.

use super::{Cause, Credential, Gate, Identity, Session, Verdict};
use crate::request::RequestHead;
use crate::token::{PayloadBuffer, Purpose, Verified};

impl Gate<'_> {
    /// The verdict of an API token. Its limits are about the request as the client sent it: one with
    /// limits opens nothing of which that is not known.
    pub(super) fn by_api_token(&self, token: &[u8], head: &RequestHead<'_>, now: u64) -> Verdict {
        let mut buffer = PayloadBuffer::default();
        let verified = self.ring.verify(Purpose::Api, token, now, &mut buffer);
        let verified = verified.map_err(Cause::from).and_then(|verified| {
            let claims = &verified.claims;
            self.active_user(claims.user).ok_or(Cause::UnknownUser)?;
            match self.ended.api_token_has_ended(claims.session, claims.issued_at) {
                true => Err(Cause::Revoked),
                false => Ok(verified),
            }
        });
        let claims = match verified {
            Ok(verified) => verified.claims,
            Err(cause) => return Verdict::Challenge(cause),
        };
        let (id, issued_at, expires_at) = (claims.session, claims.issued_at, claims.expires_at);
        let within = claims.scope.is_unlimited()
            || head.target.is_some_and(|target| claims.scope.allows(head.method_name, target));
        match Identity::new(claims.user, Credential::Bearer { id, issued_at, expires_at }) {
            Some(identity) if within => Verdict::Admit(identity),
            Some(identity) => Verdict::Forbid(identity),
            None => Verdict::Challenge(Cause::Malformed),
        }
    }

    /// The verdict of the session cookie.
    pub(crate) fn by_cookie(&self, head: &RequestHead<'_>, now: u64) -> Verdict {
        let found = match self.settings.accept.cookie() {
            true => self.best_session(head, now),
            false => Err(Cause::Missing),
        };
        match found {
            Ok(identity) => Verdict::Admit(identity),
            Err(cause) => Verdict::Challenge(cause),
        }
    }

    /// Several cookies of our name may come, from other paths or hosts of the domain: any valid one
    /// counts, the newest of one user; valid ones of two users count for nobody.
    fn best_session(&self, head: &RequestHead<'_>, now: u64) -> Result<Identity, Cause> {
        let issued_at = |identity: &Identity| identity.session().map(|session| session.issued_at);
        let mut best: Result<Identity, Cause> = Err(Cause::Missing);
        for candidate in self.settings.cookie.candidates(head.tls, head.cookies) {
            best = match (best, self.of_session(candidate, now)) {
                (Ok(a), Ok(b)) if a.user() != b.user() => return Err(Cause::Malformed),
                (Ok(a), Ok(b)) => Ok(if issued_at(&b) > issued_at(&a) { b } else { a }),
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
        candidates.filter_map(|token| self.of_session(token, now).ok()).collect()
    }

    fn of_session(&self, token: &[u8], now: u64) -> Result<Identity, Cause> {
        let mut buffer = PayloadBuffer::default();
        let verified = self.ring.verify(Purpose::Session, token, now, &mut buffer)?;
        let epoch = self.check_epoch(&verified, now)?;
        let claims = &verified.claims;
        let (id, user) = (claims.session, claims.user);
        if self.ended.session_has_ended(id, user, claims.issued_at, claims.ends_at) {
            return Err(Cause::Revoked);
        }
        let session = Session::of(claims, epoch);
        Identity::new(user, Credential::Cookie(session)).ok_or(Cause::Malformed)
    }

    /// That the user is there and has the same password; gives the epoch to renew the session with.
    fn check_epoch(&self, token: &Verified<'_>, now: u64) -> Result<Option<u64>, Cause> {
        let user = self.active_user(token.claims.user).ok_or(Cause::UnknownUser)?;
        let hash = user.hash.as_str();
        if !token.has_epoch_of(self.ring, hash) {
            return Err(Cause::PasswordChanged);
        }
        // Another key's epoch is not the one to renew with; until that is due, it costs for nothing.
        let wanted = token.is_signed_by_first() || now >= self.renewal_due(token.claims.issued_at);
        Ok(wanted.then(|| token.epoch_to_renew(self.ring, hash)))
    }
}

const API_TOKEN_PREFIX: &[u8] = b"agt_";

/// The API token in an `Authorization` value (RFC 6750, section 2.1), its prefix removed. Any other
/// bearer is the application's own.
pub(super) fn api_token(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = authorization.split_at_checked(7)?;
    let bearer = scheme.eq_ignore_ascii_case(b"bearer ");
    bearer.then(|| rest.trim_ascii().strip_prefix(API_TOKEN_PREFIX)).flatten()
}
