//! The users file, read again when someone has edited it: no reload needed.

use crate::files::{self, Reread};
use crate::nginx::zone::Topic;
use crate::nginx::{background, clock, log, module, process};
use crate::realm::Realm;
use authgate_core::users::Users;
use authgate_core::watch::{Fingerprint, Look, Marks, Watch};
use std::path::PathBuf;

/// The users file of a realm, watched.
#[derive(Clone)]
pub(crate) struct UsersFile {
    /// Where it is.
    pub path: PathBuf,
    watch: Watch,
    /// What has been taken from it.
    taken: Fingerprint,
    /// Whether a thread reads it now.
    reading: bool,
}

impl UsersFile {
    /// A file that has just been read.
    pub(crate) fn new(path: PathBuf, marks: Marks, taken: Fingerprint) -> Self {
        Self { path, watch: Watch::new(marks, clock::monotonic()), taken, reading: false }
    }

    /// What has been taken from it.
    pub(crate) fn taken(&self) -> Fingerprint {
        self.taken
    }
}

/// Before a worker's first request. What nginx has read at its (re)load may be long past: a worker
/// that takes the place of one that died has missed what the others have taken since.
pub(crate) fn start(realm: &Realm) {
    let file = realm.users_file.borrow().clone();
    if realm.zone.has_users(file.taken) {
        return;
    }
    match files::reread(&file.path, realm.settings.allow_weak, file.taken) {
        // Only what others have taken: anything else may be half written.
        Reread::New(_, taken, _) if !realm.zone.has_users(taken) => is_outdated(realm),
        good @ (Reread::Same(_) | Reread::New(..)) => take(realm, good),
        bad => {
            is_outdated(realm);
            take(realm, bad);
        }
    }
}

/// This worker lets nobody in until it has read the file.
fn is_outdated(realm: &Realm) {
    realm.outdated.set(true);
    realm.users_file.borrow_mut().watch.forget(clock::monotonic());
}

/// Looks whether the users file has changed. Called a few times a second.
pub(crate) fn tick(realm: &Realm) {
    let mut file = realm.users_file.borrow_mut();
    if file.reading {
        return;
    }
    let (marks, missing) = match files::marks(&file.path) {
        Ok(marks) => (Some(marks), String::new()),
        Err(mistake) => (None, mistake),
    };
    match file.watch.look(marks, clock::monotonic()) {
        Look::Rest => {}
        Look::Gone => complain(realm, &missing, true),
        Look::Read => file.reading = read(realm, &file),
    }
}

/// Has a thread read the file. False where there is none.
fn read(realm: &Realm, file: &UsersFile) -> bool {
    let (name, path, taken) = (realm.settings.name.clone(), file.path.clone(), file.taken);
    let allow_weak = realm.settings.allow_weak;
    background::run(move || {
        let reread = files::reread(&path, allow_weak, taken);
        Box::new(move || {
            // The realm may have become another one meanwhile, in a single process that reloads.
            let realms = module::running_realms();
            let realm = realms.iter().find(|realm| realm.settings.name == name);
            if let Some(realm) = realm.filter(|realm| realm.users_file.borrow().path == path) {
                take(realm, reread);
            }
        })
    })
}

fn take(realm: &Realm, reread: Reread) {
    realm.users_file.borrow_mut().reading = false;
    match reread {
        Reread::Moving => {}
        Reread::Same(marks) => is_well(realm, marks),
        Reread::New(marks, fingerprint, users) => {
            realm.users_file.borrow_mut().taken = fingerprint;
            is_well(realm, marks);
            replace(realm, users);
        }
        Reread::Bad(marks, mistake) => {
            realm.users_file.borrow_mut().watch.has_read(marks);
            complain(realm, &mistake, false);
        }
        Reread::Unreadable(mistake) => complain(realm, &mistake, true),
    }
}

/// What this worker has is what the file says.
fn is_well(realm: &Realm, marks: Marks) {
    let mut file = realm.users_file.borrow_mut();
    file.watch.has_read(marks);
    realm.zone.set_users(file.taken);
    realm.zone.is_well(Topic::Users);
    realm.outdated.set(false);
}

fn replace(realm: &Realm, users: Users) {
    let (count, name) = (users.len(), &realm.settings.name);
    if process::is_first_worker() {
        log::notice(&format!("users file of realm \"{name}\" read again, users: {count}"));
    }
    let old = realm.users.replace(users);
    // Giving many users' memory back takes its time, too.
    background::run(move || {
        drop(old);
        Box::new(|| ())
    });
}

/// One line for all workers; what lasts is said again each minute.
fn complain(realm: &Realm, mistake: &str, lasts: bool) {
    let name = &realm.settings.name;
    let text =
        format!("users file of realm \"{name}\" not taken, the last good one holds: {mistake}");
    if realm.zone.complain(Topic::Users, &text, lasts, clock::monotonic()) {
        log::error(&text);
    }
}
