//! Password checks on nginx's thread pool: so many run, so many wait, none on the event loop.
//!
//! A running check owns all it needs and touches no object of nginx's; `blocked` keeps its request
//! alive until it has ended, and a timer keeps an old worker alive for it. A waiting check goes
//! with its request.

use super::crypt::crypt;
use super::entry::guard;
use super::log;
use super::reply::Sent;
use super::request::{Request, string};
use crate::realm::Realm;
use authgate_core::network::Network;
use authgate_core::pages::Check;
use authgate_core::queue::FairQueue;
use ngx::ffi::{
    NGX_OK, ngx_add_timer, ngx_cycle, ngx_del_timer, ngx_event_t, ngx_handle_read_event,
    ngx_http_cleanup_add, ngx_http_finalize_request, ngx_http_request_t,
    ngx_http_run_posted_requests, ngx_http_test_reading, ngx_int_t, ngx_log_t, ngx_msec_t,
    ngx_post_event, ngx_posted_events, ngx_thread_pool_get, ngx_thread_task_post,
    ngx_thread_task_t,
};
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::panic::{self, AssertUnwindSafe};

/// How a check ended.
pub(crate) enum Outcome {
    /// It ran; whether the password matches.
    Checked(Check, bool),
    /// Too many wait.
    Busy(Check),
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
}

struct Waiting {
    request: *mut ngx_http_request_t,
    check: Check,
    then: Then,
}

/// A check in a thread. `task` comes first: nginx's pool knows this by its address.
#[repr(C)]
struct Job {
    task: ngx_thread_task_t,
    request: *mut ngx_http_request_t,
    realm: *const Realm,
    then: Then,
    /// Taken by the thread, given back with the outcome.
    check: Check,
    matches: Option<bool>,
    priority: Priority,
}

/// How a thread runs checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Priority {
    /// As nginx's pool has it: other work of nginx's runs there.
    Shared,
    /// Behind everything else on the machine: the pool is for checks.
    Lowest,
}

/// Has the check run in a thread, now or in its turn, and `then` called on the event loop.
pub(crate) fn submit(request: Request<'_>, realm: &Realm, check: Check, then: Then) -> Sent {
    super::faults::panic_at(request, "submit");
    let queue = &realm.checks;
    wait(request);
    if queue.running.get() < realm.settings.checks.running {
        return start(realm, Waiting { request: request.raw(), check, then });
    }
    if !drop_with_request(request, realm) {
        return Sent::failed(request);
    }
    let network = Network::of(request.address());
    let waiting = Waiting { request: request.raw(), check, then };
    let limit = realm.settings.checks.waiting;
    let displaced = queue.waiting.borrow_mut().push(network, waiting, limit);
    if let Some(Waiting { request: other, check, then }) = displaced {
        // SAFETY: a waiting entry's request is live: it takes its entry along when it ends.
        let Some(other) = (unsafe { Request::new(other) }) else { return Sent::LATER };
        if other.raw() == request.raw() {
            return then(other, Outcome::Busy(check));
        }
        // Answering may free the request, never its connection.
        let connection = other.get().connection;
        let _: Sent = then(other, Outcome::Busy(check));
        // SAFETY: connections are nginx's for good; a closed one has nothing posted.
        unsafe { ngx_http_run_posted_requests(connection) }
    }
    Sent::LATER
}

/// Until the check ends, the client may go away, and nothing else happens to the request.
fn wait(request: Request<'_>) {
    // SAFETY: a live request and its connection.
    unsafe {
        let raw = request.raw();
        (*raw).read_event_handler = Some(ngx_http_test_reading);
        (*raw).write_event_handler = Some(resume);
        let read = (*(*raw).connection).read;
        if (*read).ready() != 0 {
            // More has come with the body, perhaps the end: nginx is told of it only once.
            ngx_post_event(read, &raw mut ngx_posted_events);
        } else {
            // A failure here means that a client which goes away is noticed later.
            let _ = ngx_handle_read_event(read, 0);
        }
    }
}

fn start(realm: &Realm, Waiting { request, check, then }: Waiting) -> Sent {
    let priority = match realm.settings.checks.pool.as_str() {
        "default" => Priority::Shared,
        _ => Priority::Lowest,
    };
    // SAFETY: all fields zero is an empty task. The job is the thread's until its completion runs
    // on the event loop, which takes it back; `blocked` keeps the request until then.
    unsafe {
        let task = std::mem::zeroed::<ngx_thread_task_t>();
        let job = Job { task, request, realm, then, check, matches: None, priority };
        let job = Box::into_raw(Box::new(job));
        let task = &raw mut (*job).task;
        (*task).ctx = job.cast();
        (*task).handler = Some(run);
        (*task).event.data = job.cast();
        (*task).event.handler = Some(completed);
        (*task).event.log = log::cycle_log();
        let mut pool = string(realm.settings.checks.pool.as_bytes());
        let pool = ngx_thread_pool_get(ngx_cycle, &raw mut pool);
        if pool.is_null() || ngx_thread_task_post(pool, task) != NGX_OK as ngx_int_t {
            drop(Box::from_raw(job));
            return then_on(request, then, Outcome::Failed);
        }
        ngx_add_timer(&raw mut (*task).event, KEEP_ALIVE);
        (*(*request).main).set_blocked((*(*request).main).blocked() + 1);
    }
    realm.checks.running.set(realm.checks.running.get() + 1);
    Sent::LATER
}

