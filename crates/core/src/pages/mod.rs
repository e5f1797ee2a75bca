//! The gate's own pages: what each of them answers (reference, section 3).

mod device;
pub(crate) mod problem;
mod sign_in;

pub use crate::check::Check;
pub(crate) use sign_in::BUSY_SECONDS;
pub use sign_in::Fresh;

use crate::event::Event;
use crate::form::{FormError, LoginForm, MAX_BODY};
use crate::gate::{Cause, Gate, Identity, Verdict};
use crate::hosts::HostAndPort;
use crate::journal::{Record, UserTag};
use crate::login_url::LoginUrl;
use crate::origin;
use crate::page::{self, Notice};
use crate::query::{self, Field};
use crate::reply::Reply;
use crate::request::{Method, RequestHead};
use crate::return_path;
use crate::return_target::{Bounds, ReturnTarget, Schemes};
use crate::settings::Settings;
use problem::{cross_site, malformed, not_allowed, problem, too_early, too_large};
use serde_json::json;

/// What to do next for a request of one of the pages.
#[must_use]
pub enum Action {
    /// Answer.
    Reply(Reply),
    /// Find out who the request comes from, and answer [`Gate::session`].
    Identify,
    /// Read the body, at most [`MAX_BODY`] bytes, and call [`Gate::posted`] with it; over that,
    /// answer [`Gate::too_large`].
    ReadBody,
    /// Check the password off the event loop and call [`Gate::checked`] with the outcome, or
    /// [`Gate::limited`] where a ban is in force, or [`Gate::busy`] where no check can be taken.
    Check(Check),
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

impl Gate<'_> {
    /// Answers a request of one of the pages, or says what is needed first.
    pub fn page(&self, page: Page, head: &RequestHead<'_>, now: u64) -> Action {
        use Method::{Get, Head, Post};
        let reply = match (page, head.method) {
            (Page::Session, Get | Head) => return Action::Identify,
            (Page::Login, Get | Head) => self.login_page(head, now),
            (Page::Login, Post) => match self.refuse_post(head) {
                None => return Action::ReadBody,
                Some(refusal) => refusal,
            },
            (Page::Logout, Get | Head) => self.logout_page(head, now),
            (Page::Logout, Post) => self.logout(head, now),
            (Page::Unknown, _) => problem(head, 404, "Not found", "There is no such page here."),
            (Page::Login | Page::Logout, _) => not_allowed(head, "GET, HEAD, POST"),
            (Page::Session, _) => not_allowed(head, "GET, HEAD"),
        };
        Action::Reply(reply.uncached())
    }

    fn login_page(&self, head: &RequestHead<'_>, now: u64) -> Reply {
        let rd = return_path::from_query(head.query).unwrap_or_default();
        let return_to = self.return_target(head, &rd);
        if self.presented(head).is_some() {
            // It decides alone, and signs nobody in.
            return self.form(200, "", &return_to, Notice::None);
        }
        match self.by_cookie(head, now) {
            Verdict::Admit(identity) if is_news(&identity, head.query) => {
                Reply::redirect(303, return_to.as_str().to_owned())
            }
            verdict => self.form(200, "", &return_to, notice(&verdict)),
        }
    }

