//! The settings of a realm: the directives inside `authgate_realm NAME { … }`, parsed once.

mod directives;
mod domain;

use crate::cookie::{CookieError, CookieSettings, SameSite, Secure};
use crate::hosts::Hosts;
use crate::hosts::InvalidHost;
use crate::limit::{DEFAULT_LIMITS, Limits};
use crate::login_url::LoginUrl;
use crate::peers::Peers;
use crate::token::MAX_LIFE;
use directives::Arguments;
pub use domain::SettingsWarning;

/// A realm's settings, immutable after `nginx -t`.
#[derive(Debug)]
pub struct Settings {
    /// The realm's name.
    pub name: String,
    /// The users file, as written in the configuration.
    pub users_file: String,
    /// The groups file, as written in the configuration.
    pub groups_file: Option<String>,
    /// The keys file; `None`: a key is generated.
    pub keys_file: Option<String>,
    /// Where the gate's own pages are: begins and ends with `/`.
    pub path: String,
    /// Another server's login page for the same realm.
    pub login_url: Option<LoginUrl>,
    /// Hosts, besides the request's own, that a login may return to.
    pub return_hosts: Hosts,
    /// Peers whose word is taken on the request that they ask about.
    pub forwarded: Peers,
    /// The session cookie.
    pub cookie: CookieSettings,
    /// How long sessions last.
    pub session: SessionTimes,
    /// How many password checks run and wait.
    pub checks: Checks,
    /// Shared memory, in bytes.
    pub zone_size: usize,
    /// How many logins may fail; `None`: any number.
    pub limits: Option<Limits>,
    /// Where ended sessions are kept across restarts, as written in the configuration.
    pub state_dir: Option<String>,
    /// Which credentials are taken.
    pub accept: Accept,
    /// How long, in seconds, a Basic credential that held needs no new check.
    pub basic_cache: u64,
    /// Whether weak hashes are taken.
    pub allow_weak: bool,
}

/// `session [idle=T] [max=T] [renew=any|navigation]`, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTimes {
    /// A session ends when unused for so long.
    pub idle: u64,
    /// A session ends so long after sign-in.
    pub max: u64,
    /// Which requests keep a session from ending by `idle`.
    pub renew: Renew,
}

/// `session renew=any|navigation`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renew {
    /// Every request.
    Any,
    /// Page navigations: what a page polls in the background does not count.
    Navigation,
}

/// `checks [pool=NAME] [running=N] [waiting=N]`, per worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checks {
    /// nginx's thread pool.
    pub pool: String,
    /// How many run at once.
    pub running: usize,
    /// How many wait.
    pub waiting: usize,
}

/// `accept [cookie] [bearer] [basic]`: the credentials that a realm takes. A set of one or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accept(u8);

impl Accept {
    /// The session cookie.
    pub const COOKIE: Self = Self(1);
    /// API tokens.
    pub const BEARER: Self = Self(2);
    /// User name and password with each request.
    pub const BASIC: Self = Self(4);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the session cookie is taken.
    pub fn cookie(self) -> bool {
        self.has(Self::COOKIE)
    }

    /// Whether API tokens are taken.
    pub fn bearer(self) -> bool {
        self.has(Self::BEARER)
    }

    /// Whether user name and password are taken with each request.
    pub fn basic(self) -> bool {
        self.has(Self::BASIC)
    }

    fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// A mistake in a directive, in nginx's phrases.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not a directive of this block.
    #[error("unknown directive \"{0}\"")]
    UnknownDirective(String),
    /// Given twice.
    #[error("\"{0}\" directive is duplicate")]
    Duplicate(&'static str),
    /// Too few or too many arguments.
    #[error("invalid number of arguments in \"{0}\" directive")]
    ArgumentCount(&'static str),
    /// An argument that means nothing.
    #[error("invalid parameter \"{parameter}\" in \"{directive}\" directive")]
    InvalidParameter {
        /// The directive.
        directive: &'static str,
        /// Its argument.
        parameter: String,
    },
    /// A realm's name.
    #[error(
        "invalid realm name \"{0}\": it is 1 to 64 letters, digits, \"_\", \"-\" or \".\", and not \"off\""
    )]
    InvalidName(String),
    /// The path.
    #[error("invalid path \"{0}\": it must begin and end with \"/\" and be a plain path")]
    InvalidPath(String),
    /// `return_hosts`
    #[error("{0} in \"return_hosts\" directive")]
    InvalidHost(#[from] InvalidHost),
    /// `login_url`
    #[error(
        "invalid URL \"{0}\" in \"login_url\" directive: it must be an absolute http or https URL with a path, \
             without user information, query and fragment"
    )]
    InvalidLoginUrl(String),
    /// `login_url` without what makes another server's session one of this server's.
    #[error("\"login_url\" requires {missing} in realm \"{realm}\"")]
    LoginUrlRequires {
        /// The directives that are not there.
        missing: &'static str,
        /// The realm.
        realm: String,
    },
    /// A host that the session cookie does not go to.
    #[error(
        "host \"{host}\" in \"{directive}\" is outside of the cookie's \"domain={domain}\": no session would be \
             known there, name hosts of that domain (no IP address is in one) or another domain"
    )]
    OutsideDomain {
        /// The directive that names the host.
        directive: &'static str,
        /// As it is written there.
        host: String,
        /// The cookie's.
        domain: String,
    },
    /// The cookie.
    #[error("{0}")]
    Cookie(#[from] CookieError),
    /// No users file.
    #[error("no \"users\" directive in realm \"{0}\"")]
    NoUsers(String),
    /// `session` times that contradict.
    #[error("session idle time is longer than its max time")]
    IdleOverMax,
    /// `session` times that outlive what has ended.
    #[error(
        "session max time is too long: what has ended is remembered for a year, use at most \"max=365d\""
    )]
    MaxTooLong,
    /// The zone.
    #[error("zone size {0} is too small: at least 64k is needed")]
    ZoneTooSmall(usize),
}

/// The directives of a block as they come, in any order.
#[derive(Debug)]
pub struct Builder {
    name: String,
    users: Option<String>,
    groups: Option<String>,
    keys: Option<String>,
    state: Option<String>,
    path: Option<String>,
    login_url: Option<LoginUrl>,
    return_hosts: Option<Hosts>,
    forwarded: Option<Peers>,
    cookie: Option<CookieSettings>,
    session: Option<SessionTimes>,
    limit: Option<Option<Limits>>,
    checks: Option<Checks>,
    zone: Option<usize>,
    accept: Option<Accept>,
    basic_cache: Option<u64>,
    allow_weak: Option<bool>,
}

/// The names of the directives, as an error or a caller names them.
pub const DIRECTIVES: [&str; 16] = [
    "users",
    "groups",
    "keys",
    "state",
    "path",
    "login_url",
    "return_hosts",
    "forwarded",
    "cookie",
    "session",
    "limit",
    "checks",
    "zone",
    "accept",
    "basic_cache",
    "allow_weak",
];

