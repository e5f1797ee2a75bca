//! Time as nginx last saw it: no system call.

use super::entry::guard;
use super::log;
use ngx::ffi::{ngx_add_timer, ngx_current_msec, ngx_event_t, ngx_msec_t, ngx_time};
use std::cell::Cell;
use std::ptr::NonNull;

thread_local! {
    /// The timer of this worker's ticks: the event loop is one thread.
    static TICKS: Cell<Option<NonNull<ngx_event_t>>> = const { Cell::new(None) };
}

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
pub(crate) fn every(milliseconds: ngx_msec_t, tick: fn()) {
    // SAFETY: all fields zero is an idle event. It is never freed: it lives as long as the process.
    let mut event = Box::new(unsafe { std::mem::zeroed::<ngx_event_t>() });
    let timer = Box::new(Timer { connection: [0; 4], tick, milliseconds });
    event.data = Box::into_raw(timer).cast();
    event.handler = Some(ring);
    event.log = log::cycle_log();
    // nginx and `keep_worker` reach it by the same pointer.
    let event = Box::into_raw(event);
    TICKS.set(NonNull::new(event));
    keep_worker(false);
    // SAFETY: the event is valid for good.
    unsafe { ngx_add_timer(event, milliseconds) }
}

/// Whether a worker that is told to go stays for the next tick: as a rule it does not wait for our
/// timer.
pub(crate) fn keep_worker(stays: bool) {
    if let Some(mut event) = TICKS.get() {
        // SAFETY: the event is valid for good, and the event loop's alone, on which this runs.
        unsafe { event.as_mut() }.set_cancelable((!stays).into());
    }
}

/// Calls `then` once, after so many milliseconds. A worker that is told to go stays for it.
pub(crate) fn after(milliseconds: ngx_msec_t, then: impl FnOnce() + 'static) {
    // SAFETY: all fields zero is an idle event.
    let event = unsafe { std::mem::zeroed::<ngx_event_t>() };
    let alarm = Box::into_raw(Box::new(Alarm { connection: [0; 4], event, then: Box::new(then) }));
    // SAFETY: the alarm is valid until `alarmed`, which nginx calls once, takes it back.
    unsafe {
        let event = &raw mut (*alarm).event;
        (*event).data = alarm.cast();
        (*event).handler = Some(alarmed);
        (*event).log = log::cycle_log();
        ngx_add_timer(event, milliseconds);
    }
}

#[repr(C)]
struct Alarm {
    /// As in a [`Timer`].
    connection: [usize; 4],
    event: ngx_event_t,
    then: Box<dyn FnOnce()>,
}

unsafe extern "C" fn alarmed(event: *mut ngx_event_t) {
    guard((), || {
        // SAFETY: nginx calls this with the event that `after` made, and touches it no more.
        let alarm = unsafe { Box::from_raw((*event).data.cast::<Alarm>()) };
        (alarm.then)();
    });
}

#[repr(C)]
struct Timer {
    /// nginx's debug log takes the event's data for a connection and writes its descriptor.
    connection: [usize; 4],
    tick: fn(),
    milliseconds: ngx_msec_t,
}

unsafe extern "C" fn ring(event: *mut ngx_event_t) {
    guard((), || {
        // SAFETY: nginx calls this with the event that `every` made.
        let timer = unsafe { &*(*event).data.cast::<Timer>() };
        guard((), || (timer.tick)());
        // SAFETY: as above.
        unsafe { ngx_add_timer(event, timer.milliseconds) }
    });
}