    /// What is wrong with a post before its body is looked at.
    fn refuse_post(&self, head: &RequestHead<'_>) -> Option<Reply> {
        let field = |name| (head.fields)(name);
        if let Some(refusal) = refuse_action(head) {
            return Some(refusal);
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

    fn logout_page(&self, head: &RequestHead<'_>, now: u64) -> Reply {
        match self.by_cookie(head, now) {
            Verdict::Admit(identity) => {
                let action = self.path("logout");
                let page = page::logout(&self.settings.name, &action, identity.user());
                let login = self.settings.login_url.as_ref();
                Reply::html(200, page).with_form_to(login.map(LoginUrl::origin))
            }
            _ => Reply::redirect(303, self.login_page_at()),
        }
    }

    fn logout(&self, head: &RequestHead<'_>, now: u64) -> Reply {
        if let Some(refusal) = refuse_action(head) {
            return refusal;
        }
        let reply = Reply::redirect(303, self.login_page_at());
        let reply = reply.header("Set-Cookie", self.cookie().clear(head.tls));
        let sessions = self.sessions(head, now);
        match sessions.first() {
            None => reply,
            Some(first) => reply
                .event(Event::Logout { user: first.user().into(), realm: self.realm() })
                .ending(ends(&sessions)),
        }
    }

    /// The answer of the session page.
    pub fn session(&self, head: &RequestHead<'_>, verdict: &Verdict, now: u64) -> Reply {
        let reply = match verdict {
            Verdict::Admit(identity) => {
                let groups = self.active_user(identity.user()).map(|user| &user.groups);
                let body = json!({
                    "user": identity.user(),
                    "groups": groups,
                    "realm": self.settings.name,
                    "expires": identity.expires_at(),
                });
                Reply::json(200, &body)
            }
            Verdict::Challenge(_) => {
                let body = json!({ "error": "unauthenticated", "login": self.login_page_at() });
                Reply::json(401, &body).header("WWW-Authenticate", self.challenge(head))
            }
            Verdict::Forbid(_) | Verdict::Limited(_) | Verdict::Busy => {
                return self.refusal(head, verdict, now);
            }
        };
        reply.uncached()
    }

    fn form(&self, status: u16, username: &str, to: &ReturnTarget, notice: Notice) -> Reply {
        let action = self.path("login");
        let page = page::login(&self.settings.name, &action, to.as_str(), username, notice);
        Reply::html(status, page).with_form_to(to.origin())
    }

    /// A cookie that is not meant for plain HTTP is not led there.
    fn return_target(&self, head: &RequestHead<'_>, raw: &[u8]) -> ReturnTarget {
        let own = head.host.and_then(|host| HostAndPort::read(str::from_utf8(host).ok()?));
        let schemes = match self.cookie().in_tls_form(head.tls) {
            true => Schemes::HttpsAlone,
            false => Schemes::HttpAndHttps,
        };
        let bounds = Bounds {
            gate_path: &self.settings.path,
            hosts: &self.settings.return_hosts,
            own_host: own.map(|own| own.host),
            schemes,
        };
        ReturnTarget::parse(raw, &bounds)
    }

    pub(crate) fn path(&self, page: &str) -> String {
        format!("{}{page}", self.settings.path)
    }

    fn realm(&self) -> String {
        self.settings.name.clone()
    }
}

/// What keeps a post from doing anything: it comes from another site, or perhaps not from its sender.
/// Early data may be sent again by who has seen it (RFC 8470): a right password sent again would
/// forgive the failures of whoever does so.
fn refuse_action(head: &RequestHead<'_>) -> Option<Reply> {
    if (head.fields)("early-data") == Some(b"1") {
        return Some(too_early(head));
    }
    (!origin::may_post(head)).then(|| cross_site(head))
}

/// Whether the session is newer than the one that another server has refused (`after` in the query):
/// with the same one, each would send the browser to the other, without end.
fn is_news(identity: &Identity, query: &[u8]) -> bool {
    let issued_at = identity.session().map(|session| session.issued_at);
    match query::field(query, "after") {
        Field::Absent => true,
        Field::Once(after) => issued_at > Some(after.parse().unwrap_or(u64::MAX)),
        Field::Repeated => false,
    }
}

fn ends(sessions: &[Identity]) -> Vec<Record> {
    let record = |identity: &Identity| {
        let session = identity.session()?;
        let user = UserTag::of(identity.user());
        Some(Record::Session { id: session.id, user, ends_at: session.ends_at })
    };
    sessions.iter().filter_map(record).collect()
}

/// Why the visitor is here, told to nobody but the holder of a cookie that we have signed.
fn notice(verdict: &Verdict) -> Notice {
    match verdict {
        Verdict::Challenge(Cause::Expired | Cause::UnknownUser) => Notice::Expired,
        Verdict::Challenge(Cause::Revoked) => Notice::Revoked,
        Verdict::Challenge(Cause::PasswordChanged) => Notice::PasswordChanged,
        _ => Notice::None,
    }
}
