//! Time as nginx last saw it: no system call.

use super::entry::guard;
use super::log;
use ngx::ffi::{ngx_add_timer, ngx_current_msec, ngx_event_t, ngx_msec_t, ngx_time};

/// The time in Unix seconds.
pub(crate) fn now() -> u64 {
    u64::try_from(ngx_time()).unwrap_or(0)
}

/// Milliseconds of a clock that never steps, the same in all processes of the machine.
pub(crate) fn monotonic() -> u64 {
    // SAFETY: written by the event loop, on which this runs.
    unsafe { ngx_current_msec as u64 }
}

/// Calls `tick` every `milliseconds` for as long as the worker lives.
pub(super) fn every(milliseconds: ngx_msec_t, tick: fn()) {
    let event = timer(ring, tick, milliseconds);
    // A worker that is told to go does not wait for this timer.
    event.set_cancelable(1);
    // SAFETY: the event is valid for good.
    unsafe { ngx_add_timer(event, milliseconds) }
}

/// Has a worker that is told to go stay a little: longer than a tick.
pub(super) fn stay() {
    thread_local! {
        static EVENT: *mut ngx_event_t = std::ptr::from_mut(timer(pass, || (), STAY));
    }
    // SAFETY: the event is valid for good, and this runs on the event loop.
    EVENT.with(|event| unsafe { ngx_add_timer(*event, STAY) });
}

/// nginx leaves a timer as it is that would move by less than 300 ms.
const STAY: ngx_msec_t = 1000;

type Handler = unsafe extern "C" fn(*mut ngx_event_t);

fn timer(handler: Handler, tick: fn(), milliseconds: ngx_msec_t) -> &'static mut ngx_event_t {
    // SAFETY: all fields zero is an idle event. It is never freed: it lives as long as the process.
    let event = Box::leak(Box::new(unsafe { std::mem::zeroed::<ngx_event_t>() }));
    let timer = Box::leak(Box::new(Timer { connection: [0; 4], tick, milliseconds }));
    event.data = std::ptr::from_mut(timer).cast();
    event.handler = Some(handler);
    event.log = log::cycle_log();
    event
}

#[repr(C)]
struct Timer {
    /// nginx's debug log takes the event's data for a connection and writes its descriptor.
    connection: [usize; 4],
    tick: fn(),
    milliseconds: ngx_msec_t,
}

unsafe extern "C" fn pass(_event: *mut ngx_event_t) {}

unsafe extern "C" fn ring(event: *mut ngx_event_t) {
    // SAFETY: nginx calls this with the event that `every` made.
    unsafe {
        let timer = &*(*event).data.cast::<Timer>();
        guard((), || (timer.tick)());
        ngx_add_timer(event, timer.milliseconds);
    }
}
