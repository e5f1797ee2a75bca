//! Password checks on nginx's thread pool: so many run, so many wait, none on the event loop.
//!
//! A check owns all it needs and touches no object of nginx's: its request may end at any time, and one
//! that has not begun ends with it. A timer keeps an old worker alive: that of the check, or that of the
//! ticks. Before a check begins, the limiter grants a try, or lets the check wait until one of those under
//! way has been decided. Of equal Basic credentials one is checked, whichever worker has it, and the
//! others follow.

mod job;
mod limits;

use crate::nginx::entry::guard;
use crate::nginx::reply::Sent;
use crate::nginx::request::Request;
use crate::nginx::wait::{self, Wait};
use crate::nginx::{clock, faults};
use crate::realm::Realm;
use authgate_core::check::Check;
use authgate_core::gate::Outcome;
use authgate_core::limit::Reservation;
use authgate_core::metrics;
use authgate_core::queue::Ticket;
use authgate_core::scheduler::{Limits, Scheduler};
use authgate_core::settings;
use limits::{Credential, Reserved, Step};
use std::cell::RefCell;
use std::rc::Rc;

/// What is called when a check has ended, or could not be made; without an outcome where something
/// inside has failed.
pub(crate) type Then = fn(Request<'_>, &Realm, Check, Option<Outcome>) -> Sent;

/// This worker's checks of one realm.
pub(crate) struct Queue {
    scheduler: RefCell<Scheduler<Login>>,
    reserved: Reserved,
}

/// A request whose password is to be checked.
struct Login {
    ticket: Ticket,
    wait: Wait,
    check: Check,
    then: Then,
    /// What the limiter has granted.
    reserved: Option<Rc<Reservation>>,
}

impl Login {
    fn credential(&self) -> Credential {
        (self.check.network, self.check.digest)
    }
}

/// Has the check run in a thread, now or in its turn, and `then` called on the event loop.
pub(crate) fn submit(request: Request<'_>, realm: &Realm, check: Check, then: Then) -> Sent {
    faults::at(request, "submit");
    let ticket = realm.checks.scheduler.borrow_mut().ticket();
    let this = realm.this.clone();
    let when_gone = move || {
        if let Some(realm) = Realm::still(&this) {
            leave(&realm, ticket);
        }
    };
    wait::begin(request, when_gone, |wait| {
        proceed(realm, Login { ticket, wait, check, then, reserved: None });
    })
}

/// Asks what becomes of a login, and has it so.
fn proceed(realm: &Realm, mut login: Login) {
    if !login.wait.is_current() {
        return give_up(realm, login);
    }
    match limits::ask(realm, &mut login) {
        Step::Check => start_or_wait(realm, login),
        Step::Follow => follow(realm, login),
        Step::Undecided => {
            let mut scheduler = realm.checks.scheduler.borrow_mut();
            let displaced = scheduler.defer(login.ticket, login.check.network, login);
            drop(scheduler);
            has_queued(realm, displaced);
        }
        Step::Answer(outcome) => answer(realm, login, outcome),
    }
}

fn follow(realm: &Realm, login: Login) {
    realm.checks.scheduler.borrow_mut().follow(login.ticket, login.credential(), login);
    clock::keep_worker(true);
}

fn start_or_wait(realm: &Realm, login: Login) {
    let mut scheduler = realm.checks.scheduler.borrow_mut();
    if scheduler.has_room() {
        drop(scheduler);
        return job::start(realm, login);
    }
    if login.reserved.as_ref().is_some_and(|reserved| reserved.is_certain()) {
        // A crowd at the login stops no program that has signed in from its place before.
        drop(scheduler);
        return answer(realm, login, Some(Outcome::Known(true)));
    }
    let displaced = scheduler.wait(login.ticket, login.check.network, login);
    drop(scheduler);
    has_queued(realm, displaced);
}

/// One more waits; who had to make room for it is told to come again.
fn has_queued(realm: &Realm, displaced: Option<(Ticket, Login)>) {
    clock::keep_worker(true);
    report(realm);
    if let Some((_, login)) = displaced {
        answer(realm, login, Some(Outcome::Busy));
    }
}

/// Answers a request, and gives up what it still holds.
fn answer(realm: &Realm, mut login: Login, outcome: Option<Outcome>) {
    limits::settle(realm, &mut login, None);
    let Login { wait, check, then, .. } = login;
    wait.resume(|request| then(request, realm, check, outcome));
}

/// Gives up what a login holds whose request waits for it no more.
fn give_up(realm: &Realm, mut login: Login) {
    limits::settle(realm, &mut login, None);
}

/// Lets a check that has not begun go, unhashed, when its request ends.
fn leave(realm: &Realm, ticket: Ticket) {
    let login = realm.checks.scheduler.borrow_mut().leave(ticket);
    if let Some(login) = login {
        give_up(realm, login);
        report(realm);
    }
}

/// Starts what waits, as far as there is room.
fn start_waiting(realm: &Realm) {
    loop {
        let next = realm.checks.scheduler.borrow_mut().take_next();
        match next {
            None => return,
            Some((_, login)) if login.wait.is_current() => job::start(realm, login),
            Some((_, login)) => give_up(realm, login),
        }
    }
}

/// Asks again what becomes of one that waits, unless it has left. What fails there is its own failure.
fn ask_again(realm: &Realm, ticket: Ticket) {
    let login = realm.checks.scheduler.borrow_mut().leave(ticket);
    if let Some(login) = login {
        guard((), || proceed(realm, login));
    }
}

/// Asks the limiter again for those that wait for a decision.
fn retry(realm: &Realm) {
    let undecided = realm.checks.scheduler.borrow().undecided();
    undecided.into_iter().for_each(|ticket| ask_again(realm, ticket));
}

/// Asks again for those that follow the check of this credential, one by one. Where one still has to, it is
/// under way, and the others have to as well.
fn wake(realm: &Realm, credential: Credential) {
    loop {
        let first = realm.checks.scheduler.borrow().first_follower(credential);
        let Some(ticket) = first else { return };
        ask_again(realm, ticket);
        if realm.checks.scheduler.borrow().is_follower(ticket) {
            return;
        }
    }
}

/// A few times a second: decisions of other workers are looked for, and the others hear that the
/// checks of this one are under way.
pub(crate) fn tick(realm: &Realm) {
    limits::touch(realm);
    retry(realm);
    let followed = realm.checks.scheduler.borrow().followed();
    followed.into_iter().for_each(|credential| wake(realm, credential));
    report(realm);
}

/// Says how many checks there are, after each change and a few times a second.
fn report(realm: &Realm) {
    let scheduler = realm.checks.scheduler.borrow();
    let (running, waiting) = (scheduler.running() as u64, scheduler.waiting() as u64);
    realm.report_checks(metrics::Checks { running, waiting });
}

/// With the realm, when the process ends.
impl Drop for Queue {
    fn drop(&mut self) {
        let logins = self.scheduler.get_mut().take_all();
        logins.into_iter().for_each(|login| login.wait.abandon());
    }
}

impl Queue {
    /// An empty queue.
    pub(crate) fn new(checks: &settings::Checks) -> Self {
        let limits = Limits { running: checks.running, waiting: checks.waiting };
        Self { scheduler: RefCell::new(Scheduler::new(limits)), reserved: Reserved::default() }
    }

    /// Whether a check that is not running keeps a request: perhaps one of another worker, whose
    /// outcome a tick looks for.
    pub(crate) fn anyone_waits(&self) -> bool {
        !self.scheduler.borrow().is_idle()
    }
}
