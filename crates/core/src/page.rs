//! The pages: one HTML answer each, no external request, no script. Templates and style are in
//! `templates/`; askama escapes every value.

use askama::Template;
use std::borrow::Cow;

/// What the login page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Nothing: the first visit.
    None,
    /// Wrong user name or password.
    InvalidCredentials,
    /// Too many checks at once: try again in so many seconds.
    Busy(u32),
    /// Too many failures: try again in so many seconds.
    Limited(u32),
    /// The session that the visitor had is over.
    Expired,
    /// It has been ended, by signing out or by an operator.
    Revoked,
    /// It has been ended by a change of the password.
    PasswordChanged,
}

impl Notice {
    /// How it is announced (WAI-ARIA), and its words.
    fn announced(self) -> Option<(&'static str, Cow<'static, str>)> {
        match self {
            Self::None => None,
            Self::InvalidCredentials => Some(("alert", "Wrong user name or password.".into())),
            Self::Busy(seconds) => {
                Some(("alert", later("Many people are signing in right now.", seconds)))
            }
            Self::Limited(seconds) => Some(("alert", later("Too many failed attempts.", seconds))),
            Self::Expired => {
                Some(("status", "Your session has ended. Please sign in again.".into()))
            }
            Self::Revoked => {
                Some(("status", "You have been signed out. Please sign in again.".into()))
            }
            Self::PasswordChanged => {
                Some(("status", "Your password has changed. Please sign in again.".into()))
            }
        }
    }
}

fn later(why: &str, seconds: u32) -> Cow<'static, str> {
    format!("{why} Please try again in {}.", duration(seconds)).into()
}

/// Rounded up: who comes back then does not come too early.
fn duration(seconds: u32) -> String {
    match seconds {
        0 | 1 => "a second".into(),
        2..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds.div_ceil(60)),
        7200..172_800 => format!("{} hours", seconds.div_ceil(3600)),
        _ => format!("{} days", seconds.div_ceil(86400)),
    }
}

/// The login page: the form posts to `action`, exactly as given, with `return_to` as `rd`. The same
/// bytes whatever was wrong with the credentials.
pub fn login(realm: &str, action: &str, return_to: &str, username: &str, notice: Notice) -> String {
    render(&Login { realm, action, return_to, username, notice: notice.announced() })
}

/// The page that asks whether to sign out: one button that posts to `action`, exactly as given.
pub fn logout(realm: &str, action: &str, user: &str) -> String {
    render(&Logout { realm, action, user })
}

/// A short page with a heading, a sentence and perhaps a link (where to, and its words): refusals
/// and mistakes.
pub fn message(title: &str, text: &str, link: Option<(&str, &str)>) -> String {
    render(&Message { title, text, link })
}

/// The `Content-Security-Policy` of every page above: this style, the icon in the page, a form that
/// posts to this host; nothing else, and no frame around it.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; \
     style-src 'sha256-2jfYXMEJfa5bgMQrIKcugd7HP1aDKniXJ/3WNCwDXN4='; \
     img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The same for a page whose form is answered with a redirect to `origin`: browsers apply
/// `form-action` to that too (Content Security Policy Level 3, section 6.4.1).
pub fn policy_with_form_to(origin: &str) -> String {
    CONTENT_SECURITY_POLICY.replace("form-action 'self'", &format!("form-action 'self' {origin}"))
}

#[derive(Template)]
#[template(path = "login.html")]
struct Login<'a> {
    realm: &'a str,
    action: &'a str,
    return_to: &'a str,
    username: &'a str,
    notice: Option<(&'static str, Cow<'static, str>)>,
}

#[derive(Template)]
#[template(path = "logout.html")]
struct Logout<'a> {
    realm: &'a str,
    action: &'a str,
    user: &'a str,
}

#[derive(Template)]
#[template(path = "message.html")]
struct Message<'a> {
    title: &'a str,
    text: &'a str,
    link: Option<(&'a str, &'a str)>,
}

/// Writing to a `String` does not fail, and no value here has a `Display` that does.
fn render(page: &impl Template) -> String {
    page.render().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c40_a_form_that_leads_elsewhere_changes_one_directive() {
        let policy = policy_with_form_to("https://app.example.com:8443");
        let directives = |policy: &str| policy.split("; ").map(str::to_owned).collect::<Vec<_>>();
        let (all, usual) = (directives(&policy), directives(CONTENT_SECURITY_POLICY));
        let changed: Vec<_> = all.iter().zip(&usual).filter(|(new, old)| new != old).collect();
        assert_eq!(all.len(), usual.len());
        let expected = "form-action 'self' https://app.example.com:8443".to_owned();
        assert_eq!(changed, [(&expected, &"form-action 'self'".to_owned())]);
    }
    use base64::{Engine, engine::general_purpose::STANDARD};
    use sha2::{Digest, Sha256};

    #[test]
    fn c40_the_policy_names_the_style_of_every_page() {
        let pages = [
            login("ops", "/authgate/login", "/", "", Notice::None),
            logout("ops", "/authgate/logout", "alice"),
            message("Not found", "There is no such page.", None),
        ];
        for page in pages {
            let (_, rest) = page.split_once("<style>").unwrap();
            let (style, rest) = rest.split_once("</style>").unwrap();
            assert!(!rest.contains("<style"));
            let source = format!("'sha256-{}'", STANDARD.encode(Sha256::digest(style)));
            assert!(CONTENT_SECURITY_POLICY.contains(&source), "the style is {source}");
        }
    }
}
