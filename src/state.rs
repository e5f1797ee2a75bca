//! `state DIR`: what has ended is also written to a file, and read from it: after a restart, and
//! several times a second what another nginx or the command has written.

mod news;
mod remember;
mod unwritten;

use crate::files::{self, reason};
use crate::nginx::memory::Topic;
use crate::nginx::threads::{self, Panicked};
use crate::nginx::{clock, faults, log, process};
use crate::realm::Realm;
use authgate_core::journal::{self, Record};
use authgate_core::keyring::Keys;
use authgate_core::users::{MAX_REMEMBERED, Remembered};
use authgate_state::{Journal, Replacement, remembered_users};
use news::News;
use std::cell::{Cell, RefCell};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use unwritten::Unwritten;

/// The files under `state` of one realm, in this process.
pub(crate) struct State {
    dir: PathBuf,
    /// The line of the configuration that says so.
    place: String,
    journal: RefCell<Option<Journal>>,
    /// What waits for the journal's lock.
    unwritten: Unwritten,
    /// What was read before the configuration was in force.
    loaded: Cell<Option<News>>,
    /// What was remembered of the users then.
    users: Cell<Option<Vec<u8>>>,
    /// Whether what is remembered of the users may be out of date.
    users_due: Cell<bool>,
    /// When a thread may look at it next, in milliseconds of the monotonic clock; `None` while one
    /// does.
    users_after: Cell<Option<u64>>,
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
            unwritten: Unwritten::default(),
            loaded: Cell::default(),
            users: Cell::default(),
            users_due: Cell::new(true),
            users_after: Cell::new(Some(0)),
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

    /// Reads all that has ended, for [`Self::in_force`]. What is opened here is closed again: each
    /// process needs a lock of its own.
    ///
    /// # Errors
    /// The mistake, as nginx says it.
    pub(crate) fn load(&self, realm: &Realm) -> Result<(), String> {
        let (mut journal, is_made) = self.as_worker(|| self.open(realm))?;
        let mut news = self.as_worker(|| News::read(&mut journal))?;
        news.is_made = is_made;
        self.loaded.set(Some(news));
        let read = || remembered_users(&self.dir, &realm.settings.name, MAX_REMEMBERED);
        self.users.set(self.as_worker(|| match read() {
            // What is no such file says nothing: as if it were damaged.
            Err(error) if is_invalid(&error) => Ok(Some(Vec::new())),
            read => read,
        })?);
        Ok(())
    }

    /// What was read takes effect, before the first request. Gives what the users were before;
    /// nothing where there was no realm before.
    pub(crate) fn in_force(&self, realm: &Realm) -> Option<Remembered> {
        let news = self.loaded.take()?;
        let is_new = news.is_made;
        news.take_in(realm)?;
        match self.users.take() {
            Some(bytes) => Some(Remembered::decode(&bytes, realm.ring()?)),
            None if is_new => None,
            None => Some(Remembered::Unknown),
        }
    }

    /// Other users are in force.
    pub(crate) fn users_have_changed(&self) {
        self.users_due.set(true);
    }

    /// Each process opens the journal anew: see [`Journal`].
    pub(crate) fn close(&self) {
        self.journal.take();
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

    /// Writes down what has ended; where that fails, the journal is written anew soon.
    pub(crate) fn append(&self, realm: &Realm, records: &[Record]) {
        if let Err(error) = self.try_append(realm, records) {
            is_incomplete(realm);
            // Where the lock is held for long, the thread that writes it anew complains.
            if !is_locked(&error) {
                warn_unwritten(&error);
            }
        }
    }

    /// Writes down what has ended, without waiting for anything.
    fn try_append(&self, realm: &Realm, records: &[Record]) -> io::Result<()> {
        let append = || self.with_journal(realm, |journal| journal.append_at_once(records));
        append().or_else(|error| match error.kind() {
            // Someone has removed the journal: it is made again, with this first.
            io::ErrorKind::NotFound => {
                self.journal.take();
                append()
            }
            _ => Err(error),
        })?;
        self.unsynced.set(true);
        Ok(())
    }

    /// Whether this worker knows what others have ended.
    pub(crate) fn is_current(&self, realm: &Realm) -> bool {
        let read_at = realm.zone.journal().map_or(0, |marks| marks.read_at.load(Acquire));
        clock::monotonic().saturating_sub(read_at) <= journal::STALE
    }

    /// Reads what has come, a few times a second.
    pub(crate) fn tick(&self, realm: &Realm) {
        match self.with_journal(realm, |journal| Ok(News::read(journal))) {
            Ok(Ok(news)) => {
                let records = news.total;
                if news.take_in(realm).is_none() {
                    // What was not taken in is read again, from the start.
                    self.journal.take();
                    return;
                }
                self.sync();
                self.rewrite_if_due(realm, records);
                self.remember_if_due(realm);
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
            let begun = threads::run(move || file.sync_data(), warn_unsynced);
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
            None => {
                let (open, is_made) = self.open(realm)?;
                if is_made {
                    lacks_what_is_known(realm);
                }
                open
            }
        };
        with(journal.insert(open))
    }

    /// Opens the journal, or makes it, and says so: then it lacks all that the zone knows.
    fn open(&self, realm: &Realm) -> io::Result<(Journal, bool)> {
        match Journal::open_existing(&self.dir, &realm.settings.name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok((Journal::open(&self.dir, &realm.settings.name)?, true))
            }
            opened => Ok((opened?, false)),
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

/// Whether another process holds the journal's lock.
fn is_locked(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

fn warn_unwritten(error: &io::Error) {
    log::crit(&format!("ended session cannot be written down: {error}"));
}

fn is_invalid(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
}

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

/// Whether the journal has all that has ended.
fn is_complete(realm: &Realm) -> bool {
    let marks = realm.zone.journal();
    marks.is_some_and(|marks| marks.failures.load(Acquire) == marks.saved.load(Acquire))
}

/// The journal is a new one.
fn lacks_what_is_known(realm: &Realm) {
    if known(realm).is_some_and(|records| !records.is_empty()) {
        is_incomplete(realm);
    }
}

/// Has a thread write the journal anew. False where there is none.
fn rewrite(realm: &Realm, replacement: Replacement, records: Vec<Record>, failures: u64) -> bool {
    let this = realm.this.clone();
    let work = move || {
        faults::in_background("journal");
        replacement.write(&records)
    };
    threads::run(work, move |result| {
        if let Some(realm) = Realm::still(&this) {
            rewritten(&realm, result, failures);
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
