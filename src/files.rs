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
    let user = opened.map_err(|(user, error)| (user, error.to_string()));
    user.map(drop).map_err(|(user, error)| {
        format!("\"{}\" cannot be read by the worker user \"{user}\": {error}", path.display())
    })
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let text = std::fs::read(path);
    let text = text.map_err(|error| format!("open() \"{}\" failed: {error}", path.display()))?;
    Ok(Zeroizing::new(text))
}

fn at(path: &Path, line: usize, mistake: &dyn std::fmt::Display) -> String {
    format!("\"{}:{line}\": {mistake}", path.display())
}
