//! A realm as the module holds it: its settings, its users, its keys and its shared memory.

use crate::nginx::checks::Queue;
use crate::nginx::zone::Zone;
use authgate_core::gate::Gate;
use authgate_core::journal::Record;
use authgate_core::keyring::{KeyRing, Keys};
use authgate_core::settings::Settings;
use authgate_core::users::Users;
use std::cell::OnceCell;

/// One realm of one configuration, shared by all servers that use it.
pub(crate) struct Realm {
    /// Its directives.
    pub settings: Settings,
    /// Who may sign in.
    pub users: Users,
    keys: Option<Keys>,
    ring: OnceCell<KeyRing>,
    /// Its shared memory.
    pub zone: Zone,
    /// This worker's password checks.
    pub checks: Queue,
    readable: Box<dyn Fn() -> Result<(), String>>,
}

impl Realm {
    /// A realm that is ready once its shared memory is; `readable` is asked then whether workers
    /// may read the files.
    pub(crate) fn new(
        settings: Settings,
        users: Users,
        keys: Option<Keys>,
        readable: Box<dyn Fn() -> Result<(), String>>,
    ) -> Self {
        Self {
            settings,
            users,
            keys,
            ring: OnceCell::new(),
            zone: Zone::default(),
            checks: Queue::default(),
            readable,
        }
    }

    /// Derives the keys, now that the shared memory is there.
    ///
    /// # Errors
    /// A file that workers may not read, as nginx says it.
    pub(crate) fn ready(&self) -> Result<(), String> {
        (self.readable)()?;
        let ring = self.zone.with_secrets(|secret, age| {
            let name = &self.settings.name;
            match &self.keys {
                Some(keys) => KeyRing::derive(keys, name, age),
                None => KeyRing::derive(&Keys::generated(*secret), name, age),
            }
        });
        if let Some(ring) = ring {
            // Set once for each configuration; a second time it would be the same.
            let _ = self.ring.set(ring);
        }
        Ok(())
    }

    /// The gate of this realm; `None` where its shared memory is missing.
    pub(crate) fn gate(&self) -> Option<Gate<'_>> {
        Some(Gate {
            settings: &self.settings,
            users: &self.users,
            ring: self.ring.get()?,
            ended: self.zone.ended()?,
        })
    }

    /// Ends a session in every worker. False where it could not be written down.
    pub(crate) fn end(&self, record: &Record) -> bool {
        let now = crate::nginx::now();
        let write = || self.zone.ended().map(|ended| ended.apply(record, now));
        self.zone.locked(write).flatten().is_some()
    }
}
