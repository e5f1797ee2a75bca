//! The settings of a realm: the directives inside `authgate_realm NAME { … }`, parsed once.

use crate::cookie::{CookieError, CookieSettings, SameSite, Secure};
use crate::limit::Limits;
use crate::units;

/// A realm's settings, immutable after `nginx -t`.
#[derive(Debug)]
pub struct Settings {
    /// The realm's name.
    pub name: String,
    /// The users file, as written in the configuration.
    pub users_file: String,
    /// The keys file; `None`: a key is generated.
    pub keys_file: Option<String>,
    /// Where the gate's own pages are: begins and ends with `/`.
    pub path: String,
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
    /// Whether weak hashes are taken.
    pub allow_weak: bool,
}

/// `session [idle=T] [max=T]`, in seconds.
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

/// `accept [cookie] [bearer]`: the credentials that a realm takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accept {
    /// The session cookie alone.
    Cookie,
    /// API tokens alone.
    Bearer,
    /// Both: an API token, where there is one, decides.
    CookieAndBearer,
}

impl Accept {
    /// Whether the session cookie is taken.
    pub fn cookie(self) -> bool {
        self != Self::Bearer
    }

    /// Whether API tokens are taken.
    pub fn bearer(self) -> bool {
        self != Self::Cookie
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
    /// The cookie.
    #[error("{0}")]
    Cookie(#[from] CookieError),
    /// No users file.
    #[error("no \"users\" directive in realm \"{0}\"")]
    NoUsers(String),
    /// `session` times that contradict.
    #[error("session idle time is longer than its max time")]
    IdleOverMax,
    /// The zone.
    #[error("zone size {0} is too small: at least 64k is needed")]
    ZoneTooSmall(usize),
}

/// The directives of a block as they come, in any order.
#[derive(Debug)]
pub struct Builder {
    name: String,
    users: Option<String>,
    keys: Option<String>,
    path: Option<String>,
    cookie: Option<CookieSettings>,
    session: Option<SessionTimes>,
    checks: Option<Checks>,
    zone: Option<usize>,
    accept: Option<Accept>,
    allow_weak: Option<bool>,
}

/// The names of the directives, as an error or a caller names them.
pub const DIRECTIVES: [&str; 9] =
    ["users", "keys", "path", "cookie", "session", "checks", "zone", "accept", "allow_weak"];

const MIN_ZONE: usize = 64 * 1024;

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
            keys: None,
            path: None,
            cookie: None,
            session: None,
            checks: None,
            zone: None,
            accept: None,
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
            "keys" => set(&mut self.keys, directive, args.one()?.into())?,
            "path" => set(&mut self.path, directive, path(args.one()?)?)?,
            "cookie" => set(&mut self.cookie, directive, cookie(args)?)?,
            "session" => set(&mut self.session, directive, session(args)?)?,
            "checks" => set(&mut self.checks, directive, checks(args)?)?,
            "zone" => set(&mut self.zone, directive, zone(args)?)?,
            "accept" => set(&mut self.accept, directive, accept(args)?)?,
            _ => set(&mut self.allow_weak, directive, on_or_off(args)?)?,
        }
        Ok(directive)
    }

    /// Ends the block.
    ///
    /// # Errors
    /// [`SettingsError::NoUsers`], or a default that cannot be built.
    pub fn finish(self) -> Result<Settings, SettingsError> {
        let default_cookie =
            || CookieSettings::new("authgate", None, SameSite::default(), Secure::default());
        Ok(Settings {
            users_file: self.users.ok_or_else(|| SettingsError::NoUsers(self.name.clone()))?,
            name: self.name,
            keys_file: self.keys,
            path: self.path.unwrap_or_else(|| "/authgate/".into()),
            cookie: match self.cookie {
                Some(cookie) => cookie,
                None => default_cookie()?,
            },
            session: self.session.unwrap_or(DEFAULT_SESSION),
            checks: self.checks.unwrap_or_else(default_checks),
            zone_size: self.zone.unwrap_or(1024 * 1024),
            limits: None,
            state_dir: None,
            accept: self.accept.unwrap_or(Accept::CookieAndBearer),
            allow_weak: self.allow_weak.unwrap_or(false),
        })
    }
}

const DEFAULT_SESSION: SessionTimes =
    SessionTimes { idle: 3600, max: 12 * 3600, renew: Renew::Any };

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

/// The arguments of one directive.
#[derive(Clone, Copy)]
struct Arguments<'a> {
    directive: &'static str,
    args: &'a [&'a str],
}

impl<'a> Arguments<'a> {
    fn one(self) -> Result<&'a str, SettingsError> {
        match self.args {
            [only] if !only.is_empty() => Ok(only),
            [empty] => Err(self.invalid(empty)),
            _ => Err(SettingsError::ArgumentCount(self.directive)),
        }
    }

    fn some(self) -> Result<&'a [&'a str], SettingsError> {
        if self.args.is_empty() {
            return Err(SettingsError::ArgumentCount(self.directive));
        }
        Ok(self.args)
    }

    fn invalid(self, parameter: &str) -> SettingsError {
        SettingsError::InvalidParameter { directive: self.directive, parameter: parameter.into() }
    }
}

