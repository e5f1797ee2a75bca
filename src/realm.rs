//! A realm as the module holds it: its settings, its users, its keys and its shared memory.

use crate::checks::{self, Queue};
use crate::live::{self, Watched};
use crate::nginx::memory::{Secrets, Topic};
use crate::nginx::reply::Sent;
use crate::nginx::request::Request;
use crate::nginx::zone::{Owner, Zone};
use crate::nginx::{clock, log, process};
use crate::state::State;
use crate::upgraded::{self, Upgraded};
use crate::users;
use authgate_core::ended::Ended;
use authgate_core::event::Event;
use authgate_core::gate::Gate;
use authgate_core::journal::{Record, UserTag};
use authgate_core::keyring::{KeyRing, Keys};
use authgate_core::limit::{Attempt, Decision, DigestKey, Limiter, Places, Reservation, Settled};
use authgate_core::metrics::{Checks, Stripe};
use authgate_core::settings::Settings;
use authgate_core::status::Status;
use authgate_core::users::{GenerationKey, Generations, Remembered, Users};
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

/// One realm of one configuration, shared by all servers that use it.
pub(crate) struct Realm {
    /// For what happens later, when the realm may be no more.
    pub this: Weak<Self>,
    /// Its directives.
    pub settings: Settings,
    /// Who may sign in: replaced when a file has changed.
    pub users: RefCell<Users>,
    /// The files that they are read from.
    pub watched: RefCell<Watched>,
    /// Whether other workers have taken users that this one could not read. It lets nobody in then.
    pub outdated: Cell<bool>,
    keys: Option<Keys>,
    ring: OnceCell<Arc<KeyRing>>,
    digest_key: OnceCell<DigestKey>,
    /// Its shared memory.
    pub zone: Zone,
    /// The users of the configuration before, as it had read them.
    before: RefCell<Option<Users>>,
    /// What is kept across restarts.
    pub state: Option<State>,
    /// This worker's password checks.
    pub checks: Queue,
    /// This worker's upgraded connections.
    pub upgraded: Upgraded,
    readable: Box<dyn Fn() -> Result<(), String>>,
}

impl Owner for Realm {
    fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Derives the keys and reads the state.
    fn prepare(&self, old: Option<&Self>) -> Result<(), String> {
        (self.readable)()?;
        if let Some(state) = &self.state {
            state.prepare()?;
            state.check_rights(&self.settings.name)?;
        }
        let state = self.state.as_ref().filter(|_| !process::is_test());
        if let Some(secrets) = self.zone.secrets() {
            // Set once for each configuration; a second time it would be the same.
            let _ = self.ring.set(Arc::new(self.derive(secrets, state)?));
            let _ = self.digest_key.set(DigestKey::new(&secrets.credentials));
        }
        let same = old.filter(|old| old.settings.state_dir == self.settings.state_dir);
        self.before.replace(same.map(|old| old.users.borrow().clone()));
        state.map_or(Ok(()), |state| state.load(self))
    }

    fn lost(&self) -> String {
        let name = &self.settings.name;
        let sessions = match self.settings.state_dir {
            Some(_) => "ended sessions are read again from its state",
            None => "everyone has to sign in again",
        };
        format!(
            "authgate: the zone of realm \"{name}\" is made anew, its size or the module has changed: {sessions}"
        )
    }
}

impl Realm {
    /// A realm that is ready once its shared memory is; `readable` is asked then whether workers
    /// may read the files.
    pub(crate) fn new(
        settings: Settings,
        users: (Users, Watched),
        keys: Option<Keys>,
        state: Option<State>,
        readable: Box<dyn Fn() -> Result<(), String>>,
    ) -> Rc<Self> {
        let checks = Queue::new(&settings.checks);
        Rc::new_cyclic(|this| Self {
            this: this.clone(),
            settings,
            users: RefCell::new(users.0),
            watched: RefCell::new(users.1),
            outdated: Cell::new(false),
            keys,
            ring: OnceCell::new(),
            digest_key: OnceCell::new(),
            zone: Zone::default(),
            before: RefCell::default(),
            state,
            checks,
            upgraded: Upgraded::default(),
            readable,
        })
    }

