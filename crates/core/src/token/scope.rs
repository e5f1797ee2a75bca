//! What an API token is limited to: methods, and paths with all that is below them. docs/TOKEN.md
//! has the bytes.

use crate::plain_path::{is_plain, plain_path};
use http::Method;

/// The limits of an API token, as they stand in it: well-formed, and none at all by default.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope<'a>(&'a [u8]);

impl<'a> Scope<'a> {
    /// What follows the user name in a payload. `None` where any of it is not a limit that is known
    /// here: a kind of later versions must not be passed over.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (kind, text, tail) = split(rest)?;
            kind.check(text).ok()?;
            rest = tail;
        }
        Some(Self(bytes))
    }

    pub(super) fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Whether there are no limits.
    pub fn is_unlimited(self) -> bool {
        self.0.is_empty()
    }

    /// Whether a request of this method and target, both as the client sent them, is within the
    /// limits. What is not a [`plain_path`] is below none of the paths.
    pub fn allows(self, method: &[u8], target: &[u8]) -> bool {
        any_or_none(self.methods(), |allowed| allowed.as_bytes() == method)
            && (self.paths().next().is_none() || self.allows_path(target))
    }

    fn allows_path(self, target: &[u8]) -> bool {
        let path = plain_path(target);
        path.is_some_and(|path| self.paths().any(|allowed| is_below(allowed, &path)))
    }

    /// The methods, in their order. None: any method.
    pub fn methods(self) -> impl Iterator<Item = &'a str> {
        self.texts(Kind::Method)
    }

    /// The paths, in their order. None: any path.
    pub fn paths(self) -> impl Iterator<Item = &'a str> {
        self.texts(Kind::Path)
    }

    fn texts(self, wanted: Kind) -> impl Iterator<Item = &'a str> {
        let mut rest = self.0;
        let limits = core::iter::from_fn(move || {
            let (kind, text, tail) = split(rest)?;
            rest = tail;
            Some((kind, text))
        });
        limits.filter(move |(kind, _)| *kind == wanted).map(|(_, text)| text)
    }
}

/// Limits to be put into a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeBuf(Vec<u8>);

/// Why something cannot be a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Not a token of RFC 9110, section 5.6.2.
    #[error("invalid method: it is a word such as GET")]
    Method,
    /// Not a plain path.
    #[error(
        "invalid path: it begins with \"/\", has no \"//\", \"/./\", \"/../\", and nothing of ? # \\ % (write it decoded), nor what looks like them"
    )]
    Path,
    /// More than its length can tell.
    #[error("too long: a limit has at most 255 bytes")]
    TooLong,
}

impl ScopeBuf {
    /// Also allows this method.
    ///
    /// # Errors
    /// Why it cannot be a limit.
    pub fn add_method(&mut self, method: &str) -> Result<(), ScopeError> {
        self.add(Kind::Method, method)
    }

    /// Also allows this path and what is below it.
    ///
    /// # Errors
    /// Why it cannot be a limit.
    pub fn add_path(&mut self, path: &str) -> Result<(), ScopeError> {
        self.add(Kind::Path, path)
    }

    /// The limits, to be looked at or signed.
    pub fn as_scope(&self) -> Scope<'_> {
        Scope(&self.0)
    }

    fn add(&mut self, kind: Kind, text: &str) -> Result<(), ScopeError> {
        kind.check(text)?;
        let length = u8::try_from(text.len()).map_err(|_| ScopeError::TooLong)?;
        if !self.as_scope().texts(kind).any(|present| present == text) {
            self.0.extend([kind as u8, length]);
            self.0.extend(text.bytes());
        }
        Ok(())
    }
}

impl From<Scope<'_>> for ScopeBuf {
    fn from(scope: Scope<'_>) -> Self {
        Self(scope.0.to_vec())
    }
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum Kind {
    Method = 1,
    Path = 2,
}

impl Kind {
    fn check(self, text: &str) -> Result<(), ScopeError> {
        match self {
            Self::Method if Method::from_bytes(text.as_bytes()).is_err() => Err(ScopeError::Method),
            Self::Path if !is_plain(text) => Err(ScopeError::Path),
            _ => Ok(()),
        }
    }
}

/// The limit that the bytes begin with, and what follows it.
fn split(bytes: &[u8]) -> Option<(Kind, &str, &[u8])> {
    let (&[kind, length], rest) = bytes.split_first_chunk()?;
    let kind = match kind {
        1 => Kind::Method,
        2 => Kind::Path,
        _ => return None,
    };
    let (text, tail) = rest.split_at_checked(usize::from(length))?;
    Some((kind, core::str::from_utf8(text).ok()?, tail))
}

fn any_or_none<'a>(limits: impl Iterator<Item = &'a str>, holds: impl Fn(&str) -> bool) -> bool {
    let mut limits = limits.peekable();
    limits.peek().is_none() || limits.any(holds)
}

/// As cookie paths match (RFC 6265, section 5.1.4).
fn is_below(allowed: &str, path: &str) -> bool {
    let Some(below) = path.strip_prefix(allowed) else { return false };
    allowed.ends_with('/') || below.is_empty() || below.starts_with('/')
}
