//! How a request went, in one word: `$authgate_status` and the label of the metrics.

/// How a request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// A valid credential.
    Ok,
    /// None.
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
    /// Too many have failed.
    Limited,
    /// Too many password checks wait.
    Busy,
    /// Something inside failed.
    Error,
    /// A valid credential that does not open this.
    Forbidden,
    /// No gate here.
    Off,
}

impl Status {
    /// All of them, each at the place that [`Self::index`] gives.
    pub const ALL: [Self; 15] = [
        Self::Ok,
        Self::Missing,
        Self::Malformed,
        Self::BadSignature,
        Self::UnknownKey,
        Self::Expired,
        Self::Revoked,
        Self::UnknownUser,
        Self::PasswordChanged,
        Self::BadPassword,
        Self::Limited,
        Self::Busy,
        Self::Error,
        Self::Forbidden,
        Self::Off,
    ];

    /// Its place in [`Self::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::BadSignature => "bad_signature",
            Self::UnknownKey => "unknown_key",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::UnknownUser => "unknown_user",
            Self::PasswordChanged => "password_changed",
            Self::BadPassword => "bad_password",
            Self::Limited => "limited",
            Self::Busy => "busy",
            Self::Error => "error",
            Self::Forbidden => "forbidden",
            Self::Off => "off",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn each_stands_at_its_place() {
        for (place, status) in Status::ALL.into_iter().enumerate() {
            assert_eq!(status.index(), place, "{status:?}");
        }
    }
}
