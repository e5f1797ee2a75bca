//! What surrounds every call from nginx: a panic ends the request, never the worker.

use super::log;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};

/// Runs `body`; where it panics, logs an alert and gives `fallback`.
pub(super) fn guard<R>(fallback: R, body: impl FnOnce() -> R) -> R {
    match panic::catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(payload) => {
            // Dropping what was thrown could throw again.
            std::mem::forget(payload);
            log::alert(&format!("panic at {}", place()));
            fallback
        }
    }
}

thread_local! {
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Notes where a panic happens instead of printing it: its message may hold what a client sent.
pub(super) fn quiet_panics() {
    panic::set_hook(Box::new(|info| {
        PLACE.set(info.location().map(|place| format!("{}:{}", place.file(), place.line())));
    }));
}

/// Where the last panic of this thread was.
fn place() -> String {
    PLACE.take().unwrap_or_else(|| "an unknown place".into())
}
