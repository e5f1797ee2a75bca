//! Ending sessions and API tokens: what `session revoke` and `token revoke` have in common.

use crate::clock::now;
use crate::failure::Failure;
use crate::{realm, token};
use authgate_core::ended::KEPT_BEYOND_ISSUE;
use authgate_core::journal::Record;
use authgate_core::token::{SessionId, inspect};
use authgate_state::Journal;
use serde_json::json;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where it is written that something has ended, and how that is said.
#[derive(clap::Args)]
pub(crate) struct Place {
    /// The folder that "state" names
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// The realm
    #[arg(long, value_name = "NAME", value_parser = realm::name)]
    realm: String,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

impl Place {
    /// Ends each of them, by id; `what` they are is for the answer alone.
    pub(crate) fn end_each(&self, what: &str, ids: &[String]) -> Result<String, Failure> {
        let ids = ids.iter().map(|text| id(what, text)).collect::<Result<Vec<_>, _>>()?;
        let keep_until = now().saturating_add(KEPT_BEYOND_ISSUE);
        let records: Vec<_> = ids.iter().map(|&id| Record::Token { id, keep_until }).collect();
        self.append(&records)?;
        let names: Vec<_> = ids.iter().map(ToString::to_string).collect();
        if self.json {
            return Ok(self.as_json(&format!("{what}s"), &json!(names)));
        }
        Ok(names.iter().map(|name| self.as_text(&format!("{what} {name}"))).collect())
    }

    /// Ends what the record says: `what` and `value` for JSON, `text` for people.
    pub(crate) fn end(
        &self,
        record: Record,
        what: &str,
        value: &str,
        text: &str,
    ) -> Result<String, Failure> {
        self.append(&[record])?;
        Ok(if self.json { self.as_json(what, &json!(value)) } else { self.as_text(text) })
    }

    fn append(&self, records: &[Record]) -> Result<(), Failure> {
        let folder = &self.state;
        let written = Journal::open_existing(folder, &self.realm).and_then(|mut journal| {
            journal.append(records)?;
            journal.file().sync_data()
        });
        written.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Failure::No(no_journal(folder, &self.realm)),
            _ => Failure::Error(error.to_string()),
        })
    }

    fn as_json(&self, what: &str, ended: &serde_json::Value) -> String {
        format!("{}\n", json!({"state": self.state, "realm": self.realm, what: ended}))
    }

    fn as_text(&self, what: &str) -> String {
        format!("{what}: ended within a second wherever nginx reads {}\n", self.state.display())
    }
}

/// Not made here: root would make it, and nginx does not read what is not there at its start.
pub(crate) fn no_journal(folder: &Path, realm: &str) -> String {
    let folder = folder.display();
    format!(
        "{folder}: nothing of a realm \"{realm}\" is kept there; write \"state {folder};\" into \"authgate_realm {realm}\" and start nginx, which makes {realm}.ended"
    )
}

/// A token is no argument: every user of the machine can read those.
fn id(what: &str, text: &str) -> Result<SessionId, Failure> {
    if text == "-" {
        return id_of(token::read_standard_input()?.trim());
    }
    text.parse().map_err(|_| {
        let text = format!("a {what} is named by 32 hexadecimal digits, or \"-\": standard input");
        Failure::Error(text)
    })
}

/// Not verified: what holds no longer, or is not ours, may be ended too.
fn id_of(input: &str) -> Result<SessionId, Failure> {
    input.parse().or_else(|_| {
        let (_, token) = token::split_prefix(input);
        let no_token =
            |error| Failure::Error(format!("standard input: no id, and as a token {error}"));
        inspect(token.as_bytes()).map(|claims| claims.session).map_err(no_token)
    })
}
