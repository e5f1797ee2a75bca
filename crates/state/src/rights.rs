//! Who may read and write what is for nginx alone: keys, and the files under `state`.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The user that the workers run as.
#[derive(Debug, Clone, Copy)]
pub struct User<'a> {
    /// As in `chown`.
    pub name: &'a str,
    /// Its number.
    pub id: u32,
}

/// Judges the rights of a file or a directory that is for its owner alone. A warning where others
/// may read it or its group may write it.
///
/// # Errors
/// That anyone may write it.
pub fn of_file(path: &Path, metadata: &Metadata) -> Result<Option<String>, String> {
    let (path, mode) = (path.display(), metadata.mode() & 0o777);
    let mend = if metadata.is_dir() { "chmod 700" } else { "chmod 600" };
    if mode & 0o002 != 0 {
        return Err(format!("\"{path}\" may be written by anyone (mode {mode:o}): {mend}"));
    }
    let how = match (mode & 0o055 != 0, mode & 0o020 != 0) {
        (true, true) => "read and written",
        (false, true) => "written",
        _ => "read",
    };
    let warning =
        || format!("\"{path}\" may be {how} by others than its owner (mode {mode:o}): {mend}");
    Ok((mode & 0o077 != 0).then(warning))
}

/// Judges the rights of a realm's `state`: of the directory, of those above it, and of the files
/// that are there. Gives the warnings.
///
/// # Errors
/// That somebody else may put a key or a journal there, or change one.
pub fn of_state(folder: &Path, realm: &str, workers: User<'_>) -> Result<Vec<String>, String> {
    // What is no directory, or cannot be looked at, is told where it is opened.
    let Some(metadata) = fs::metadata(folder).ok().filter(Metadata::is_dir) else {
        return Ok(Vec::new());
    };
    let mut warnings = of_those_above(folder, workers)?;
    warnings.extend(of_one(folder, &metadata, workers)?);
    let kinds = ["ended", "ended.new", "lock", "users", "users.new", "users.lock"];
    let names = kinds.map(|kind| format!("{realm}.{kind}"));
    for name in names.iter().map(String::as_str).chain(["key", "key.new", "key.lock"]) {
        let path = folder.join(name);
        if let Some(metadata) = fs::symlink_metadata(&path).ok().filter(Metadata::is_file) {
            warnings.extend(of_one(&path, &metadata, workers)?);
        }
    }
    Ok(warnings)
}

fn of_one(path: &Path, metadata: &Metadata, workers: User<'_>) -> Result<Option<String>, String> {
    let owner = metadata.uid();
    if owner != 0 && owner != workers.id {
        let (path, name) = (path.display(), workers.name);
        return Err(format!("\"{path}\" belongs to another user ({owner}): chown {name}"));
    }
    of_file(path, metadata)
}

/// Who may rename a directory above puts another one into its place: of the path as it is written,
/// and of where its links lead. Where the sticky bit is, as in /tmp, its owner alone may.
fn of_those_above(folder: &Path, workers: User<'_>) -> Result<Vec<String>, String> {
    let canonical = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let both = [folder, &canonical].into_iter().flat_map(|path| path.ancestors().skip(1));
    let above: BTreeSet<&Path> = both.collect();
    let warnings = above.into_iter().map(|above| of_one_above(above, folder, workers));
    warnings.filter_map(Result::transpose).collect()
}

fn of_one_above(above: &Path, folder: &Path, workers: User<'_>) -> Result<Option<String>, String> {
    let Ok(metadata) = fs::metadata(above) else { return Ok(None) };
    let (mode, owner) = (metadata.mode() & 0o7777, metadata.uid());
    let (above, folder) = (above.display(), folder.display());
    if mode & 0o1002 == 0o002 {
        return Err(format!(
            "\"{folder}\" may be replaced by anyone, \"{above}\" being writable for all (mode {mode:o}): chmod o-w \"{above}\""
        ));
    }
    let is_foreign = owner != 0 && owner != workers.id;
    Ok(is_foreign.then(|| {
        format!(
            "\"{folder}\" may be replaced by the owner of \"{above}\" (user {owner}): chown root \"{above}\""
        )
    }))
}
