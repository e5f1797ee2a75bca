//! The device cookie: a browser in which a user has signed in before is not held up by what others
//! do to the user's name. That is all its power; it signs nobody in.

use crate::gate::Gate;
use crate::request::RequestHead;
use crate::token::{Claims, PayloadBuffer, Purpose, Scope, SessionId};

/// How long, in seconds, a device is known after a login.
const KNOWN_FOR: u64 = 90 * 86400;

impl Gate<'_> {
    /// The device that the request comes from, where this user has signed in on it before and has
    /// had the same password since.
    ///
    /// Ended sessions are not asked. A device outlives signing out by design, and an operator who
    /// ends all sessions of a user does it for one under attack, whose own devices must still get
    /// in; a stolen cookie buys a few guesses, until the password changes.
    pub(super) fn known_device(
        &self,
        head: &RequestHead<'_>,
        username: &str,
        now: u64,
    ) -> Option<SessionId> {
        let mut tokens = self.cookie().device_candidates(head.tls, head.cookies);
        tokens.find_map(|token| {
            let mut buffer = PayloadBuffer::default();
            let verified = self.ring.verify(Purpose::Device, token, now, &mut buffer).ok()?;
            // Looked up after the token, so that the time tells nothing about a name.
            let user = self.active_user(username).filter(|_| verified.claims.user == username)?;
            let is_known = verified.has_epoch_of(self.ring, user.hash.as_str());
            is_known.then_some(verified.claims.session)
        })
    }

    /// `Set-Cookie` for the device on which this session begins.
    pub(super) fn device_cookie(
        &self,
        device: SessionId,
        session: &Claims<'_>,
        tls: bool,
        now: u64,
    ) -> Option<String> {
        let ends_at = now.saturating_add(KNOWN_FOR);
        let (user, epoch) = (session.user, session.epoch);
        let claims = Claims {
            session: device,
            user,
            issued_at: now,
            expires_at: ends_at,
            ends_at,
            epoch,
            scope: Scope::default(),
        };
        let token = self.ring.sign(Purpose::Device, &claims)?;
        Some(self.cookie().set_device(tls, &token, KNOWN_FOR))
    }
}
