//! The gate's own pages: what each of them answers (reference, section 3).

use crate::event::{Event, Reason};
use crate::form::{FormError, LoginForm, MAX_BODY};
use crate::gate::{Credential, Gate, Identity, Verdict};
use crate::journal::{Record, UserTag};
use crate::limit::Limited;
use crate::negotiate::Format;
use crate::origin;
use crate::page::{self, Notice};
use crate::password::PasswordHash;
use crate::reply::Reply;
use crate::request::{Method, RequestHead};
use crate::return_path::{self, ReturnPath};
use crate::settings::Settings;
use crate::token::{Claims, SessionId};
use serde_json::json;
use zeroize::Zeroizing;

/// What to do next for a request of one of the pages.
#[must_use]
pub enum Action {
    /// Answer.
    Reply(Reply),
    /// Read the body, at most [`MAX_BODY`] bytes, and call [`Gate::posted`] with it; over that,
    /// answer [`Gate::too_large`].
    ReadBody,
    /// Check the password off the event loop and call [`Gate::checked`] with the outcome, or
    /// [`Gate::busy`] where no check can be taken.
    Check(Check),
}

/// A password check: everything it needs, owned, so that it can run in another thread.
pub struct Check {
    /// What was typed.
    pub username: String,
    /// What was typed, wiped when dropped.
    pub password: Zeroizing<Vec<u8>>,
    /// The hash to check against: the user's, or one of the usual cost where there is no such user.
    pub hash: PasswordHash,
    /// The device that the user has signed in on before.
    pub device: Option<SessionId>,
    subject: Subject,
    return_to: ReturnPath,
}

impl Check {
    /// Whether the login succeeds, now that the password matches the hash or does not.
    pub fn succeeds(&self, matches: bool) -> bool {
        matches && self.subject == Subject::User
    }
}

/// Fresh random bits for a login.
#[derive(Debug, Clone, Copy)]
pub struct Fresh {
    /// Of the session.
    pub session: SessionId,
    /// Of the device, where it is not known yet.
    pub device: SessionId,
}

/// Whose hash a check is against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    User,
    /// Nobody: the check only takes its time.
    Nobody,
}

/// One of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// `PATHlogin`
    Login,
    /// `PATHlogout`
    Logout,
    /// `PATHsession`
    Session,
    /// Any other name under the path.
    Unknown,
}

impl Page {
    /// The page at a decoded, normalized path; `None` outside the realm's path.
    pub fn at(settings: &Settings, path: &[u8]) -> Option<Self> {
        Some(match path.strip_prefix(settings.path.as_bytes())? {
            b"login" => Self::Login,
            b"logout" => Self::Logout,
            b"session" => Self::Session,
            _ => Self::Unknown,
        })
    }
}

/// The longest password, in bytes, that is worth a check.
const MAX_PASSWORD: usize = 1024;

