//! The files of a realm: read when nginx reads its configuration, as the user that starts it.

use crate::nginx::process;
use authgate_core::keyring::Keys;
use authgate_core::users::Users;
use std::path::Path;
use zeroize::Zeroizing;

/// Reads a users file.
///
/// # Errors
/// The mistake, with the file and its line, as nginx says it.
pub(crate) fn users(path: &Path, allow_weak: bool) -> Result<Users, String> {
    let text = read(path)?;
    Users::parse(&text, allow_weak).map_err(|mistake| at(path, mistake.line, &mistake.error))
}

/// Reads a keys file.
///
/// # Errors
/// The mistake, with the file and its line; never a byte of a key.
pub(crate) fn keys(path: &Path) -> Result<Keys, String> {
    let text = read(path)?;
    Keys::parse(&text).map_err(|mistake| at(path, mistake.line, &mistake.error))
}

/// Whether the workers' user may read a file.
///
/// # Errors
/// That it may not, and what to do.
pub(crate) fn readable_by_workers(path: &Path) -> Result<(), String> {
    let opened = process::as_worker(|| std::fs::File::open(path));
    opened.map(drop).map_err(|(user, error)| {
        let (path, error) = (path.display(), reason(&error));
        format!("\"{path}\" cannot be read by the worker user \"{user}\" ({error})")
    })
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let text = std::fs::read(path);
    let text =
        text.map_err(|error| format!("open() \"{}\" failed ({})", path.display(), reason(&error)))?;
    Ok(Zeroizing::new(text))
}

/// An error of the system as nginx writes it: `2: No such file or directory`.
fn reason(error: &std::io::Error) -> String {
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
