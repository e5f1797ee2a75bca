//! The request that another proxy asks about, as it tells it: `X-Original-URL` and
//! `X-Original-Method`, or `X-Forwarded-Method`, `-Proto`, `-Host` and `-Uri`.

use crate::hosts::HostAndPort;
use crate::request::{Method, RequestHead, Scheme};

/// The longest value, in bytes, that is read.
const MAX_VALUE: usize = 8192;

/// What stands under one name of a request's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// Nothing.
    Absent,
    /// One line, without surrounding white space.
    One(&'a [u8]),
    /// Several lines.
    Several,
}

/// Looks header lines up by their lower-case name.
pub type Lines<'a> = &'a dyn Fn(&str) -> Line<'a>;

/// Where the fields come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A proxy that the realm names (`forwarded`).
    Trusted,
    /// Anyone else, nginx's own subrequests included.
    Untrusted,
}

/// The request that a proxy asks about. What it does not tell is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Original<'a> {
    /// The method's name.
    pub method: Option<&'a str>,
    /// The scheme.
    pub scheme: Option<Scheme>,
    /// Host and port.
    pub host: Option<HostAndPort<'a>>,
    /// Path and query, as the client sent them.
    pub target: &'a [u8],
}

impl<'a> Original<'a> {
    /// Reads the fields. `None`, the request is unknown, where the peer is not trusted, no target
    /// is told, or any of the fields is malformed, there twice, or contradicts another: what one
    /// kind of proxy sets, another lets through from its clients.
    pub fn read(lines: Lines<'a>, peer: Peer) -> Option<Self> {
        if peer == Peer::Untrusted {
            return None;
        }
        let (original, forwarded) = (Told::by_original(lines)?, Told::by_forwarded(lines)?);
        if original.contradicts(&forwarded) {
            return None;
        }
        original.whole().or_else(|| forwarded.whole())
    }

    /// The head of the request that is asked about, where `asking` is the head of the one that asks.
    pub fn head<'h>(&self, asking: &RequestHead<'h>) -> RequestHead<'h>
    where
        'a: 'h,
    {
        let method_name = self.method.unwrap_or_default().as_bytes();
        RequestHead {
            method: self.method.map_or(asking.method, |name| Method::named(name.as_bytes())),
            method_name,
            target: Some(self.target),
            query: self.target.splitn(2, |&byte| byte == b'?').nth(1).unwrap_or_default(),
            host: self.host.map(|host| host.text.as_bytes()),
            scheme: self.scheme,
            ..*asking
        }
    }
}

/// What one set of fields tells.
#[derive(Clone, Copy)]
struct Told<'a> {
    method: Option<&'a str>,
    scheme: Option<Scheme>,
    host: Option<HostAndPort<'a>>,
    target: Option<&'a [u8]>,
}

impl<'a> Told<'a> {
    /// `X-Original-URL`, an absolute URL or a path, and `X-Original-Method`. `None`: malformed.
    fn by_original(lines: Lines<'a>) -> Option<Self> {
        let method = read(lines("x-original-method"), method)?;
        let url = read(lines("x-original-url"), url)?;
        Some(url.map_or(Self { method, ..Self::NOTHING }, |url| Self { method, ..url }))
    }

    /// `X-Forwarded-Method`, `-Proto`, `-Host` and `-Uri`. `None`: malformed.
    fn by_forwarded(lines: Lines<'a>) -> Option<Self> {
        Some(Self {
            method: read(lines("x-forwarded-method"), method)?,
            scheme: read(lines("x-forwarded-proto"), scheme)?,
            host: read(lines("x-forwarded-host"), host)?,
            target: read(lines("x-forwarded-uri"), target)?,
        })
    }

    const NOTHING: Self = Self { method: None, scheme: None, host: None, target: None };

    fn contradicts(&self, other: &Self) -> bool {
        differ(self.method, other.method)
            || differ(self.scheme, other.scheme)
            || differ(self.host.map(|read| read.text), other.host.map(|read| read.text))
            || differ(self.target, other.target)
    }

    fn whole(&self) -> Option<Original<'a>> {
        let Self { method, scheme, host, target } = *self;
        Some(Original { method, scheme, host, target: target? })
    }
}

fn differ<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

/// A field's value, read: `Some(None)` where the field is absent, `None` where it is malformed.
fn read<'a, T>(line: Line<'a>, read: impl FnOnce(&'a [u8]) -> Option<T>) -> Option<Option<T>> {
    match line {
        Line::Absent => Some(None),
        Line::One(value) if value.len() <= MAX_VALUE => read(value).map(Some),
        Line::One(_) | Line::Several => None,
    }
}

/// A token (RFC 9110, section 9.1): a list of two is none.
fn method(text: &[u8]) -> Option<&str> {
    let is_token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    let text = std::str::from_utf8(text).ok()?;
    (!text.is_empty() && text.as_bytes().iter().all(is_token)).then_some(text)
}

fn scheme(text: &[u8]) -> Option<Scheme> {
    match text {
        // Some proxies tell of a WebSocket handshake so.
        b"http" | b"ws" => Some(Scheme::Http),
        b"https" | b"wss" => Some(Scheme::Https),
        _ => None,
    }
}

fn host(text: &[u8]) -> Option<HostAndPort<'_>> {
    std::str::from_utf8(text).ok().and_then(HostAndPort::read)
}

/// Path and query: begins with `/`, without blanks and control bytes.
fn target(text: &[u8]) -> Option<&[u8]> {
    let is_sent = |byte: &u8| *byte > b' ' && *byte != 0x7f;
    (text.starts_with(b"/") && text.iter().all(is_sent)).then_some(text)
}

fn url(text: &[u8]) -> Option<Told<'_>> {
    if text.starts_with(b"/") {
        return Some(Told { target: Some(target(text)?), ..Told::NOTHING });
    }
    let (scheme, rest) = split_once(text, b"://")?;
    let (authority, path) = rest.split_at_checked(memchr::memchr(b'/', rest)?)?;
    Some(Told {
        method: None,
        scheme: Some(self::scheme(scheme)?),
        host: Some(host(authority)?),
        target: Some(target(path)?),
    })
}

fn split_once<'a>(text: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (before, rest) = text.split_at_checked(memchr::memmem::find(text, at)?)?;
    Some((before, rest.strip_prefix(at)?))
}
