//! `authgate keys`

use crate::failure::Failure;
use crate::file;
use authgate_core::keyring::Keys;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
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
}

pub(crate) fn run(command: &Command) -> Result<String, Failure> {
    match command {
        Command::New { file } => new(file),
    }
}

fn new(path: &Path) -> Result<String, Failure> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut_slice())
        .map_err(|error| Failure::Error(format!("no random bytes: {error}")))?;
    let mut line = Zeroizing::new(String::with_capacity(64));
    BASE64_STANDARD.encode_string(secret.as_slice(), &mut line);
    line.push('\n');
    let keys = Keys::parse(line.as_bytes()).map_err(|error| Failure::error(path, error))?;
    file::create(path, MODE, line.as_bytes())?;
    let name = keys.ids().next().map(ToString::to_string).unwrap_or_default();
    Ok(format!("{}: made, mode 0600, with one key \"{name}\"\n", path.display()))
}
