//! The web configuration of Prometheus and its exporters: YAML with `basic_auth_users`.

use super::UsersError;
use super::document::{self, Draft, Entry, UsersSeed};
use super::table::Table;
use crate::lines::LineError;
use core::fmt;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

const USERS: &str = "basic_auth_users";
/// libyaml's time grows with the square of their nesting. A web configuration has a handful.
const MAX_BRACKETS: usize = 1000;

pub(super) fn parse(text: &[u8], allow_weak: bool) -> Result<Table, LineError<UsersError>> {
    let text = document::as_text(text)?;
    check_brackets(text)?;
    let mut draft = Draft::new(allow_weak);
    let yaml = yaml_serde::Deserializer::from_str(text);
    let result = WebConfiguration(&mut draft).deserialize(yaml);
    draft.finish(result.map_err(|error| LineError {
        line: error.location().map_or(1, |location| location.line()),
        error: UsersError::Yaml,
    }))
}

fn check_brackets(text: &str) -> Result<(), LineError<UsersError>> {
    let mut brackets = 0;
    for (line, number) in text.split('\n').zip(1..) {
        brackets += line.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
        if brackets > MAX_BRACKETS {
            return Err(LineError { line: number, error: UsersError::TooManyBrackets });
        }
    }
    Ok(())
}

struct WebConfiguration<'d>(&'d mut Draft);

impl<'de> DeserializeSeed<'de> for WebConfiguration<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for WebConfiguration<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a web configuration")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<String>()? {
            if key != USERS {
                map.next_value::<IgnoredAny>()?;
            } else if found {
                return Err(self.0.fail(UsersError::DuplicateKey));
            } else {
                found = true;
                map.next_value_seed(UsersSeed { draft: self.0, entry: Entry::Hash })?;
            }
        }
        if found { Ok(()) } else { Err(self.0.fail(UsersError::NoBasicAuthUsers)) }
    }
}
