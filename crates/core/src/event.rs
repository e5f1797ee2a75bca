//! The log lines, stable, for people and fail2ban (reference, section 7).

use crate::gate::Cause;
use crate::limit::LimitReason;
use crate::status::Status;
use core::fmt;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Someone signed in.
    LoginOk {
        /// The user.
        user: String,
        /// What carried the password.
        method: LoginMethod,
        /// The realm.
        realm: String,
    },
    /// Someone did not.
    LoginFailed {
        /// The name that was typed.
        user: String,
        /// What carried the password.
        method: LoginMethod,
        /// Why.
        reason: Reason,
        /// The realm.
        realm: String,
    },
    /// Someone has to wait: too many logins have failed.
    LoginLimited {
        /// The name that was typed.
        user: String,
        /// What carried the password.
        method: LoginMethod,
        /// What is banned.
        reason: LimitReason,
        /// The realm.
        realm: String,
        /// Whether it is the first of its network for a while, of which the log has a line.
        is_first: bool,
    },
    /// Someone has to come again: too many checks waited already. Nobody's fault, so not a failure
    /// that a ban counts.
    LoginBusy {
        /// The name that was typed.
        user: String,
        /// What carried the password.
        method: LoginMethod,
        /// The realm.
        realm: String,
    },
    /// Someone signed out.
    Logout {
        /// The user.
        user: String,
        /// The realm.
        realm: String,
    },
    /// A user may not.
    Forbidden {
        /// The user.
        user: String,
        /// The realm.
        realm: String,
    },
    /// An upgraded connection has outlived what let it in.
    ConnectionClosed {
        /// The user.
        user: String,
        /// What a new request would meet.
        reason: Status,
        /// The realm.
        realm: String,
    },
    /// A credential was refused.
    TokenRefused {
        /// Why.
        reason: Cause,
        /// The realm.
        realm: String,
    },
    /// A dry run lets someone in whom the gate would refuse.
    WouldRefuse {
        /// Why.
        reason: Status,
        /// The realm.
        realm: String,
    },
}

/// What carried a login's user name and password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginMethod {
    /// The login form, or the same fields from a script.
    Form,
    /// `Authorization: Basic`.
    Basic,
}

impl LoginMethod {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Form, Self::Basic];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Basic => "basic",
        }
    }
}

/// Why a sign-in failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The password is not the user's.
    BadPassword,
    /// There is no such user, or the user is disabled.
    UnknownUser,
}

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// nginx's `error`: what a default installation shows.
    Error,
    /// nginx's `warn`.
    Warn,
    /// nginx's `info`.
    Info,
}

impl Event {
    /// The level of its line.
    pub fn level(&self) -> Level {
        match self {
            Self::LoginFailed { .. } | Self::LoginLimited { .. } => Level::Error,
            Self::LoginBusy { .. } | Self::WouldRefuse { .. } => Level::Warn,
            Self::LoginOk { .. }
            | Self::Logout { .. }
            | Self::Forbidden { .. }
            | Self::ConnectionClosed { .. }
            | Self::TokenRefused { .. } => Level::Info,
        }
    }

    /// Whether the log has a line of it. All are counted.
    pub fn is_logged(&self) -> bool {
        !matches!(self, Self::LoginLimited { is_first: false, .. })
    }

    /// What `$authgate_status` says of a request that ends with this.
    pub fn status(&self) -> Status {
        match self {
            // Who signs out had a session that was good.
            Self::LoginOk { .. } | Self::Logout { .. } => Status::Ok,
            Self::LoginFailed { reason, .. } => reason.status(),
            Self::LoginLimited { .. } => Status::Limited,
            Self::LoginBusy { .. } => Status::Busy,
            Self::Forbidden { .. } => Status::Forbidden,
            Self::TokenRefused { reason, .. } => reason.status(),
            Self::ConnectionClosed { reason, .. } | Self::WouldRefuse { reason, .. } => *reason,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoginOk { user, realm, .. } => {
                write!(f, "login ok, user \"{}\", realm \"{realm}\"", Escaped(user))
            }
            Self::LoginFailed { user, reason, realm, .. } => {
                let (user, reason) = (Escaped(user), reason.as_str());
                write!(f, "login failed, user \"{user}\", reason \"{reason}\", realm \"{realm}\"")
            }
            Self::LoginLimited { user, reason, realm, .. } => {
                let (user, reason) = (Escaped(user), banned(*reason));
                write!(f, "login limited, user \"{user}\", reason \"{reason}\", realm \"{realm}\"")
            }
            Self::LoginBusy { user, realm, .. } => {
                write!(f, "login busy, user \"{}\", realm \"{realm}\"", Escaped(user))
            }
            Self::Logout { user, realm } => {
                write!(f, "logout, user \"{}\", realm \"{realm}\"", Escaped(user))
            }
            Self::Forbidden { user, realm } => {
                write!(f, "forbidden, user \"{}\", realm \"{realm}\"", Escaped(user))
            }
            Self::ConnectionClosed { user, reason, realm } => {
                let (user, reason) = (Escaped(user), reason.as_str());
                f.write_str("connection closed, ")?;
                write!(f, "user \"{user}\", reason \"{reason}\", realm \"{realm}\"")
            }
            Self::TokenRefused { reason, realm } => {
                write!(f, "token refused, reason \"{}\", realm \"{realm}\"", reason.as_str())
            }
            Self::WouldRefuse { reason, realm } => {
                let reason = reason.as_str();
                write!(f, "dry run: would refuse, reason \"{reason}\", realm \"{realm}\"")
            }
        }
    }
}

impl Reason {
    /// Its status.
    pub(crate) fn status(self) -> Status {
        match self {
            Self::BadPassword => Status::BadPassword,
            Self::UnknownUser => Status::UnknownUser,
        }
    }

    fn as_str(self) -> &'static str {
        self.status().as_str()
    }
}

fn banned(reason: LimitReason) -> &'static str {
    match reason {
        LimitReason::Network => "network",
        LimitReason::User => "user",
        LimitReason::Place => "place",
    }
}

/// What someone typed, fit for one line of a log: cut to 64 bytes, escaped.
pub struct Escaped<'a>(pub &'a str);

const MAX_LOGGED: usize = 64;

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut end = self.0.len().min(MAX_LOGGED);
        while !self.0.is_char_boundary(end) {
            end -= 1;
        }
        let (shown, cut) = self.0.split_at_checked(end).unwrap_or_default();
        for byte in shown.bytes() {
            match byte {
                b'"' | b'\\' | 0..0x20 | 0x7f.. => write!(f, "\\x{byte:02X}")?,
                _ => f.write_str(char::from(byte).encode_utf8(&mut [0; 4]))?,
            }
        }
        if cut.is_empty() { Ok(()) } else { f.write_str("...") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i116_a_name_with_newline_or_escape_stays_one_line() {
        assert_eq!(Escaped("bob\n\x1b[31m\"\\").to_string(), "bob\\x0A\\x1B[31m\\x22\\x5C");
        assert_eq!(Escaped("é").to_string(), "\\xC3\\xA9");
    }

    #[test]
    fn a_long_name_is_cut_at_a_character() {
        let name = format!("{}é{}", "a".repeat(63), "b".repeat(40));
        assert_eq!(Escaped(&name).to_string(), format!("{}...", "a".repeat(63)));
    }
}
