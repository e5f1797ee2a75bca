//! What a request has ended while another process holds the journal's lock: the request waits for its
//! answer until that is written down, and the event loop for nothing.

use super::{State, is_incomplete, is_locked, warn_unwritten};
use crate::nginx::clock;
use crate::nginx::reply::Sent;
use crate::nginx::request::Request;
use crate::nginx::wait::{self, Wait};
use crate::realm::Realm;
use authgate_core::journal::Record;
use std::cell::{Cell, RefCell};

/// How long, in milliseconds, a request waits for the lock at most, and an old worker with it.
const PATIENCE: u64 = 5000;

/// How often, in milliseconds, the lock is tried. As a rule it is held for some microseconds.
const PAUSE: usize = 10;

/// What is called once all is written down (true), or cannot be.
type Then = Box<dyn FnOnce(Request<'_>, &Realm, bool) -> Sent>;

/// What waits for the lock.
#[derive(Default)]
pub(super) struct Unwritten {
    ends: RefCell<Vec<Ends>>,
    /// Whether the lock will be tried again.
    is_due: Cell<bool>,
}

/// What one request has ended. It is written down whether its client is still there or not.
struct Ends {
    records: Vec<Record>,
    /// In milliseconds of the monotonic clock.
    deadline: u64,
    /// Whether the other workers know that the journal lacks this: it is written down even if this one
    /// is killed.
    is_known: bool,
    waiting: Option<(Wait, Then)>,
}

impl Ends {
    fn answer(self, realm: &Realm, is_written: bool) {
        if let Some((wait, then)) = self.waiting {
            wait.resume(|request| then(request, realm, is_written));
        }
    }
}

impl State {
    /// Writes down what a request has ended, then calls `then`: at once, unless another process holds
    /// the lock.
    pub(crate) fn append_for(
        &self,
        request: Request<'_>,
        realm: &Realm,
        records: Vec<Record>,
        then: impl FnOnce(Request<'_>, &Realm, bool) -> Sent + 'static,
    ) -> Sent {
        match self.try_append(realm, &records) {
            Ok(()) => then(request, realm, true),
            Err(error) if is_locked(&error) => {
                self.wait_for_lock(request, realm, records, Box::new(then))
            }
            Err(error) => {
                is_incomplete(realm);
                warn_unwritten(&error);
                then(request, realm, false)
            }
        }
    }

    fn wait_for_lock(
        &self,
        request: Request<'_>,
        realm: &Realm,
        records: Vec<Record>,
        then: Then,
    ) -> Sent {
        let deadline = clock::monotonic() + PATIENCE;
        let mut ends = Ends { records, deadline, is_known: false, waiting: None };
        let sent = wait::begin(request, || (), |wait| ends.waiting = Some((wait, then)));
        // Also where memory is too short for the request to wait.
        self.unwritten.ends.borrow_mut().push(ends);
        self.try_later(realm);
        sent
    }

    fn try_later(&self, realm: &Realm) {
        if self.unwritten.is_due.replace(true) {
            return;
        }
        let this = realm.this.clone();
        clock::after(PAUSE, move || {
            if let Some(realm) = Realm::still(&this)
                && let Some(state) = &realm.state
            {
                state.try_again(&realm);
            }
        });
    }

    fn try_again(&self, realm: &Realm) {
        self.unwritten.is_due.set(false);
        let ends = self.unwritten.ends.take();
        let records: Vec<Record> = ends.iter().flat_map(|it| &it.records).copied().collect();
        let (ended, is_written) = match self.try_append(realm, &records) {
            Ok(()) => (ends, true),
            Err(error) if is_locked(&error) => {
                let late = self.wait_on(realm, ends);
                if !late.is_empty() {
                    warn_unwritten(&error);
                }
                (late, false)
            }
            Err(error) => {
                is_incomplete(realm);
                warn_unwritten(&error);
                (ends, false)
            }
        };
        ended.into_iter().for_each(|it| it.answer(realm, is_written));
    }

    /// The lock is still held. Gives those who have waited for long enough.
    fn wait_on(&self, realm: &Realm, mut ends: Vec<Ends>) -> Vec<Ends> {
        if ends.iter().any(|it| !it.is_known) {
            is_incomplete(realm);
            ends.iter_mut().for_each(|it| it.is_known = true);
        }
        let now = clock::monotonic();
        let (late, waiting): (Vec<_>, Vec<_>) = ends.into_iter().partition(|it| it.deadline <= now);
        if !waiting.is_empty() {
            self.unwritten.ends.borrow_mut().extend(waiting);
            self.try_later(realm);
        }
        late
    }
}

/// With the realm, when the process ends.
impl Drop for Unwritten {
    fn drop(&mut self) {
        let waiting = self.ends.take().into_iter().filter_map(|it| it.waiting);
        waiting.for_each(|(wait, _)| wait.abandon());
    }
}