impl Gate<'_> {
    /// Answers a request of one of the pages, or says what is needed first.
    pub fn page(&self, page: Page, head: &RequestHead<'_>, now: u64) -> Action {
        use Method::{Get, Head, Post};
        let reply = match (page, head.method) {
            (Page::Login, Get | Head) => self.login_page(head, now),
            (Page::Login, Post) => match self.refuse_post(head) {
                None => return Action::ReadBody,
                Some(refusal) => refusal,
            },
            (Page::Logout, Get | Head) => self.logout_page(head, now),
            (Page::Logout, Post) => self.logout(head, now),
            (Page::Session, Get | Head) => self.session(head, now),
            (Page::Unknown, _) => problem(head, 404, "Not found", "There is no such page here."),
            (Page::Login | Page::Logout, Method::Other) => not_allowed(head, "GET, HEAD, POST"),
            (Page::Session, _) => not_allowed(head, "GET, HEAD"),
        };
        Action::Reply(reply.uncached())
    }

    fn login_page(&self, head: &RequestHead<'_>, now: u64) -> Reply {
        let return_to = self.return_path(&return_path::from_query(head.query).unwrap_or_default());
        match self.decide(head, now) {
            Verdict::Admit(identity) if identity.credential == Credential::Cookie => {
                Reply::redirect(303, return_to.as_str().to_owned())
            }
            _ => Reply::html(200, self.form("", &return_to, Notice::None)),
        }
    }

    /// What is wrong with a post before its body is looked at.
    fn refuse_post(&self, head: &RequestHead<'_>) -> Option<Reply> {
        let field = |name| (head.fields)(name);
        if !origin::may_post(head) {
            return Some(cross_site(head));
        }
        if LoginForm::accepts(field("content-type"), field("content-encoding")).is_err() {
            return Some(malformed(head, FormError::UnsupportedMediaType));
        }
        let length =
            field("content-length").and_then(|text| str::from_utf8(text).ok()?.parse().ok());
        length.is_some_and(|length: u64| length > MAX_BODY as u64).then(|| too_large(head))
    }

    /// The answer to a body over [`MAX_BODY`].
    pub fn too_large(&self, head: &RequestHead<'_>) -> Reply {
        too_large(head).uncached()
    }

    /// Takes the body of a login.
    pub fn posted(&self, head: &RequestHead<'_>, body: &[u8], now: u64) -> Action {
        let _ = now;
        let form = match LoginForm::parse(body) {
            Ok(form) => form,
            Err(error) => return Action::Reply(malformed(head, error).uncached()),
        };
        let return_to = self.return_path(form.return_to.as_bytes());
        let (subject, hash) = match self.active_user(&form.username) {
            Some(user) => (Subject::User, &user.hash),
            None => (Subject::Nobody, self.users.usual_hash()),
        };
        let LoginForm { username, password, .. } = form;
        let too_long = password.len() > MAX_PASSWORD;
        let check =
            Check { username, password, hash: hash.clone(), device: None, subject, return_to };
        if too_long {
            return Action::Reply(self.failed(head, &check));
        }
        Action::Check(check)
    }

    /// Takes the outcome of a check: signs in, or shows the form again. `None` where the user's name cannot stand in a token.
    pub fn checked(
        &self,
        head: &RequestHead<'_>,
        check: &Check,
        matches: bool,
        fresh: Fresh,
        now: u64,
    ) -> Option<Reply> {
        if !check.succeeds(matches) {
            return Some(self.failed(head, check));
        }
        let ends_at = now.saturating_add(self.settings.session.max);
        let ends_at = ends_at.max(self.ended.earliest(&check.username).ends_at);
        let claims = Claims {
            session: fresh.session,
            user: &check.username,
            issued_at: now,
            expires_at: self.expiry(now, ends_at),
            ends_at,
            epoch: self.ring.epoch(&check.username, check.hash.as_str()),
        };
        let cookie = self.session_cookie(&claims, head.tls, now)?;
        let reply = match Format::of(head) {
            Format::Json => {
                let body = json!({ "user": claims.user, "expires": claims.expires_at });
                Reply::json(200, &body)
            }
            _ => Reply::redirect(303, check.return_to.as_str().to_owned()),
        };
        let event = Event::LoginOk { user: check.username.clone(), realm: self.realm() };
        let reply = reply.header("Set-Cookie", cookie).event(event);
        Some(reply.ending(ends(&self.sessions(head, now))).uncached())
    }

    /// The answer where no more checks can wait.
    pub fn busy(&self, head: &RequestHead<'_>, check: &Check) -> Reply {
        let reply = match Format::of(head) {
            Format::Json => Reply::json(503, &json!({ "error": "busy" })),
            _ => {
                let notice = Notice::Busy(BUSY_SECONDS);
                Reply::html(503, self.form(&check.username, &check.return_to, notice))
            }
        };
        let event = Event::LoginBusy { user: check.username.clone(), realm: self.realm() };
        reply.header("Retry-After", BUSY_SECONDS.to_string()).event(event).uncached()
    }

    /// The answer where a ban is in force.
    pub fn limited(&self, head: &RequestHead<'_>, check: &Check, limited: Limited) -> Reply {
        let _ = limited;
        self.busy(head, check)
    }

    /// The same answer whatever was wrong; only the log tells.
    fn failed(&self, head: &RequestHead<'_>, check: &Check) -> Reply {
        let reason = match check.subject {
            Subject::User => Reason::BadPassword,
            Subject::Nobody => Reason::UnknownUser,
        };
        let reply = match Format::of(head) {
            Format::Json => Reply::json(403, &json!({ "error": "invalid_credentials" })),
            _ => {
                let notice = Notice::InvalidCredentials;
                Reply::html(403, self.form(&check.username, &check.return_to, notice))
            }
        };
        reply.event(self.login_failed(check, reason)).uncached()
    }

    fn login_failed(&self, check: &Check, reason: Reason) -> Event {
        Event::LoginFailed { user: check.username.clone(), reason, realm: self.realm() }
    }

    fn logout_page(&self, head: &RequestHead<'_>, now: u64) -> Reply {
        match self.decide(head, now) {
            Verdict::Admit(identity) => {
                let action = self.path("logout");
                Reply::html(200, page::logout(&self.settings.name, &action, identity.user()))
            }
            Verdict::Challenge(_) => Reply::redirect(303, self.path("login")),
        }
    }

    fn logout(&self, head: &RequestHead<'_>, now: u64) -> Reply {
        if !origin::may_post(head) {
            return cross_site(head);
        }
        let reply = Reply::redirect(303, self.path("login"));
        let reply = reply.header("Set-Cookie", self.cookie().clear(head.tls));
        let sessions = self.sessions(head, now);
        match sessions.first() {
            None => reply,
            Some(first) => reply
                .event(Event::Logout { user: first.user().into(), realm: self.realm() })
                .ending(ends(&sessions)),
        }
    }

    fn session(&self, head: &RequestHead<'_>, now: u64) -> Reply {
        match self.decide(head, now) {
            Verdict::Admit(identity) => {
                let groups = self.active_user(identity.user()).map(|user| &user.groups);
                let body = json!({
                    "user": identity.user(),
                    "groups": groups,
                    "realm": self.settings.name,
                    "expires": identity.expires_at,
                });
                Reply::json(200, &body)
            }
            Verdict::Challenge(_) => {
                let body = json!({ "error": "unauthenticated", "login": self.path("login") });
                Reply::json(401, &body).header("WWW-Authenticate", self.challenge(head))
            }
        }
    }

    fn form(&self, username: &str, return_to: &ReturnPath, notice: Notice) -> String {
        let action = self.path("login");
        page::login(&self.settings.name, &action, return_to.as_str(), username, notice)
    }

    fn return_path(&self, raw: &[u8]) -> ReturnPath {
        ReturnPath::parse(raw, &self.settings.path)
    }

    fn path(&self, page: &str) -> String {
        format!("{}{page}", self.settings.path)
    }

    fn realm(&self) -> String {
        self.settings.name.clone()
    }
}

