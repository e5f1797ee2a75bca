//! Where a login returns to: a path on this host, an URL of a host that the realm lists, or `/`.

use crate::hosts::{HostAndPort, Hosts};
use crate::return_path::{MAX_LENGTH, ReturnPath};

/// Within which bounds a login may return.
#[derive(Clone, Copy)]
pub struct Bounds<'a> {
    /// Where the gate's own pages are.
    pub gate_path: &'a str,
    /// The hosts that the realm lists (`return_hosts`).
    pub hosts: &'a Hosts,
    /// The host that the request was sent to, without its port.
    pub own_host: Option<&'a str>,
    /// Which schemes an absolute URL may have.
    pub schemes: Schemes,
}

/// The schemes of an absolute URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schemes {
    /// `https`
    HttpsAlone,
    /// `http` and `https`
    HttpAndHttps,
}

/// A path and query on this host, or an absolute URL: nothing parses it for another host than the
/// one that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnTarget {
    text: String,
    /// The length of scheme, host and port; 0: a path on this host.
    origin: usize,
}

impl ReturnTarget {
    /// Takes `raw` as it stands, or `/` outside `bounds`.
    ///
    /// A path: see [`ReturnPath::parse`]. An absolute URL has a scheme in lower case, a host that is
    /// listed or the request's own, perhaps a port, and a path by the same rule; no user information;
    /// at most 2 KiB in all.
    pub fn parse(raw: &[u8], bounds: &Bounds<'_>) -> Self {
        Self::absolute(raw, bounds).unwrap_or_else(|| Self {
            text: ReturnPath::parse(raw, bounds.gate_path).as_str().to_owned(),
            origin: 0,
        })
    }

    /// `/`
    pub fn root() -> Self {
        Self { text: "/".to_owned(), origin: 0 }
    }

    /// The path or the URL, byte for byte as given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and port of an absolute URL.
    pub fn origin(&self) -> Option<&str> {
        self.text.get(..self.origin).filter(|origin| !origin.is_empty())
    }

    fn absolute(raw: &[u8], bounds: &Bounds<'_>) -> Option<Self> {
        let text = std::str::from_utf8(raw).ok().filter(|text| text.len() <= MAX_LENGTH)?;
        let rest = bounds.schemes.strip(text)?;
        let (authority, path) = rest.split_at_checked(rest.find('/')?)?;
        let host = HostAndPort::read_plain(authority)?.host;
        if !bounds.takes_host(host) {
            return None;
        }
        let path = ReturnPath::accept(path.as_bytes(), bounds.gate_path)?;
        let origin = text.len() - path.as_str().len();
        Some(Self { text: text.to_owned(), origin })
    }
}

impl Bounds<'_> {
    fn takes_host(&self, host: &str) -> bool {
        self.hosts.allow(host) || self.own_host.is_some_and(|own| own.eq_ignore_ascii_case(host))
    }
}

impl Schemes {
    fn strip(self, text: &str) -> Option<&str> {
        let https = text.strip_prefix("https://");
        match self {
            Self::HttpsAlone => https,
            Self::HttpAndHttps => https.or_else(|| text.strip_prefix("http://")),
        }
    }
}
