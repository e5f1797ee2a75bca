//! The files of a realm. Users and keys are read when nginx reads its configuration, as the user
//! that starts it; users also by each worker, when the file has changed.

use crate::nginx::process;
use authgate_core::keyring::Keys;
use authgate_core::users::Users;
use authgate_core::watch::{Fingerprint, Marks};
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use zeroize::Zeroizing;

/// What a users file has turned out to be when it was read again.
pub(crate) enum Reread {
    /// It changed while it was read.
    Moving,
    /// Its content is what has been taken already.
    Same(Marks),
    /// Users to take.
    New(Marks, Fingerprint, Users),
    /// A mistake in it.
    Bad(Marks, String),
    /// It cannot be read.
    Unreadable(String),
}

/// Reads a users file.
///
/// # Errors
/// The mistake, with the file and its line, as nginx says it.
pub(crate) fn users(path: &Path, allow_weak: bool) -> Result<(Users, Marks, Fingerprint), String> {
    let (text, marks, _) = read(path)?;
    Ok((parse_users(path, &text, allow_weak)?, marks, Fingerprint::of(&text)))
}

/// Reads a users file again, of which the content `taken` is known.
pub(crate) fn reread(path: &Path, allow_weak: bool, taken: Fingerprint) -> Reread {
    let (text, marks, after) = match read(path) {
        Ok(read) => read,
        Err(mistake) => return Reread::Unreadable(mistake),
    };
    let fingerprint = Fingerprint::of(&text);
    if marks != after {
        return Reread::Moving;
    }
    if fingerprint == taken {
        return Reread::Same(marks);
    }
    match parse_users(path, &text, allow_weak) {
        Ok(users) => Reread::New(marks, fingerprint, users),
        Err(mistake) => Reread::Bad(marks, mistake),
    }
}

fn parse_users(path: &Path, text: &[u8], allow_weak: bool) -> Result<Users, String> {
    Users::parse(text, allow_weak).map_err(|mistake| at(path, mistake.line, &mistake.error))
}

/// What a file looks like from outside.
///
/// # Errors
/// Why it cannot be looked at, as nginx says it.
pub(crate) fn marks(path: &Path) -> Result<Marks, String> {
    let metadata = std::fs::metadata(path).map_err(|error| failed("stat", path, &error))?;
    match metadata.is_file() {
        true => Ok(marks_of(&metadata)),
        false => Err(failed("open", path, &io::Error::other("not a regular file"))),
    }
}

fn marks_of(metadata: &Metadata) -> Marks {
    Marks {
        file: (metadata.dev(), metadata.ino()),
        length: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    }
}

/// Reads a keys file, and says what is wrong with its rights: an error where anyone may write to
/// it, else a warning where anyone but its owner may read or write.
///
/// # Errors
/// The mistake, with the file and its line; never a byte of a key.
pub(crate) fn keys(path: &Path) -> Result<(Keys, Option<String>), String> {
    let (text, ..) = read(path)?;
    let mode = std::fs::metadata(path).map_err(|error| failed("stat", path, &error))?.mode();
    let (name, mode) = (path.display(), mode & 0o777);
    if mode & 0o002 != 0 {
        return Err(format!("\"{name}\" may be written by anyone (mode {mode:o}): chmod 600"));
    }
    let keys = Keys::parse(&text).map_err(|mistake| at(path, mistake.line, &mistake.error))?;
    let open = mode & 0o077 != 0;
    let warning =
        format!("\"{name}\" may be read by others than its owner (mode {mode:o}): chmod 600");
    Ok((keys, open.then_some(warning)))
}

/// Whether the workers' user may read a file.
///
/// # Errors
/// That it may not, and what to do.
pub(crate) fn readable_by_workers(path: &Path) -> Result<(), String> {
    let opened = process::as_worker(|| File::open(path));
    opened.map(drop).map_err(|(user, error)| {
        let (path, error) = (path.display(), reason(&error));
        format!("\"{path}\" cannot be read by the worker user \"{user}\" ({error})")
    })
}

/// What the file holds, and its marks before and after reading.
fn read(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Marks, Marks), String> {
    let open = |path| -> io::Result<_> {
        // Without waiting for whoever writes to a named pipe.
        let mut file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        let before = file.metadata()?;
        if !before.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let mut text = Zeroizing::new(Vec::with_capacity(room(&before)));
        file.read_to_end(&mut text)?;
        Ok((text, marks_of(&before), marks_of(&file.metadata()?)))
    };
    open(path).map_err(|error| failed("open", path, &error))
}

/// Enough that the vector does not grow: growing leaves copies of what it held behind.
fn room(metadata: &Metadata) -> usize {
    usize::try_from(metadata.len()).unwrap_or(0).saturating_add(64)
}

fn failed(call: &str, path: &Path, error: &io::Error) -> String {
    format!("{call}() \"{}\" failed ({})", path.display(), reason(error))
}

/// An error of the system as nginx writes it: `2: No such file or directory`.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match error.raw_os_error() {
        None => text,
        Some(code) => {
            let words = text.trim_end_matches(&format!(" (os error {code})")).to_owned();
            format!("{code}: {words}")
        }
    }
}

fn at(path: &Path, line: usize, mistake: &dyn std::fmt::Display) -> String {
    format!("\"{}:{line}\": {mistake}", path.display())
}
