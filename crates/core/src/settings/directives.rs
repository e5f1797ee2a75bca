//! What each directive of a realm's block takes.

use super::{
    Accept, Checks, DEFAULT_SESSION, LONGEST_SESSION, Renew, SessionTimes, SettingsError,
    default_checks,
};
use crate::cookie::{CookieSettings, SameSite, Secure};
use crate::hosts::{HostPattern, Hosts};
use crate::limit::{DEFAULT_LIMITS, Limits};
use crate::login_url::LoginUrl;
use crate::peers::Peers;
use crate::units;
use core::ops::RangeInclusive;
use core::str::FromStr;

/// The arguments of one directive.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a> {
    pub(super) directive: &'static str,
    pub(super) args: &'a [&'a str],
}

const MIN_ZONE: usize = 64 * 1024;
const TRIES: RangeInclusive<u32> = 1..=100_000;

impl<'a> Arguments<'a> {
    pub(super) fn one(self) -> Result<&'a str, SettingsError> {
        match self.args {
            [only] if !only.is_empty() => Ok(only),
            [empty] => Err(self.invalid(empty)),
            _ => Err(SettingsError::ArgumentCount(self.directive)),
        }
    }

    /// A plain path: what nginx matches after decoding and normalizing is what was written.
    pub(super) fn path(self) -> Result<String, SettingsError> {
        let text = self.one()?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-.~".contains(&byte);
        let dotted = text.split('/').any(|segment| segment == "." || segment == "..");
        let bounded =
            (3..=128).contains(&text.len()) && text.starts_with('/') && text.ends_with('/');
        if !bounded || !text.bytes().all(plain) || text.contains("//") || dotted {
            return Err(SettingsError::InvalidPath(text.into()));
        }
        Ok(text.into())
    }

    pub(super) fn login_url(self) -> Result<LoginUrl, SettingsError> {
        let text = self.one()?;
        LoginUrl::parse(text).ok_or_else(|| SettingsError::InvalidLoginUrl(text.into()))
    }

    pub(super) fn hosts(self) -> Result<Hosts, SettingsError> {
        let patterns = self.some()?.iter().map(|text| HostPattern::parse(text));
        Ok(patterns.collect::<Result<_, _>>()?)
    }

    pub(super) fn peers(self) -> Result<Peers, SettingsError> {
        let mut peers = Peers::default();
        for text in self.some()? {
            peers.add(text).map_err(|_| self.invalid(text))?;
        }
        Ok(peers)
    }

    pub(super) fn cookie(self) -> Result<CookieSettings, SettingsError> {
        let (name, rest) = self.some()?.split_first().unwrap_or((&"", &[]));
        let (mut domain, mut same_site, mut secure) = (None, None, None);
        for arg in rest {
            let invalid = || self.invalid(arg);
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

    pub(super) fn session(self) -> Result<SessionTimes, SettingsError> {
        let (mut idle, mut max, mut renew) = (None, None, None);
        for arg in self.some()? {
            let invalid = || self.invalid(arg);
            match arg.split_once('=').ok_or_else(invalid)? {
                ("idle", text) => once(&mut idle, time(text).ok_or_else(invalid)?, invalid)?,
                ("max", text) => once(&mut max, time(text).ok_or_else(invalid)?, invalid)?,
                ("renew", "any") => once(&mut renew, Renew::Any, invalid)?,
                ("renew", "navigation") => once(&mut renew, Renew::Navigation, invalid)?,
                _ => return Err(invalid()),
            }
        }
        let max = max.unwrap_or_else(|| DEFAULT_SESSION.max.max(idle.unwrap_or(0)));
        if idle.is_some_and(|idle| idle > max) {
            return Err(SettingsError::IdleOverMax);
        }
        if max > LONGEST_SESSION {
            return Err(SettingsError::MaxTooLong);
        }
        let idle = idle.unwrap_or(DEFAULT_SESSION.idle.min(max));
        Ok(SessionTimes { idle, max, renew: renew.unwrap_or(DEFAULT_SESSION.renew) })
    }

    pub(super) fn limit(self) -> Result<Option<Limits>, SettingsError> {
        if self.args == ["off"] {
            return Ok(None);
        }
        let (mut retries, mut find, mut ban, mut user_retries) = (None, None, None, None);
        for arg in self.some()? {
            let invalid = || self.invalid(arg);
            let (name, text) = arg.split_once('=').ok_or_else(invalid)?;
            let tries = || count(text, TRIES).ok_or_else(invalid);
            let milliseconds = || time(text).map(|time| time * 1000).ok_or_else(invalid);
            match name {
                "retries" => once(&mut retries, tries()?, invalid)?,
                "find" => once(&mut find, milliseconds()?, invalid)?,
                "ban" => once(&mut ban, milliseconds()?, invalid)?,
                "user_retries" => once(&mut user_retries, tries()?, invalid)?,
                _ => return Err(invalid()),
            }
        }
        Ok(Some(Limits {
            retries: retries.unwrap_or(DEFAULT_LIMITS.retries),
            find: find.unwrap_or(DEFAULT_LIMITS.find),
            ban: ban.unwrap_or(DEFAULT_LIMITS.ban),
            user_retries: user_retries.unwrap_or(DEFAULT_LIMITS.user_retries),
        }))
    }

    pub(super) fn checks(self) -> Result<Checks, SettingsError> {
        let (mut pool, mut running, mut waiting) = (None, None, None);
        for arg in self.some()? {
            let invalid = || self.invalid(arg);
            let (name, text) = arg.split_once('=').ok_or_else(invalid)?;
            let within = |range| count(text, range).ok_or_else(invalid);
            match name {
                "pool" if !text.is_empty() => once(&mut pool, text.to_owned(), invalid)?,
                "running" => once(&mut running, within(1..=64)?, invalid)?,
                "waiting" => once(&mut waiting, within(0..=65536)?, invalid)?,
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

    pub(super) fn zone(self) -> Result<usize, SettingsError> {
        let text = self.one()?;
        let size = units::bytes(text).ok_or_else(|| self.invalid(text))?;
        if size < MIN_ZONE {
            return Err(SettingsError::ZoneTooSmall(size));
        }
        Ok(size)
    }

    pub(super) fn accept(self) -> Result<Accept, SettingsError> {
        let (mut cookie, mut bearer, mut basic) = (None, None, None);
        for arg in self.some()? {
            let invalid = || self.invalid(arg);
            match *arg {
                "cookie" => once(&mut cookie, Accept::COOKIE, invalid)?,
                "bearer" => once(&mut bearer, Accept::BEARER, invalid)?,
                "basic" => once(&mut basic, Accept::BASIC, invalid)?,
                _ => return Err(invalid()),
            }
        }
        let all = [cookie, bearer, basic].into_iter().flatten().reduce(Accept::and);
        all.ok_or(SettingsError::ArgumentCount(self.directive))
    }

    pub(super) fn time(self) -> Result<u64, SettingsError> {
        let text = self.one()?;
        time(text).ok_or_else(|| self.invalid(text))
    }

    pub(super) fn on_or_off(self) -> Result<bool, SettingsError> {
        match self.one()? {
            "on" => Ok(true),
            "off" => Ok(false),
            other => Err(self.invalid(other)),
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

/// A time in seconds that is not zero.
fn time(text: &str) -> Option<u64> {
    units::seconds(text).filter(|time| *time > 0)
}

fn count<T: FromStr + PartialOrd>(text: &str, range: RangeInclusive<T>) -> Option<T> {
    // parse would also take a sign.
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|n| plain && range.contains(n))
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
