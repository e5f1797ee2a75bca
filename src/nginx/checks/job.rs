//! One check in a thread, and what comes of it on the event loop.

use super::{Then, Waiting, conclude, next, release, report, retry, settle, wake};
use crate::nginx::crypt::crypt;
use crate::nginx::entry::guard;
use crate::nginx::reply::Sent;
use crate::nginx::request::{Request, string};
use crate::nginx::{bits, faults, log};
use crate::realm::Realm;
use authgate_core::basic::{Concluded, Digest};
use authgate_core::check::Check;
use authgate_core::gate::Outcome;
use authgate_core::limit::{Reservation, Settled};
use ngx::ffi::{
    NGX_HTTP_CLIENT_CLOSED_REQUEST, NGX_OK, ngx_add_timer, ngx_cycle, ngx_del_timer, ngx_event_t,
    ngx_handle_read_event, ngx_http_finalize_request, ngx_http_request_t,
    ngx_http_run_posted_requests, ngx_http_test_reading, ngx_int_t, ngx_log_t, ngx_msec_t,
    ngx_post_event, ngx_posted_events, ngx_thread_pool_get, ngx_thread_task_post,
    ngx_thread_task_t,
};
use std::cell::Cell;
use std::ffi::c_void;
use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

/// A check in a thread. `task` comes first: nginx's pool knows this by its address.
#[repr(C)]
struct Job {
    task: ngx_thread_task_t,
    request: *mut ngx_http_request_t,
    realm: *const Realm,
    then: Then,
    tried: Option<Reservation>,
    claimed: Option<Digest>,
    /// Taken by the thread, given back with the outcome.
    check: Check,
    matches: Option<bool>,
    took: Duration,
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

/// Until the check ends, the client may go away, and nothing else happens to the request. Of a
/// subrequest's client nginx tells the main request alone, which waits for the subrequest.
pub(super) fn wait(request: Request<'_>) {
    // SAFETY: a live request and its connection.
    unsafe {
        let raw = request.raw();
        (*raw).write_event_handler = Some(still);
        if !request.is_main() {
            return;
        }
        (*raw).read_event_handler = Some(ngx_http_test_reading);
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

pub(super) fn start(realm: &Realm, login: Waiting) -> Sent {
    let Waiting { request, check, then, tried, claimed, follows_since } = login;
    let priority = match realm.settings.checks.pool.as_str() {
        "default" => Priority::Shared,
        _ => Priority::Lowest,
    };
    // SAFETY: all fields zero is an empty task. The job is the thread's until its completion runs
    // on the event loop, which takes it back; `blocked` keeps the request until then.
    unsafe {
        let task = std::mem::zeroed::<ngx_thread_task_t>();
        let (matches, took) = (None, Duration::ZERO);
        let job =
            Job { task, request, realm, then, tried, claimed, check, matches, took, priority };
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
            let Job { check, .. } = *Box::from_raw(job);
            let login = Waiting { request, check, then, tried, claimed, follows_since };
            return conclude(realm, login, None);
        }
        ngx_add_timer(&raw mut (*task).event, KEEP_ALIVE);
        bits::block((*request).main);
    }
    realm.checks.running.set(realm.checks.running.get() + 1);
    report(realm);
    Sent::LATER
}

/// A worker that is told to go waits as long as a timer is set, in milliseconds.
const KEEP_ALIVE: ngx_msec_t = 60_000;

/// In a thread of the pool. The event loop keeps to the job's task meanwhile (its timer), and the
/// thread to what is borrowed here.
unsafe extern "C" fn run(job: *mut c_void, _log: *mut ngx_log_t) {
    let job = job.cast::<Job>();
    // SAFETY: these fields are this thread's alone until it returns (see `start`).
    let (check, matches, took, priority) =
        unsafe { (&(*job).check, &mut (*job).matches, &mut (*job).took, (*job).priority) };
    if priority == Priority::Lowest {
        lower_priority();
    }
    let verify = || {
        #[cfg(feature = "faults")]
        assert!(check.username != "panic-in-check", "on request");
        check.hash.verify(&check.password, crypt)
    };
    let began = Instant::now();
    *matches = panic::catch_unwind(AssertUnwindSafe(verify)).map_err(std::mem::forget).ok();
    *took = began.elapsed();
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
        let Job { request, realm, then, tried, claimed, check, matches, took, .. } =
            *Box::from_raw(job);
        let realm = &*realm;
        realm.checks.running.set(realm.checks.running.get() - 1);
        guard((), || {
            if matches.is_some() {
                realm.count_check(took);
            }
            settle(realm, tried, how(&check, matches));
            release(realm, claimed, concluded(&check, matches));
            next(realm);
            retry(realm);
            if claimed.is_some() {
                wake(realm, claimed);
            }
            report(realm);
        });
        // Not before: those that are answered above may be subrequests of the same main request, and end it.
        let main = (*request).main;
        bits::unblock(main);
        finish(request, realm, then, &check, matches);
    }
}

/// What a check means to the limiter, whether its client is still there or not.
fn how(check: &Check, matches: Option<bool>) -> Settled {
    match matches.map(|matches| check.succeeds(matches)) {
        None => Settled::Unchecked,
        Some(true) => Settled::Succeeded,
        Some(false) => Settled::Failed,
    }
}

/// What a check means to those that follow it.
fn concluded(check: &Check, matches: Option<bool>) -> Concluded {
    match matches.map(|matches| check.succeeds(matches)) {
        None => Concluded::Dropped,
        Some(true) => Concluded::Verified,
        Some(false) => Concluded::Failed,
    }
}

/// Hands the outcome to the request, unless its client has gone.
///
/// # Safety
/// `request` is live and waits for this check.
unsafe fn finish(
    request: *mut ngx_http_request_t,
    realm: &Realm,
    then: Then,
    check: &Check,
    matches: Option<bool>,
) {
    if matches.is_none() {
        log::alert("panic in a password check");
    }
    // SAFETY: by the caller's promise; nginx replaces the handler where the request has been
    // terminated while blocked, and that handler ends it. A subrequest whose main request has been
    // terminated is answered: to finalize it ends both.
    unsafe {
        let connection = (*request).connection;
        match (*request).write_event_handler {
            Some(handler) if !std::ptr::fn_addr_eq(handler, still as Handler) => handler(request),
            _ => hand_over(request, realm, then, check, matches),
        }
        ngx_http_run_posted_requests(connection);
    }
}

type Handler = unsafe extern "C" fn(*mut ngx_http_request_t);

/// The write handler of a request that waits for a check: there is nothing to write yet. Over HTTP/3
/// it hears here that its client wants no answer any more.
unsafe extern "C" fn still(request: *mut ngx_http_request_t) {
    // SAFETY: nginx calls this with the live request and touches it no more in this call. A main
    // request may end while it waits: as when its client goes away.
    unsafe {
        let is_main = std::ptr::eq(request, (*request).main);
        if is_main && bits::has_write_failed((*request).connection) {
            ngx_http_finalize_request(request, NGX_HTTP_CLIENT_CLOSED_REQUEST as ngx_int_t);
        }
    }
}

/// # Safety
/// `raw` is live and waits for this check.
unsafe fn hand_over(
    raw: *mut ngx_http_request_t,
    realm: &Realm,
    then: Then,
    check: &Check,
    matches: Option<bool>,
) {
    let done = guard(None, || {
        // SAFETY: by the caller's promise, on the event loop.
        let request = unsafe { Request::new(raw) }?;
        faults::at(request, "resume");
        let _: Sent = then(request, realm, check, matches.map(Outcome::Checked));
        Some(())
    });
    if done.is_none() {
        // SAFETY: what has failed above has not ended the request.
        unsafe { ngx_http_finalize_request(raw, 500) }
    }
}

const _: () = assert!(std::mem::offset_of!(Job, task) == 0, "nginx knows a job by its task");
