//! Password checks on nginx's thread pool: so many run, so many wait, none on the event loop.
//!
//! A running check owns all it needs and touches no object of nginx's; `blocked` keeps its request
//! alive until it has ended, and a timer keeps an old worker alive for it. A waiting check goes
//! with its request. Before all that, the limiter grants a try, or lets the check wait until one of
//! those under way has been decided.

mod job;

use super::clock;
use super::reply::Sent;
use super::request::Request;
use crate::realm::Realm;
use authgate_core::limit::{Attempt, Decision, Limited, Reservation, Settled};
use authgate_core::metrics::Checks;
use authgate_core::network::Network;
use authgate_core::pages::Check;
use authgate_core::queue::FairQueue;
use job::{start, wait};
use ngx::ffi::{ngx_http_cleanup_add, ngx_http_request_t, ngx_http_run_posted_requests};
use std::cell::{Cell, RefCell};
use std::ffi::c_void;

/// How a check ended.
pub(crate) enum Outcome {
    /// It ran; whether the password matches.
    Checked(Check, bool),
    /// Too many wait.
    Busy(Check),
    /// Too many have failed.
    Limited(Check, Limited),
    /// It could not run.
    Failed,
}

/// What is called with the outcome.
pub(crate) type Then = fn(Request<'_>, Outcome) -> Sent;

/// This worker's checks of one realm.
#[derive(Default)]
pub(crate) struct Queue {
    running: Cell<usize>,
    waiting: RefCell<FairQueue<Waiting>>,
    /// Those that the limiter has not granted a try yet.
    undecided: RefCell<FairQueue<Waiting>>,
    /// The tries of all checks that run or wait.
    tries: RefCell<Vec<Reservation>>,
}

struct Waiting {
    request: *mut ngx_http_request_t,
    check: Check,
    then: Then,
    /// What the limiter has granted.
    tried: Option<Reservation>,
}

/// Has the check run in a thread, now or in its turn, and `then` called on the event loop.
pub(crate) fn submit(request: Request<'_>, realm: &Realm, check: Check, then: Then) -> Sent {
    super::faults::panic_at(request, "submit");
    wait(request);
    if !drop_with_request(request, realm) {
        return Sent::failed(request);
    }
    proceed(realm, Waiting { request: request.raw(), check, then, tried: None })
}

/// Asks the limiter, and goes on as it says.
fn proceed(realm: &Realm, mut login: Waiting) -> Sent {
    // SAFETY: a login that waits belongs to a live request: it is taken along when that ends.
    let Some(request) = (unsafe { Request::new(login.request) }) else { return Sent::LATER };
    let network = Network::of(request.address());
    let Check { username: user, device, .. } = &login.check;
    match realm.reserve(&Attempt { network, user, device: *device }) {
        None => start_or_wait(realm, network, login),
        Some(Decision::Granted(reservation)) => {
            realm.checks.tries.borrow_mut().push(reservation);
            login.tried = Some(reservation);
            start_or_wait(realm, network, login)
        }
        Some(Decision::Undecided) => enqueue(realm, network, login, &realm.checks.undecided),
        Some(Decision::Limited(limited)) => {
            (login.then)(request, Outcome::Limited(login.check, limited))
        }
    }
}

fn start_or_wait(realm: &Realm, network: Network, login: Waiting) -> Sent {
    if realm.checks.running.get() < realm.settings.checks.running {
        return start(realm, login);
    }
    enqueue(realm, network, login, &realm.checks.waiting)
}

/// Puts a login into a queue; where there is no room, one of them is told to come again.
fn enqueue(
    realm: &Realm,
    network: Network,
    login: Waiting,
    queue: &RefCell<FairQueue<Waiting>>,
) -> Sent {
    let own = login.request;
    let limit = realm.checks.room(queue, realm.settings.checks.waiting);
    let displaced = queue.borrow_mut().push(network, login, limit);
    report(realm);
    let Some(Waiting { request, check, then, tried }) = displaced else { return Sent::LATER };
    settle(realm, tried, Settled::Unchecked);
    if request == own {
        return then_on(request, then, Outcome::Busy(check));
    }
    tell(request, then, Outcome::Busy(check));
    Sent::LATER
}

/// Answers another request than the one that nginx has called for.
fn tell(request: *mut ngx_http_request_t, then: Then, outcome: Outcome) {
    // SAFETY: a login that waits belongs to a live request. Answering may free the request, never
    // its connection: connections are nginx's for good, and a closed one has nothing posted.
    unsafe {
        let connection = (*request).connection;
        let _: Sent = then_on(request, then, outcome);
        ngx_http_run_posted_requests(connection);
    }
}

/// Asks the limiter again for those that wait for a decision.
fn retry(realm: &Realm) {
    let count = realm.checks.undecided.borrow().len();
    for _ in 0..count {
        // One at a time: answering one may end the request of another, which leaves the queue then.
        let login = realm.checks.undecided.borrow_mut().pop();
        let Some(login) = login else { return };
        // SAFETY: as in `tell`.
        unsafe {
            let connection = (*login.request).connection;
            let _: Sent = proceed(realm, login);
            ngx_http_run_posted_requests(connection);
        }
    }
}

/// A few times a second: decisions of other workers are looked for, and the limiter hears that the
/// tries of this one are under way.
pub(crate) fn tick(realm: &Realm) {
    let now = clock::monotonic();
    let tries = realm.checks.tries.borrow();
    if !tries.is_empty() {
        realm.with_limiter(|limiter| tries.iter().for_each(|tried| limiter.touch(tried, now)));
    }
    drop(tries);
    retry(realm);
    report(realm);
}

/// Says how many checks there are, after each change and a few times a second.
fn report(realm: &Realm) {
    let Queue { running, waiting, undecided, .. } = &realm.checks;
    let waiting = waiting.borrow().len() + undecided.borrow().len();
    realm.report_checks(Checks { running: running.get() as u64, waiting: waiting as u64 });
}

/// Tells the limiter how a try has ended.
fn settle(realm: &Realm, tried: Option<Reservation>, how: Settled) {
    let Some(reservation) = tried else { return };
    let mut tries = realm.checks.tries.borrow_mut();
    if let Some(index) = tries.iter().position(|other| *other == reservation) {
        let _: Reservation = tries.swap_remove(index);
    }
    realm.settle(reservation, how);
}

impl Queue {
    /// How much of what may wait this queue may hold: the other queue has the rest.
    fn room(&self, queue: &RefCell<FairQueue<Waiting>>, limit: usize) -> usize {
        let queued = self.waiting.borrow().len() + self.undecided.borrow().len();
        limit.saturating_sub(queued - queue.borrow().len())
    }

    fn remove(&self, request: *mut ngx_http_request_t) -> Option<Waiting> {
        let is = |waiting: &Waiting| waiting.request == request;
        let waiting = self.waiting.borrow_mut().remove(is);
        waiting.or_else(|| self.undecided.borrow_mut().remove(is))
    }
}

fn then_on(request: *mut ngx_http_request_t, then: Then, outcome: Outcome) -> Sent {
    // SAFETY: callers hold a live request.
    match unsafe { Request::new(request) } {
        Some(request) => then(request, outcome),
        None => Sent::LATER,
    }
}

/// Starts what waits, as far as there is room.
fn next(realm: &Realm) {
    while realm.checks.running.get() < realm.settings.checks.running {
        let waiting = realm.checks.waiting.borrow_mut().pop();
        let Some(waiting) = waiting else { return };
        let _: Sent = start(realm, waiting);
    }
}

/// Lets a waiting check go, unhashed, when its request ends.
fn drop_with_request(request: Request<'_>, realm: &Realm) -> bool {
    // SAFETY: the cleanup record is part of the request's memory; the place for the realm's
    // address and the request's is in the record.
    unsafe {
        let cleanup = ngx_http_cleanup_add(request.raw(), size_of::<Ticket>());
        let Some(cleanup) = cleanup.as_mut() else { return false };
        cleanup.data.cast::<Ticket>().write(Ticket { request: request.raw(), realm });
        cleanup.handler = Some(give_up);
    }
    true
}

/// A request's place in a realm's queue.
struct Ticket {
    request: *mut ngx_http_request_t,
    realm: *const Realm,
}

unsafe extern "C" fn give_up(ticket: *mut c_void) {
    // SAFETY: nginx calls this once, with the record's data; the realm lives as long as the cycle,
    // which outlives its requests.
    let Ticket { request, realm } = unsafe { ticket.cast::<Ticket>().read() };
    // SAFETY: as above.
    let realm = unsafe { &*realm };
    if let Some(Waiting { tried, .. }) = realm.checks.remove(request) {
        settle(realm, tried, Settled::Unchecked);
        report(realm);
    }
}
