//! What JSON and YAML share: an object of users, read entry by entry, so that a user who stands
//! there twice is seen and a mistake has a line.

use super::table::{Table, check_group};
use super::{User, UsersError};
use crate::lines::LineError;
use crate::password::PasswordHash;
use core::fmt;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The text of a document.
pub(super) fn as_text(text: &[u8]) -> Result<&str, LineError<UsersError>> {
    str::from_utf8(text).map_err(|error| {
        let valid = text.iter().take(error.valid_up_to());
        let line = valid.filter(|byte| **byte == b'\n').count() + 1;
        LineError { line, error: UsersError::NotUtf8 }
    })
}

/// The users so far, and the mistake that ended the reading: the parser's own error has the line.
pub(super) struct Draft {
    table: Table,
    mistake: Option<UsersError>,
}

impl Draft {
    pub(super) fn new(allow_weak: bool) -> Self {
        Self { table: Table::new(allow_weak), mistake: None }
    }

    pub(super) fn fail<E: Error>(&mut self, mistake: UsersError) -> E {
        self.mistake = Some(mistake);
        E::custom("mistake")
    }

    pub(super) fn finish(
        self,
        result: Result<(), LineError<UsersError>>,
    ) -> Result<Table, LineError<UsersError>> {
        match (result, self.mistake) {
            (Ok(()), _) => Ok(self.table),
            (Err(LineError { line, error }), mistake) => {
                Err(LineError { line: line.max(1), error: mistake.unwrap_or(error) })
            }
        }
    }

    fn check<T, E: Error>(&mut self, result: Result<T, UsersError>) -> Result<T, E> {
        result.map_err(|mistake| self.fail(mistake))
    }
}

/// What may stand for a user.
#[derive(Clone, Copy)]
pub(super) enum Entry {
    /// A hash.
    Hash,
    /// A hash, a list of one, or an object.
    Any,
}

/// The object of users.
pub(super) struct UsersSeed<'d> {
    pub(super) draft: &'d mut Draft,
    pub(super) entry: Entry,
}

impl<'de> DeserializeSeed<'de> for UsersSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for UsersSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("users")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(NameSeed(self.draft))? {
            let user = match self.entry {
                Entry::Hash => map.next_value_seed(HashSeed(self.draft)).map(User::from),
                Entry::Any => map.next_value_seed(EntrySeed(self.draft)),
            }?;
            self.draft.table.insert(&name, user);
        }
        Ok(())
    }

    /// A key without a value is an empty object in YAML.
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

impl From<PasswordHash> for User {
    fn from(hash: PasswordHash) -> Self {
        Self { hash, groups: Vec::new(), disabled: false }
    }
}

struct NameSeed<'d>(&'d mut Draft);

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = Box<str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Box<str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed<'_> {
    type Value = Box<str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a user name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Box<str>, E> {
        let checked = self.0.table.check_name(name);
        self.0.check(checked).map(|()| name.into())
    }
}

struct HashSeed<'d>(&'d mut Draft);

impl<'de> DeserializeSeed<'de> for HashSeed<'_> {
    type Value = PasswordHash;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<PasswordHash, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for HashSeed<'_> {
    type Value = PasswordHash;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a hash")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<PasswordHash, E> {
        let parsed = self.0.table.parse_hash(text);
        self.0.check(parsed)
    }
}

/// Any of the three forms of an entry.
struct EntrySeed<'d>(&'d mut Draft);

impl<'de> DeserializeSeed<'de> for EntrySeed<'_> {
    type Value = User;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<User, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for EntrySeed<'_> {
    type Value = User;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a hash, a list of one hash, or an object")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<User, E> {
        HashSeed(self.0).visit_str(text).map(User::from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<User, A::Error> {
        let hash = list.next_element_seed(HashSeed(self.0))?;
        let more = list.next_element_seed(HashSeed(self.0))?;
        match (hash, more) {
            (Some(hash), None) => Ok(User::from(hash)),
            _ => Err(self.0.fail(UsersError::UnexpectedValue)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<User, A::Error> {
        let mut fields = EntryFields::default();
        while let Some(key) = map.next_key::<String>()? {
            fields.read(&key, &mut map, self.0)?;
        }
        let Some(hash) = fields.password else { return Err(self.0.fail(UsersError::NoPassword)) };
        let disabled = fields.disabled.unwrap_or_default();
        Ok(User { hash, groups: fields.groups.unwrap_or_default(), disabled })
    }
}

#[derive(Default)]
struct EntryFields {
    password: Option<PasswordHash>,
    groups: Option<Vec<Box<str>>>,
    disabled: Option<bool>,
}

impl EntryFields {
    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        draft: &mut Draft,
    ) -> Result<(), A::Error> {
        let duplicate = match key {
            "password" => self.password.replace(map.next_value_seed(HashSeed(draft))?).is_some(),
            "groups" => self.groups.replace(map.next_value_seed(GroupsSeed(draft))?).is_some(),
            "disabled" => self.disabled.replace(map.next_value()?).is_some(),
            _ => return Err(draft.fail(UsersError::UnknownKey)),
        };
        if duplicate { Err(draft.fail(UsersError::DuplicateKey)) } else { Ok(()) }
    }
}

struct GroupsSeed<'d>(&'d mut Draft);

impl<'de> DeserializeSeed<'de> for GroupsSeed<'_> {
    type Value = Vec<Box<str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let names: Vec<String> = serde::Deserialize::deserialize(deserializer)?;
        let groups = names.iter().map(|name| check_group(name)).collect();
        self.0.check(groups)
    }
}
