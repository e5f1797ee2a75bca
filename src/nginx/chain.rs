//! The place of our header filter among nginx's, of which a process has one chain for all.
//!
//! Each configuration that nginx reads builds the chain anew. Where that fails later on, nginx goes on with
//! the running configuration, but a worker that it forks then, in the place of one that has died, has the
//! chain of the failed one: without our filter where that does not name us, or with it where the running
//! one does not know us. So the finished chain is marked, requests of other configurations are left
//! alone, and where the mark is missing our filter is put before the chain, whatever is in it.

use super::entry::guard;
use super::request::Request;
use ngx::ffi::{
    NGX_ERROR, ngx_http_output_header_filter_pt, ngx_http_request_t, ngx_http_top_header_filter,
    ngx_int_t,
};
use std::ffi::c_void;
use std::ptr;

type Filter = unsafe extern "C" fn(*mut ngx_http_request_t) -> ngx_int_t;

/// What our filter does to a header; `None` where that cannot be sent.
pub(crate) type Apply = fn(Request<'_>) -> Option<()>;

/// What nginx keeps of all modules for `http`: there is one such array for each configuration.
pub(super) type Confs = *mut *mut c_void;

/// That of the configuration that runs, while it names us.
static mut RUNNING: Confs = ptr::null_mut();

/// Ours.
static mut APPLY: Option<Apply> = None;

/// The filter behind [`in_place`].
static mut NEXT: ngx_http_output_header_filter_pt = None;

/// The first filter of the chain that belongs to the running configuration.
static mut MARKED: ngx_http_output_header_filter_pt = None;

/// The first filter of a chain that another configuration has built.
static mut REBUILT: ngx_http_output_header_filter_pt = None;

/// Puts our filter before those that nginx has set so far.
pub(super) fn install(filter: Apply) {
    // SAFETY: configuration is read by one thread, on which all these are read and set.
    unsafe {
        APPLY = Some(filter);
        NEXT = ngx_http_top_header_filter;
        ngx_http_top_header_filter = Some(in_place);
    }
}

/// Marks the chain as that of the configuration of `confs`, which runs from now on.
pub(super) fn begin(confs: Confs) {
    // SAFETY: as above; nginx has built the whole chain.
    unsafe {
        RUNNING = confs;
        REBUILT = None;
        MARKED = ngx_http_top_header_filter;
        ngx_http_top_header_filter = Some(mark);
    }
}

/// The configuration of `confs` is no more: its address may come to be that of another.
pub(super) fn end(confs: Confs) {
    // SAFETY: as above.
    unsafe {
        if RUNNING == confs {
            RUNNING = ptr::null_mut();
        }
    }
}

/// Whether this is the configuration that runs, and it names us.
pub(super) fn runs(confs: Confs) -> bool {
    // SAFETY: read on the event loop, which sets it.
    !confs.is_null() && unsafe { RUNNING } == confs
}

/// Sees to it that our filter is called, before anything is answered.
pub(super) fn ensure() {
    // SAFETY: the event loop is the only thread that reads or sets these.
    unsafe {
        let top = ngx_http_top_header_filter;
        if !(is(top, mark) || is(top, before_all)) {
            REBUILT = top;
            ngx_http_top_header_filter = Some(before_all);
        }
    }
}

fn is(filter: ngx_http_output_header_filter_pt, ours: Filter) -> bool {
    filter.is_some_and(|filter| ptr::fn_addr_eq(filter, ours))
}

/// Stands first in a chain that is ours, and is known by its address.
unsafe extern "C" fn mark(raw: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: nginx calls this with a live request; `begin` has set this.
    guard(NGX_ERROR as ngx_int_t, || unsafe { hand_on(raw, MARKED) })
}

/// Our filter where nginx has put it, unless it has been called before.
unsafe extern "C" fn in_place(raw: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: nginx calls this with a live request; `install` has set NEXT.
    guard(NGX_ERROR as ngx_int_t, || unsafe {
        match REBUILT {
            None => apply(raw, NEXT),
            Some(_) => hand_on(raw, NEXT),
        }
    })
}

/// Our filter before a chain of which is not known whether it has it. What `expires` and `add_header` add
/// comes after it then.
unsafe extern "C" fn before_all(raw: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: nginx calls this with a live request; `ensure` has set this.
    guard(NGX_ERROR as ngx_int_t, || unsafe { apply(raw, REBUILT) })
}

/// # Safety
/// `raw` is a live request, and `next` a filter of nginx's.
unsafe fn apply(raw: *mut ngx_http_request_t, next: ngx_http_output_header_filter_pt) -> ngx_int_t {
    // SAFETY: by the caller's promise. Of a request whose configuration does not know us nothing of ours is
    // read: our index is that of another module there, or of none.
    unsafe {
        if !runs((*raw).main_conf) {
            return hand_on(raw, next);
        }
        match Request::new(raw).zip(APPLY).and_then(|(request, apply)| apply(request)) {
            Some(()) => hand_on(raw, next),
            None => NGX_ERROR as ngx_int_t,
        }
    }
}

/// # Safety
/// As for [`apply`].
unsafe fn hand_on(
    raw: *mut ngx_http_request_t,
    next: ngx_http_output_header_filter_pt,
) -> ngx_int_t {
    // SAFETY: by the caller's promise.
    next.map_or(NGX_ERROR as ngx_int_t, |next| unsafe { next(raw) })
}
