//! nginx's phases, and what a handler of one says.

use super::entry::guard;
use super::reply::Sent;
use super::request::Request;
use super::{chain, faults};
use ngx::ffi::{NGX_DECLINED, NGX_OK, ngx_http_request_t, ngx_int_t};

/// What a phase handler tells nginx.
#[must_use]
pub(crate) enum Phase {
    /// The request may pass: produced in one place alone, see [`Pass`].
    Pass(Pass),
    /// No opinion.
    Decline,
    /// nginx answers with this status and the location's `error_page`.
    Refuse(u16),
    /// We have answered, or will.
    Sent(Sent),
}

/// The right to pass.
pub(crate) struct Pass(());

impl Pass {
    /// Lets a request pass in the access phase.
    pub(crate) fn granted() -> Self {
        Self(())
    }
}

/// A handler of a phase.
pub(crate) type Handler = fn(Request<'_>) -> Phase;

/// Runs a phase handler. Whatever goes wrong is a 500, never a pass.
///
/// # Safety
/// nginx calls with this request, which is live, on the event loop.
pub(super) unsafe fn handle(
    raw: *mut ngx_http_request_t,
    place: &str,
    handler: Handler,
) -> ngx_int_t {
    const FAILED: ngx_int_t = 500;
    chain::ensure();
    guard(FAILED, || {
        // SAFETY: by the caller's promise.
        let Some(request) = (unsafe { Request::new(raw) }) else { return FAILED };
        faults::at(request, place);
        match handler(request) {
            Phase::Pass(_) => NGX_OK as ngx_int_t,
            Phase::Decline => NGX_DECLINED as ngx_int_t,
            Phase::Refuse(status) => ngx_int_t::try_from(status).unwrap_or(FAILED),
            Phase::Sent(sent) => sent.code(),
        }
    })
}
