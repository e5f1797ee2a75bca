//! The gate's cookies: names, reading, removing, `Set-Cookie` (RFC 6265bis).

use core::cmp::Ordering;
use core::fmt::{self, Write as _};

/// `SameSite` (RFC 6265bis, section 4.1.2.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SameSite {
    /// `Lax`
    #[default]
    Lax,
    /// `Strict`
    Strict,
    /// `None`
    None,
}

impl fmt::Display for SameSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lax => "Lax",
            Self::Strict => "Strict",
            Self::None => "None",
        })
    }
}

/// When cookies take their TLS form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Secure {
    /// On TLS connections.
    #[default]
    Auto,
    /// Always: TLS ends in front.
    On,
    /// Never.
    Off,
}

/// How many cookies of our name are looked at in one request.
pub const MAX_CANDIDATES: usize = 4;
/// The longest value that is handed on, in bytes.
pub const MAX_VALUE: usize = 1024;

/// The `cookie` directive of a realm, names prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieSettings {
    session: Names,
    device: Names,
    domain: Option<Box<str>>,
    same_site: SameSite,
    secure: Secure,
}

/// A mistake in the `cookie` directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CookieError {
    /// Not a token of RFC 9110.
    #[error("invalid cookie name")]
    InvalidName,
    /// `__Host-` or `__Secure-` written by hand.
    #[error("cookie name must not have a \"__Host-\" or \"__Secure-\" prefix, it is added")]
    PrefixInName,
    /// Not a host name.
    #[error("invalid cookie domain")]
    InvalidDomain,
    /// Browsers drop `SameSite=None` cookies without `Secure`.
    #[error("\"samesite=none\" requires \"secure=on\"")]
    InsecureSameSiteNone,
}

impl CookieSettings {
    /// Checks and prepares.
    ///
    /// # Errors
    /// `__Host-`/`__Secure-` written in the name, a name or domain that cannot stand in a cookie,
    /// `samesite=none` without `secure=on`.
    pub fn new(
        name: &str,
        domain: Option<&str>,
        same_site: SameSite,
        secure: Secure,
    ) -> Result<Self, CookieError> {
        check_name(name)?;
        if same_site == SameSite::None && secure != Secure::On {
            return Err(CookieError::InsecureSameSiteNone);
        }
        Ok(Self {
            session: Names::of(name.to_owned()),
            device: Names::of(format!("{name}-device")),
            domain: domain.map(checked_domain).transpose()?.map(Box::from),
            same_site,
            secure,
        })
    }

    /// The domain to whose hosts the cookie goes; `None`: to the host alone that set it.
    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }

    /// Whether the cookies have their TLS form on this connection: what sets them there is not
    /// meant for plain HTTP.
    pub fn in_tls_form(&self, tls: bool) -> bool {
        match self.secure {
            Secure::Auto => tls,
            Secure::On => true,
            Secure::Off => false,
        }
    }

    /// The name written and read on this connection.
    pub fn name(&self, tls: bool) -> &str {
        self.written(&self.session, tls)
    }

    /// The name of the device cookie on this connection.
    pub fn device_name(&self, tls: bool) -> &str {
        self.written(&self.device, tls)
    }

    /// Whether some cookie of these settings has the name of one of `other`: two such realms
    /// cannot share a server.
    pub fn collides_with(&self, other: &Self) -> bool {
        other.all_names().any(|theirs| self.all_names().any(|ours| ours == theirs))
    }

    /// The value of `Set-Cookie` that stores `token` for `max_age` seconds.
    pub fn set(&self, tls: bool, token: &str, max_age: u64) -> String {
        self.set_cookie(self.name(tls), tls, token, max_age)
    }

    /// The value of `Set-Cookie` that stores the device's `token` for `max_age` seconds.
    pub fn set_device(&self, tls: bool, token: &str, max_age: u64) -> String {
        self.set_cookie(self.device_name(tls), tls, token, max_age)
    }

    /// The value of `Set-Cookie` that removes the cookie.
    pub fn clear(&self, tls: bool) -> String {
        self.set(tls, "", 0)
    }

    /// The values of our cookie in these `Cookie` lines: the first four; of them a value over
    /// 1 KiB is left out.
    pub fn candidates<'a>(
        &self,
        tls: bool,
        lines: &[&'a [u8]],
    ) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        values(self.name(tls), lines)
    }

    /// The values of the device cookie, as in [`Self::candidates`].
    pub fn device_candidates<'a>(
        &self,
        tls: bool,
        lines: &[&'a [u8]],
    ) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        values(self.device_name(tls), lines)
    }

    fn written<'s>(&self, names: &'s Names, tls: bool) -> &'s str {
        // `__Host-` forbids the attribute Domain (RFC 6265bis, section 4.1.3.2).
        let prefixed = self.in_tls_form(tls) && self.domain.is_none();
        if prefixed { &names.prefixed } else { &names.plain }
    }

    fn set_cookie(&self, name: &str, tls: bool, token: &str, max_age: u64) -> String {
        let mut cookie = format!("{name}={token}; Path=/");
        if let Some(domain) = &self.domain {
            cookie.push_str("; Domain=");
            cookie.push_str(domain);
        }
        if self.in_tls_form(tls) {
            cookie.push_str("; Secure");
        }
        // Writing to a String cannot fail.
        let _ = write!(cookie, "; HttpOnly; SameSite={}; Max-Age={max_age}", self.same_site);
        cookie
    }

    fn all_names(&self) -> impl Iterator<Item = &str> {
        [&self.session, &self.device].into_iter().flat_map(|names| [&*names.plain, &names.prefixed])
    }
}

