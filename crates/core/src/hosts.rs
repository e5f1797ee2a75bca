//! Names of hosts: patterns as in nginx's `server_name`, and `host[:port]` as a client writes it.

use core::fmt;
use core::net::Ipv4Addr;
use http::uri::Authority;

/// A name as nginx's `server_name` takes it, without regular expressions. In lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// `example.com`
    Exact(Box<str>),
    /// `.example.com`: itself and everything below.
    Domain(Box<str>),
    /// `*.example.com`: everything below.
    Below(Box<str>),
    /// `www.*`: any name that begins so.
    Beginning(Box<str>),
}

/// Not a host name, IPv4 address or wildcard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid host name or wildcard \"{0}\"")]
pub struct InvalidHost(pub String);

impl HostPattern {
    /// Reads what `return_hosts` takes: a host name, an IPv4 address, `.example.com` or
    /// `*.example.com`.
    ///
    /// # Errors
    /// [`InvalidHost`]: anything else, a port included.
    pub fn parse(text: &str) -> Result<Self, InvalidHost> {
        Self::read(text).ok_or_else(|| InvalidHost(text.into()))
    }

    /// Reads a name of nginx's `server_name`; `None` for what no host can be compared with here: a
    /// regular expression, the empty name, `_`.
    pub fn of_server(name: &str) -> Option<Self> {
        match name.strip_suffix(".*") {
            Some(beginning) => is_labels(beginning).then(|| Self::Beginning(lower(beginning))),
            None => Self::read(name),
        }
    }

    /// Whether a cookie of this domain goes to every host that is meant.
    pub fn is_within(&self, domain: &str) -> bool {
        match self {
            Self::Exact(name) | Self::Domain(name) | Self::Below(name) => is_within(name, domain),
            Self::Beginning(_) => false,
        }
    }

    fn read(text: &str) -> Option<Self> {
        if let Some(domain) = text.strip_prefix("*.") {
            is_domain(domain).then(|| Self::Below(lower(domain)))
        } else if let Some(domain) = text.strip_prefix('.') {
            is_domain(domain).then(|| Self::Domain(lower(domain)))
        } else {
            is_host(text).then(|| Self::Exact(lower(text)))
        }
    }

    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => host.eq_ignore_ascii_case(name),
            Self::Domain(name) => host.eq_ignore_ascii_case(name) || is_below(host, name),
            Self::Below(name) => is_below(host, name),
            Self::Beginning(name) => begins_with(host, name),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => write!(f, "{name}"),
            Self::Domain(name) => write!(f, ".{name}"),
            Self::Below(name) => write!(f, "*.{name}"),
            Self::Beginning(name) => write!(f, "{name}.*"),
        }
    }
}

/// Some hosts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hosts(Vec<HostPattern>);

impl Hosts {
    /// No host.
    pub const NONE: &'static Self = &Self(Vec::new());

    /// Each as it was read.
    pub fn iter(&self) -> impl Iterator<Item = &HostPattern> {
        self.0.iter()
    }

    /// Whether `host`, without a port, is among them. What is no host name and no IPv4 address
    /// never is.
    pub fn allow(&self, host: &str) -> bool {
        is_host(host) && self.0.iter().any(|pattern| pattern.matches(host))
    }
}

impl FromIterator<HostPattern> for Hosts {
    fn from_iter<I: IntoIterator<Item = HostPattern>>(patterns: I) -> Self {
        Self(patterns.into_iter().collect())
    }
}

/// `host[:port]` as a client writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostAndPort<'a> {
    /// All of it, as written.
    pub text: &'a str,
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    pub host: &'a str,
    /// The port, where one is written.
    pub port: Option<u16>,
}

impl<'a> HostAndPort<'a> {
    /// `host[:port]` and nothing else: no user information, no port that is not a number.
    pub fn read(text: &'a str) -> Option<Self> {
        let authority = Authority::try_from(text).ok().filter(|_| !text.contains('@'))?;
        let rest = text.strip_prefix(authority.host())?;
        let host = text.strip_suffix(rest)?;
        let port = match rest {
            "" => None,
            rest => Some(read_port(rest.strip_prefix(':')?)?),
        };
        Some(Self { text, host, port })
    }

    /// The same, where the host is a name or an IPv4 address that every parser of URLs reads as
    /// it stands.
    pub fn read_plain(text: &'a str) -> Option<Self> {
        Self::read(text).filter(|read| is_host(read.host))
    }
}

fn read_port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Whether a host is a name in ASCII, or an IPv4 address in its usual form. A name that ends in a
/// number is an address to a parser of URLs (WHATWG URL, section 3.5).
fn is_host(host: &str) -> bool {
    is_domain(host) || host.parse::<Ipv4Addr>().is_ok()
}

fn is_domain(name: &str) -> bool {
    is_labels(name) && !name.rsplit('.').next().is_some_and(is_number)
}

/// RFC 1123, section 2.1, as far as it keeps a name apart from all else: hyphens stand anywhere.
fn is_labels(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// In decimal or hexadecimal.
fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    label.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether a cookie of this domain goes to a host (RFC 6265bis, section 5.1.3): it has the same name,
/// or a name below and is no address.
pub(crate) fn is_within(host: &str, domain: &str) -> bool {
    let is_address = host.parse::<Ipv4Addr>().is_ok();
    host.eq_ignore_ascii_case(domain) || (!is_address && is_below(host, domain))
}

fn is_below(host: &str, domain: &str) -> bool {
    let labels = host.len().checked_sub(domain.len()).and_then(|at| host.split_at_checked(at));
    labels.is_some_and(|(labels, rest)| {
        labels.len() > 1 && labels.ends_with('.') && rest.eq_ignore_ascii_case(domain)
    })
}

fn begins_with(host: &str, beginning: &str) -> bool {
    host.split_at_checked(beginning.len()).is_some_and(|(labels, rest)| {
        labels.eq_ignore_ascii_case(beginning) && rest.len() > 1 && rest.starts_with('.')
    })
}

fn lower(name: &str) -> Box<str> {
    name.to_ascii_lowercase().into()
}
