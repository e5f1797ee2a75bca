//! `authgate user`

mod edit;

use crate::crypt::crypt;
use crate::failure::Failure;
use crate::file::{self, Replacement};
use crate::{note, password};
use authgate_core::password::Scheme;
use authgate_core::users::{User, Users};
use bcrypt::Version;
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The worker user reads the file, through its group.
const NEW_FILE_MODE: u32 = 0o640;
/// What bcrypt takes, in bytes.
const MAX_BCRYPT_PASSWORD: usize = 72;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Add a user to an htpasswd file, or change the password
    ///
    /// The password is asked for, or read from standard input where that is no terminal. It is
    /// stored with bcrypt. All else in the file stays as it is. JSON and Prometheus files are not
    /// edited: write FILE as "-" to see the line, and put the hash there yourself.
    #[command(after_help = "Examples:
  authgate user set /etc/nginx/authgate/users alice
  authgate user set /etc/nginx/authgate/users bob --groups sre,dev
  pwgen 20 1 | authgate user set - carol")]
    Set {
        /// The htpasswd file; made where it does not exist; "-" prints the line
        file: PathBuf,
        /// The user name: 1-128 bytes, without ":"
        name: String,
        /// The groups, comma separated, instead of those in the file; "" for none
        #[arg(long)]
        groups: Option<String>,
        /// log2 of bcrypt's rounds
        #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(4..=15))]
        cost: u32,
    },
    /// Remove a user from an htpasswd file, which ends the user's sessions
    #[command(after_help = "Example:\n  authgate user remove /etc/nginx/authgate/users bob")]
    Remove {
        /// The htpasswd file
        file: PathBuf,
        /// The user name
        name: String,
    },
    /// List the users of a file, with scheme and groups
    #[command(after_help = "Examples:
  authgate user list /etc/nginx/authgate/users
  authgate user list --json profiles.json")]
    List {
        /// The users file, of any format
        file: PathBuf,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Check a user's password: exit status 0 where it is right, 1 where not
    #[command(after_help = "Examples:
  authgate user check /etc/nginx/authgate/users alice
  authgate user check config.yml prometheus < password")]
    Check {
        /// The users file, of any format
        file: PathBuf,
        /// The user name
        name: String,
    },
}

pub(crate) fn run(command: Command) -> Result<String, Failure> {
    match command {
        Command::Set { file, name, groups, cost } => set(&file, &name, groups.as_deref(), cost),
        Command::Remove { file, name } => remove(&file, &name),
        Command::List { file, json } => list(&file, json),
        Command::Check { file, name } => check(&file, &name),
    }
}

fn set(path: &Path, name: &str, groups: Option<&str>, cost: u32) -> Result<String, Failure> {
    if path == Path::new("-") {
        let line = edit::set(b"", name, &new_hash(cost)?, groups);
        return line
            .map(|line| String::from_utf8_lossy(&line).into_owned())
            .map_err(Failure::Error);
    }
    // a mistake in the name or the file is told before the password is asked for
    let old = file::read_if_there(path)?.unwrap_or_default();
    edit::set(&old, name, edit::ANY_HASH, groups)
        .map_err(|mistake| Failure::error(path, mistake))?;
    let hash = new_hash(cost)?;

    let file = Replacement::of(path)?;
    let is_new = file.content.is_none();
    let old = file.content.as_deref().map_or(&[][..], Vec::as_slice);
    let new =
        edit::set(old, name, &hash, groups).map_err(|mistake| Failure::error(path, mistake))?;
    file.replace(&new, NEW_FILE_MODE)?;
    if is_new && !file::has_group_of_folder(path) {
        note(&format!(
            "{0}: is new, mode 0640; nginx's workers must be able to read it, as with \"chgrp www-data {0}\"",
            path.display()
        ));
    }
    Ok(format!("{}: user \"{name}\" is set\n", path.display()))
}

fn new_hash(cost: u32) -> Result<String, Failure> {
    let password = password::read_new()?;
    if password.len() > MAX_BCRYPT_PASSWORD || password.contains(&0) {
        let text = "bcrypt takes passwords of at most 72 bytes without NUL, choose a shorter one";
        return Err(Failure::Error(text.into()));
    }
    let parts = bcrypt::hash_with_result(password.as_slice(), cost)
        .map_err(|error| Failure::Error(format!("cannot make the hash: {error}")))?;
    // the form that Apache, Prometheus and every libcrypt take
    Ok(parts.format_for_version(Version::TwoY))
}

fn remove(path: &Path, name: &str) -> Result<String, Failure> {
    let file = Replacement::of(path)?;
    let Some(old) = &file.content else {
        return Err(Failure::error(path, "no such file or directory"));
    };
    let new = match edit::remove(old, name) {
        Ok(Some(new)) => new,
        Ok(None) => return Err(no_user(path, name)),
        Err(mistake) => return Err(Failure::error(path, mistake)),
    };
    file.replace(&new, NEW_FILE_MODE)?;
    Ok(format!("{}: user \"{name}\" is removed\n", path.display()))
}

fn list(path: &Path, as_json: bool) -> Result<String, Failure> {
    let users = read_users(path)?;
    if as_json {
        let users: Vec<_> = users.iter().map(|(name, user)| describe(name, user)).collect();
        return Ok(format!("{}\n", json!(users)));
    }
    Ok(users.iter().fold(String::new(), |mut text, (name, user)| {
        let disabled = if user.disabled { "\tdisabled" } else { "" };
        // writing to a String cannot fail
        let _ =
            writeln!(text, "{name}\t{}\t{}{disabled}", user.hash.scheme(), user.groups.join(","));
        text
    }))
}

fn describe(name: &str, user: &User) -> serde_json::Value {
    let scheme = user.hash.scheme();
    json!({
        "name": name,
        "scheme": scheme.name(),
        "cost": scheme.to_string(),
        "weak": scheme.is_weak(),
        "groups": user.groups,
        "disabled": user.disabled,
    })
}

fn check(path: &Path, name: &str) -> Result<String, Failure> {
    let users = read_users(path)?;
    let user = users.get(name).ok_or_else(|| no_user(path, name))?;
    let scheme = user.hash.scheme();
    if matches!(scheme, Scheme::Apr1 | Scheme::Md5Crypt | Scheme::Des) {
        let text =
            format!("user \"{name}\": a hash \"{scheme}\" cannot be checked by this command");
        return Err(Failure::error(path, text));
    }
    let password = password::read()?;
    let right = user.hash.verify(&password, crypt);
    match (right, user.disabled) {
        (false, _) => Err(Failure::no(path, format!("user \"{name}\": wrong password"))),
        (true, true) => Err(Failure::no(path, format!("user \"{name}\" is disabled"))),
        (true, false) => Ok(format!("{}: user \"{name}\": right password\n", path.display())),
    }
}

pub(crate) fn read_users(path: &Path) -> Result<Users, Failure> {
    let text = file::read(path)?;
    let mistake = |mistake| Failure::Error(format!("{}:{mistake}", path.display()));
    Users::parse(&text, true).map_err(mistake)
}

pub(crate) fn no_user(path: &Path, name: &str) -> Failure {
    Failure::no(path, format!("no user \"{name}\""))
}
