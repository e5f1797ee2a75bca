//! `authgate token`

mod ended;
mod inspect;
mod issue;
mod verify;

use crate::failure::Failure;
use crate::file;
use crate::revocation::Place;
use authgate_core::keyring::{KeyRing, Keys};
use authgate_core::token::Purpose;
use std::io::Read;
use std::path::Path;

/// More than any token and the white space around it.
const MAX_INPUT: u64 = 4096;
/// What an API token begins with.
const API_PREFIX: &str = "agt_";

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Issue an API token: for a program that cannot sign in
    ///
    /// Prints the token alone; who has it is the user until it expires, so keep it in a file that
    /// only its program can read. With --path it opens that path and what is below it, with
    /// --method requests of that method: "GET" does not open "HEAD". It also ends when the user is
    /// removed or disabled, with the key that signed it, and by "authgate token revoke".
    /// The keys file is what "keys" names; in a realm that has none but "state", it is "key" there.
    #[command(after_help = "Examples:
  authgate token issue --keys /etc/nginx/authgate/keys --realm ops --user prometheus \\
      --expires 90d --method GET --path /metrics > prometheus.token
  authgate token issue --keys /var/lib/authgate/key --users /etc/nginx/authgate/users --realm ops \\
      --user deploy --expires 1h")]
    Issue(issue::Issue),
    /// Show what a token says, and with --keys whether its signature holds
    ///
    /// The token is the cookie's value, or an API token (agt_...). Without --keys nothing is
    /// verified: anyone can write such a token. With --keys the signature and the times are
    /// verified, not whether the user still has the same password or the session was ended; exit
    /// status 1 where the token does not hold. Sessions can be verified only where the realm has
    /// "state".
    /// Tokens are secrets, and every user of the machine can see arguments: better leave the token
    /// out of them, and give it on standard input.
    #[command(after_help = "Examples:
  authgate token inspect < cookie
  authgate token inspect --json < prometheus.token
  authgate token inspect --keys /etc/nginx/authgate/keys --realm ops < cookie")]
    Inspect(inspect::Inspection),
    /// Whether a token holds: exit status 0 where it does, 1 where not
    ///
    /// A token that begins with agt_ is an API token, any other a session (the cookie's value).
    /// What is asked is what it is told of: --keys the signature and the times, --users whether the
    /// user is there and a session's password the same, --state whether it was ended, --method and
    /// --path whether its limits allow such a request. Sessions can be verified only where the
    /// realm has "state".
    /// Tokens are secrets, and every user of the machine can see arguments: better leave the token
    /// out of them, and give it on standard input.
    #[command(after_help = "Examples:
  authgate token verify --keys /etc/nginx/authgate/keys --realm ops < prometheus.token
  authgate token verify --keys /etc/nginx/authgate/keys --realm ops --method GET --path /metrics \\
      --users /etc/nginx/authgate/users --state /var/lib/authgate --json < prometheus.token")]
    Verify(verify::Verification),
    /// End API tokens before their time
    ///
    /// By id: 32 hexadecimal digits, as "authgate token issue" and "authgate token inspect" tell
    /// them, and $authgate_session. Or "-": the id, or the token itself, from standard input.
    /// For realms with "state": nginx takes it in within a second, and remembers it when restarted.
    #[command(after_help = "Examples:
  authgate token revoke --state /var/lib/authgate --realm ops 0123456789abcdef0123456789abcdef
  authgate token revoke --state /var/lib/authgate --realm ops - < prometheus.token")]
    Revoke(Revocation),
}

#[derive(clap::Args)]
pub(crate) struct Revocation {
    #[command(flatten)]
    place: Place,
    /// The ids of API tokens; "-" reads one from standard input
    #[arg(value_name = "ID", required = true)]
    tokens: Vec<String>,
}

pub(crate) fn run(command: &Command) -> Result<String, Failure> {
    match command {
        Command::Issue(issue) => issue.run(),
        Command::Inspect(inspection) => inspection.run(),
        Command::Verify(verification) => verification.run(),
        Command::Revoke(Revocation { place, tokens }) => place.end_each("token", tokens),
    }
}

pub(crate) fn read_standard_input() -> Result<String, Failure> {
    let mut token = String::new();
    let read = std::io::stdin().lock().take(MAX_INPUT).read_to_string(&mut token);
    read.map_err(|error| Failure::Error(format!("cannot read standard input: {error}")))?;
    Ok(token)
}

/// What a token is for, as far as its prefix tells, and the token without it.
pub(crate) fn split_prefix(text: &str) -> (Purpose, &str) {
    match text.strip_prefix(API_PREFIX) {
        Some(token) => (Purpose::Api, token),
        None => (Purpose::Session, text),
    }
}

/// The argument, or else standard input.
fn argument_or_input(argument: Option<&str>) -> Result<String, Failure> {
    argument.map_or_else(read_standard_input, |text| Ok(text.to_owned()))
}

/// As in a realm with `state`: without it, session keys depend on what lives in nginx's memory.
fn read_ring(keys: &Path, realm: &str) -> Result<KeyRing, Failure> {
    let text = zeroize::Zeroizing::new(file::read(keys)?);
    let keys = Keys::parse(&text)
        .map_err(|mistake| Failure::Error(format!("{}:{mistake}", keys.display())))?;
    Ok(KeyRing::derive(&keys, realm, b""))
}
