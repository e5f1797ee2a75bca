//! The users file: htpasswd, JSON or Prometheus web configuration, found from its content; and the
//! groups file beside it.

mod document;
mod error;
mod generations;
mod groups;
pub mod htpasswd;
mod json;
mod prometheus;
mod remembered;
mod table;

pub use error::UsersError;
pub use generations::{GenerationKey, Generations};
pub use groups::{Groups, GroupsError};
pub use remembered::{MAX_LENGTH as MAX_REMEMBERED, Remembered};
pub(crate) use table::{is_group_name, is_user_name};

use crate::lines::LineError;
use crate::password::PasswordHash;
use core::fmt;
use std::sync::Arc;
use table::Table;

/// One user.
#[derive(Debug, Clone)]
pub struct User {
    /// The stored hash.
    pub hash: PasswordHash,
    /// Groups named in the users file, then those of the groups file.
    pub groups: Vec<Box<str>>,
    /// May not sign in, and ends the user's sessions.
    pub disabled: bool,
}

/// All users of a realm: at least one. Clones share them.
#[derive(Debug, Clone)]
pub struct Users(Arc<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    format: FileFormat,
    users: Table,
    usual_hash: PasswordHash,
}

/// The format of a users file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// `user:hash` per line.
    Htpasswd,
    /// A JSON object.
    Json,
    /// A Prometheus web configuration: YAML with `basic_auth_users`.
    Prometheus,
}

impl Users {
    /// Reads a users file; `allow_weak` as in the directive.
    ///
    /// # Errors
    /// The first mistake and its line.
    pub fn parse(text: &[u8], allow_weak: bool) -> Result<Self, LineError<UsersError>> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let format = FileFormat::of(text);
        let users = match format {
            FileFormat::Htpasswd => htpasswd::parse(text, allow_weak),
            FileFormat::Json => json::parse(text, allow_weak),
            FileFormat::Prometheus => prometheus::parse(text, allow_weak),
        }?;
        let usual_hash =
            users.usual_hash().ok_or(LineError { line: 1, error: UsersError::NoUsers })?;
        Ok(Self(Arc::new(Inner { format, users, usual_hash })))
    }

    /// The same users, with the groups of a groups file too.
    #[must_use]
    pub fn with_groups(mut self, groups: &Groups) -> Self {
        Arc::make_mut(&mut self.0).users.join(groups);
        self
    }

    /// The user of exactly this name.
    pub fn get(&self, name: &str) -> Option<&User> {
        self.0.users.get(name)
    }

    /// A hash of the file's usual scheme and cost, for the check of a user who is not there. The
    /// check never succeeds.
    pub fn usual_hash(&self) -> &PasswordHash {
        &self.0.usual_hash
    }

    /// All users, in the file's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &User)> {
        self.0.users.iter()
    }

    /// How many users there are.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.0.users.len()
    }

    /// The format of the file they were read from.
    pub fn format(&self) -> FileFormat {
        self.0.format
    }
}

impl FileFormat {
    /// The format that the first line of content shows.
    pub fn of(text: &[u8]) -> Self {
        let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let mut content = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
        match content.next() {
            // not `{` alone: a user name may begin with it
            Some([b'{'] | [b'{', b'"' | b'}' | b' ' | b'\t', ..]) => Self::Json,
            Some(line) if begins_web_configuration(line) => Self::Prometheus,
            _ => Self::Htpasswd,
        }
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Htpasswd => "htpasswd",
            Self::Json => "JSON",
            Self::Prometheus => "Prometheus web configuration",
        })
    }
}

/// A document marker, or one of the keys at the top of a web configuration. YAML wants white space
/// after the colon, where htpasswd has a hash.
fn begins_web_configuration(line: &[u8]) -> bool {
    let keys = ["basic_auth_users:", "tls_server_config:", "http_server_config:", "rate_limit:"];
    line == b"---"
        || keys
            .iter()
            .filter_map(|key| line.strip_prefix(key.as_bytes()))
            .any(|rest| matches!(rest.first(), None | Some(b' ' | b'\t')))
}
