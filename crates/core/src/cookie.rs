//! The gate's cookies: names, reading, removing, `Set-Cookie` (RFC 6265bis).

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

/// The `cookie` directive of a realm, names prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieSettings {/* built by new(); names computed once */}

/// A mistake in the `cookie` directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CookieError {
    /// Not a token of RFC 9110.
    #[error("invalid cookie name")]
    InvalidName,
}

impl CookieSettings {
    /// Checks and prepares.
    ///
    /// # Errors
    /// `__Host-`/`__Secure-` written in the name, a name or domain that cannot stand in a cookie,
    /// `samesite=none` without `secure=on`.
    pub fn new(
        _name: &str,
        _domain: Option<&str>,
        _same_site: SameSite,
        _secure: Secure,
    ) -> Result<Self, CookieError> {
        todo!()
    }

    /// The name written and read on this connection.
    pub fn name(&self, _tls: bool) -> &str {
        todo!()
    }

    /// The value of `Set-Cookie` that stores `token` for `max_age` seconds.
    pub fn set(&self, _tls: bool, _token: &str, _max_age: u64) -> String {
        todo!()
    }

    /// The value of `Set-Cookie` that removes the cookie.
    pub fn clear(&self, _tls: bool) -> String {
        todo!()
    }

    /// The values of our cookie in these `Cookie` lines: the first four, each at most 1 KiB.
    pub fn candidates<'a>(
        &self,
        _tls: bool,
        _lines: &[&'a [u8]],
    ) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        core::iter::empty()
    }

    /// Whether a `Cookie` line names any of the gate's cookies, session or device, in any form.
    pub fn occurs_in(&self, _line: &[u8]) -> bool {
        todo!()
    }

    /// Copies `line` without the gate's cookies to `out` (at least as long as `line`), the others
    /// byte for byte; how many bytes were written, 0 where none is left.
    pub fn strip(&self, _line: &[u8], _out: &mut [u8]) -> usize {
        todo!()
    }

    /// Whether a `Set-Cookie` value sets one of the gate's cookies.
    pub fn is_set_by(&self, _set_cookie: &[u8]) -> bool {
        todo!()
    }
}
