//! `authgate keys`

mod rotate;

use crate::failure::Failure;
use crate::file;
use authgate_core::keyring::Keys;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const MODE: u32 = 0o600;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Make a keys file with one new key, of mode 0600
    ///
    /// A file that exists is not overwritten: its keys hold sessions and tokens. The file is what
    /// "openssl rand -base64 32" writes.
    #[command(after_help = "Example:\n  authgate keys new /etc/nginx/authgate/keys")]
    New {
        /// The keys file
        file: PathBuf,
    },
    /// Change the key that signs, without ending a session
    ///
    /// Puts a new key first: it signs from the next reload on, and the others still verify. That is
    /// right for a single nginx. Where several have the same file, each must know a key before
    /// another one signs with it: --add, copy the file to all, reload all; then --promote, copy and
    /// reload. In the end, when nothing that the old key signed is in use any more, --drop. The
    /// file is replaced in one step and keeps its owner, mode and attributes; comments stay where they
    /// are.
    #[command(after_help = "Examples:
  authgate keys rotate /etc/nginx/authgate/keys && nginx -s reload
  authgate keys rotate --drop /etc/nginx/authgate/keys && nginx -s reload

Several nodes, on one of them:
  authgate keys rotate --add keys         # copy the file to every node, reload every node
  authgate keys rotate --promote keys     # the same
  authgate keys rotate --drop keys        # later, the same")]
    Rotate(rotate::Rotation),
}

pub(crate) fn run(command: &Command) -> Result<String, Failure> {
    match command {
        Command::New { file } => new(file),
        Command::Rotate(rotation) => rotation.run(),
    }
}

fn new(path: &Path) -> Result<String, Failure> {
    let line = new_key()?;
    let keys = Keys::parse(line.as_bytes()).map_err(|error| Failure::error(path, error))?;
    file::create(path, MODE, line.as_bytes())?;
    let name = keys.ids().next().map(ToString::to_string).unwrap_or_default();
    Ok(format!("{}: made, mode 0600, with one key \"{name}\"\n", path.display()))
}

fn new_key() -> Result<Zeroizing<String>, Failure> {
    authgate_state::new_key().map_err(|error| Failure::Error(error.to_string()))
}
