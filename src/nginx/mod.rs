//! The edge to nginx: the unsafe code of the repository, but for the tables that nginx reads (module.rs, exports.rs). Every function that nginx calls
//! converts its pointers, calls a safe function and converts the result.

#![allow(unsafe_code, reason = "this is where nginx's pointers become references")]

mod bits;
pub(crate) mod body;
pub(crate) mod carried;
pub(crate) mod chain;
pub(crate) mod clock;
pub(crate) mod config;
pub(crate) mod crypt;
pub(crate) mod entry;
pub(crate) mod exchange;
pub(crate) mod faults;
pub(crate) mod handle;
pub(crate) mod headers;
pub(crate) mod hooks;
mod lock;
pub(crate) mod log;
pub(crate) mod memory;
pub(crate) mod phase;
mod pool;
pub(crate) mod process;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod response_header;
mod servers;
mod text;
pub(crate) mod threads;
pub(crate) mod variables;
pub(crate) mod wait;
pub(crate) mod zone;
