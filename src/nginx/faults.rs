//! What goes wrong on request in the edge, in a build for tests alone (cargo feature `faults`).

use super::request::Request;

#[cfg(feature = "faults")]
pub(super) use filters::install_filters;

/// Nothing, in every other build.
#[cfg(not(feature = "faults"))]
pub(crate) fn at(_request: Request<'_>, _place: &str) {}

/// Nothing, in every other build.
#[cfg(not(feature = "faults"))]
pub(super) fn install_filters() {}

/// Nothing, in every other build.
#[cfg(not(feature = "faults"))]
pub(crate) fn in_background(_work: &str) {}

/// Panics where the file that the environment names asks for it by the name of this work.
#[cfg(feature = "faults")]
pub(crate) fn in_background(work: &str) {
    assert!(!is_asked_for(work), "on request");
}

/// Whether the file that `AUTHGATE_FAULTS` names has this word.
#[cfg(feature = "faults")]
pub(crate) fn is_asked_for(word: &str) -> bool {
    let text = std::env::var_os("AUTHGATE_FAULTS").map(std::fs::read_to_string);
    text.and_then(Result::ok).is_some_and(|text| text.split_whitespace().any(|it| it == word))
}

/// Panics where the request's `X-Authgate-Fault` names this place. In the access phase it may also name a
/// misuse of memory.
#[cfg(feature = "faults")]
pub(crate) fn at(request: Request<'_>, place: &str) {
    let fault = super::headers::find(request, "x-authgate-fault").unwrap_or_default();
    assert!(fault != place.as_bytes(), "on request");
    if place == "access" {
        misuse::memory(request, fault);
    }
}

/// Filters of a third party that fail where the request's `X-Authgate-Fault` says so.
#[cfg(feature = "faults")]
mod filters {
    use super::Request;
    use crate::nginx::{bits, headers};
    use ngx::ffi::{
        NGX_ERROR, ngx_chain_t, ngx_http_output_body_filter_pt, ngx_http_output_header_filter_pt,
        ngx_http_request_body_filter_pt, ngx_http_request_t, ngx_http_top_body_filter,
        ngx_http_top_header_filter, ngx_http_top_request_body_filter, ngx_int_t,
    };

    static mut REQUEST_BODY: ngx_http_request_body_filter_pt = None;
    static mut HEADER: ngx_http_output_header_filter_pt = None;
    static mut BODY: ngx_http_output_body_filter_pt = None;

    /// Before the gate's own filter, so that the header filter is called after it.
    pub(in crate::nginx) fn install_filters() {
        // SAFETY: configuration is read by one thread, before any request.
        unsafe {
            REQUEST_BODY = ngx_http_top_request_body_filter;
            ngx_http_top_request_body_filter = Some(request_body);
            HEADER = ngx_http_top_header_filter;
            ngx_http_top_header_filter = Some(header);
            BODY = ngx_http_top_body_filter;
            ngx_http_top_body_filter = Some(body);
        }
    }

    unsafe extern "C" fn request_body(
        raw: *mut ngx_http_request_t,
        chain: *mut ngx_chain_t,
    ) -> ngx_int_t {
        // SAFETY: nginx calls this with a live request and what the next filter takes.
        unsafe {
            let late = bits::is_reading_body(raw);
            match REQUEST_BODY {
                Some(next) if !asks(raw, if late { "body-late" } else { "body-early" }) => {
                    next(raw, chain)
                }
                _ => NGX_ERROR as ngx_int_t,
            }
        }
    }

    unsafe extern "C" fn header(raw: *mut ngx_http_request_t) -> ngx_int_t {
        // SAFETY: as above. Pages of nginx's own that tell of the failure pass.
        unsafe {
            let passes = [500, 403].contains(&(*raw).headers_out.status);
            match HEADER {
                Some(next) if passes => next(raw),
                _ if asks(raw, "header-fails") => NGX_ERROR as ngx_int_t,
                _ if asks(raw, "header-forbids") => 403,
                Some(next) => next(raw),
                None => NGX_ERROR as ngx_int_t,
            }
        }
    }

    unsafe extern "C" fn body(raw: *mut ngx_http_request_t, chain: *mut ngx_chain_t) -> ngx_int_t {
        // SAFETY: as above.
        unsafe {
            match BODY {
                Some(next) if !asks(raw, "output-fails") => next(raw, chain),
                _ => NGX_ERROR as ngx_int_t,
            }
        }
    }

    unsafe fn asks(raw: *mut ngx_http_request_t, fault: &str) -> bool {
        // SAFETY: the callers' request is live.
        let request = unsafe { Request::new(raw) };
        let named = request.and_then(|request| headers::find(request, "x-authgate-fault"));
        named == Some(fault.as_bytes())
    }
}

/// What sanitizers have to see (scripts/sanitizers). None of it is sound.
#[cfg(feature = "faults")]
mod misuse {
    use super::Request;
    use ngx::ffi::{ngx_create_pool, ngx_destroy_pool, ngx_palloc, ngx_parse_size, ngx_str_t};
    use std::hint::black_box;
    use std::ptr;

    pub(super) fn memory(request: Request<'_>, fault: &[u8]) {
        // SAFETY: there is none, on purpose. The addresses have all been valid, or lie beside one that is.
        unsafe {
            let byte = match fault {
                b"after-drop" => after_drop(),
                b"after-return" => after_return(),
                b"after-pool" => after_pool(request),
                b"behind-end" => ngx_palloc(request.get().pool, 8).cast::<u8>().add(8),
                b"misaligned" => return misaligned(),
                b"null-slice" => return null_slice(),
                _ => return,
            };
            black_box(black_box(byte).read_volatile());
        }
    }

    unsafe fn after_drop() -> *const u8 {
        let place = black_box(Box::into_raw(Box::new(1)));
        // SAFETY: see above.
        unsafe { drop(Box::from_raw(place)) }
        place
    }

    fn after_return() -> *const u8 {
        let mut byte = ptr::null();
        leave_behind(&mut byte);
        byte
    }

    /// Without black_box(): in a function with inline assembly LLVM does not watch what has returned.
    #[inline(never)]
    fn leave_behind(byte: &mut *const u8) {
        let local = 1;
        *byte = &raw const local;
    }

    unsafe fn after_pool(request: Request<'_>) -> *const u8 {
        // SAFETY: see above.
        unsafe {
            let pool = ngx_create_pool(1024, request.log());
            let place = ngx_palloc(pool, 8).cast();
            ngx_destroy_pool(pool);
            place
        }
    }

    /// In nginx's code.
    unsafe fn misaligned() {
        let mut memory = [ngx_str_t::default(); 2];
        // SAFETY: see above.
        unsafe {
            let text = ptr::from_mut(&mut memory).byte_add(1).cast();
            black_box(ngx_parse_size(text));
        }
    }

    unsafe fn null_slice() {
        // SAFETY: see above.
        black_box(unsafe { std::slice::from_raw_parts(black_box(ptr::null::<u8>()), 1) });
    }
}
