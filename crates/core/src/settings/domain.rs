//! Hosts that a login leads to, and the domain of its cookie: who is led to a host that the cookie
//! does not go to arrives there without a session, and is sent to the login again.

use super::{Settings, SettingsError};
use crate::hosts::{HostPattern, Hosts, is_within};
use crate::login_url::LoginUrl;

/// Compares the hosts with the domain of the cookie; without one there is nothing to compare.
pub(super) fn check(
    domain: Option<&str>,
    login_url: Option<&LoginUrl>,
    return_hosts: Option<&Hosts>,
) -> Result<(), SettingsError> {
    let Some(domain) = domain else { return Ok(()) };
    let outside = |directive, host: String| SettingsError::OutsideDomain {
        directive,
        host,
        domain: domain.into(),
    };
    if let Some(url) = login_url.filter(|url| !is_within(url.host(), domain)) {
        return Err(outside("login_url", url.host().into()));
    }
    match return_hosts.and_then(|hosts| first_outside(hosts, domain)) {
        None => Ok(()),
        Some(pattern) => Err(outside("return_hosts", pattern.to_string())),
    }
}

fn first_outside<'a>(hosts: &'a Hosts, domain: &str) -> Option<&'a HostPattern> {
    hosts.iter().find(|pattern| !pattern.is_within(domain))
}

/// Without a domain the cookie stays with the host that set it.
fn host_only_cookie(settings: &Settings) -> Option<SettingsWarning> {
    let first = settings.return_hosts.iter().next()?;
    match settings.cookie.domain() {
        Some(_) => None,
        None => Some(SettingsWarning::HostOnlyCookie(first.to_string())),
    }
}

impl SettingsError {
    /// The directive that the mistake is in, where it shows only when the block ends.
    pub fn directive(&self) -> Option<&'static str> {
        match self {
            Self::OutsideDomain { directive, .. } => Some(directive),
            _ => None,
        }
    }
}

/// What can hardly be meant, in nginx's phrases.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsWarning {
    /// `return_hosts`, the first of which this is, and a cookie without `domain=`.
    #[error(
        "\"return_hosts\" without \"domain=\" in \"cookie\": the session cookie stays with the host of the login \
             page, and who is sent back to \"{0}\" has no session there; give the cookie a domain that has both"
    )]
    HostOnlyCookie(String),
}

impl SettingsWarning {
    /// The directive that it is about.
    pub fn directive(&self) -> &'static str {
        match self {
            Self::HostOnlyCookie(_) => "return_hosts",
        }
    }
}

impl Settings {
    /// What is to be warned of.
    pub fn warnings(&self) -> impl Iterator<Item = SettingsWarning> {
        host_only_cookie(self).into_iter()
    }
}
