//! Work that would keep the event loop: in nginx's thread pool, its result back on the loop.

use super::entry::guard;
use super::log;
use super::request::string;
use ngx::ffi::{
    NGX_OK, ngx_cycle, ngx_event_t, ngx_int_t, ngx_log_t, ngx_thread_pool_get,
    ngx_thread_task_post, ngx_thread_task_t,
};
use std::ffi::c_void;
use std::panic::{self, AssertUnwindSafe};

/// A piece of work. `task` comes first: nginx's pool knows this by its address.
#[repr(C)]
struct Job {
    task: ngx_thread_task_t,
    /// Taken and called by the thread; gives what the event loop is to do.
    work: Option<Box<dyn FnOnce() -> Done + Send>>,
    done: Option<Done>,
}

/// What is left to do on the event loop.
pub(crate) type Done = Box<dyn FnOnce() + Send>;

/// Has a thread of the pool `default` do `work`, and the event loop what that gives. False where
/// there is no thread to do it. A worker that ends in between waits for the thread, not for the
/// rest.
pub(crate) fn run(work: impl FnOnce() -> Done + Send + 'static) -> bool {
    // SAFETY: all fields zero is an empty task. The job is the thread's until its completion runs
    // on the event loop, which takes it back.
    unsafe {
        let task = std::mem::zeroed::<ngx_thread_task_t>();
        let job = Box::into_raw(Box::new(Job { task, work: Some(Box::new(work)), done: None }));
        let task = &raw mut (*job).task;
        (*task).ctx = job.cast();
        (*task).handler = Some(in_thread);
        (*task).event.data = job.cast();
        (*task).event.handler = Some(on_loop);
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

unsafe extern "C" fn in_thread(job: *mut c_void, _log: *mut ngx_log_t) {
    let job = job.cast::<Job>();
    // SAFETY: these fields are this thread's alone until it returns (see `run`).
    let (work, done) = unsafe { (&mut (*job).work, &mut (*job).done) };
    if let Some(work) = work.take() {
        *done = panic::catch_unwind(AssertUnwindSafe(work)).map_err(std::mem::forget).ok();
    }
}

unsafe extern "C" fn on_loop(event: *mut ngx_event_t) {
    // SAFETY: the event lies in a job, which is ours again once it is complete.
    let job = unsafe { Box::from_raw((*event).data.cast::<Job>()) };
    match job.done {
        Some(done) => guard((), done),
        None => log::alert("panic in a thread"),
    }
}

const _: () = assert!(std::mem::offset_of!(Job, task) == 0, "nginx knows a job by its task");
