//! JSON: `{"admin": "hash"}`, `{"admin": ["hash"]}` or
//! `{"admin": {"password": "hash", "groups": ["sre"], "disabled": false}}`.

use super::UsersError;
use super::document::{self, Draft, Entry, UsersSeed};
use super::table::Table;
use crate::lines::LineError;
use serde::de::DeserializeSeed;
use serde_json::error::Category;

pub(super) fn parse(text: &[u8], allow_weak: bool) -> Result<Table, LineError<UsersError>> {
    let text = document::as_text(text)?;
    let mut draft = Draft::new(allow_weak);
    let mut json = serde_json::Deserializer::from_str(text);
    let seed = UsersSeed { draft: &mut draft, entry: Entry::Any };
    let result = seed.deserialize(&mut json).and_then(|()| json.end());
    draft.finish(result.map_err(|error| LineError { line: error.line(), error: kind(&error) }))
}

/// The kind alone: the text may quote what stands in the file.
fn kind(error: &serde_json::Error) -> UsersError {
    match error.classify() {
        Category::Data => UsersError::UnexpectedValue,
        Category::Io | Category::Syntax | Category::Eof => UsersError::Json,
    }
}
