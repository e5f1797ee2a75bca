//! What a request gets that is not let in.

use super::{Cause, Gate, Identity, Presented, Verdict};
use crate::event::Event;
use crate::limit::Limited;
use crate::negotiate::{self, Format};
use crate::page;
use crate::pages::BUSY_SECONDS;
use crate::pages::problem::problem;
use crate::reply::Reply;
use crate::request::RequestHead;

impl Gate<'_> {
    /// What a request gets with this verdict, where that does not let it in; a request that would be let
    /// in is one that rules keep out.
    pub fn refusal(&self, head: &RequestHead<'_>, verdict: &Verdict, now: u64) -> Reply {
        let reply = match verdict {
            Verdict::Admit(identity) | Verdict::Forbid(identity) => self.forbidden(head, identity),
            Verdict::Challenge(cause) => self.unauthenticated(head, *cause, now),
            Verdict::Limited(limited) => limited_reply(head, *limited),
            Verdict::Busy => later(head, 503, "busy", BUSY_SECONDS),
        };
        reply.uncached()
    }

    /// The same for who makes of a 401 what is right: a navigation gets one, too.
    pub fn refusal_without_redirect(
        &self,
        head: &RequestHead<'_>,
        verdict: &Verdict,
        now: u64,
    ) -> Reply {
        match verdict {
            Verdict::Challenge(cause) => self.unauthorized(head, *cause, now).uncached(),
            verdict => self.refusal(head, verdict, now),
        }
    }

    /// What another proxy gets that asks whether to let a request pass, and may: who it is, in the
    /// fields that applications read; without a verdict nobody.
    pub fn verified(&self, verdict: Option<&Verdict>) -> Reply {
        let reply = Reply::empty(204).uncached();
        let Some(identity) = verdict.and_then(Verdict::admitted) else { return reply };
        let user = self.active_user(identity.user());
        let groups = user.map(|user| user.groups.join(",")).unwrap_or_default();
        let reply = reply.header("Remote-User", identity.user().into());
        let reply = reply.header("X-Forwarded-User", identity.user().into());
        match groups.is_empty() {
            true => reply,
            false => {
                reply.header("Remote-Groups", groups.clone()).header("X-Forwarded-Groups", groups)
            }
        }
    }

    /// What a request from nobody gets: a navigation is sent to the login page, anything else 401,
    /// and so is what a login would not help: a refused credential in `Authorization`, a gate that takes
    /// no cookie.
    fn unauthenticated(&self, head: &RequestHead<'_>, cause: Cause, now: u64) -> Reply {
        let login_helps = self.settings.accept.cookie() && self.presented(head).is_none();
        if login_helps && negotiate::is_navigation(head) {
            let reply = Reply::redirect(302, self.login_location(head, cause, now));
            return self.with_reason(reply, head, cause);
        }
        self.unauthorized(head, cause, now)
    }

    fn unauthorized(&self, head: &RequestHead<'_>, cause: Cause, now: u64) -> Reply {
        let login = self.login_location(head, cause, now);
        let reply = match Format::of(head) {
            Format::Json => unauthenticated_json(&login),
            Format::Html => unauthenticated_page(&login),
            Format::Text => Reply::text(401, "unauthenticated"),
        };
        let reply = reply.header("WWW-Authenticate", self.challenge(head));
        self.with_reason(reply, head, cause)
    }

    /// Adds the line for the log.
    fn with_reason(&self, reply: Reply, head: &RequestHead<'_>, cause: Cause) -> Reply {
        let reason = match (cause, self.presented(head)) {
            (Cause::Missing, _) => return reply,
            // A failed check has its own line.
            (Cause::BadPassword | Cause::UnknownUser, Some(Presented::Basic(_))) => return reply,
            (reason, _) => reason,
        };
        reply.event(Event::TokenRefused { reason, realm: self.settings.name.clone() })
    }

    /// `WWW-Authenticate` (RFC 9110, section 11.6.1; RFC 6750, section 3; RFC 7617, section 2). Basic
    /// only where nothing says that a browser asks: it would open a password box of its own.
    pub fn challenge(&self, head: &RequestHead<'_>) -> String {
        let (accept, realm) = (self.settings.accept, &self.settings.name);
        let token_failed = matches!(self.presented(head), Some(Presented::Token(_)));
        if token_failed {
            return format!("Bearer realm=\"{realm}\", error=\"invalid_token\"");
        }
        if accept.basic() && !negotiate::says_browser(head) {
            return format!("Basic realm=\"{realm}\", charset=\"UTF-8\"");
        }
        let scheme = if accept.bearer() { "Bearer" } else { "Cookie" };
        format!("{scheme} realm=\"{realm}\"")
    }

    /// What a user gets who may not: another login would not help, so none is offered, but who has more
    /// than one account can sign out.
    fn forbidden(&self, head: &RequestHead<'_>, identity: &Identity) -> Reply {
        let reply = match Format::of(head) {
            Format::Json => Reply::json(403, &serde_json::json!({ "error": "forbidden" })),
            Format::Html => {
                let text =
                    format!("You are signed in as {}, who may not see this.", identity.user());
                let logout = self.path("logout");
                let link = identity.session().map(|_| (&*logout, "Sign out"));
                Reply::html(403, page::message("Not allowed", &text, link))
            }
            Format::Text => Reply::text(403, "forbidden"),
        };
        let by_token = matches!(self.presented(head), Some(Presented::Token(_)));
        let realm = &self.settings.name;
        let reply = match by_token {
            true => reply.header(
                "WWW-Authenticate",
                format!("Bearer realm=\"{realm}\", error=\"insufficient_scope\""),
            ),
            false => reply,
        };
        reply.event(Event::Forbidden { user: identity.user().into(), realm: realm.clone() })
    }
}

fn unauthenticated_json(login: &str) -> Reply {
    Reply::json(401, &serde_json::json!({ "error": "unauthenticated", "login": login }))
}

fn unauthenticated_page(login: &str) -> Reply {
    let text = "You are not signed in, or your session has ended.";
    Reply::html(401, page::message("Please sign in", text, Some((login, "Sign in"))))
}

fn limited_reply(head: &RequestHead<'_>, limited: Limited) -> Reply {
    later(head, 429, "limited", limited.seconds)
}

fn later(head: &RequestHead<'_>, status: u16, error: &str, seconds: u32) -> Reply {
    let reply = match Format::of(head) {
        Format::Json => Reply::json(status, &serde_json::json!({ "error": error })),
        _ => problem(
            head,
            status,
            "Please try again later",
            &format!("{error}, try again in {seconds} s"),
        ),
    };
    reply.header("Retry-After", seconds.to_string())
}
