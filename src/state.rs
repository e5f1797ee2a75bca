//! `state DIR`: what has ended is also written to a file, and read from it: after a restart, and
//! several times a second what another nginx or the command has written.

use crate::files::{self, reason};
use crate::nginx::background::{self, Panicked};
use crate::nginx::memory::{JournalMarks, Topic};
use crate::nginx::{clock, faults, log, module, process};
use crate::realm::Realm;
use authgate_core::journal::{self, Record};
use authgate_core::keyring::Keys;
use authgate_state::{Journal, Replacement};
use std::cell::{Cell, RefCell};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};

/// The files under `state` of one realm, in this process.
pub(crate) struct State {
    dir: PathBuf,
    /// The line of the configuration that says so.
    place: String,
    journal: RefCell<Option<Journal>>,
    /// Whether something was written that the disk may not have yet.
    unsynced: Cell<bool>,
    /// Whether a thread writes the journal anew.
    rewriting: Cell<bool>,
    /// When the next may begin, in milliseconds of the monotonic clock.
    rewrite_after: Cell<u64>,
}

/// How long, in milliseconds, after one rewriting has begun the next may.
const RETRY: u64 = 2000;

impl State {
    /// The files in `dir`, not opened yet.
    pub(crate) fn new(dir: PathBuf, place: String) -> Self {
        Self {
            dir,
            place,
            journal: RefCell::default(),
            unsynced: Cell::default(),
            rewriting: Cell::default(),
            rewrite_after: Cell::default(),
        }
    }

    /// The key of a realm without a keys file: made where there is none yet.
    ///
    /// # Errors
    /// The mistake, as nginx says it.
    pub(crate) fn generated_keys(&self) -> Result<Keys, String> {
        let text = self.as_worker(|| authgate_state::generated_key(&self.dir))?;
        let (path, place) = (self.dir.join("key"), &self.place);
        Keys::parse(&text).map_err(|mistake| {
            format!("\"{}:{}\": {} in {place}", path.display(), mistake.line, mistake.error)
        })
    }

    /// Makes the directory where it is missing; with `nginx -t`, says whether that would do.
    ///
    /// # Errors
    /// The mistake, as nginx says it.
    pub(crate) fn prepare(&self) -> Result<(), String> {
        if !process::is_test() {
            return process::make_directory(&self.dir).map_err(|error| self.no_directory(&error));
        }
        if self.dir.exists() {
            return self.as_worker(|| process::may_write(&self.dir));
        }
        let parent = self.dir.parent().unwrap_or(&self.dir);
        std::fs::metadata(parent).map(drop).map_err(|error| self.no_directory(&error))
    }

    /// Warns where others may read what is there.
    ///
    /// # Errors
    /// That others may write there, as nginx says it.
    pub(crate) fn check_rights(&self, realm: &str) -> Result<(), String> {
        files::check_state(&self.dir, realm, &self.place)
    }

    fn no_directory(&self, error: &io::Error) -> String {
        let (dir, place, reason) = (self.dir.display(), &self.place, reason(error));
        format!("mkdir() \"{dir}\" failed ({reason}) in {place}")
    }

    /// Reads all that has ended, before the first request. What is opened here is closed again:
    /// each process needs a lock of its own.
    ///
    /// # Errors
    /// The mistake, as nginx says it.
    pub(crate) fn load(&self, realm: &Realm) -> Result<(), String> {
        let mut journal = self.as_worker(|| self.open(realm))?;
        self.as_worker(|| read(realm, &mut journal)).map(drop)
    }

    fn as_worker<R>(&self, open: impl FnOnce() -> io::Result<R>) -> Result<R, String> {
        process::as_worker(open).map_err(|(user, error)| {
            let (dir, place, reason) = (self.dir.display(), &self.place, reason(&error));
            match error.kind() {
                io::ErrorKind::PermissionDenied => format!(
                    "\"{dir}\" must belong to the worker user \"{user}\": {reason} in {place}"
                ),
                _ => format!("{reason} in {place}"),
            }
        })
    }

    /// Writes down what has ended. False where that failed: it will be tried again.
    pub(crate) fn append(&self, realm: &Realm, record: &Record) -> bool {
        let append = || self.with_journal(realm, |journal| journal.append(&[*record]));
        let written = append().or_else(|error| match error.kind() {
            // Someone has removed the journal: it is made again, with this first.
            io::ErrorKind::NotFound => {
                self.journal.take();
                append()
            }
            _ => Err(error),
        });
        match written {
            Ok(()) => self.unsynced.set(true),
            Err(error) => {
                is_incomplete(realm);
                log::crit(&format!("ended session cannot be written down: {error}"));
                return false;
            }
        }
        true
    }

    /// Whether this worker knows what others have ended.
    pub(crate) fn is_current(&self, realm: &Realm) -> bool {
        let read_at = realm.zone.journal().map_or(0, |marks| marks.read_at.load(Acquire));
        clock::monotonic().saturating_sub(read_at) <= journal::STALE
    }

