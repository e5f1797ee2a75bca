//! What nginx looks for in a loaded object: its modules, their names and their places. Where nginx's own
//! build links the modules it makes these tables itself, from the file config.

#![allow(unsafe_code, reason = "nginx reads these tables by their names")]

use crate::module::{ngx_http_authgate_filter_module, ngx_http_authgate_module};
use ngx::ffi::ngx_module_t;
use std::ffi::c_char;
use std::ptr::{addr_of, null};

/// A table of pointers that nginx reads and nobody writes.
#[repr(transparent)]
struct Table<T, const N: usize>([*const T; N]);

// SAFETY: the pointers name statics and are only read.
unsafe impl<T, const N: usize> Sync for Table<T, N> {}

/// The modules of this object.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "nginx's name for it")]
static ngx_modules: Table<ngx_module_t, 3> =
    Table([addr_of!(ngx_http_authgate_module), addr_of!(ngx_http_authgate_filter_module), null()]);

/// Their names.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "nginx's name for it")]
static ngx_module_names: Table<c_char, 3> = Table([
    c"ngx_http_authgate_module".as_ptr(),
    c"ngx_http_authgate_filter_module".as_ptr(),
    null(),
]);

/// Their places: nginx puts each before the first of those named behind it. Handlers of a phase run
/// from the last module to the first, and so do header filters.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "nginx's name for it")]
static ngx_module_order: Table<c_char, 7> = Table([
    c"ngx_http_authgate_module".as_ptr(),
    c"ngx_http_auth_request_module".as_ptr(),
    c"ngx_http_auth_basic_module".as_ptr(),
    c"ngx_http_access_module".as_ptr(),
    c"ngx_http_authgate_filter_module".as_ptr(),
    c"ngx_http_headers_filter_module".as_ptr(),
    null(),
]);
