//! The users file: htpasswd, JSON or Prometheus web configuration, found from its content.

use crate::lines::LineError;
use crate::password::{HashError, PasswordHash};

/// One user.
#[derive(Debug)]
pub struct User {
    /// The stored hash.
    pub hash: PasswordHash,
    /// Groups named in the users file.
    pub groups: Vec<Box<str>>,
    /// May not sign in, and ends the user's sessions.
    pub disabled: bool,
}

/// All users of a realm.
pub struct Users {}

/// A mistake in a users file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsersError {
    /// The hash.
    #[error("{0}")]
    Hash(#[from] HashError),
}

impl Users {
    /// Reads a users file; `allow_weak` as in the directive.
    ///
    /// # Errors
    /// The first mistake and its line.
    pub fn parse(_text: &[u8], _allow_weak: bool) -> Result<Self, LineError<UsersError>> {
        todo!()
    }

    /// The user of exactly this name.
    pub fn get(&self, _name: &str) -> Option<&User> {
        todo!()
    }

    /// A hash of the file's usual scheme and cost, for the check of a user who is not there.
    pub fn usual_hash(&self) -> &PasswordHash {
        todo!()
    }

    /// All users, in the file's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &User)> {
        core::iter::empty()
    }
}
