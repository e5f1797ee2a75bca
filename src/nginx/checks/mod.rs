//! Password checks on nginx's thread pool: so many run, so many wait, none on the event loop.
//!
//! A running check owns all it needs and touches no object of nginx's; `blocked` keeps its request
//! alive until it has ended. A waiting check goes with its request. For both a timer keeps an old
//! worker alive: that of the check, or that of the ticks. Before all that, the limiter grants a try,
//! or lets the check wait until one of those under way has been decided. Of equal Basic credentials
//! one is checked, whichever worker has it, and the others follow.

mod job;

use super::clock;
use super::entry::guard;
use super::reply::Sent;
use super::request::Request;
use crate::realm::Realm;
use authgate_core::basic::{Answer, Concluded, Digest};
use authgate_core::check::Check;
use authgate_core::gate::Outcome;
use authgate_core::limit::{Attempt, Decision, Reservation, Settled};
use authgate_core::metrics::Checks;
use authgate_core::network::Network;
use authgate_core::queue::FairQueue;
use job::{start, wait};
use ngx::ffi::{
    ngx_http_cleanup_add, ngx_http_finalize_request, ngx_http_request_t,
    ngx_http_run_posted_requests,
};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ffi::c_void;

/// What is called when a check has ended, or could not be made; without an outcome where something
/// inside has failed.
pub(crate) type Then = fn(Request<'_>, &Realm, &Check, Option<Outcome>) -> Sent;

/// This worker's checks of one realm.
#[derive(Default)]
pub(crate) struct Queue {
    running: Cell<usize>,
    waiting: RefCell<FairQueue<Waiting>>,
    /// Those that the limiter has not granted a try yet.
    undecided: RefCell<FairQueue<Waiting>>,
    /// Those that wait for the check of an equal Basic credential. They cost a connection each and no
    /// check, so that no bound but nginx's own holds for them.
    followers: RefCell<VecDeque<Waiting>>,
    /// The tries of all checks that run or wait.
    tries: RefCell<Vec<Reservation>>,
    /// The Basic credentials of all checks that run or wait.
    claims: RefCell<Vec<Digest>>,
}

struct Waiting {
    request: *mut ngx_http_request_t,
    check: Check,
    then: Then,
    /// What the limiter has granted.
    tried: Option<Reservation>,
    /// The Basic credential that nobody else is checking.
    claimed: Option<Digest>,
    /// Since when it waits for the check of an equal one.
    follows_since: Option<u64>,
}

/// Has the check run in a thread, now or in its turn, and `then` called on the event loop.
pub(crate) fn submit(request: Request<'_>, realm: &Realm, check: Check, then: Then) -> Sent {
    super::faults::at(request, "submit");
    wait(request);
    if !drop_with_request(request, realm) {
        return Sent::failed(request);
    }
    let request = request.raw();
    proceed(
        realm,
        Waiting { request, check, then, tried: None, claimed: None, follows_since: None },
    )
}

/// Asks whether an equal credential is being checked, and then the limiter.
fn proceed(realm: &Realm, login: Waiting) -> Sent {
    match login.check.digest().filter(|_| login.claimed.is_none()) {
        None => ask_limiter(realm, login),
        Some(digest) => match realm.ask_basic(digest, login.follows_since) {
            Answer::Holds => conclude(realm, login, Some(Outcome::Shared(true))),
            Answer::Fails => conclude(realm, login, Some(Outcome::Shared(false))),
            Answer::Wait => follow(realm, login),
            Answer::Check => {
                realm.checks.claims.borrow_mut().push(digest);
                ask_limiter(realm, Waiting { claimed: Some(digest), ..login })
            }
        },
    }
}

fn follow(realm: &Realm, login: Waiting) -> Sent {
    let follows_since = login.follows_since.or_else(|| Some(clock::monotonic()));
    realm.checks.followers.borrow_mut().push_back(Waiting { follows_since, ..login });
    clock::keep_worker(true);
    Sent::LATER
}

/// Asks the limiter, and goes on as it says.
fn ask_limiter(realm: &Realm, mut login: Waiting) -> Sent {
    // SAFETY: a login that waits belongs to a live request: it is taken along when that ends.
    let Some(request) = (unsafe { Request::new(login.request) }) else { return Sent::LATER };
    let network = Network::of(request.address());
    let Check { username: user, device, .. } = &login.check;
    let credential = login.check.digest();
    match realm.reserve(&Attempt { network, user, device: *device, credential }) {
        None => start_or_wait(realm, network, login),
        Some(Decision::Granted(reservation)) => {
            realm.checks.tries.borrow_mut().push(reservation);
            login.tried = Some(reservation);
            start_or_wait(realm, network, login)
        }
        Some(Decision::Undecided) => enqueue(realm, network, login, &realm.checks.undecided),
        Some(Decision::Limited(limited)) => conclude(realm, login, Some(Outcome::Limited(limited))),
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
    clock::keep_worker(true);
    report(realm);
    let Some(displaced) = displaced else { return Sent::LATER };
    if displaced.request == own {
        return conclude(realm, displaced, Some(Outcome::Busy));
    }
    answer_another(realm, displaced, |realm, login| conclude(realm, login, Some(Outcome::Busy)));
    Sent::LATER
}

/// Answers a request that was not checked, and gives up what it had reserved.
fn conclude(realm: &Realm, login: Waiting, outcome: Option<Outcome>) -> Sent {
    let Waiting { request, check, then, .. } = give_back(realm, login);
    then_on(request, realm, &check, then, outcome)
}

/// Gives up what an unchecked login had reserved.
fn give_back(realm: &Realm, login: Waiting) -> Waiting {
    settle(realm, login.tried, Settled::Unchecked);
    release(realm, login.claimed, Concluded::Dropped);
    login
}

/// Answers another request than the one that nginx has called for. What fails there is that
/// request's own failure.
fn answer_another(realm: &Realm, login: Waiting, answer: fn(&Realm, Waiting) -> Sent) {
    let request = login.request;
    // SAFETY: a login that waits belongs to a live request. Answering may free the request, never
    // its connection: connections are nginx's for good, and a closed one has nothing posted. What
    // has failed has not ended the request.
    unsafe {
        let connection = (*request).connection;
        if guard(None, || Some(answer(realm, login))).is_none() {
            ngx_http_finalize_request(request, 500);
        }
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
        answer_another(realm, login, proceed);
    }
}

/// Asks again for those that follow a check, of this credential or of any.
fn wake(realm: &Realm, digest: Option<Digest>) {
    let follows = |login: &Waiting| digest.is_none() || login.check.digest() == digest;
    let count = realm.checks.followers.borrow().iter().filter(|login| follows(login)).count();
    for _ in 0..count {
        // One at a time, as above; who still has to wait is put behind the others.
        let mut followers = realm.checks.followers.borrow_mut();
        let place = followers.iter().position(&follows);
        let login = place.and_then(|place| followers.remove(place));
        drop(followers);
        let Some(login) = login else { return };
        answer_another(realm, login, proceed);
    }
}

/// A few times a second: decisions of other workers are looked for, and the others hear that the
/// checks of this one are under way.
pub(crate) fn tick(realm: &Realm) {
    let now = clock::monotonic();
    let tries = realm.checks.tries.borrow();
    if !tries.is_empty() {
        realm.with_limiter(|limiter| tries.iter().for_each(|tried| limiter.touch(tried, now)));
    }
    drop(tries);
    let claims = realm.checks.claims.borrow();
    if !claims.is_empty() {
        realm.touch_basic(&claims);
    }
    drop(claims);
    retry(realm);
    wake(realm, None);
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
    forget(&realm.checks.tries, &reservation);
    realm.settle(reservation, how);
}

/// Tells all workers how the check of a Basic credential has ended.
fn release(realm: &Realm, claimed: Option<Digest>, how: Concluded) {
    let Some(digest) = claimed else { return };
    forget(&realm.checks.claims, &digest);
    realm.conclude_basic(digest, how);
}

fn forget<T: PartialEq + Copy>(list: &RefCell<Vec<T>>, item: &T) {
    let mut list = list.borrow_mut();
    if let Some(index) = list.iter().position(|other| other == item) {
        let _: T = list.swap_remove(index);
    }
}

impl Queue {
    /// Whether a check that is not running keeps a request: perhaps one of another worker, whose
    /// outcome a tick looks for.
    pub(super) fn anyone_waits(&self) -> bool {
        let Self { waiting, undecided, followers, .. } = self;
        !(waiting.borrow().is_empty()
            && undecided.borrow().is_empty()
            && followers.borrow().is_empty())
    }

    /// How much of what may wait this queue may hold: the other queue has the rest.
    fn room(&self, queue: &RefCell<FairQueue<Waiting>>, limit: usize) -> usize {
        let queued = self.waiting.borrow().len() + self.undecided.borrow().len();
        limit.saturating_sub(queued - queue.borrow().len())
    }

    fn remove(&self, request: *mut ngx_http_request_t) -> Option<Waiting> {
        let is = |waiting: &Waiting| waiting.request == request;
        let waiting = self.waiting.borrow_mut().remove(is);
        let waiting = waiting.or_else(|| self.undecided.borrow_mut().remove(is));
        waiting.or_else(|| {
            let mut followers = self.followers.borrow_mut();
            let place = followers.iter().position(is)?;
            followers.remove(place)
        })
    }
}

fn then_on(
    request: *mut ngx_http_request_t,
    realm: &Realm,
    check: &Check,
    then: Then,
    outcome: Option<Outcome>,
) -> Sent {
    // SAFETY: callers hold a live request.
    match unsafe { Request::new(request) } {
        Some(request) => then(request, realm, check, outcome),
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
    if let Some(login) = realm.checks.remove(request) {
        give_back(realm, login);
        report(realm);
    }
}