impl Builder {
    /// Begins the realm `name`.
    ///
    /// # Errors
    /// [`SettingsError::InvalidName`]: the name stands in headers, pages and the log.
    pub fn new(name: &str) -> Result<Self, SettingsError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        // `authgate off` names no realm.
        if name.is_empty() || name == "off" || name.len() > 64 || !name.bytes().all(plain) {
            return Err(SettingsError::InvalidName(name.into()));
        }
        Ok(Self {
            name: name.into(),
            users: None,
            groups: None,
            keys: None,
            state: None,
            path: None,
            login_url: None,
            return_hosts: None,
            forwarded: None,
            cookie: None,
            session: None,
            limit: None,
            checks: None,
            zone: None,
            accept: None,
            basic_cache: None,
            allow_weak: None,
        })
    }

    /// Takes one directive; gives its name back.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn directive(&mut self, name: &str, args: &[&str]) -> Result<&'static str, SettingsError> {
        let directive = DIRECTIVES
            .into_iter()
            .find(|known| *known == name)
            .ok_or_else(|| SettingsError::UnknownDirective(name.into()))?;
        let args = Arguments { directive, args };
        match directive {
            "users" => set(&mut self.users, directive, args.one()?.into())?,
            "groups" => set(&mut self.groups, directive, args.one()?.into())?,
            "keys" => set(&mut self.keys, directive, args.one()?.into())?,
            "state" => set(&mut self.state, directive, args.one()?.into())?,
            "path" => set(&mut self.path, directive, args.path()?)?,
            "login_url" => set(&mut self.login_url, directive, args.login_url()?)?,
            "return_hosts" => set(&mut self.return_hosts, directive, args.hosts()?)?,
            "forwarded" => set(&mut self.forwarded, directive, args.peers()?)?,
            "cookie" => set(&mut self.cookie, directive, args.cookie()?)?,
            "session" => set(&mut self.session, directive, args.session()?)?,
            "limit" => set(&mut self.limit, directive, args.limit()?)?,
            "checks" => set(&mut self.checks, directive, args.checks()?)?,
            "zone" => set(&mut self.zone, directive, args.zone()?)?,
            "accept" => set(&mut self.accept, directive, args.accept()?)?,
            "basic_cache" => set(&mut self.basic_cache, directive, args.time()?)?,
            _ => set(&mut self.allow_weak, directive, args.on_or_off()?)?,
        }
        Ok(directive)
    }

    /// Ends the block.
    ///
    /// # Errors
    /// [`SettingsError::NoUsers`], [`SettingsError::LoginUrlRequires`],
    /// [`SettingsError::OutsideDomain`], or a default that cannot be built.
    pub fn finish(self) -> Result<Settings, SettingsError> {
        self.check_login_url()?;
        let domain = self.cookie.as_ref().and_then(CookieSettings::domain);
        domain::check(domain, self.login_url.as_ref(), self.return_hosts.as_ref())?;
        let default_cookie =
            || CookieSettings::new("authgate", None, SameSite::default(), Secure::default());
        Ok(Settings {
            users_file: self.users.ok_or_else(|| SettingsError::NoUsers(self.name.clone()))?,
            groups_file: self.groups,
            name: self.name,
            keys_file: self.keys,
            path: self.path.unwrap_or_else(|| "/authgate/".into()),
            login_url: self.login_url,
            return_hosts: self.return_hosts.unwrap_or_default(),
            forwarded: self.forwarded.unwrap_or_default(),
            cookie: match self.cookie {
                Some(cookie) => cookie,
                None => default_cookie()?,
            },
            session: self.session.unwrap_or(DEFAULT_SESSION),
            checks: self.checks.unwrap_or_else(default_checks),
            zone_size: self.zone.unwrap_or(1024 * 1024),
            limits: self.limit.unwrap_or(Some(DEFAULT_LIMITS)),
            state_dir: self.state,
            accept: self.accept.unwrap_or(Accept::COOKIE.and(Accept::BEARER)),
            basic_cache: self.basic_cache.unwrap_or(5 * 60),
            allow_weak: self.allow_weak.unwrap_or(false),
        })
    }

    /// The login of another server counts here only where its cookie comes here and is signed with
    /// keys that are here too.
    fn check_login_url(&self) -> Result<(), SettingsError> {
        let with_domain = self.cookie.as_ref().is_some_and(|cookie| cookie.domain().is_some());
        let missing = match (&self.login_url, self.keys.is_some(), with_domain) {
            (None, _, _) | (Some(_), true, true) => return Ok(()),
            (Some(_), false, true) => "\"keys\"",
            (Some(_), true, false) => "\"cookie\" with \"domain=\"",
            (Some(_), false, false) => "\"keys\" and \"cookie\" with \"domain=\"",
        };
        Err(SettingsError::LoginUrlRequires { missing, realm: self.name.clone() })
    }
}

const DEFAULT_SESSION: SessionTimes =
    SessionTimes { idle: 3600, max: 12 * 3600, renew: Renew::Any };

/// The longest `session max`, in seconds. Shorter than a token may hold ([`MAX_LIFE`]): where much has
/// ended, sessions last some seconds longer.
const LONGEST_SESSION: u64 = 365 * 24 * 3600;

const _: () = assert!(LONGEST_SESSION < MAX_LIFE);

fn default_checks() -> Checks {
    Checks { pool: "default".into(), running: 2, waiting: 64 }
}

fn set<T>(slot: &mut Option<T>, directive: &'static str, value: T) -> Result<(), SettingsError> {
    if slot.is_some() {
        return Err(SettingsError::Duplicate(directive));
    }
    *slot = Some(value);
    Ok(())
}