/// The cookies of all realms of a server, session and device, in both forms of their names.
#[derive(Debug, Clone, Default)]
pub struct GateCookies {
    /// In the order of [`by_length`].
    names: Vec<Box<[u8]>>,
    /// A bit for each length, below 64, that a name has: most others are told by theirs.
    lengths: u64,
}

/// What is left of a `Cookie` line.
#[derive(Debug, PartialEq, Eq)]
pub enum Stripped<'o> {
    /// All of it: it names none of the gate's cookies.
    Whole,
    /// The others, maybe none.
    Rest(&'o [u8]),
}

impl GateCookies {
    /// Adds those of a realm.
    pub fn add(&mut self, settings: &CookieSettings) {
        for name in settings.all_names() {
            self.lengths |= length_bit(name.len());
            if let Err(place) = self.find(name.as_bytes()) {
                self.names.insert(place, name.as_bytes().into());
            }
        }
    }

    /// A `Cookie` line without them, the others byte for byte. What is kept begins with a cookie, and
    /// lies in the `room` that is asked for where any is kept, as long as `line`. `None` where there
    /// is none.
    pub fn strip<'o>(
        &self,
        line: &[u8],
        room: impl FnOnce() -> Option<&'o mut [u8]>,
    ) -> Option<Stripped<'o>> {
        let mut all = pieces(line);
        let Some(first) = all.find(|piece| self.include(piece)) else {
            return Some(Stripped::Whole);
        };
        // Up to the semicolon before it.
        let before = first.as_ptr().addr() - line.as_ptr().addr();
        let head = before.checked_sub(1).and_then(|end| line.get(..end));
        let others = all.filter(|piece| !self.include(piece));
        let mut others = head.into_iter().flat_map(pieces).chain(others).peekable();
        if others.peek().is_none() {
            return Some(Stripped::Rest(&[]));
        }
        let mut kept = Kept { out: room()?, length: 0 };
        for piece in others {
            kept.push(piece)?;
        }
        kept.out.get(..kept.length).map(Stripped::Rest)
    }

    /// Whether a `Set-Cookie` value sets one of them.
    pub fn are_set_by(&self, set_cookie: &[u8]) -> bool {
        // RFC 6265bis, section 5.6: up to the first `;`, name and value trimmed.
        let pair = pieces(set_cookie).next().unwrap_or_default();
        match split_pair(pair) {
            // A cookie without a name is sent back as its bare value, which may read `NAME=…`.
            Some((name, value)) if trim(name).is_empty() => self.include(value),
            Some((name, _)) => self.have(trim(name)),
            None => false,
        }
    }

    fn include(&self, piece: &[u8]) -> bool {
        split_pair(piece).is_some_and(|(name, _)| self.have(trim_start(name)))
    }

    fn have(&self, name: &[u8]) -> bool {
        self.lengths & length_bit(name.len()) != 0 && self.find(name).is_ok()
    }

    /// Its place, or where it would be: as many steps as the number of names has digits.
    fn find(&self, name: &[u8]) -> Result<usize, usize> {
        self.names.binary_search_by(|ours| by_length(ours, name))
    }
}

