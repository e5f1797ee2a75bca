//! The generated key of a realm that has `state` and no `keys`.

use crate::file::{OpenFile, failed};
use crate::lock::Lock;
use crate::users::replace;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use zeroize::Zeroizing;

/// The length of a key's line: 32 bytes in base64, and the line's end.
const LINE: usize = 45;

/// The folder's key, as the text of a keys file. Made where there is none.
///
/// # Errors
/// Any of reading and making files, named as nginx does; no random bytes.
pub fn generated_key(folder: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let path = folder.join("key");
    read_or(&path, || {
        let mut lock = Lock::open(&folder.join("key.lock"))?;
        let _held = lock.hold()?;
        // Another process may have made it meanwhile.
        read_or(&path, || make(&path))
    })
}

/// A new key, as a line of a keys file.
///
/// # Errors
/// No random bytes.
pub fn new_key() -> io::Result<Zeroizing<String>> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut_slice())
        .map_err(|error| io::Error::other(format!("no random bytes: {error}")))?;
    // Sized beforehand: a string that grows leaves copies of the key behind.
    let mut line = Zeroizing::new(String::with_capacity(LINE));
    BASE64_STANDARD.encode_string(secret.as_slice(), &mut line);
    line.push('\n');
    Ok(line)
}

type Key = io::Result<Zeroizing<Vec<u8>>>;

fn read_or(path: &Path, absent: impl FnOnce() -> Key) -> Key {
    match OpenFile::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => absent(),
        file => read(&file?),
    }
}

fn read(file: &OpenFile) -> Key {
    let mut text = Zeroizing::new(vec![0; file.length()? as usize]);
    file.file.read_exact_at(&mut text, 0).map_err(failed("pread", &file.path))?;
    Ok(text)
}

/// Under the lock.
fn make(path: &Path) -> Key {
    let line = new_key()?;
    replace(path, line.as_bytes())?;
    Ok(Zeroizing::new(line.as_bytes().to_vec()))
}