    /// The realm that something was begun for, where its configuration still runs.
    pub(crate) fn still(this: &Weak<Self>) -> Option<Rc<Self>> {
        this.upgrade().filter(|realm| realm.zone.is_of_running_configuration())
    }

    /// The configuration is in force: nothing of it can fail any more. What it has read goes into
    /// the shared memory, before the first request that it serves.
    pub(crate) fn in_force(&self) {
        let remembered = self.state.as_ref().and_then(|state| state.in_force(self));
        let is_known = matches!(remembered, Some(Remembered::Known(..)));
        match (self.before.take(), remembered) {
            // The workers have taken the same users already.
            (Some(_), _) if self.zone.has_users(self.watched.borrow().taken()) => {}
            // What the workers took last, which the running configuration itself may never have read.
            (_, Some(known @ Remembered::Known(..))) => self.end_changed(&known),
            (Some(old), _) => self.end_replaced(&old),
            (None, Some(unknown)) => self.end_changed(&unknown),
            (None, None) => {}
        }
        self.zone.set_users(self.watched.borrow().taken());
        if let Some(state) = &self.state {
            if !is_known {
                state.remember_now(self);
            }
            state.close();
        }
    }

    /// Ends the sessions of those whom this configuration has made others than they were in the
    /// former one. Whom the workers have found changed in between, and ended, has to sign in once more.
    fn end_replaced(&self, old: &Users) {
        let Some(key) = self.generation_key() else { return };
        self.end_all_of(&users::changed(old, &self.users.borrow(), &key));
    }

    /// The same for those who have become others than what was remembered, while nginx was down as well.
    fn end_changed(&self, remembered: &Remembered) {
        match remembered {
            Remembered::Known(key, before) => {
                let changed = before.changed(&Generations::of(&self.users.borrow(), key));
                self.end_all_of(&changed);
            }
            Remembered::Unknown => {
                let name = &self.settings.name;
                log::error(&format!(
                    "it is not known what the users of realm \"{name}\" were: their sessions end"
                ));
                self.end_those(|ended, now| vec![ended.end_of_all(now)]);
            }
        }
    }

    fn derive(&self, secrets: &Secrets, state: Option<&State>) -> Result<KeyRing, String> {
        // With `state`, sessions outlive the memory; without, they end with it.
        let salt = if self.state.is_some() { &[][..] } else { &secrets.age };
        let generated = match (&self.keys, state) {
            (Some(keys), _) => return Ok(KeyRing::derive(keys, &self.settings.name, salt)),
            (None, Some(state)) => state.generated_keys()?,
            (None, None) => Keys::generated(secrets.key),
        };
        Ok(KeyRing::derive(&generated, &self.settings.name, salt))
    }

