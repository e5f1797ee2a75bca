//! The journal written anew, without what is past its end.

use crate::attributes::Attributes;
use crate::file::{OpenFile, failed, sync_folder_of};
use crate::lock::Lock;
use authgate_core::journal::Record;
use std::fs::{self, TryLockError};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// How often what others append meanwhile is copied, before it is left for another time.
const ROUNDS: u32 = 16;

/// How long the lock is waited for. Others hold it for microseconds; one that holds it for longer must
/// not keep the thread for ever, for which a process that ends waits.
const PATIENCE: Duration = Duration::from_secs(1);

/// A replacement of the journal, begun by [`crate::Journal::replacement`]. Written by another
/// thread: it waits for the disk, but never while it holds the lock.
#[derive(Debug)]
pub struct Replacement {
    old: OpenFile,
    /// Up to where the caller's records say what is in the old file.
    copied: u64,
    lock_path: PathBuf,
}

impl Replacement {
    pub(crate) fn of(old: OpenFile, read: u64, lock_path: PathBuf) -> Self {
        Self { old, copied: read, lock_path }
    }

    /// Writes the records and all that was appended after the place up to which the caller has
    /// read, and puts the file into the journal's place. `false` where another process replaces it
    /// or has done so: then this is given up, and nothing is lost.
    ///
    /// # Errors
    /// Any of writing; [`io::ErrorKind::WouldBlock`] where another process holds the lock. The journal
    /// is what it was, or replaced by one that says the same.
    pub fn write(mut self, records: &[Record]) -> io::Result<bool> {
        // Its own way to the lock: the journal's owner may hold it in another thread.
        let mut lock = Lock::open(&self.lock_path)?;
        let Some(new) = self.claim(&mut lock)? else { return Ok(false) };
        let replaced = self.fill(&new, records).and_then(|()| self.rename(&new, &mut lock));
        match replaced {
            Ok(true) => sync_folder_of(&new.path)?,
            // Still ours alone. Where it cannot be removed, the next one takes it over.
            _ => drop(fs::remove_file(&new.path)),
        }
        replaced
    }

    /// The new file, empty; `None` where another process has it. Its own lock shows that: what a
    /// killed process leaves is not locked.
    fn claim(&self, lock: &mut Lock) -> io::Result<Option<OpenFile>> {
        let _held = lock.hold_within(PATIENCE)?;
        let new = OpenFile::open_or_create(&self.old.path.with_extension("ended.new"))?;
        match new.file.try_lock() {
            Ok(()) if new.has_its_name()? == Some(true) => new.set_length(0).map(|()| Some(new)),
            // Or it was one that its process has just given up and removed.
            Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed("flock", &new.path)(error)),
        }
    }

    fn fill(&mut self, new: &OpenFile, records: &[Record]) -> io::Result<()> {
        let bytes: Vec<u8> = records.iter().flat_map(Record::encode).collect();
        new.write_all(&bytes)?;
        self.give_attributes(new)
    }

    /// The journal keeps what an administrator has given it, as far as the workers may give that
    /// away. If not, it is for the workers alone: a journal that is not replaced would be worse.
    fn give_attributes(&self, new: &OpenFile) -> io::Result<()> {
        let given = Attributes::of(&self.old.file).and_then(|of_old| of_old.give_to(&new.file));
        given.or_else(|_| new.close_to_others())
    }

    /// Puts the new file into the old one's place at a moment when it has all that the old one
    /// has, on the disk.
    fn rename(&mut self, new: &OpenFile, lock: &mut Lock) -> io::Result<bool> {
        for _ in 0..ROUNDS {
            self.copy_appended(new)?;
            new.sync()?;
            let _held = lock.hold_within(PATIENCE)?;
            // A journal that someone has removed is replaced too.
            if self.old.has_its_name()? == Some(false) {
                return Ok(false);
            }
            if self.old.whole_length()? == self.copied {
                return new.rename_to(&self.old.path).map(|()| true);
            }
        }
        Ok(false)
    }

    /// Whole records only: of those, none is ever taken away.
    fn copy_appended(&mut self, new: &OpenFile) -> io::Result<()> {
        let end = self.old.whole_length()?;
        self.old.read(self.copied, end, |chunk| new.write_all(chunk))?;
        self.copied = end;
        Ok(())
    }
}
