//! The journal of a realm: what has ended, appended by any process, read by all.
//!
//! While a file is the journal, whole records are added to it and never taken away: a writer cuts
//! nothing but a piece of a record at the end. So a reader needs no lock. It reads up to the last
//! whole record that the length shows and goes on from there the next time; a piece behind it,
//! of a writer at work or of one that was killed, it has not read, and whatever stands there later
//! it reads then. When the journal is made anew, that is another file: a reader sees by the name
//! that its own is no longer the journal, and reads the new one from the start.

use crate::file::OpenFile;
use crate::lock::Lock;
use crate::replacement::Replacement;
use authgate_core::journal::{LENGTH, Record};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The journal of a realm, opened by one process.
///
/// To be opened anew in each process, after the fork: processes that share an open file share its
/// lock, and none would keep the other out.
#[derive(Debug)]
pub struct Journal {
    lock: Lock,
    lock_path: PathBuf,
    file: OpenFile,
    /// Where the next record is read.
    position: u64,
}

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Read {
    /// Records handed over.
    pub records: u64,
    /// Records skipped because their checksum does not hold. They stay until the journal is
    /// replaced.
    pub damaged: u64,
}

impl Journal {
    /// Opens the realm's journal in this folder, or makes it.
    ///
    /// # Errors
    /// Any of opening and making files, named as nginx does.
    pub fn open(folder: &Path, realm: &str) -> io::Result<Self> {
        let path = journal_path(folder, realm);
        let file = OpenFile::open_or_create(&path)?;
        crate::file::sync_folder_of(&path)?;
        Self::of(file, folder, realm)
    }

    /// Opens the realm's journal in this folder where there is one.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none; any of opening files.
    pub fn open_existing(folder: &Path, realm: &str) -> io::Result<Self> {
        Self::of(OpenFile::open(&journal_path(folder, realm))?, folder, realm)
    }

    fn of(file: OpenFile, folder: &Path, realm: &str) -> io::Result<Self> {
        let lock_path = folder.join(format!("{realm}.lock"));
        Ok(Self { lock: Lock::open(&lock_path)?, lock_path, file, position: 0 })
    }

    /// Appends the records, all of them with one write. They are safe from a kill of this process
    /// from then on; from a loss of power, once [`Self::file`] is synchronized.
    ///
    /// # Errors
    /// Any of writing. Then some of the records may be there, so that all of them are to be
    /// appended again: one that is there twice does no harm. [`ErrorKind::NotFound`] where someone
    /// has removed the journal: what was in it is to be written anew ([`Self::replacement`]).
    pub fn append(&mut self, records: &[Record]) -> io::Result<()> {
        let _held = self.lock.hold()?;
        self.append_locked(records)
    }

    /// The same, without waiting for whoever holds the lock: for those who may not be held up.
    ///
    /// # Errors
    /// As for [`Self::append`]; [`ErrorKind::WouldBlock`] where another process holds the lock.
    pub fn append_at_once(&mut self, records: &[Record]) -> io::Result<()> {
        let _held = self.lock.hold_at_once()?;
        self.append_locked(records)
    }

    fn append_locked(&mut self, records: &[Record]) -> io::Result<()> {
        self.follow()?;
        self.cut_torn_record()?;
        let bytes: Vec<u8> = records.iter().flat_map(Record::encode).collect();
        let written = self.file.write(&bytes)?;
        if written < bytes.len() {
            self.cut_torn_record()?;
            return Err(self.short_write(written, bytes.len()));
        }
        Ok(())
    }

    /// Reads what has come since the last call, this process's own records too. Needs no lock, see
    /// the head of this file.
    ///
    /// # Errors
    /// Any of reading. [`ErrorKind::NotFound`] where what was read before has been removed, or cut
    /// off: it is to be written anew ([`Self::replacement`]).
    pub fn read_new(&mut self, mut each: impl FnMut(Record)) -> io::Result<Read> {
        self.follow()?;
        let end = self.file.whole_length()?;
        if end < self.position {
            self.position = 0;
            let text = format!("\"{}\" is shorter than before", self.file.path.display());
            return Err(io::Error::new(ErrorKind::NotFound, text));
        }
        let (mut read, mut position) = (Read::default(), self.position);
        let result = self.file.read(self.position, end, |chunk| {
            for bytes in chunk.as_chunks::<LENGTH>().0 {
                read.count(Record::decode(bytes).map(&mut each));
            }
            position += chunk.len() as u64;
            Ok(())
        });
        self.position = position;
        result.map(|()| read)
    }

    /// How many records the journal holds.
    ///
    /// # Errors
    /// Any of looking at the file.
    pub fn records(&self) -> io::Result<u64> {
        Ok(self.file.length()? / LENGTH as u64)
    }

    /// The journal's file, for another thread to synchronize (`sync_data`) what was appended.
    pub fn file(&self) -> Arc<File> {
        Arc::clone(&self.file.file)
    }

    /// Begins to replace the journal by a shorter one. The caller then hands over all that it has
    /// read or appended up to now, in whatever form says the same.
    pub fn replacement(&self) -> Replacement {
        Replacement::of(self.file.clone(), self.position, self.lock_path.clone())
    }

    /// Goes over to the file that has the journal's name. It holds all that the former one held.
    fn follow(&mut self) -> io::Result<()> {
        if self.file.has_its_name()? != Some(true) {
            self.file = OpenFile::open(&self.file.path)?;
            self.position = 0;
        }
        Ok(())
    }

    /// Cuts off what a writer left that was killed half way, or whose disk was full. Under the
    /// lock. Whole records stay, even those of a write that failed: others may have read them, and
    /// go on behind them.
    fn cut_torn_record(&self) -> io::Result<()> {
        let whole = self.file.whole_length()?;
        if whole < self.file.length()? { self.file.set_length(whole) } else { Ok(()) }
    }

    fn short_write(&self, written: usize, of: usize) -> io::Error {
        let path = self.file.path.display();
        let text = format!("write() \"{path}\" has written only {written} of {of} bytes");
        io::Error::new(ErrorKind::WriteZero, text)
    }
}

impl Read {
    fn count(&mut self, record: Option<()>) {
        match record {
            Some(()) => self.records += 1,
            None => self.damaged += 1,
        }
    }
}

pub(crate) fn journal_path(folder: &Path, realm: &str) -> PathBuf {
    folder.join(format!("{realm}.ended"))
}
