//! The users file and the groups file of a realm, which are read as one: a set of users is made from
//! both or not at all.

use crate::files::{self, Content, at};
use authgate_core::journal::UserTag;
use authgate_core::users::{GenerationKey, Generations, Groups, Users};
use authgate_core::watch::{Fingerprint, Marks};
use std::fmt;
use std::path::PathBuf;

/// What the users file has, and the groups file where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Both<T> {
    pub users: T,
    pub groups: Option<T>,
}

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Which {
    Users,
    Groups,
}

/// What is wrong with one of them, as nginx says it.
#[derive(Debug, Hash)]
pub(crate) struct Mistake {
    pub which: Which,
    pub text: String,
}

/// The files of a realm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UsersFiles {
    pub paths: Both<PathBuf>,
    pub allow_weak: bool,
}

/// Users as they have been read.
pub(crate) struct Loaded {
    pub users: Users,
    pub marks: Both<Marks>,
    pub fingerprint: Fingerprint,
}

/// What the files have turned out to be when they were read again.
pub(crate) enum Reread {
    /// One changed while they were read.
    Moving,
    /// Their content is what has been taken already.
    Same(Both<Marks>),
    /// Users to take, and whose sessions of before end.
    New(Loaded, Vec<UserTag>),
    /// A mistake in one.
    Bad(Both<Marks>, Fingerprint, Mistake),
    /// One cannot be read.
    Unreadable(Mistake),
}

impl UsersFiles {
    /// Reads them.
    ///
    /// # Errors
    /// The mistake, with the file and its line.
    pub(crate) fn load(&self) -> Result<Loaded, Mistake> {
        let contents = self.read()?;
        Ok(Loaded {
            users: self.parse(&contents)?,
            marks: contents.map(|content| content.before),
            fingerprint: fingerprint(&contents),
        })
    }

    /// Reads them again, of which the content `taken` is known, and made `old`.
    pub(crate) fn reread(
        &self,
        taken: Fingerprint,
        old: &Users,
        key: Option<&GenerationKey>,
    ) -> Reread {
        let contents = match self.read() {
            Ok(contents) => contents,
            Err(mistake) => return Reread::Unreadable(mistake),
        };
        let marks = contents.map(|content| content.before);
        let fingerprint = fingerprint(&contents);
        if marks != contents.map(|content| content.after) {
            return Reread::Moving;
        }
        if fingerprint == taken {
            return Reread::Same(marks);
        }
        match self.parse(&contents) {
            Ok(users) => {
                let changed = key.map(|key| changed(old, &users, key)).unwrap_or_default();
                Reread::New(Loaded { users, marks, fingerprint }, changed)
            }
            Err(mistake) => Reread::Bad(marks, fingerprint, mistake),
        }
    }

    /// What they look like from outside.
    ///
    /// # Errors
    /// Why one cannot be looked at.
    pub(crate) fn marks(&self) -> Result<Both<Marks>, Mistake> {
        self.paths.try_map(|path| files::marks(path))
    }

    /// Whether the workers' user may read them.
    ///
    /// # Errors
    /// Which it may not, and what to do.
    pub(crate) fn readable_by_workers(&self) -> Result<(), Mistake> {
        self.paths.try_map(|path| files::readable_by_workers(path)).map(drop)
    }

    fn read(&self) -> Result<Both<Content>, Mistake> {
        self.paths.try_map(|path| files::read(path))
    }

    fn parse(&self, contents: &Both<Content>) -> Result<Users, Mistake> {
        let users = Users::parse(&contents.users.text, self.allow_weak)
            .map_err(|mistake| Which::Users.mistake(at(&self.paths.users, &mistake)))?;
        match (&contents.groups, &self.paths.groups) {
            (Some(content), Some(path)) => Groups::parse(&content.text)
                .map(|groups| users.with_groups(&groups))
                .map_err(|mistake| Which::Groups.mistake(at(path, &mistake))),
            _ => Ok(users),
        }
    }
}

/// Whose sessions end when the new users come in the old ones' place.
pub(crate) fn changed(old: &Users, new: &Users, key: &GenerationKey) -> Vec<UserTag> {
    Generations::of(old, key).changed(&Generations::of(new, key))
}

fn fingerprint(contents: &Both<Content>) -> Fingerprint {
    let all = std::iter::once(&contents.users).chain(&contents.groups);
    Fingerprint::of(all.map(|content| content.text.as_slice()))
}

impl<T> Both<T> {
    /// The users file's where there is no other.
    pub(crate) fn get(&self, which: Which) -> &T {
        match which {
            Which::Users => &self.users,
            Which::Groups => self.groups.as_ref().unwrap_or(&self.users),
        }
    }

    fn map<R>(&self, of: impl Fn(&T) -> R) -> Both<R> {
        Both { users: of(&self.users), groups: self.groups.as_ref().map(of) }
    }

    fn try_map<R>(&self, of: impl Fn(&T) -> Result<R, String>) -> Result<Both<R>, Mistake> {
        let users = of(&self.users).map_err(|text| Which::Users.mistake(text))?;
        let groups = self.groups.as_ref().map(of).transpose();
        Ok(Both { users, groups: groups.map_err(|text| Which::Groups.mistake(text))? })
    }
}

impl Which {
    fn mistake(self, text: String) -> Mistake {
        Mistake { which: self, text }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Users => "users",
            Self::Groups => "groups",
        })
    }
}
