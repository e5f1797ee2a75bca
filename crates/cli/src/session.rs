//! `authgate session`

use crate::clock::now;
use crate::failure::Failure;
use crate::token;
use authgate_core::ended::KEPT_BEYOND_ISSUE;
use authgate_core::journal::{MARGIN, Record, UserTag};
use authgate_core::settings::Builder;
use authgate_core::token::{MAX_USER, SessionId, inspect};
use authgate_state::Journal;
use serde_json::json;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// End sessions and API tokens before their time
    ///
    /// One by one, by id: 32 hexadecimal digits, as in $authgate_session and "authgate token
    /// inspect". Or "-": the id, or the token itself (the cookie's value), from standard input.
    /// With --user all sessions of a user that were begun until now; signing in again is possible.
    /// For realms with "state": nginx takes it in within a second, and remembers it when restarted.
    #[command(after_help = "Examples:
  authgate session revoke --state /var/lib/authgate --realm ops 0123456789abcdef0123456789abcdef
  authgate session revoke --state /var/lib/authgate --realm ops - < cookie
  authgate session revoke --state /var/lib/authgate --realm ops --user bob")]
    Revoke(Revocation),
}

#[derive(clap::Args)]
pub(crate) struct Revocation {
    /// The folder that "state" names
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// The realm
    #[arg(long, value_name = "NAME")]
    realm: String,
    /// The ids of sessions or API tokens; "-" reads one from standard input
    #[arg(value_name = "SESSION", required_unless_present = "user", conflicts_with = "user")]
    sessions: Vec<String>,
    /// End all sessions of this user
    #[arg(long)]
    user: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &Command) -> Result<String, Failure> {
    let Command::Revoke(revocation) = command;
    // No path: it becomes part of a file's name.
    Builder::new(&revocation.realm).map_err(|error| Failure::Error(error.to_string()))?;
    match &revocation.user {
        Some(user) => revocation.end_all_of(user),
        None => revocation.end_each(),
    }
}

impl Revocation {
    fn end_each(&self) -> Result<String, Failure> {
        let ids = self.sessions.iter().map(|text| session_id(text));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        let keep_until = now().saturating_add(KEPT_BEYOND_ISSUE);
        let records: Vec<_> = ids.iter().map(|&id| Record::Token { id, keep_until }).collect();
        self.append(&records)?;
        let names: Vec<_> = ids.iter().map(ToString::to_string).collect();
        if self.json {
            return Ok(self.as_json("sessions", &json!(names)));
        }
        Ok(names.iter().map(|name| self.as_text(&format!("session {name}"))).collect())
    }

    fn end_all_of(&self, name: &str) -> Result<String, Failure> {
        if !(1..=MAX_USER).contains(&name.len()) {
            return Err(Failure::Error("a user name has 1 to 128 bytes".into()));
        }
        let issued_until = now().saturating_add(MARGIN);
        self.append(&[Record::User { user: UserTag::of(name), issued_until }])?;
        if self.json {
            return Ok(self.as_json("user", &json!(name)));
        }
        Ok(self.as_text(&format!("user \"{name}\", all sessions until now")))
    }

    fn append(&self, records: &[Record]) -> Result<(), Failure> {
        let folder = &self.state;
        let written = Journal::open_existing(folder, &self.realm).and_then(|mut journal| {
            journal.append(records)?;
            journal.file().sync_data()
        });
        written.map_err(|error| match error.kind() {
            ErrorKind::NotFound => self.no_journal(folder),
            _ => Failure::Error(error.to_string()),
        })
    }

    /// Not made here: root would make it, and nginx does not read what is not there at its start.
    fn no_journal(&self, folder: &Path) -> Failure {
        let (realm, folder) = (&self.realm, folder.display());
        Failure::No(format!(
            "{folder}: nothing of a realm \"{realm}\" is kept there; write \"state {folder};\" into \"authgate_realm {realm}\" and start nginx, which makes {realm}.ended"
        ))
    }

    fn as_json(&self, what: &str, ended: &serde_json::Value) -> String {
        format!("{}\n", json!({"state": self.state, "realm": self.realm, what: ended}))
    }

    fn as_text(&self, what: &str) -> String {
        format!("{what}: ended within a second wherever nginx reads {}\n", self.state.display())
    }
}

/// A token is no argument: every user of the machine can read those.
fn session_id(text: &str) -> Result<SessionId, Failure> {
    if text == "-" {
        return session_of(token::read_standard_input()?.trim());
    }
    text.parse().map_err(|_| {
        Failure::Error("a session is 32 hexadecimal digits, or \"-\": standard input".into())
    })
}

/// Not verified: what holds no longer, or is not ours, may be ended too.
fn session_of(input: &str) -> Result<SessionId, Failure> {
    input.parse().or_else(|_| {
        let token = input.strip_prefix("agt_").unwrap_or(input);
        let claims = inspect(token.as_bytes());
        let no_token =
            |error| Failure::Error(format!("standard input: no id, and as a token {error}"));
        claims.map(|claims| claims.session).map_err(no_token)
    })
}
