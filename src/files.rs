//! Reading the files of a realm. Users, groups and keys are read when nginx reads its configuration,
//! as the user that starts it; users and groups also by each worker, when a file has changed.

use crate::nginx::{log, process};
use authgate_core::keyring::Keys;
use authgate_core::lines::LineError;
use authgate_core::watch::Marks;
use authgate_state::rights;
use std::fmt::Display;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use zeroize::Zeroizing;

/// What a file holds, and its marks before and after reading.
pub(crate) struct Content {
    pub text: Zeroizing<Vec<u8>>,
    pub before: Marks,
    pub after: Marks,
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
    let Content { text, .. } = read(path)?;
    let metadata = std::fs::metadata(path).map_err(|error| failed("stat", path, &error))?;
    let warning = rights::of_file(path, &metadata)?;
    let keys = Keys::parse(&text).map_err(|mistake| at(path, &mistake))?;
    Ok((keys, warning))
}

/// Warns where others may read what a realm keeps under `state`.
///
/// # Errors
/// That others may write there.
pub(crate) fn check_state(folder: &Path, realm: &str, place: &str) -> Result<(), String> {
    let (name, id) = process::workers_user();
    let workers = rights::User { name: &name, id };
    let warnings = rights::of_state(folder, realm, workers);
    let warnings = warnings.map_err(|mistake| format!("{mistake} in {place}"))?;
    warnings.iter().for_each(|warning| log::startup_warn(&format!("{warning} in {place}")));
    Ok(())
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

/// Reads a file.
///
/// # Errors
/// Why it cannot be read, as nginx says it.
pub(crate) fn read(path: &Path) -> Result<Content, String> {
    let open = |path| -> io::Result<_> {
        // Without waiting for whoever writes to a named pipe.
        let mut file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        let before = file.metadata()?;
        if !before.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let mut text = Zeroizing::new(Vec::new());
        text.try_reserve_exact(room(&before))?;
        file.read_to_end(&mut text)?;
        Ok(Content { text, before: marks_of(&before), after: marks_of(&file.metadata()?) })
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

/// A mistake in a file as nginx says it, with the file and its line.
pub(crate) fn at<E: Display>(path: &Path, mistake: &LineError<E>) -> String {
    format!("\"{}:{}\": {}", path.display(), mistake.line, mistake.error)
}
