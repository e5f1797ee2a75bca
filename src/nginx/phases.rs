//! The handlers that nginx calls in its phases.

use super::entry::guard;
use super::request::Request;
use super::{chain, faults};
use crate::access::{self, Phase};
use crate::login;
use ngx::ffi::{NGX_DECLINED, NGX_OK, ngx_http_request_t, ngx_int_t};

pub(super) unsafe extern "C" fn post_read_handler(raw: *mut ngx_http_request_t) -> ngx_int_t {
    handle(raw, "post_read", login::post_read)
}

pub(super) unsafe extern "C" fn access_handler(raw: *mut ngx_http_request_t) -> ngx_int_t {
    handle(raw, "access", access::access)
}

pub(super) unsafe extern "C" fn precontent_handler(raw: *mut ngx_http_request_t) -> ngx_int_t {
    handle(raw, "precontent", login::precontent)
}

/// Runs a phase handler. Whatever goes wrong is a 500, never a pass.
fn handle(
    raw: *mut ngx_http_request_t,
    place: &str,
    handler: fn(Request<'_>) -> Phase,
) -> ngx_int_t {
    const FAILED: ngx_int_t = 500;
    chain::ensure();
    guard(FAILED, || {
        // SAFETY: nginx calls handlers with a live request, on the event loop.
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