fn by_length(a: &[u8], b: &[u8]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn length_bit(length: usize) -> u64 {
    1 << length.min(63)
}

/// Both forms of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Names {
    plain: Box<str>,
    prefixed: Box<str>,
}

impl Names {
    fn of(name: String) -> Self {
        Self { prefixed: format!("__Host-{name}").into(), plain: name.into() }
    }
}

fn check_name(name: &str) -> Result<(), CookieError> {
    // RFC 9110, section 5.6.2.
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(CookieError::InvalidName);
    }
    // Browsers know the prefixes in any case (RFC 6265bis, section 5.7).
    let name = name.to_ascii_lowercase();
    if name.starts_with("__host-") || name.starts_with("__secure-") {
        return Err(CookieError::PrefixInName);
    }
    Ok(())
}

/// A host name in ASCII. A leading dot says nothing (RFC 6265bis, section 5.6.3).
fn checked_domain(domain: &str) -> Result<&str, CookieError> {
    let domain = domain.strip_prefix('.').unwrap_or(domain);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let well_formed = domain.len() <= 253 && domain.split('.').all(is_label);
    if well_formed { Ok(domain) } else { Err(CookieError::InvalidDomain) }
}

/// The first values of the cookie `name`, over all lines. Gathered at once, so that the iterator
/// borrows nothing but the request; a request full of our cookies costs no more than any other.
fn values<'a>(name: &str, lines: &[&'a [u8]]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let mut found = lines
        .iter()
        .flat_map(|line| pieces(line))
        .filter_map(|piece| split_pair(trim(piece)))
        .filter_map(|(found, value)| (found == name.as_bytes()).then_some(value));
    let first: [Option<&[u8]>; MAX_CANDIDATES] = core::array::from_fn(|_| found.next());
    first.into_iter().flatten().filter(|value| value.len() <= MAX_VALUE)
}

/// A line cut at its semicolons. Commas, quotes, backslashes and `$Version` mean nothing
/// (RFC 6265bis, section 4.2.1).
fn pieces(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    core::iter::from_fn(move || {
        let line = rest?;
        let end = find(b';', line);
        rest = end.and_then(|end| line.get(end + 1..));
        line.get(..end.unwrap_or(line.len()))
    })
}

fn split_pair(piece: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = find(b'=', piece)?;
    let (name, value) = piece.split_at_checked(equals)?;
    Some((name, value.get(1..)?))
}

/// Where the first `wanted` is. The first bytes are looked at here: a line may be of nothing but
/// semicolons, and memchr is made for long ways.
#[inline]
fn find(wanted: u8, text: &[u8]) -> Option<usize> {
    const NEAR: usize = 3;
    for index in 0..NEAR {
        if *text.get(index)? == wanted {
            return Some(index);
        }
    }
    memchr::memchr(wanted, text.get(NEAR..)?).map(|index| NEAR + index)
}

fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

/// Without spaces and tabs around it. Not `trim_ascii`, which takes form feeds too.
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// The part of a `Cookie` line that goes on.
struct Kept<'o> {
    out: &'o mut [u8],
    length: usize,
}

impl Kept<'_> {
    /// Adds a piece; what comes first loses the blanks that stood between it and its semicolon.
    fn push(&mut self, piece: &[u8]) -> Option<()> {
        if self.length == 0 {
            let blanks = piece.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            return self.write(piece.get(blanks..)?);
        }
        self.write(b";")?;
        self.write(piece)
    }

    fn write(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.length.checked_add(bytes.len())?;
        self.out.get_mut(self.length..end)?.copy_from_slice(bytes);
        self.length = end;
        Some(())
    }
}
