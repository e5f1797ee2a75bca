//! Writing down what the users are, so that a start can tell who has changed meanwhile.

use super::{RETRY, State, complain, is_complete};
use crate::nginx::threads::{self, Panicked};
use crate::nginx::{clock, process};
use crate::realm::Realm;
use authgate_core::keyring::KeyRing;
use authgate_core::users::{Generations, MAX_REMEMBERED, Remembered, Users};
use authgate_state::remember_users;
use std::io;
use std::path::Path;

impl State {
    /// Writes down what the users are before anyone can sign in: where nothing is known of them, the
    /// next start would end all sessions. What has only changed is left to the workers.
    pub(crate) fn remember_now(&self, realm: &Realm) {
        let Some(ring) = realm.ring().filter(|_| is_complete(realm)) else { return };
        let (users, name) = (realm.users.borrow(), &realm.settings.name);
        if let Err((_, error)) = process::as_worker(|| remember(&self.dir, name, &users, ring)) {
            complain(realm, &error);
        }
    }

    /// Has a thread write down what the users are, once all is written down that had to end before.
    pub(super) fn remember_if_due(&self, realm: &Realm) {
        let is_time = self.users_after.get().is_some_and(|after| clock::monotonic() >= after);
        if !self.users_due.get() || !is_time || !is_complete(realm) || !realm.has_users_in_force() {
            return;
        }
        let Some(ring) = realm.shared_ring() else { return };
        let (dir, name) = (self.dir.clone(), realm.settings.name.clone());
        let users = realm.users.borrow().clone();
        let work = move || remember(&dir, &name, &users, &ring);
        let this = realm.this.clone();
        let begun = threads::run(work, move |result| {
            if let Some(realm) = Realm::still(&this)
                && let Some(state) = &realm.state
            {
                state.has_remembered(&realm, result);
            }
        });
        if begun {
            self.users_due.set(false);
            self.users_after.set(None);
        }
    }

    fn has_remembered(&self, realm: &Realm, result: Result<io::Result<()>, Panicked>) {
        self.users_after.set(Some(clock::monotonic() + RETRY));
        // What has panicked is tried again like what has failed; the alert names its place.
        if !matches!(result, Ok(Ok(()))) {
            self.users_due.set(true);
        }
        if let Ok(Err(error)) = result {
            complain(realm, &error);
        }
    }
}

/// Writes what the users are into its file, unless it is there.
fn remember(dir: &Path, realm: &str, users: &Users, ring: &KeyRing) -> io::Result<()> {
    let new = Generations::of(users, ring.generation_key());
    remember_users(dir, realm, MAX_REMEMBERED, |old| {
        if old.is_some_and(|old| !Remembered::is_other_than(old, &new, ring)) {
            return Ok(None);
        }
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Some(Remembered::encode(&new, ring, random)))
    })
}
