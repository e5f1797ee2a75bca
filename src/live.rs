//! The users file and the groups file, read again when someone has edited one: no reload needed.

use crate::nginx::memory::Topic;
use crate::nginx::{clock, faults, log, process, threads};
use crate::realm::Realm;
use crate::users::{Both, Loaded, Mistake, Reread, UsersFiles};
use authgate_core::users::Users;
use authgate_core::watch::{Fingerprint, Look, Marks, Watch};
use std::hash::Hash;

/// The files of a realm's users, watched.
#[derive(Clone)]
pub(crate) struct Watched {
    files: UsersFiles,
    watch: Watch<Both<Marks>>,
    /// What has been taken from them.
    taken: Fingerprint,
    /// Whether a thread reads them now.
    reading: bool,
}

impl Watched {
    /// Files that have just been read.
    pub(crate) fn new(files: UsersFiles, marks: Both<Marks>, taken: Fingerprint) -> Self {
        Self { files, watch: Watch::new(marks, clock::monotonic()), taken, reading: false }
    }

    /// What has been taken from them.
    pub(crate) fn taken(&self) -> Fingerprint {
        self.taken
    }
}

/// Before a worker's first request. What nginx has read at its (re)load may be long past: a worker
/// that takes the place of one that died has missed what the others have taken since.
pub(crate) fn start(realm: &Realm) {
    faults::in_background("start");
    let Watched { files, taken, .. } = realm.watched.borrow().clone();
    if realm.zone.has_users(taken) {
        return;
    }
    let old = realm.users.borrow().clone();
    // Without the generations: who has taken these users has ended whose sessions had to end.
    match files.reread(taken, &old, None) {
        // Only what others have taken: anything else may be half written.
        Reread::New(new, _) if !realm.zone.has_users(new.fingerprint) => is_outdated(realm),
        good @ (Reread::Same(_) | Reread::New(..)) => take(realm, good),
        bad => {
            is_outdated(realm);
            take(realm, bad);
        }
    }
}

/// This worker lets nobody in until it has read the files.
pub(crate) fn is_outdated(realm: &Realm) {
    realm.outdated.set(true);
    realm.watched.borrow_mut().watch.forget(clock::monotonic());
}

/// Looks whether a file has changed. Called a few times a second.
pub(crate) fn tick(realm: &Realm) {
    let mut watched = realm.watched.borrow_mut();
    if watched.reading {
        return;
    }
    let marks = watched.files.marks();
    match (watched.watch.look(marks.as_ref().ok().copied(), clock::monotonic()), marks) {
        (Look::Read, _) => watched.reading = read(realm, &watched),
        (Look::Gone, Err(mistake)) => complain(realm, &mistake, &mistake, true),
        _ => {}
    }
}

/// Has a thread read the files. False where there is none.
fn read(realm: &Realm, watched: &Watched) -> bool {
    let Watched { files, taken, .. } = watched.clone();
    let work = {
        let old = realm.users.borrow().clone();
        let key = realm.generation_key();
        move || {
            faults::in_background("users");
            files.reread(taken, &old, key.as_ref())
        }
    };
    let this = realm.this.clone();
    threads::run(work, move |reread| {
        if let Some(realm) = Realm::still(&this) {
            // Read again at the next look, where nothing has come of it.
            take(&realm, reread.unwrap_or(Reread::Moving));
        }
    })
}

fn take(realm: &Realm, reread: Reread) {
    realm.watched.borrow_mut().reading = false;
    match reread {
        Reread::Moving => {}
        Reread::Same(marks) => is_well(realm, marks),
        Reread::New(Loaded { users, marks, fingerprint }, changed) => {
            // Before these users are in force. Not where another worker has taken them already:
            // who has signed in since would have to do so again.
            if !realm.zone.has_users(fingerprint) {
                realm.end_all_of(&changed);
            }
            realm.watched.borrow_mut().taken = fingerprint;
            is_well(realm, marks);
            replace(realm, users);
        }
        Reread::Bad(marks, fingerprint, mistake) => {
            realm.watched.borrow_mut().watch.has_read(marks);
            // Said of each edit: one of the users waits for a mistake in the groups to be mended.
            complain(realm, &mistake, &(&mistake, fingerprint), false);
        }
        Reread::Unreadable(mistake) => complain(realm, &mistake, &mistake, true),
    }
}

/// What this worker has is what the files say.
fn is_well(realm: &Realm, marks: Both<Marks>) {
    let mut watched = realm.watched.borrow_mut();
    watched.watch.has_read(marks);
    realm.zone.set_users(watched.taken);
    realm.zone.is_well(Topic::Users);
    realm.outdated.set(false);
}

fn replace(realm: &Realm, users: Users) {
    let (count, name) = (users.len(), &realm.settings.name);
    if process::is_first_worker() {
        let files = match realm.settings.groups_file {
            None => "users file",
            Some(_) => "users and groups files",
        };
        log::notice(&format!("{files} of realm \"{name}\" read again, users: {count}"));
    }
    let old = realm.users.replace(users);
    if let Some(state) = &realm.state {
        state.users_have_changed();
    }
    // Giving many users' memory back takes its time, too.
    threads::run(move || drop(old), drop);
}

/// One line for all workers about the same `what`; what lasts is said again each minute.
fn complain(realm: &Realm, Mistake { which, text }: &Mistake, what: &impl Hash, lasts: bool) {
    let name = &realm.settings.name;
    if realm.zone.complain(Topic::Users, what, lasts, clock::monotonic()) {
        log::error(&format!(
            "{which} file of realm \"{name}\" not taken, the last good one holds: {text}"
        ));
    }
}