/// A worker that is told to go waits as long as a timer is set, in milliseconds.
const KEEP_ALIVE: ngx_msec_t = 60_000;

fn then_on(request: *mut ngx_http_request_t, then: Then, outcome: Outcome) -> Sent {
    // SAFETY: callers hold a live request.
    match unsafe { Request::new(request) } {
        Some(request) => then(request, outcome),
        None => Sent::LATER,
    }
}

/// In a thread of the pool. The event loop keeps to the job's task meanwhile (its timer), and the
/// thread to what is borrowed here.
unsafe extern "C" fn run(job: *mut c_void, _log: *mut ngx_log_t) {
    let job = job.cast::<Job>();
    // SAFETY: these fields are this thread's alone until it returns (see `start`).
    let (check, matches, priority) =
        unsafe { (&(*job).check, &mut (*job).matches, (*job).priority) };
    if priority == Priority::Lowest {
        lower_priority();
    }
    let verify = || {
        #[cfg(feature = "faults")]
        assert!(check.username != "panic-in-check", "on request");
        check.hash.verify(&check.password, crypt)
    };
    *matches = panic::catch_unwind(AssertUnwindSafe(verify)).map_err(std::mem::forget).ok();
}

/// Once for each thread: nice 19, behind every other thread of the machine.
fn lower_priority() {
    thread_local!(static LOWERED: Cell<bool> = const { Cell::new(false) });
    if !LOWERED.replace(true) {
        // SAFETY: on Linux this is about the calling thread alone. A failure leaves it as it was.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
    }
}

/// On the event loop: a thread has ended its check, or the timer asks for a new one.
unsafe extern "C" fn completed(event: *mut ngx_event_t) {
    // SAFETY: the event lies in a job, which is ours again once it is complete; its request is live
    // (`blocked`), and so is its connection.
    unsafe {
        let job = (*event).data.cast::<Job>();
        if (*event).complete() == 0 {
            (*event).set_timedout(0);
            ngx_add_timer(event, KEEP_ALIVE);
            return;
        }
        if (*event).timer_set() != 0 {
            ngx_del_timer(event);
        }
        let Job { request, realm, then, check, matches, .. } = *Box::from_raw(job);
        let main = (*request).main;
        (*main).set_blocked((*main).blocked() - 1);
        let realm = &*realm;
        realm.checks.running.set(realm.checks.running.get() - 1);
        guard((), || next(realm));
        finish(request, then, check, matches);
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

/// Hands the outcome to the request, unless its client has gone.
///
/// # Safety
/// `request` is live and waits for this check.
unsafe fn finish(
    request: *mut ngx_http_request_t,
    then: Then,
    check: Check,
    matches: Option<bool>,
) {
    if matches.is_none() {
        log::alert("panic in a password check");
    }
    // SAFETY: by the caller's promise; nginx replaces the handler where the request has been
    // terminated while blocked, and that handler ends it.
    unsafe {
        let connection = (*request).connection;
        if let Some(request) = Request::new(request)
            && let Some(visit) = request.visit()
        {
            visit.checked.replace(Some((check, matches)));
            visit.then.set(Some(then));
        }
        if let Some(handler) = (*request).write_event_handler {
            handler(request);
        }
        ngx_http_run_posted_requests(connection);
    }
}

/// The write handler of a request that waits for a check: goes on once the outcome is there.
unsafe extern "C" fn resume(raw: *mut ngx_http_request_t) {
    let done = guard(None, || {
        // SAFETY: nginx or `finish` calls this with a live request, on the event loop.
        let request = unsafe { Request::new(raw) }?;
        let visit = request.visit()?;
        let Some((check, matches)) = visit.checked.take() else { return Some(()) };
        let then = visit.then.take()?;
        super::faults::panic_at(request, "resume");
        let _: Sent = match matches {
            Some(matches) => then(request, Outcome::Checked(check, matches)),
            None => then(request, Outcome::Failed),
        };
        Some(())
    });
    if done.is_none() {
        // SAFETY: what has failed above has not ended the request.
        unsafe { ngx_http_finalize_request(raw, 500) }
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
    let queue = unsafe { &(*realm).checks };
    drop(queue.waiting.borrow_mut().remove(|waiting| waiting.request == request));
}

const _: () = assert!(std::mem::offset_of!(Job, task) == 0, "nginx knows a job by its task");
