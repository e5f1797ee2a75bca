//! The login: from the form's body to a session.

use super::{Action, ends, problem};
use crate::check::{Asked, Check, MAX_PASSWORD};
use crate::event::{Event, LoginMethod};
use crate::form::LoginForm;
use crate::gate::Gate;
use crate::journal::Record;
use crate::limit::Limited;
use crate::negotiate::Format;
use crate::page::Notice;
use crate::reply::Reply;
use crate::request::RequestHead;
use crate::token::{Claims, Scope, SessionId};
use serde_json::json;

/// Fresh random bits for a login.
#[derive(Debug, Clone, Copy)]
pub struct Fresh {
    /// Of the session.
    pub session: SessionId,
    /// Of the device, where it is not known yet.
    pub device: SessionId,
}

/// A check takes a fraction of a second: after this many the queue has moved.
pub(crate) const BUSY_SECONDS: u32 = 5;

impl Gate<'_> {
    /// Takes the body of a login.
    pub fn posted(&self, head: &RequestHead<'_>, body: &[u8], now: u64) -> Action {
        let form = match LoginForm::parse(body) {
            Ok(form) => form,
            Err(error) => return Action::Reply(problem::malformed(head, error).uncached()),
        };
        let check = self.check(head, form, now);
        if check.password.len() > MAX_PASSWORD {
            return Action::Reply(self.failed(head, &check));
        }
        Action::Check(check)
    }

    fn check(&self, head: &RequestHead<'_>, form: LoginForm, now: u64) -> Check {
        let (subject, hash) = self.hash_for(&form.username);
        let asked = Asked::Form {
            return_to: self.return_target(head, form.return_to.as_bytes()),
            device: self.known_device(head, &form.username, now),
        };
        Check {
            hash: hash.clone(),
            network: head.network,
            digest: subject.digest(self.digest_key, &form.username, &form.password, hash),
            subject,
            asked,
            username: form.username,
            password: form.password,
        }
    }

    /// The sessions that a login with this outcome takes the place of. To be ended before
    /// [`Self::checked`] makes the new one, whose times come after all that has ended: ending them
    /// may fill the table.
    pub fn replaced_sessions(
        &self,
        head: &RequestHead<'_>,
        check: &Check,
        matches: bool,
        now: u64,
    ) -> Vec<Record> {
        match self.signs_in(check, matches) {
            true => ends(&self.sessions(head, now)),
            false => Vec::new(),
        }
    }

    /// Whether this signs in: not who has become another one while the password was checked.
    fn signs_in(&self, check: &Check, matches: bool) -> bool {
        check.succeeds(matches) && self.has_changed(check).is_none()
    }

    /// Takes the outcome of a check: signs in, or shows the form again. `None` where the user's
    /// name cannot stand in a token.
    pub fn checked(
        &self,
        head: &RequestHead<'_>,
        check: &Check,
        matches: bool,
        fresh: Fresh,
        now: u64,
    ) -> Option<Reply> {
        if !self.signs_in(check, matches) {
            return Some(self.failed(head, check));
        }
        let claims = self.new_session(check, fresh.session, now);
        let session = self.session_cookie(&claims, head.tls, now)?;
        let device = check.device().unwrap_or(fresh.device);
        let device = self.device_cookie(device, &claims, head.tls, now)?;
        let reply = match Format::of(head) {
            Format::Json => {
                let body = json!({ "user": claims.user, "expires": claims.expires_at });
                Reply::json(200, &body)
            }
            _ => Reply::redirect(303, check.return_to().as_str().to_owned()),
        };
        let (user, method) = (check.username.clone(), LoginMethod::Form);
        let event = Event::LoginOk { user, method, realm: self.realm() };
        let reply = reply.header("Set-Cookie", session).header("Set-Cookie", device).event(event);
        Some(reply.uncached())
    }

    /// The claims of a session that begins now, its times after all that has ended: a session of a
    /// user whose sessions were ended this very second is a new one.
    fn new_session<'c>(&self, check: &'c Check, session: SessionId, now: u64) -> Claims<'c> {
        let earliest = self.ended.earliest(&check.username);
        let issued_at = now.max(earliest.issued_at);
        self.ended.may_be_made_until(issued_at);
        let ends_at = now.saturating_add(self.settings.session.max).max(earliest.ends_at);
        Claims {
            session,
            user: &check.username,
            issued_at,
            expires_at: self.expiry(issued_at, ends_at),
            ends_at,
            epoch: self.ring.epoch(&check.username, check.hash.as_str()),
            scope: Scope::default(),
        }
    }

    /// The same answer whatever was wrong; only the log tells.
    fn failed(&self, head: &RequestHead<'_>, check: &Check) -> Reply {
        let reason = check.subject.reason();
        let (user, method) = (check.username.clone(), LoginMethod::Form);
        let event = Event::LoginFailed { user, method, reason, realm: self.realm() };
        self.known_to_fail(head, check).event(event)
    }

    /// The same for a credential that failed from the same network a while ago: it has its line.
    pub fn known_to_fail(&self, head: &RequestHead<'_>, check: &Check) -> Reply {
        let notice = Notice::InvalidCredentials;
        let reply = self.form_again(head, check, 403, "invalid_credentials", notice);
        reply.outcome(check.subject.reason().status()).uncached()
    }

    /// The answer where no more checks can wait.
    pub fn busy(&self, head: &RequestHead<'_>, check: &Check) -> Reply {
        let (user, method) = (check.username.clone(), LoginMethod::Form);
        let event = Event::LoginBusy { user, method, realm: self.realm() };
        let reply = self.form_again(head, check, 503, "busy", Notice::Busy(BUSY_SECONDS));
        reply.header("Retry-After", BUSY_SECONDS.to_string()).event(event).uncached()
    }

    /// The answer where a ban is in force: the same whatever is banned, and whether there is such a
    /// user.
    pub fn limited(&self, head: &RequestHead<'_>, check: &Check, limited: Limited) -> Reply {
        let Limited { seconds, reason, is_first } = limited;
        let (user, method) = (check.username.clone(), LoginMethod::Form);
        let reply = self.form_again(head, check, 429, "limited", Notice::Limited(seconds));
        let event = Event::LoginLimited { user, method, reason, realm: self.realm(), is_first };
        reply.header("Retry-After", seconds.to_string()).event(event).uncached()
    }

    /// The form with what was typed, the password left out; in JSON the error alone.
    fn form_again(
        &self,
        head: &RequestHead<'_>,
        check: &Check,
        status: u16,
        error: &str,
        notice: Notice,
    ) -> Reply {
        match Format::of(head) {
            Format::Json => Reply::json(status, &json!({ "error": error })),
            _ => self.form(status, &check.username, &check.return_to(), notice),
        }
    }
}
