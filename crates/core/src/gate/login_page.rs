//! Where the login page is, and how it learns where to go back to.

use super::{Cause, Gate};
use crate::hosts::HostAndPort;
use crate::request::{RequestHead, Scheme};
use crate::return_path::{self, MAX_LENGTH};
use crate::token::inspect;

impl Gate<'_> {
    /// The login page of this realm: another server's where the realm names one.
    pub(crate) fn login_page_at(&self) -> String {
        let elsewhere = self.settings.login_url.as_ref();
        elsewhere.map_or_else(|| self.path("login"), |login| login.as_str().to_owned())
    }

    /// Where a request that was refused at `now` finds the login page that leads back to it.
    pub(super) fn login_location(&self, head: &RequestHead<'_>, cause: Cause, now: u64) -> String {
        let mut query = Vec::new();
        if let Some(target) = self.place_of(head) {
            query.push(format!("rd={}", return_path::encode(&target)));
        }
        let refused = cause != Cause::Missing && self.presented(head).is_none();
        if self.settings.login_url.is_some() && refused {
            query.push(format!("after={}", self.newest_issue(head).unwrap_or(now)));
        }
        let login = self.login_page_at();
        if query.is_empty() { login } else { format!("{login}?{}", query.join("&")) }
    }

    /// What the login page takes for the place of a request: path and query, or, where it is another
    /// server's, the whole address. `None` where that is not known, is nobody's, or is so long that
    /// the login would not return there, and nginx might not take it.
    fn place_of(&self, head: &RequestHead<'_>) -> Option<Vec<u8>> {
        let target = head.target?;
        let origin = match self.settings.login_url {
            Some(_) => self.origin_of(head)?,
            None => String::new(),
        };
        let place = [origin.as_bytes(), target].concat();
        (place.len() <= MAX_LENGTH).then_some(place)
    }

    /// Scheme, host and port, where the host is one of the server's or listed: `Host` is what a client
    /// likes to say.
    fn origin_of(&self, head: &RequestHead<'_>) -> Option<String> {
        let host = HostAndPort::read_plain(str::from_utf8(head.host?).ok()?)?;
        let known = [head.server_names, &self.settings.return_hosts];
        if !known.iter().any(|hosts| hosts.allow(host.host)) {
            return None;
        }
        let https = head.tls || self.cookie().in_tls_form(head.tls);
        let scheme = head.scheme.unwrap_or(if https { Scheme::Https } else { Scheme::Http });
        Some(format!("{}://{}", scheme.as_str(), host.text))
    }

    /// When the newest of the session tokens was issued that the request presents, as they say
    /// themselves: it is not verified, and decides nothing but when a form is shown.
    fn newest_issue(&self, head: &RequestHead<'_>) -> Option<u64> {
        let tokens = self.cookie().candidates(head.tls, head.cookies);
        tokens.filter_map(|token| inspect(token).ok()).map(|token| token.issued_at).max()
    }
}
