//! `authgate check`: a users or keys file, as `nginx -t` would.

use crate::failure::Failure;
use crate::{file, note};
use authgate_core::keyring::Keys;
use authgate_core::lines::LineError;
use authgate_core::users::{FileFormat, Users};
use serde_json::{Value, json};
use std::fmt::Display;
use std::path::PathBuf;

/// Check a users or keys file as "nginx -t" would
///
/// Which of the two it is shows in its content. Exit status 0: well-formed; 1: a mistake, with its
/// line; 2: cannot be read.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  authgate check /etc/nginx/authgate/users
  authgate check --json /etc/nginx/authgate/keys")]
pub(crate) struct Arguments {
    /// The users or keys file
    file: PathBuf,
    /// Answer in JSON, mistakes too
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<String, Failure> {
    let text = file::read(&arguments.file)?;
    if is_keys(&text) { check_keys(arguments, &text) } else { check_users(arguments, &text) }
}

/// Base64 and key names have no colon, and a line of users has one.
fn is_keys(text: &[u8]) -> bool {
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(b"#"));
    FileFormat::of(text) == FileFormat::Htpasswd && first.is_some_and(|line| !line.contains(&b':'))
}

fn check_keys(arguments: &Arguments, text: &[u8]) -> Result<String, Failure> {
    let keys = Keys::parse(text).map_err(|mistake| arguments.refuse("keys", &mistake))?;
    let names: Vec<_> = keys.ids().map(ToString::to_string).collect();
    let (first, count) = (names.first().cloned().unwrap_or_default(), names.len());
    Ok(arguments.answer(
        json!({"ok": true, "kind": "keys", "keys": names}),
        format!("keys, {count} in all, \"{first}\" signs"),
    ))
}

fn check_users(arguments: &Arguments, text: &[u8]) -> Result<String, Failure> {
    let users = Users::parse(text, true).map_err(|mistake| arguments.refuse("users", &mistake))?;
    let weak: Vec<_> = users.iter().filter(|(_, user)| user.hash.scheme().is_weak()).collect();
    if !arguments.json {
        for (name, user) in &weak {
            let scheme = user.hash.scheme();
            arguments.warn(format!("user \"{name}\" has a weak hash \"{scheme}\", taken only with allow_weak; set the password anew"));
        }
    }
    let weak: Vec<_> = weak.into_iter().map(|(name, _)| name).collect();
    let (format, count) = (users.format(), users.len());
    Ok(arguments.answer(
        json!({"ok": true, "kind": "users", "format": format.to_string(), "users": count, "weak": weak}),
        format!("users in {format}, {count} in all"),
    ))
}

impl Arguments {
    fn answer(&self, json: Value, text: String) -> String {
        if self.json { format!("{json}\n") } else { format!("{}: {text}\n", self.file.display()) }
    }

    fn warn(&self, text: String) {
        note(&format!("{}: warning: {text}", self.file.display()));
    }

    fn refuse<E: Display>(&self, kind: &str, mistake: &LineError<E>) -> Failure {
        if self.json {
            let LineError { line, error } = mistake;
            let json = json!({"ok": false, "kind": kind, "line": line, "error": error.to_string()});
            // the answer, not a message beside it
            crate::print(&format!("{json}\n"));
        }
        Failure::No(format!("{}:{mistake}", self.file.display()))
    }
}
