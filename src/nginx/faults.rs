//! Panics on request, in a build for tests alone (cargo feature `faults`).

use super::request::Request;

/// Panics where the request's `X-Authgate-Fault` names this place.
#[cfg(feature = "faults")]
pub(super) fn panic_at(request: Request<'_>, place: &str) {
    assert!(
        super::headers::find(request, "x-authgate-fault") != Some(place.as_bytes()),
        "on request"
    );
}

/// Nothing, in every other build.
#[cfg(not(feature = "faults"))]
pub(super) fn panic_at(_request: Request<'_>, _place: &str) {}
