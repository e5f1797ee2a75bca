//! The edge to nginx: the only unsafe code of the repository. Every function that nginx calls
//! converts its pointers, calls a safe function and converts the result.

#![allow(unsafe_code, reason = "this is where nginx's pointers become references")]

pub(crate) mod body;
pub(crate) mod checks;
mod conf;
mod crypt;
mod entry;
mod faults;
mod filter;
mod headers;
mod log;
mod module;
pub(crate) mod process;
mod realm_block;
pub(crate) mod reply;
pub(crate) mod request;
mod variables;
pub(crate) mod visit;
pub(crate) mod zone;

/// The current time in Unix seconds, as nginx last saw it: no system call.
pub(crate) fn now() -> u64 {
    u64::try_from(ngx::ffi::ngx_time()).unwrap_or(0)
}
