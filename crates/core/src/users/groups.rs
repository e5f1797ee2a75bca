//! The groups file, as Apache has it: `group: user user …` per line.

use super::table::{is_group_name, is_user_name};
use crate::lines::LineError;
use indexmap::IndexSet;
use std::collections::HashMap;

/// The groups of a groups file, perhaps none.
#[derive(Debug, Default)]
pub struct Groups {
    names: IndexSet<Box<str>>,
    /// Places in `names`, as they come in the file: a name is not repeated for each of its users.
    of_user: HashMap<Box<str>, Vec<usize>>,
}

/// A mistake in a groups file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupsError {
    /// A line without a colon.
    #[error("no \":\" after the group name")]
    NoColon,
    /// As in the users file.
    #[error("invalid group name, must be 1-128 bytes without commas and control characters")]
    GroupName,
    /// As in the users file.
    #[error("invalid user name, must be 1-128 bytes without control characters")]
    UserName,
    /// What Apache would read as one name is not what it looks like here.
    #[error("names in quotes, as Apache takes them, are not supported")]
    Quotes,
    /// Apache would go on with the next line.
    #[error("lines continued with \"\\\", as Apache takes them, are not supported")]
    Continued,
    /// Its words would be users.
    #[error("a comment must have a line of its own")]
    Comment,
    /// Bytes that are not text.
    #[error("not UTF-8")]
    NotUtf8,
}

impl Groups {
    /// Reads a groups file. A group may stand on several lines, which add up.
    ///
    /// # Errors
    /// The first mistake and its line.
    pub fn parse(text: &[u8]) -> Result<Self, LineError<GroupsError>> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut groups = Self::default();
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            groups.read(line).map_err(|error| LineError { line: index + 1, error })?;
        }
        Ok(groups)
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The groups of a user, in the file's order; one may come twice.
    pub fn of(&self, user: &str) -> impl Iterator<Item = &str> {
        let places = self.of_user.get(user).into_iter().flatten();
        places.filter_map(|place| self.names.get_index(*place)).map(|name| &**name)
    }

    /// The users who are named, in any order.
    pub(super) fn users(&self) -> impl Iterator<Item = &str> {
        self.of_user.keys().map(|user| &**user)
    }

    fn read(&mut self, line: &[u8]) -> Result<(), GroupsError> {
        let line = str::from_utf8(line.trim_ascii()).map_err(|_| GroupsError::NotUtf8)?;
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (group, users) = line.split_once(':').ok_or(GroupsError::NoColon)?;
        check_words(line, users)?;
        let group = group.trim_ascii_end();
        if !is_group_name(group) {
            return Err(GroupsError::GroupName);
        }
        let (place, _) = self.names.insert_full(group.into());
        users.split_ascii_whitespace().try_for_each(|user| self.add(user, place))
    }

    fn add(&mut self, user: &str, place: usize) -> Result<(), GroupsError> {
        if !is_user_name(user) {
            return Err(GroupsError::UserName);
        }
        match self.of_user.get_mut(user) {
            Some(places) => places.push(place),
            None => drop(self.of_user.insert(user.into(), vec![place])),
        }
        Ok(())
    }
}

/// Refuses what Apache reads in another way, or a person does.
fn check_words(line: &str, users: &str) -> Result<(), GroupsError> {
    let begins = |with| users.split_ascii_whitespace().any(|user| user.starts_with(with));
    if line.contains('"') || begins('\'') {
        Err(GroupsError::Quotes)
    } else if line.ends_with('\\') {
        Err(GroupsError::Continued)
    } else if begins('#') {
        Err(GroupsError::Comment)
    } else {
        Ok(())
    }
}
