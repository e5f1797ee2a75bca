//! Work that would keep the event loop: in one of nginx's thread pools, its result back on the loop.

pub(crate) use super::entry::Panicked;
use super::entry::{caught, guard};
use super::log;
use super::text::string;
use ngx::ffi::{
    NGX_OK, ngx_add_timer, ngx_cycle, ngx_del_timer, ngx_event_t, ngx_int_t, ngx_log_t, ngx_msec_t,
    ngx_thread_pool_get, ngx_thread_task_post, ngx_thread_task_t,
};
use std::cell::Cell;
use std::ffi::c_void;

/// Threads of nginx's, and how they are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pool<'p> {
    /// The name of its `thread_pool`.
    pub name: &'p str,
    /// How a thread does the work.
    pub priority: Priority,
    /// Whether a worker that is told to go waits for what comes of the work.
    pub keeps_worker: bool,
}

/// How a thread does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Priority {
    /// As nginx's pool has it: other work of nginx's runs there.
    Shared,
    /// Behind everything else on the machine: the pool is for such work alone.
    Lowest,
}

/// nginx's own pool, for what nobody waits for.
const DEFAULT: Pool<'_> = Pool { name: "default", priority: Priority::Shared, keeps_worker: false };

/// A worker that is told to go waits as long as a timer is set, in milliseconds.
const KEEP_WORKER: ngx_msec_t = 60_000;

/// A piece of work. `task` comes first: nginx's pool knows this by its address.
#[repr(C)]
struct Job<T> {
    task: ngx_thread_task_t,
    priority: Priority,
    /// Taken and called by the thread, which leaves the result.
    work: Option<Box<dyn FnOnce() -> T + Send>>,
    result: Option<Result<T, Panicked>>,
    /// The event loop's alone.
    then: Box<dyn FnOnce(Result<T, Panicked>)>,
}

/// Has a thread of the pool `default` do `work`, which asks nothing of nginx but crypt(3), and the event loop
/// `then`, whatever has become of the work: a panic is logged before. False where there is no thread to do
/// it, and nothing is called then. A worker that ends in between waits for the thread, not for the rest.
pub(crate) fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    then: impl FnOnce(Result<T, Panicked>) + 'static,
) -> bool {
    run_in(DEFAULT, work, |result| {
        if let Err(panicked) = &result {
            log::alert(&panicked.to_string());
        }
        then(result);
    })
}

/// The same in another pool; what has panicked is for `then` to log.
pub(crate) fn run_in<T: Send + 'static>(
    pool: Pool<'_>,
    work: impl FnOnce() -> T + Send + 'static,
    then: impl FnOnce(Result<T, Panicked>) + 'static,
) -> bool {
    // SAFETY: all fields zero is an empty task.
    let task = unsafe { std::mem::zeroed::<ngx_thread_task_t>() };
    let (work, then) = (Some(Box::new(work) as _), Box::new(then));
    post(pool, Box::new(Job { task, priority: pool.priority, work, result: None, then }))
}

/// Gives a job to a pool; drops it where that takes no more.
fn post<T: Send>(pool: Pool<'_>, job: Box<Job<T>>) -> bool {
    // SAFETY: `work` and `result` are the thread's until its completion runs on the event loop, which takes
    // the job back. The name is only read.
    unsafe {
        let job = Box::into_raw(job);
        let task = &raw mut (*job).task;
        (*task).ctx = job.cast();
        (*task).handler = Some(in_thread::<T>);
        (*task).event.data = job.cast();
        (*task).event.handler = Some(on_loop::<T>);
        (*task).event.log = log::cycle_log();
        let mut name = string(pool.name.as_bytes());
        let threads = ngx_thread_pool_get(ngx_cycle, &raw mut name);
        let posted =
            !threads.is_null() && ngx_thread_task_post(threads, task) == NGX_OK as ngx_int_t;
        if !posted {
            drop(Box::from_raw(job));
        } else if pool.keeps_worker {
            ngx_add_timer(&raw mut (*task).event, KEEP_WORKER);
        }
        posted
    }
}

/// The event loop keeps to the job's task meanwhile (its timer), and the thread to what is borrowed here.
unsafe extern "C" fn in_thread<T: Send>(job: *mut c_void, _log: *mut ngx_log_t) {
    guard((), || {
        let job = job.cast::<Job<T>>();
        // SAFETY: these fields are this thread's alone until it returns (see `post`).
        let (work, result, priority) =
            unsafe { (&mut (*job).work, &mut (*job).result, (*job).priority) };
        if priority == Priority::Lowest {
            lower_priority();
        }
        *result = work.take().map(caught);
    });
}

/// Once for each thread: nice 19, behind every other thread of the machine.
fn lower_priority() {
    thread_local!(static LOWERED: Cell<bool> = const { Cell::new(false) });
    if !LOWERED.replace(true) {
        // SAFETY: on Linux this is about the calling thread alone. A failure leaves it as it was.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
    }
}

/// A thread has done its work, or the timer asks for a new one.
unsafe extern "C" fn on_loop<T>(event: *mut ngx_event_t) {
    guard((), || {
        // SAFETY: the event lies in a job, which is ours again once it is complete.
        let job = unsafe {
            if (*event).complete() == 0 {
                (*event).set_timedout(0);
                ngx_add_timer(event, KEEP_WORKER);
                return;
            }
            if (*event).timer_set() != 0 {
                ngx_del_timer(event);
            }
            Box::from_raw((*event).data.cast::<Job<T>>())
        };
        // The thread has always left one.
        let Some(result) = job.result else { return };
        (job.then)(result);
    });
}

const fn is_send<T: Send>() {}

// What a thread leaves besides its result.
const _: () = is_send::<Panicked>();

const _: () = assert!(std::mem::offset_of!(Job<()>, task) == 0, "nginx knows a job by its task");