    /// Asks the gate of this realm; `None` where its shared memory or its users are missing.
    pub(crate) fn with_gate<R>(&self, with: impl FnOnce(&Gate<'_>) -> R) -> Option<R> {
        if self.outdated.get() {
            return None;
        }
        let users = self.users.borrow();
        Some(with(&Gate {
            settings: &self.settings,
            users: &users,
            ring: self.ring.get()?,
            ended: self.zone.ended()?,
            places: self.places()?,
            digest_key: self.digest_key.get()?,
        }))
    }

    /// Ends all of this in every worker at once, and calls `then` when it is written down (true) or
    /// cannot be. The request may have to wait for that.
    pub(crate) fn end_all(
        &self,
        request: Request<'_>,
        records: Vec<Record>,
        then: impl FnOnce(Request<'_>, &Self, bool) -> Sent + 'static,
    ) -> Sent {
        let end = |record| self.zone.locked(|locked| locked.ended().apply(record, clock::now()));
        let have_ended = records.iter().filter(|record| end(record).is_none()).count() == 0;
        match &self.state {
            Some(state) if !records.is_empty() => {
                state.append_for(request, self, records, move |request, realm, is_written| {
                    then(request, realm, have_ended && is_written)
                })
            }
            _ => then(request, self, have_ended),
        }
    }

    /// Ends all sessions of these users in every worker, and writes that down.
    pub(crate) fn end_all_of(&self, users: &[UserTag]) {
        if !users.is_empty() {
            self.end_those(|ended, now| ended.ends_of(users, now));
        }
    }

    fn end_those(&self, records: impl FnOnce(&Ended<'_>, u64) -> Vec<Record>) {
        let now = clock::now();
        let written = self.zone.locked(|locked| {
            let ended = locked.ended();
            let records = records(&ended, now);
            records.iter().for_each(|record| ended.apply(record, now));
            records
        });
        if let (Some(records), Some(state)) = (written, &self.state) {
            state.append(self, &records);
        }
    }

    /// Whether the users of this worker are those that any has taken last.
    pub(crate) fn has_users_in_force(&self) -> bool {
        self.zone.has_users(self.watched.borrow().taken())
    }

    /// The keys.
    pub(crate) fn ring(&self) -> Option<&KeyRing> {
        self.ring.get().map(Arc::as_ref)
    }

    /// The keys, for another thread.
    pub(crate) fn shared_ring(&self) -> Option<Arc<KeyRing>> {
        self.ring.get().cloned()
    }

    /// The key of the users' generations.
    pub(crate) fn generation_key(&self) -> Option<GenerationKey> {
        Some(self.ring.get()?.generation_key().clone())
    }

    /// Whether a session may be renewed: not while others may have ended it unheard.
    pub(crate) fn may_renew(&self) -> bool {
        self.state.as_ref().is_none_or(|state| state.is_current(self))
    }

    /// Where Basic credentials held. `None` where the shared memory is missing.
    pub(crate) fn places(&self) -> Option<Places<'_>> {
        Some(Places {
            slots: self.zone.places()?,
            key: &self.zone.secrets()?.limiter,
            ttl: self.settings.basic_cache.saturating_mul(1000),
            limits: self.settings.limits,
            now: clock::monotonic(),
        })
    }

    /// Asks the limiter what to do with a login. `None` where the shared memory is missing: then
    /// nothing is to be checked.
    pub(crate) fn reserve(&self, attempt: &Attempt<'_>) -> Option<Decision> {
        self.with_limiter(|limiter| limiter.reserve(attempt, clock::monotonic()))
    }

    /// Tells the limiter how a try has ended.
    pub(crate) fn settle(&self, tried: Reservation, how: Settled) {
        self.with_limiter(|limiter| limiter.settle(tried, how, clock::monotonic()));
    }

    /// Gives the limiter to `with`; `None` where the shared memory is missing.
    pub(crate) fn with_limiter<R>(&self, with: impl FnOnce(&mut Limiter<'_>) -> R) -> Option<R> {
        let (limits, places) = (self.settings.limits, self.places()?);
        let key = places.key;
        self.zone.with_counters(|slots| with(&mut Limiter { limits, key, slots, places }))
    }

    /// Counts how a request went: once for each that the gate has judged.
    pub(crate) fn count(&self, status: Status) {
        self.counted(|stripe| stripe.verdict(status));
    }

    /// Counts a login or a logout.
    pub(crate) fn count_event(&self, event: &Event) {
        self.counted(|stripe| stripe.event(event));
    }

    /// Counts a password check that took so long.
    pub(crate) fn count_check(&self, took: Duration) {
        self.counted(|stripe| stripe.check(took));
    }

    fn counted(&self, count: impl FnOnce(&Stripe)) {
        if let Some(metrics) = self.zone.metrics() {
            count(metrics.stripe(process::worker_number()));
        }
    }

    /// Says how many password checks this worker has running and waiting now.
    pub(crate) fn report_checks(&self, checks: Checks) {
        if let Some(metrics) = self.zone.metrics() {
            metrics.report(process::slot(), checks, clock::monotonic());
        }
    }

    /// Whether the users in force are what the users file says, as far as any worker knows.
    pub(crate) fn has_valid_users_file(&self) -> bool {
        !self.outdated.get() && !self.zone.complains(Topic::Users)
    }

    /// How many keys there are.
    pub(crate) fn keys(&self) -> usize {
        self.ring().map_or(0, KeyRing::count)
    }

    /// What a worker does before its first request.
    pub(crate) fn start(&self) {
        live::start(self);
    }

    /// What a worker does a few times a second.
    pub(crate) fn tick(&self) {
        live::tick(self);
        if let Some(state) = &self.state {
            state.tick(self);
        }
        checks::tick(self);
        upgraded::close_ended(self);
    }
}
