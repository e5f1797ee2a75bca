//! htpasswd: `user:hash[:groups=a,b]` per line.

use super::table::{Table, check_group, is_group_name, is_user_name};
use super::{User, UsersError};
use crate::lines::LineError;

/// The fields of one entry, as they stand in the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fields<'a> {
    /// The user name.
    pub name: &'a str,
    /// The hash.
    pub hash: &'a str,
    /// What follows the colon after the hash, and that is `groups=a,b` or anything.
    pub rest: Option<&'a str>,
}

impl<'a> Fields<'a> {
    /// Splits a line; `None` where it is blank or a comment.
    ///
    /// # Errors
    /// A line without a colon, or that is not UTF-8.
    pub fn of(line: &'a [u8]) -> Result<Option<Self>, UsersError> {
        let line = line.trim_ascii_end();
        if line.is_empty() || line.starts_with(b"#") {
            return Ok(None);
        }
        let line = str::from_utf8(line).map_err(|_| UsersError::NotUtf8)?;
        let (name, rest) = line.split_once(':').ok_or(UsersError::NoHash)?;
        let (hash, rest) = split_hash(rest);
        Ok(Some(Self { name, hash, rest }))
    }

    /// The line that holds these fields, to be written to a file: what is read from it is these fields
    /// and nothing else. All that is written to an htpasswd file comes from here.
    ///
    /// # Errors
    /// What cannot stand in such a line.
    pub fn line(&self) -> Result<String, EntryError> {
        self.check()?;
        let Self { name, hash, .. } = *self;
        let line = match self.rest {
            Some(rest) => format!("{name}:{hash}:{rest}"),
            None => format!("{name}:{hash}"),
        };
        let is_one_line = !line.contains('\n');
        let reads_back = is_one_line && Fields::of(line.as_bytes()) == Ok(Some(*self));
        if reads_back { Ok(line) } else { Err(EntryError::NotRead) }
    }

    fn check(&self) -> Result<(), EntryError> {
        if !is_user_name(self.name) {
            return Err(EntryError::Users(UsersError::UserName));
        }
        if self.name.contains(':') {
            return Err(EntryError::ColonInName);
        }
        if self.name.starts_with('#') {
            return Err(EntryError::Comment);
        }
        Ok(())
    }

    /// The groups of the third field.
    fn groups(&self) -> Result<Vec<Box<str>>, UsersError> {
        match self.rest.map(third_field).and_then(|field| field.strip_prefix("groups=")) {
            None | Some("") => Ok(Vec::new()),
            Some(groups) => groups.split(',').map(check_group).collect(),
        }
    }
}

/// The third field for these groups, comma separated.
///
/// # Errors
/// A name that cannot be a group's in an htpasswd file.
pub fn groups_field(groups: &str) -> Result<String, EntryError> {
    for name in groups.split(',') {
        if !is_group_name(name) {
            return Err(EntryError::Users(UsersError::GroupName));
        }
        if name.contains(':') {
            return Err(EntryError::ColonInGroup);
        }
    }
    Ok(format!("groups={groups}"))
}

/// Why something cannot stand in an htpasswd file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// What no users file takes.
    #[error("{0}")]
    Users(#[from] UsersError),
    /// It ends the name.
    #[error("user name cannot contain \":\" in an htpasswd file, choose another one")]
    ColonInName,
    /// It ends the groups.
    #[error("group name cannot contain \":\" in an htpasswd file, choose another one")]
    ColonInGroup,
    /// The line would be a comment.
    #[error("user name cannot begin with \"#\" in an htpasswd file, choose another one")]
    Comment,
    /// Anything else that would be read in another way than it was meant.
    #[error("cannot be written as one line of an htpasswd file")]
    NotRead,
}

pub(super) fn parse(text: &[u8], allow_weak: bool) -> Result<Table, LineError<UsersError>> {
    let mut table = Table::new(allow_weak);
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        insert(&mut table, line).map_err(|error| LineError { line: index + 1, error })?;
    }
    Ok(table)
}

fn insert(table: &mut Table, line: &[u8]) -> Result<(), UsersError> {
    let Some(fields) = Fields::of(line)? else { return Ok(()) };
    table.check_name(fields.name)?;
    let hash = table.parse_hash(fields.hash)?;
    table.insert(fields.name, User { hash, groups: fields.groups()?, disabled: false });
    Ok(())
}

/// The hash ends at the first colon; Werkzeug's have colons of their own before the first `$`.
fn split_hash(text: &str) -> (&str, Option<&str>) {
    let from = if text.starts_with("pbkdf2:") || text.starts_with("scrypt:") {
        text.find('$').unwrap_or_default()
    } else {
        0
    };
    let colon = text.bytes().enumerate().skip(from).find(|(_, byte)| *byte == b':');
    match colon.and_then(|(at, _)| text.split_at_checked(at)) {
        Some((hash, rest)) => (hash, rest.strip_prefix(':')),
        None => (text, None),
    }
}

fn third_field(rest: &str) -> &str {
    rest.split_once(':').map_or(rest, |(field, _)| field)
}
