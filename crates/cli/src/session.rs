//! `authgate session`

use crate::clock::now;
use crate::failure::Failure;
use crate::revocation::Place;
use authgate_core::journal::{MARGIN, Record, UserTag};
use authgate_core::token::MAX_USER;

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
    #[command(flatten)]
    place: Place,
    /// The ids of sessions or API tokens; "-" reads one from standard input
    #[arg(value_name = "SESSION", required_unless_present = "user", conflicts_with = "user")]
    sessions: Vec<String>,
    /// End all sessions of this user
    #[arg(long)]
    user: Option<String>,
}

pub(crate) fn run(command: &Command) -> Result<String, Failure> {
    let Command::Revoke(Revocation { place, sessions, user }) = command;
    match user {
        Some(user) => end_all_of(place, user),
        None => place.end_each("session", sessions),
    }
}

fn end_all_of(place: &Place, name: &str) -> Result<String, Failure> {
    if !(1..=MAX_USER).contains(&name.len()) {
        return Err(Failure::Error("a user name has 1 to 128 bytes".into()));
    }
    let issued_until = now().saturating_add(MARGIN);
    let record = Record::User { user: UserTag::of(name), issued_until };
    place.end(record, "user", name, &format!("user \"{name}\", all sessions until now"))
}
