//! Answers that the gate gives itself, and what goes with them.

use crate::event::Event;
use crate::journal::Record;
use crate::page;
use crate::status::Status;

/// A whole answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// `Content-Type`; `None` where there is no body.
    pub content_type: Option<&'static str>,
    /// The body.
    pub body: String,
    /// Further fields: these names are on the answer as often as here, whatever the configuration
    /// adds; only `Set-Cookie` may stand twice.
    pub headers: Vec<(&'static str, String)>,
    /// What ends before the answer goes out.
    pub ends: Vec<Record>,
    /// A line for the log.
    pub event: Option<Event>,
    /// How a sign-in or a sign-out ended.
    pub outcome: Option<Status>,
}

const CSP: &str = "Content-Security-Policy";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

impl Reply {
    /// A page.
    pub fn html(status: u16, body: String) -> Self {
        let headers = vec![
            (CSP, page::CONTENT_SECURITY_POLICY.to_owned()),
            // Twice the CSP's frame-ancestors, for browsers without it.
            ("X-Frame-Options", "DENY".to_owned()),
            ("Referrer-Policy", "same-origin".to_owned()),
        ];
        Self { headers, ..Self::with_body(status, HTML, body) }
    }

    /// A JSON text.
    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::with_body(status, JSON, format!("{value}\n"))
    }

    /// Plain text.
    pub fn text(status: u16, body: &str) -> Self {
        Self::with_body(status, TEXT, format!("{body}\n"))
    }

    /// A redirect to a path on this host, or an URL that the configuration names (RFC 9110, 15.4).
    pub fn redirect(status: u16, location: String) -> Self {
        Self { headers: vec![("Location", location)], ..Self::empty(status) }
    }

    /// No body.
    pub fn empty(status: u16) -> Self {
        Self { content_type: None, ..Self::with_body(status, TEXT, String::new()) }
    }

    /// Adds a field.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Lets the page's form be answered with a redirect to `origin`, where there is one.
    #[must_use]
    pub fn with_form_to(mut self, origin: Option<&str>) -> Self {
        let policies = self.headers.iter_mut().filter(|(name, _)| *name == CSP);
        for ((_, policy), origin) in policies.zip(origin) {
            *policy = page::policy_with_form_to(origin);
        }
        self
    }

    /// Adds what every answer of the gate has: no cache keeps it, nobody guesses its type.
    #[must_use]
    pub fn uncached(self) -> Self {
        let reply = self.header("Cache-Control", "no-store".into());
        reply.header("X-Content-Type-Options", "nosniff".into())
    }

    /// Adds a line for the log.
    #[must_use]
    pub fn event(self, event: Event) -> Self {
        Self { outcome: Some(event.status()), event: Some(event), ..self }
    }

    /// Says how a sign-in ended of which the log has its line already.
    #[must_use]
    pub fn outcome(self, outcome: Status) -> Self {
        Self { outcome: Some(outcome), ..self }
    }

    /// Adds sessions to end.
    #[must_use]
    pub fn ending(self, sessions: Vec<Record>) -> Self {
        Self { ends: sessions, ..self }
    }

    pub(crate) fn with_body(status: u16, content_type: &'static str, body: String) -> Self {
        Self {
            status,
            content_type: Some(content_type),
            body,
            headers: Vec::new(),
            ends: Vec::new(),
            event: None,
            outcome: None,
        }
    }
}
