//! A lock among processes: flock on a file that holds nothing.

use crate::file::{OpenFile, failed};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

/// One way to the lock. Each process and each thread that may wait for another needs its own: a
/// lock belongs to the open file, which forked processes share.
#[derive(Debug)]
pub(crate) struct Lock(OpenFile);

/// The lock, held until this is dropped.
#[must_use]
pub(crate) struct Held(Arc<File>);

impl Lock {
    /// Makes the file where there is none.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        OpenFile::open_or_create(path).map(Self)
    }

    /// Waits for it.
    pub(crate) fn hold(&mut self) -> io::Result<Held> {
        loop {
            let held = Held(Arc::clone(&self.0.file));
            wait_for(&held.0).map_err(failed("flock", &self.0.path))?;
            if self.0.has_its_name()? == Some(true) {
                return Ok(held);
            }
            // Someone has emptied the folder: whoever comes next locks another file.
            self.0 = OpenFile::open_or_create(&self.0.path)?;
        }
    }
}

/// nginx's signals interrupt system calls.
fn wait_for(file: &File) -> io::Result<()> {
    loop {
        match file.lock() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Where it fails, the file is closed sooner or later, which unlocks it too.
        let _ = self.0.unlock();
    }
}
