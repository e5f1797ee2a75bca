//! The users in the file's order, and what holds for every format.

use super::{Groups, User, UsersError};
use crate::password::{PasswordHash, Scheme};
use indexmap::{IndexMap, IndexSet};
use std::collections::HashMap;

/// The longest user or group name, in bytes.
const MAX_NAME: usize = 128;

#[derive(Debug, Clone)]
pub(super) struct Table {
    allow_weak: bool,
    users: IndexMap<Box<str>, User>,
}

impl Table {
    pub(super) fn new(allow_weak: bool) -> Self {
        Self { allow_weak, users: IndexMap::new() }
    }

    /// Checks the name of an entry to be inserted.
    pub(super) fn check_name(&self, name: &str) -> Result<(), UsersError> {
        if !is_user_name(name) {
            return Err(UsersError::UserName);
        }
        if self.users.contains_key(name) {
            return Err(UsersError::DuplicateUser(name.into()));
        }
        Ok(())
    }

    pub(super) fn parse_hash(&self, text: &str) -> Result<PasswordHash, UsersError> {
        Ok(PasswordHash::parse(text, self.allow_weak)?)
    }

    /// Inserts an entry whose name has been checked.
    pub(super) fn insert(&mut self, name: &str, user: User) {
        self.users.insert(name.into(), user);
    }

    /// Adds groups to those that the users have. Users who are not there are passed over.
    pub(super) fn join(&mut self, groups: &Groups) {
        for name in groups.users() {
            if let Some(user) = self.users.get_mut(name) {
                let of_both = std::mem::take(&mut user.groups).into_iter();
                let of_both = of_both.chain(groups.of(name).map(Box::from));
                user.groups = of_both.collect::<IndexSet<_>>().into_iter().collect();
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &User)> {
        self.users.iter().map(|(name, user)| (&**name, user))
    }

    pub(super) fn len(&self) -> usize {
        self.users.len()
    }

    /// A decoy of the most frequent scheme and cost, the earliest among equals; `None` where there
    /// are no users.
    pub(super) fn usual_hash(&self) -> Option<PasswordHash> {
        let mut counts: HashMap<Scheme, usize> = HashMap::new();
        for user in self.users.values() {
            *counts.entry(user.hash.scheme()).or_default() += 1;
        }
        let most = counts.values().copied().max()?;
        let mut hashes = self.users.values().map(|user| &user.hash);
        hashes.find(|hash| counts.get(&hash.scheme()) == Some(&most)).map(PasswordHash::decoy)
    }
}

pub(super) fn check_group(name: &str) -> Result<Box<str>, UsersError> {
    if is_group_name(name) { Ok(name.into()) } else { Err(UsersError::GroupName) }
}

pub(crate) fn is_group_name(name: &str) -> bool {
    is_user_name(name) && name.trim() == name && !name.contains(',')
}

pub(crate) fn is_user_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && !name.contains(char::is_control)
}
