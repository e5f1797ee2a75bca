//! A lock among processes: flock on a file that holds nothing.

use crate::file::{OpenFile, failed};
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

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

    /// Waits for it, for some seconds: [`ErrorKind::WouldBlock`] afterwards. Whoever holds it brings
    /// what it writes to the disk; one that takes longer, or never gives it back, must hold up neither
    /// a start nor, in a thread, the end of a process.
    pub(crate) fn hold(&mut self) -> io::Result<Held> {
        self.hold_within(Duration::from_secs(5))
    }

    /// Takes it where nobody has it: [`ErrorKind::WouldBlock`] otherwise.
    pub(crate) fn hold_at_once(&mut self) -> io::Result<Held> {
        self.hold_by(|file| file.try_lock().map_err(io::Error::from))
    }

    /// Waits for it for so long: [`ErrorKind::WouldBlock`] afterwards.
    pub(crate) fn hold_within(&mut self, patience: Duration) -> io::Result<Held> {
        let began = Instant::now();
        self.hold_by(|file| try_since(file, began, patience))
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

/// A writer of the journal holds the lock for some microseconds.
const PAUSE: Duration = Duration::from_millis(1);

fn try_since(file: &File, began: Instant, patience: Duration) -> io::Result<()> {
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if began.elapsed() < patience => thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => return Err(is_held(patience)),
            result => return result.map_err(io::Error::from),
        }
    }
}

fn is_held(patience: Duration) -> io::Error {
    let text = format!("another process has held the lock for {} s", patience.as_secs());
    io::Error::new(ErrorKind::WouldBlock, text)
}

impl Drop for Held {
    fn drop(&mut self) {
        // Where it fails, the file is closed sooner or later, which unlocks it too.
        let _ = self.0.unlock();
    }
}
