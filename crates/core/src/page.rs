//! The pages: one HTML answer each, no external request, no script.

/// What the login page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Nothing: the first visit.
    None,
    /// Wrong user name or password.
    InvalidCredentials,
    /// Too many checks at once: try again in so many seconds.
    Busy(u32),
}

/// The login page. The same bytes whatever was wrong with the credentials.
pub fn login(
    _realm: &str,
    _action: &str,
    _return_to: &str,
    _username: &str,
    _notice: Notice,
) -> String {
    todo!()
}

/// The page that asks whether to sign out.
pub fn logout(_realm: &str, _action: &str, _user: &str) -> String {
    todo!()
}

/// A short page with a heading, a sentence and perhaps a link: refusals and mistakes.
pub fn message(_title: &str, _text: &str, _link: Option<(&str, &str)>) -> String {
    todo!()
}

/// The `Content-Security-Policy` of every page above.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'";