/// A plain path: what nginx matches after decoding and normalizing is what was written.
fn path(text: &str) -> Result<String, SettingsError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-.~".contains(&byte);
    let dotted = text.split('/').any(|segment| segment == "." || segment == "..");
    let bounded = text.len() > 2 && text.starts_with('/') && text.ends_with('/');
    if !bounded || text.len() > 128 || !text.bytes().all(plain) || text.contains("//") || dotted {
        return Err(SettingsError::InvalidPath(text.into()));
    }
    Ok(text.into())
}

fn cookie(args: Arguments<'_>) -> Result<CookieSettings, SettingsError> {
    let (name, rest) = args.some()?.split_first().unwrap_or((&"", &[]));
    let (mut domain, mut same_site, mut secure) = (None, None, None);
    for arg in rest {
        let invalid = || args.invalid(arg);
        match arg.split_once('=').ok_or_else(invalid)? {
            ("domain", value) if !value.is_empty() => once(&mut domain, value, invalid)?,
            ("samesite", "lax") => once(&mut same_site, SameSite::Lax, invalid)?,
            ("samesite", "strict") => once(&mut same_site, SameSite::Strict, invalid)?,
            ("samesite", "none") => once(&mut same_site, SameSite::None, invalid)?,
            ("secure", "auto") => once(&mut secure, Secure::Auto, invalid)?,
            ("secure", "on") => once(&mut secure, Secure::On, invalid)?,
            ("secure", "off") => once(&mut secure, Secure::Off, invalid)?,
            _ => return Err(invalid()),
        }
    }
    let (same_site, secure) = (same_site.unwrap_or_default(), secure.unwrap_or_default());
    Ok(CookieSettings::new(name, domain, same_site, secure)?)
}

fn session(args: Arguments<'_>) -> Result<SessionTimes, SettingsError> {
    let (mut idle, mut max) = (None, None);
    for arg in args.some()? {
        let invalid = || args.invalid(arg);
        let (name, value) = arg.split_once('=').ok_or_else(invalid)?;
        let seconds = units::seconds(value).filter(|time| *time > 0).ok_or_else(invalid)?;
        match name {
            "idle" => once(&mut idle, seconds, invalid)?,
            "max" => once(&mut max, seconds, invalid)?,
            _ => return Err(invalid()),
        }
    }
    let max = max.unwrap_or_else(|| DEFAULT_SESSION.max.max(idle.unwrap_or(0)));
    let idle_given = idle.is_some();
    let idle = idle.unwrap_or(DEFAULT_SESSION.idle.min(max));
    if idle_given && idle > max {
        return Err(SettingsError::IdleOverMax);
    }
    Ok(SessionTimes { idle, max, renew: Renew::Any })
}

fn checks(args: Arguments<'_>) -> Result<Checks, SettingsError> {
    let (mut pool, mut running, mut waiting) = (None, None, None);
    for arg in args.some()? {
        let invalid = || args.invalid(arg);
        match arg.split_once('=').ok_or_else(invalid)? {
            ("pool", name) if !name.is_empty() => once(&mut pool, name.to_owned(), invalid)?,
            ("running", n) => once(&mut running, count(n, 1, 64).ok_or_else(invalid)?, invalid)?,
            ("waiting", n) => once(&mut waiting, count(n, 0, 65536).ok_or_else(invalid)?, invalid)?,
            _ => return Err(invalid()),
        }
    }
    let default = default_checks();
    Ok(Checks {
        pool: pool.unwrap_or(default.pool),
        running: running.unwrap_or(default.running),
        waiting: waiting.unwrap_or(default.waiting),
    })
}

fn zone(args: Arguments<'_>) -> Result<usize, SettingsError> {
    let text = args.one()?;
    let size = units::bytes(text).ok_or_else(|| args.invalid(text))?;
    if size < MIN_ZONE {
        return Err(SettingsError::ZoneTooSmall(size));
    }
    Ok(size)
}

fn accept(args: Arguments<'_>) -> Result<Accept, SettingsError> {
    let (mut cookie, mut bearer) = (None, None);
    for arg in args.some()? {
        let invalid = || args.invalid(arg);
        match *arg {
            "cookie" => once(&mut cookie, (), invalid)?,
            "bearer" => once(&mut bearer, (), invalid)?,
            _ => return Err(invalid()),
        }
    }
    Ok(match (cookie, bearer) {
        (Some(()), None) => Accept::Cookie,
        (None, Some(())) => Accept::Bearer,
        _ => Accept::CookieAndBearer,
    })
}

fn on_or_off(args: Arguments<'_>) -> Result<bool, SettingsError> {
    match args.one()? {
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(args.invalid(other)),
    }
}

fn count(text: &str, min: usize, max: usize) -> Option<usize> {
    // parse would also take a sign.
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|n| plain && (min..=max).contains(n))
}

fn once<T>(
    slot: &mut Option<T>,
    value: T,
    invalid: impl FnOnce() -> SettingsError,
) -> Result<(), SettingsError> {
    if slot.replace(value).is_some() {
        return Err(invalid());
    }
    Ok(())
}
