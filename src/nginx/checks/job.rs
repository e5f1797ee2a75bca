//! One check in a thread, and what comes of it on the event loop.

use super::{Login, answer, limits, report, retry, start_waiting, wake};
use crate::nginx::crypt::crypt;
use crate::nginx::entry::{Panicked, caught, guard};
use crate::nginx::log;
use crate::nginx::request::string;
use crate::realm::Realm;
use authgate_core::check::Check;
use authgate_core::gate::Outcome;
use ngx::ffi::{
    NGX_OK, ngx_add_timer, ngx_cycle, ngx_del_timer, ngx_event_t, ngx_int_t, ngx_log_t, ngx_msec_t,
    ngx_thread_pool_get, ngx_thread_task_post, ngx_thread_task_t,
};
use std::cell::Cell;
use std::ffi::c_void;
use std::time::{Duration, Instant};

/// A check in a thread. `task` comes first: nginx's pool knows this by its address.
#[repr(C)]
struct Job {
    task: ngx_thread_task_t,
    realm: *const Realm,
    /// Its check is the thread's until that returns, the rest the event loop's.
    login: Login,
    matches: Option<bool>,
    panicked: Option<Panicked>,
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

/// Starts a check. Where no thread takes it, its request is answered.
pub(super) fn start(realm: &Realm, login: Login) {
    let pool = realm.settings.checks.pool.as_str();
    let priority = if pool == "default" { Priority::Shared } else { Priority::Lowest };
    let (matches, panicked, took) = (None, None, Duration::ZERO);
    // SAFETY: all fields zero is an empty task.
    let task = unsafe { std::mem::zeroed::<ngx_thread_task_t>() };
    let job = Job { task, realm, login, matches, panicked, took, priority };
    match post(pool, Box::new(job)) {
        Ok(()) => {
            realm.checks.scheduler.borrow_mut().has_begun();
            report(realm);
        }
        Err(job) => answer(realm, job.login, None),
    }
}

/// Gives a job to a thread pool; gives it back where that takes no more.
fn post(pool: &str, job: Box<Job>) -> Result<(), Box<Job>> {
    #[cfg(feature = "faults")]
    if job.login.check.username == "no-thread" {
        return Err(job);
    }
    // SAFETY: the job is the thread's until its completion runs on the event loop, which takes it back.
    unsafe {
        let job = Box::into_raw(job);
        let task = &raw mut (*job).task;
        (*task).ctx = job.cast();
        (*task).handler = Some(run);
        (*task).event.data = job.cast();
        (*task).event.handler = Some(completed);
        (*task).event.log = log::cycle_log();
        let mut name = string(pool.as_bytes());
        let pool = ngx_thread_pool_get(ngx_cycle, &raw mut name);
        if pool.is_null() || ngx_thread_task_post(pool, task) != NGX_OK as ngx_int_t {
            return Err(Box::from_raw(job));
        }
        ngx_add_timer(&raw mut (*task).event, KEEP_ALIVE);
    }
    Ok(())
}

/// A worker that is told to go waits as long as a timer is set, in milliseconds.
const KEEP_ALIVE: ngx_msec_t = 60_000;

/// In a thread of the pool. The event loop keeps to the job's task meanwhile (its timer), and the
/// thread to what is borrowed here.
unsafe extern "C" fn run(job: *mut c_void, _log: *mut ngx_log_t) {
    guard((), || {
        let job = job.cast::<Job>();
        // SAFETY: these fields are this thread's alone until it returns (see `post`).
        let panicked = unsafe { &mut (*job).panicked };
        // SAFETY: as above.
        let (check, matches, took, priority) = unsafe {
            (&(*job).login.check, &mut (*job).matches, &mut (*job).took, (*job).priority)
        };
        if priority == Priority::Lowest {
            lower_priority();
        }
        let began = Instant::now();
        *matches = caught(|| verify(check)).map_err(|it| *panicked = Some(it)).ok();
        *took = began.elapsed();
    });
}

fn verify(check: &Check) -> bool {
    #[cfg(feature = "faults")]
    assert!(check.username != "panic-in-check", "on request");
    check.hash.verify(&check.password, crypt)
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
    guard((), || {
        // SAFETY: the event lies in a job, which is ours again once it is complete; the realm lives as long as
        // the cycle, which outlives its jobs.
        let (job, realm) = unsafe {
            if (*event).complete() == 0 {
                (*event).set_timedout(0);
                ngx_add_timer(event, KEEP_ALIVE);
                return;
            }
            if (*event).timer_set() != 0 {
                ngx_del_timer(event);
            }
            let job = Box::from_raw((*event).data.cast::<Job>());
            let realm = &*job.realm;
            (job, realm)
        };
        let Job { mut login, matches, panicked, took, .. } = *job;
        guard((), || conclude(realm, &mut login, matches, took));
        if let Some(panicked) = panicked {
            log::alert(&format!("{panicked} in a password check"));
        }
        guard((), || answer(realm, login, matches.map(Outcome::Checked)));
    });
}

/// Says how a check has ended, and goes on with those that waited for that.
fn conclude(realm: &Realm, login: &mut Login, matches: Option<bool>, took: Duration) {
    realm.checks.scheduler.borrow_mut().has_ended();
    if matches.is_some() {
        realm.count_check(took);
    }
    limits::settle(realm, login, matches);
    start_waiting(realm);
    retry(realm);
    wake(realm, login.credential());
    report(realm);
}

const _: () = assert!(std::mem::offset_of!(Job, task) == 0, "nginx knows a job by its task");

const fn is_send<T: Send>() {}

// What a thread is lent, and what it leaves.
const _: () = (is_send::<&Check>(), is_send::<Check>(), is_send::<Option<Panicked>>()).0;
