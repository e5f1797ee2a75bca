//! What surrounds every call from nginx: a panic ends the request, never the worker.

use super::log;
use std::cell::RefCell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};

/// Runs `body`; where it panics, logs an alert and gives `fallback`.
pub(crate) fn guard<R>(fallback: R, body: impl FnOnce() -> R) -> R {
    caught(body).unwrap_or_else(|panicked| {
        log::alert(&panicked.to_string());
        fallback
    })
}

/// Runs `body`, in whichever thread.
pub(super) fn caught<R>(body: impl FnOnce() -> R) -> Result<R, Panicked> {
    panic::catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        // Dropping what was thrown could throw again.
        std::mem::forget(payload);
        Panicked { place: PLACE.take() }
    })
}

/// That something has panicked, and where in the source.
#[derive(Debug)]
pub(crate) struct Panicked {
    place: Option<String>,
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panic at {}", self.place.as_deref().unwrap_or("an unknown place"))
    }
}

thread_local! {
    /// Where the last panic of this thread was.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Notes where a panic happens instead of printing it: its message may hold what a client sent.
pub(super) fn quiet_panics() {
    panic::set_hook(Box::new(|info| {
        PLACE.set(info.location().map(|place| format!("{}:{}", place.file(), place.line())));
    }));
}
