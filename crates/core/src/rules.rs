//! `authgate_require [user=a,b] [group=x,y]`: who of those signed in may enter.

use crate::users::{is_group_name, is_user_name};

/// One directive: its users and groups are alternatives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    users: Vec<Box<str>>,
    groups: Vec<Box<str>>,
}

/// The directives of one level: all must hold. None: every user is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules(pub Vec<Rule>);

/// A mistake in a directive, in nginx's phrases.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// No arguments.
    #[error("invalid number of arguments in \"authgate_require\" directive")]
    ArgumentCount,
    /// An argument that means nothing.
    #[error("invalid parameter \"{0}\" in \"authgate_require\" directive")]
    InvalidParameter(Box<str>),
}

impl Rules {
    /// Whether all rules allow a user of these groups.
    #[must_use]
    pub fn allows(&self, user: &str, groups: &[Box<str>]) -> bool {
        self.0.iter().all(|rule| rule.allows(user, groups))
    }
}

impl Rule {
    /// Takes the arguments of one directive.
    ///
    /// # Errors
    /// The first mistake.
    pub fn parse(args: &[&str]) -> Result<Self, RuleError> {
        let (mut users, mut groups) = (None, None);
        for arg in args {
            let (list, taken) = match arg.split_once('=') {
                Some(("user", names)) => (&mut users, list(names, is_user_name)),
                Some(("group", names)) => (&mut groups, list(names, is_group_name)),
                _ => return Err(invalid(arg)),
            };
            if list.replace(taken.ok_or_else(|| invalid(arg))?).is_some() {
                return Err(invalid(arg));
            }
        }
        if users.is_none() && groups.is_none() {
            return Err(RuleError::ArgumentCount);
        }
        Ok(Self { users: users.unwrap_or_default(), groups: groups.unwrap_or_default() })
    }

    /// Whether a user of these groups is allowed: named, or in a group that is.
    #[must_use]
    pub fn allows(&self, user: &str, groups: &[Box<str>]) -> bool {
        self.users.iter().any(|name| **name == *user)
            || self.groups.iter().any(|name| groups.contains(name))
    }
}

fn invalid(arg: &str) -> RuleError {
    RuleError::InvalidParameter(arg.into())
}

/// The names of a list, each once; `None` where one of them is none.
fn list(names: &str, is_name: fn(&str) -> bool) -> Option<Vec<Box<str>>> {
    let mut list: Vec<Box<str>> = Vec::new();
    for name in names.split(',') {
        if !is_name(name) || list.iter().any(|other| **other == *name) {
            return None;
        }
        list.push(name.into());
    }
    Some(list)
}