    /// Reads what has come, a few times a second.
    pub(crate) fn tick(&self, realm: &Realm) {
        match self.with_journal(realm, |journal| Ok(read(realm, journal))) {
            Ok(Ok(records)) => {
                self.sync();
                self.rewrite_if_due(realm, records);
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                // Someone has removed it. What it said is in the zone.
                self.journal.take();
                is_incomplete(realm);
            }
            Ok(Err(error)) | Err(error) => complain(realm, &error),
        }
    }

    /// Brings what was written since the last time to the disk.
    fn sync(&self) {
        let file =
            self.journal.borrow().as_ref().filter(|_| self.unsynced.take()).map(Journal::file);
        if let Some(file) = file {
            let begun = background::run(move || file.sync_data(), warn_unsynced);
            self.unsynced.set(!begun);
        }
    }

    fn with_journal<R>(
        &self,
        realm: &Realm,
        with: impl FnOnce(&mut Journal) -> io::Result<R>,
    ) -> io::Result<R> {
        let mut journal = self.journal.borrow_mut();
        let open = match journal.take() {
            Some(open) => open,
            None => self.open(realm)?,
        };
        with(journal.insert(open))
    }

    /// Opens the journal, or makes it: then it lacks all that the zone knows.
    fn open(&self, realm: &Realm) -> io::Result<Journal> {
        match Journal::open_existing(&self.dir, &realm.settings.name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if known(realm).is_some_and(|records| !records.is_empty()) {
                    is_incomplete(realm);
                }
                Journal::open(&self.dir, &realm.settings.name)
            }
            opened => opened,
        }
    }

    /// One worker writes the journal anew where it is long or something is missing from it.
    fn rewrite_if_due(&self, realm: &Realm, records: u64) {
        let (Some(marks), Some(ended)) = (realm.zone.journal(), realm.zone.ended()) else { return };
        let failures = marks.failures.load(Acquire);
        let missing = failures != marks.saved.load(Acquire);
        let sparse = journal::is_sparse(records, ended.entries());
        let now = clock::monotonic();
        let may = process::is_first_worker() && !self.rewriting.get();
        if !may || now < self.rewrite_after.get() || !(missing || sparse) {
            return;
        }
        self.rewrite_after.set(now + RETRY);
        let replacement = self.journal.borrow().as_ref().map(Journal::replacement);
        if let (Some(replacement), Some(records)) = (replacement, known(realm)) {
            self.rewriting.set(rewrite(realm, replacement, records, failures));
        }
    }
}

const RECORD: u64 = journal::LENGTH as u64;

/// All that has ended, as the zone knows it.
fn known(realm: &Realm) -> Option<Vec<Record>> {
    realm.zone.locked(|locked| locked.ended().records(clock::now()))
}

/// The journal lacks something that has ended.
fn is_incomplete(realm: &Realm) {
    if let Some(marks) = realm.zone.journal() {
        marks.failures.fetch_add(1, AcqRel);
    }
}

/// Takes in what has come since the last reading; gives how many records there are.
fn read(realm: &Realm, journal: &mut Journal) -> io::Result<u64> {
    // Before the reading: what is written after it may be missed.
    let began = clock::monotonic();
    let now = clock::now();
    let mut records = Vec::new();
    let read = journal.read_new(|record| records.push(record))?;
    let records_now = journal.records()?;
    realm.zone.locked(|locked| {
        let ended = locked.ended();
        records.iter().for_each(|record| ended.apply(record, now));
    });
    if let Some(JournalMarks { read_at, length, .. }) = realm.zone.journal() {
        read_at.fetch_max(began, AcqRel);
        length.store(records_now * RECORD, Release);
    }
    if read.damaged > 0 {
        is_incomplete(realm);
        complain(realm, &io::Error::other(format!("{} damaged records skipped", read.damaged)));
    }
    Ok(records_now)
}

/// Has a thread write the journal anew. False where there is none.
fn rewrite(realm: &Realm, replacement: Replacement, records: Vec<Record>, failures: u64) -> bool {
    let name = realm.settings.name.clone();
    let work = move || {
        faults::in_background("journal");
        replacement.write(&records)
    };
    background::run(work, move |result| {
        let realms = module::running_realms();
        let realm = realms.iter().find(|realm| realm.settings.name == name);
        if let Some(realm) = realm {
            rewritten(realm, result, failures);
        }
    })
}

fn rewritten(realm: &Realm, result: Result<io::Result<bool>, Panicked>, failures: u64) {
    let (Some(state), Some(marks)) = (&realm.state, realm.zone.journal()) else { return };
    state.rewriting.set(false);
    // What has panicked is tried again like what has failed; the alert names its place.
    match result.unwrap_or(Ok(false)) {
        Ok(true) => {
            marks.saved.store(failures, Release);
            realm.zone.is_well(Topic::Journal);
        }
        // Another nginx has just done so: the next look tells whether ours is still due.
        Ok(false) => {}
        Err(error) => complain(realm, &error),
    }
}

fn complain(realm: &Realm, error: &io::Error) {
    let text = format!("state cannot be kept: {error}");
    if realm.zone.complain(Topic::Journal, &text, true, clock::monotonic()) {
        log::crit(&text);
    }
}

fn warn_unsynced(synced: Result<io::Result<()>, Panicked>) {
    if let Ok(Err(error)) = synced {
        log::crit(&format!("state cannot be brought to the disk: {error}"));
    }
}
