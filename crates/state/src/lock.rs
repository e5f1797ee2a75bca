//! A lock among processes: flock on a file that holds nothing.

use crate::file::{OpenFile, failed};
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

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
        self.hold_by(wait_for)
    }

    /// Takes it, where nobody holds it for longer than a writer takes: [`ErrorKind::WouldBlock`]
    /// otherwise.
    pub(crate) fn hold_at_once(&mut self) -> io::Result<Held> {
        self.hold_by(try_for_a_moment)
    }

    fn hold_by(&mut self, lock: impl Fn(&File) -> io::Result<()>) -> io::Result<Held> {
        loop {
            lock(&self.0.file).map_err(failed("flock", &self.0.path))?;
            let held = Held(Arc::clone(&self.0.file));
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

/// How often the lock is tried, and how long the pause in between is: 5 ms in all. A writer holds it
/// for some microseconds.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_micros(250);

fn try_for_a_moment(file: &File) -> io::Result<()> {
    for _ in 1..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            result => return result.map_err(io::Error::from),
        }
    }
    file.try_lock().map_err(io::Error::from)
}

impl Drop for Held {
    fn drop(&mut self) {
        // Where it fails, the file is closed sooner or later, which unlocks it too.
        let _ = self.0.unlock();
    }
}
