//! Work that would keep the event loop: in nginx's thread pool, its result back on the loop.

pub(crate) use super::entry::Panicked;
use super::entry::{caught, guard};
use super::log;
use super::request::string;
use ngx::ffi::{
    NGX_OK, ngx_cycle, ngx_event_t, ngx_int_t, ngx_log_t, ngx_thread_pool_get,
    ngx_thread_task_post, ngx_thread_task_t,
};
use std::ffi::c_void;

/// A piece of work. `task` comes first: nginx's pool knows this by its address.
#[repr(C)]
struct Job<T> {
    task: ngx_thread_task_t,
    /// Taken and called by the thread, which leaves the result.
    work: Option<Box<dyn FnOnce() -> T + Send>>,
    result: Option<Result<T, Panicked>>,
    /// The event loop's alone.
    then: Box<dyn FnOnce(Result<T, Panicked>)>,
}

/// Has a thread of the pool `default` do `work`, and the event loop `then`, whatever has become of the
/// work: a panic is logged before. False where there is no thread to do it, and nothing is called then.
/// A worker that ends in between waits for the thread, not for the rest.
pub(crate) fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    then: impl FnOnce(Result<T, Panicked>) + 'static,
) -> bool {
    // SAFETY: all fields zero is an empty task. `work` and `result` are the thread's until its completion
    // runs on the event loop, which takes the job back. The name is only read.
    unsafe {
        let task = std::mem::zeroed::<ngx_thread_task_t>();
        let (work, then) = (Some(Box::new(work) as _), Box::new(then));
        let job = Box::into_raw(Box::new(Job { task, work, result: None, then }));
        let task = &raw mut (*job).task;
        (*task).ctx = job.cast();
        (*task).handler = Some(in_thread::<T>);
        (*task).event.data = job.cast();
        (*task).event.handler = Some(on_loop::<T>);
        (*task).event.log = log::cycle_log();
        let mut name = string(b"default");
        let pool = ngx_thread_pool_get(ngx_cycle, &raw mut name);
        let posted = !pool.is_null() && ngx_thread_task_post(pool, task) == NGX_OK as ngx_int_t;
        if !posted {
            drop(Box::from_raw(job));
        }
        posted
    }
}

unsafe extern "C" fn in_thread<T: Send>(job: *mut c_void, _log: *mut ngx_log_t) {
    guard((), || {
        let job = job.cast::<Job<T>>();
        // SAFETY: these fields are this thread's alone until it returns (see `run`).
        let (work, result) = unsafe { (&mut (*job).work, &mut (*job).result) };
        *result = work.take().map(caught);
    });
}

unsafe extern "C" fn on_loop<T>(event: *mut ngx_event_t) {
    guard((), || {
        // SAFETY: the event lies in a job, which is ours again once it is complete.
        let job = unsafe { Box::from_raw((*event).data.cast::<Job<T>>()) };
        // The thread has always left one.
        let Some(result) = job.result else { return };
        if let Err(panicked) = &result {
            log::alert(&panicked.to_string());
        }
        (job.then)(result);
    });
}

const _: () = assert!(std::mem::offset_of!(Job<()>, task) == 0, "nginx knows a job by its task");
