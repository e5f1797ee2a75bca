//! `authgate check`: a users, keys or groups file, as `nginx -t` would.

use crate::failure::Failure;
use crate::{file, note};
use authgate_core::keyring::Keys;
use authgate_core::lines::LineError;
use authgate_core::users::{FileFormat, Groups, Users};
use authgate_state::rights;
use serde_json::{Value, json};
use std::fmt::Display;
use std::fs::Metadata;
use std::path::PathBuf;

/// Check a users, keys or groups file as "nginx -t" would
///
/// Which of them it is shows in its content: no line of keys has a colon, and in a groups file white
/// space follows it. For a groups file written without ("ops:alice"), say --kind groups. Exit status 0:
/// well-formed; 1: a mistake, with its line; 2: cannot be read.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  authgate check /etc/nginx/authgate/users
  authgate check --kind groups /etc/nginx/authgate/groups
  authgate check --json /etc/nginx/authgate/keys")]
pub(crate) struct Arguments {
    /// The users, keys or groups file
    file: PathBuf,
    /// What the file is, instead of what its content shows
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Answer in JSON, mistakes too
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// The directive "users"
    Users,
    /// The directive "keys"
    Keys,
    /// The directive "groups"
    Groups,
}

pub(crate) fn run(arguments: &Arguments) -> Result<String, Failure> {
    let text = file::read(&arguments.file)?;
    match arguments.kind.unwrap_or_else(|| Kind::of(&text)) {
        Kind::Users => check_users(arguments, &text),
        Kind::Keys => check_keys(arguments, &text),
        Kind::Groups => check_groups(arguments, &text),
    }
}

impl Kind {
    /// Users in doubt: a users file that passes for groups would be called well-formed.
    fn of(text: &[u8]) -> Self {
        if FileFormat::of(text) != FileFormat::Htpasswd {
            return Self::Users;
        }
        let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let content = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
        let mut after_colon = content.map(|line| line.splitn(2, |byte| *byte == b':').nth(1));
        match after_colon.next() {
            Some(None) => Self::Keys,
            Some(Some(text)) if shows_groups(text) => Self::Groups,
            // A group without users may come first, where a user without a hash is a mistake.
            Some(Some(b"")) if after_colon.flatten().any(shows_groups) => Self::Groups,
            _ => Self::Users,
        }
    }
}

/// Whether users follow and not a hash, which has no white space before it: but one may be there by
/// mistake.
fn shows_groups(after_colon: &[u8]) -> bool {
    let begins = after_colon.trim_ascii_start();
    begins != after_colon && !begins.starts_with(b"$") && !begins.starts_with(b"{")
}

fn check_keys(arguments: &Arguments, text: &[u8]) -> Result<String, Failure> {
    let warning = arguments.check_rights()?;
    let keys = Keys::parse(text).map_err(|mistake| arguments.refuse("keys", &mistake))?;
    let names: Vec<_> = keys.ids().map(ToString::to_string).collect();
    let (first, count) = (names.first().cloned().unwrap_or_default(), names.len());
    if let Some(warning) = warning.as_ref().filter(|_| !arguments.json) {
        note(&format!("warning: {warning}"));
    }
    Ok(arguments.answer(
        json!({"ok": true, "kind": "keys", "keys": names, "warning": warning}),
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

fn check_groups(arguments: &Arguments, text: &[u8]) -> Result<String, Failure> {
    let groups = Groups::parse(text).map_err(|mistake| arguments.refuse("groups", &mistake))?;
    let count = groups.len();
    Ok(arguments.answer(
        json!({"ok": true, "kind": "groups", "groups": count}),
        format!("groups, {count} in all"),
    ))
}

impl Arguments {
    fn answer(&self, json: Value, text: String) -> String {
        if self.json { format!("{json}\n") } else { format!("{}: {text}\n", self.file.display()) }
    }

    /// Who may read and write a keys file.
    fn check_rights(&self) -> Result<Option<String>, Failure> {
        let metadata = std::fs::metadata(&self.file).ok().filter(Metadata::is_file);
        let judged = metadata.map(|metadata| rights::of_file(&self.file, &metadata)).transpose();
        judged.map(Option::flatten).map_err(|mistake| {
            if self.json {
                let json = json!({"ok": false, "kind": "keys", "line": null, "error": mistake});
                crate::print(&format!("{json}\n"));
            }
            Failure::No(mistake)
        })
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