/// A check takes a fraction of a second: after this many the queue has moved.
const BUSY_SECONDS: u32 = 5;

fn ends(sessions: &[Identity]) -> Vec<Record> {
    let record = |identity: &Identity| Record::Session {
        id: identity.session,
        user: UserTag::of(identity.user()),
        ends_at: identity.ends_at,
    };
    sessions.iter().map(record).collect()
}

fn cross_site(head: &RequestHead<'_>) -> Reply {
    let text = "This form was sent from another site, so nothing was done.";
    problem(head, 403, "Not from here", text)
}

fn malformed(head: &RequestHead<'_>, error: FormError) -> Reply {
    match error {
        FormError::UnsupportedMediaType => {
            problem(head, 415, "Not a form", "The login takes application/x-www-form-urlencoded.")
        }
        FormError::Malformed => problem(head, 400, "Bad form", "The form cannot be read."),
    }
}

fn too_large(head: &RequestHead<'_>) -> Reply {
    problem(head, 413, "Too large", "The form is too large.")
}

fn not_allowed(head: &RequestHead<'_>, allow: &str) -> Reply {
    let text = "This page does not take that method.";
    problem(head, 405, "Not allowed", text).header("Allow", allow.into())
}

fn problem(head: &RequestHead<'_>, status: u16, title: &str, text: &str) -> Reply {
    match Format::of(head) {
        Format::Json => Reply::json(status, &json!({ "error": title.to_lowercase() })),
        Format::Html => Reply::html(status, page::message(title, text, None)),
        Format::Text => Reply::text(status, text),
    }
}
