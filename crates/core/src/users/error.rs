use crate::password::HashError;

/// A mistake in a users file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsersError {
    /// The hash.
    #[error("{0}")]
    Hash(#[from] HashError),
    /// Nobody could sign in: rather a mistake than a wish.
    #[error("no users")]
    NoUsers,
    /// A line of an htpasswd file without a colon.
    #[error("no \":\" after the user name")]
    NoHash,
    /// Not 1–128 bytes, or control characters.
    #[error("invalid user name, must be 1-128 bytes without control characters")]
    UserName,
    /// The second entry of a user.
    #[error("user \"{0}\" is duplicate")]
    DuplicateUser(Box<str>),
    /// Not 1–128 bytes, control characters, a comma, or white space around it.
    #[error("invalid group name, must be 1-128 bytes without commas and control characters")]
    GroupName,
    /// Bytes that are not text.
    #[error("not UTF-8")]
    NotUtf8,
    /// JSON's grammar.
    #[error("invalid JSON")]
    Json,
    /// YAML's grammar.
    #[error("invalid YAML")]
    Yaml,
    /// More nesting in a YAML file than its parser takes in good time.
    #[error("too many \"[\" and \"{{\"")]
    TooManyBrackets,
    /// A value that is no entry of a user.
    #[error("unexpected value, must be a hash, a list of one hash, or an object with \"password\"")]
    UnexpectedValue,
    /// A user's object without a hash.
    #[error("no \"password\"")]
    NoPassword,
    /// A key in a user's object.
    #[error("unknown key, must be \"password\", \"groups\" or \"disabled\"")]
    UnknownKey,
    /// A key that stands twice in one object.
    #[error("key is duplicate")]
    DuplicateKey,
    /// A YAML file that is something else.
    #[error("no \"basic_auth_users\"")]
    NoBasicAuthUsers,
}
