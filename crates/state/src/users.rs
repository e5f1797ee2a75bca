//! What is remembered of a realm's users: `REALM.users`. authgate-core says what is in it.

use crate::file::{OpenFile, failed, sync_folder_of};
use crate::journal::journal_path;
use crate::lock::Lock;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// The file's bytes; `None` where there is no such file.
///
/// # Errors
/// Any of reading; more than `longest` bytes.
pub fn remembered_users(folder: &Path, realm: &str, longest: u64) -> io::Result<Option<Vec<u8>>> {
    match OpenFile::open(&path(folder, realm)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        file => read(&file?, longest).map(Some),
    }
}

/// Puts the bytes that `make` gives into the file's place, in one step; `make` is given those that
/// are there, and gives nothing where they will do. Waits for others who do the same, for some
/// seconds, and for the disk. All that is in the journal by now is on the disk before.
///
/// # Errors
/// Any of writing. The file is what it was.
pub fn remember_users(
    folder: &Path,
    realm: &str,
    longest: u64,
    make: impl FnOnce(Option<&[u8]>) -> io::Result<Option<Vec<u8>>>,
) -> io::Result<()> {
    // Not the journal's lock: who ends a session does not wait for the disk.
    let mut lock = Lock::open(&folder.join(format!("{realm}.users.lock")))?;
    let _held = lock.hold()?;
    let old = remembered_users(folder, realm, longest).unwrap_or_default();
    let Some(bytes) = make(old.as_deref())? else { return Ok(()) };
    OpenFile::open(&journal_path(folder, realm))?.sync()?;
    replace(&path(folder, realm), &bytes)
}

fn path(folder: &Path, realm: &str) -> PathBuf {
    folder.join(format!("{realm}.users"))
}

fn read(file: &OpenFile, longest: u64) -> io::Result<Vec<u8>> {
    let length = file.length()?;
    if length > longest {
        let text = format!("\"{}\" is too long", file.path.display());
        return Err(io::Error::new(ErrorKind::InvalidData, text));
    }
    let mut bytes = vec![0; length as usize];
    file.file.read_exact_at(&mut bytes, 0).map_err(failed("pread", &file.path))?;
    Ok(bytes)
}

/// Under the lock.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new_path = path.as_os_str().to_owned();
    new_path.push(".new");
    let new_path = PathBuf::from(new_path);
    match fs::remove_file(&new_path) {
        // What a killed process has left.
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(failed("unlink", &new_path)(error));
        }
        _ => {}
    }
    let new = OpenFile::create(&new_path)?;
    let written = new.write_all(bytes).and_then(|()| new.sync());
    if let Err(error) = written.and_then(|()| new.rename_to(path)) {
        let _ = fs::remove_file(&new_path);
        return Err(error);
    }
    sync_folder_of(path)
}
