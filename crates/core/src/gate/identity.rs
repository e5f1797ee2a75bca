//! Who a request comes from, or why from nobody.

use crate::limit::Limited;
use crate::status::Status;
use crate::token::{Claims, SessionId, TokenError};

/// Who a request comes from.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A user.
    Admit(Identity),
    /// A user, with a credential that is not for this.
    Forbid(Identity),
    /// Nobody.
    Challenge(Cause),
    /// Nobody yet: too many have failed, so that the password was not checked.
    Limited(Limited),
    /// Nobody yet: too many checks wait.
    Busy,
}

impl Verdict {
    /// Its word.
    pub fn status(&self) -> Status {
        match self {
            Self::Admit(_) => Status::Ok,
            Self::Forbid(_) => Status::Forbidden,
            Self::Challenge(cause) => cause.status(),
            Self::Limited(_) => Status::Limited,
            Self::Busy => Status::Busy,
        }
    }

    /// The user, let in or not.
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Admit(identity) | Self::Forbid(identity) => Some(identity),
            _ => None,
        }
    }

    /// The user that is admitted.
    pub fn admitted(&self) -> Option<&Identity> {
        match self {
            Self::Admit(identity) => Some(identity),
            _ => None,
        }
    }
}

/// A verified user, and what says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    user: UserName,
    /// What says so.
    pub credential: Credential,
}

/// The credential that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// The session cookie.
    Cookie(Session),
    /// An API token.
    Bearer {
        /// Its id.
        id: SessionId,
        /// When it was made, in Unix seconds.
        issued_at: u64,
        /// When it ends, in Unix seconds.
        expires_at: u64,
    },
    /// User name and password.
    Basic,
}

/// A session, as its newest token tells. Times in Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// When the token was made.
    pub issued_at: u64,
    /// When the token ends.
    pub expires_at: u64,
    /// When the session ends whatever happens.
    pub ends_at: u64,
    /// The user's epoch under the key that signs, where the session may be renewed with it.
    pub(super) epoch: Option<u64>,
}

impl Identity {
    /// `None` for a name that no user can have.
    pub(super) fn new(user: &str, credential: Credential) -> Option<Self> {
        Some(Self { user: UserName::new(user)?, credential })
    }

    /// The user's name.
    pub fn user(&self) -> &str {
        self.user.as_str()
    }

    /// The session, where there is one.
    pub fn session(&self) -> Option<&Session> {
        match &self.credential {
            Credential::Cookie(session) => Some(session),
            Credential::Bearer { .. } | Credential::Basic => None,
        }
    }

    /// The id of the session or the API token.
    pub fn id(&self) -> Option<SessionId> {
        match self.credential {
            Credential::Cookie(Session { id, .. }) | Credential::Bearer { id, .. } => Some(id),
            Credential::Basic => None,
        }
    }

    /// When the credential ends unless used, in Unix seconds.
    pub fn expires_at(&self) -> Option<u64> {
        match self.credential {
            Credential::Cookie(Session { expires_at, .. })
            | Credential::Bearer { expires_at, .. } => Some(expires_at),
            Credential::Basic => None,
        }
    }
}

impl Session {
    pub(super) fn of(claims: &Claims<'_>, epoch: Option<u64>) -> Self {
        Self {
            id: claims.session,
            issued_at: claims.issued_at,
            expires_at: claims.expires_at,
            ends_at: claims.ends_at,
            epoch,
        }
    }
}

impl Credential {
    /// Its name in `$authgate_method`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Cookie(_) => "cookie",
            Self::Bearer { .. } => "bearer",
            Self::Basic => "basic",
        }
    }
}

/// A user name in place: a verdict allocates nothing.
#[derive(Clone, PartialEq, Eq)]
struct UserName {
    length: u8,
    bytes: [u8; 128],
}

impl UserName {
    fn new(name: &str) -> Option<Self> {
        let mut bytes = [0; 128];
        bytes.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        Some(Self { length: u8::try_from(name.len()).ok()?, bytes })
    }

    fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl core::fmt::Debug for UserName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.as_str().fmt(f)
    }
}

/// Why a request comes from nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// No credential.
    Missing,
    /// Not a credential, or two that contradict each other.
    Malformed,
    /// Signed by none of our keys.
    BadSignature,
    /// Names a key that is not there.
    UnknownKey,
    /// Past its end.
    Expired,
    /// The session has been ended.
    Revoked,
    /// The user is gone or disabled, or there never was one.
    UnknownUser,
    /// The password has changed since sign-in.
    PasswordChanged,
    /// The password is not the user's.
    BadPassword,
}

impl Cause {
    /// Its word.
    pub fn status(self) -> Status {
        match self {
            Self::Missing => Status::Missing,
            Self::Malformed => Status::Malformed,
            Self::BadSignature => Status::BadSignature,
            Self::UnknownKey => Status::UnknownKey,
            Self::Expired => Status::Expired,
            Self::Revoked => Status::Revoked,
            Self::UnknownUser => Status::UnknownUser,
            Self::PasswordChanged => Status::PasswordChanged,
            Self::BadPassword => Status::BadPassword,
        }
    }

    /// Its name in `$authgate_status` and in the log.
    pub fn as_str(self) -> &'static str {
        self.status().as_str()
    }
}

impl From<TokenError> for Cause {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Malformed => Self::Malformed,
            TokenError::UnknownKey => Self::UnknownKey,
            TokenError::BadSignature => Self::BadSignature,
            TokenError::Expired => Self::Expired,
        }
    }
}
