//! The login page of another server (`login_url`).

use crate::hosts::HostAndPort;
use crate::return_path::ReturnPath;

/// An absolute http or https URL: host and path, no user information, query or fragment. It stands
/// in `Location`, in HTML and in JSON as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginUrl {
    url: String,
    /// Up to the path.
    origin: String,
    host: String,
}

impl LoginUrl {
    /// Reads one; `None` where it is anything else. The path is one that stays on its host whatever
    /// parses it.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (authority, path) = rest.split_at_checked(rest.find('/')?)?;
        let host = HostAndPort::read(authority)?.host.to_owned();
        // No gate is meant: the login page of one is what the URL names.
        let stays = ReturnPath::accept(path.as_bytes(), "").is_some();
        let known = matches!(scheme, "http" | "https") && stays && !path.contains(['?', '#']);
        let origin = format!("{scheme}://{authority}");
        known.then(|| Self { url: text.into(), origin, host })
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> &str {
        &self.origin
    }
    /// The host, without its port.
    pub fn host(&self) -> &str {
        &self.host
    }
}
