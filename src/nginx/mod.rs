//! The edge to nginx: the only unsafe code of the repository. Every function that nginx calls
//! converts its pointers, calls a safe function and converts the result.

#![allow(unsafe_code, reason = "this is where nginx's pointers become references")]

mod bits;
pub(crate) mod body;
pub(crate) mod carried;
mod chain;
pub(crate) mod clock;
pub(crate) mod conf;
pub(crate) mod crypt;
pub(crate) mod entry;
mod exchange;
#[cfg(feature = "export-modules")]
mod exports;
pub(crate) mod faults;
pub(crate) mod handle;
pub(crate) mod headers;
mod listen;
pub(crate) mod location;
mod lock;
pub(crate) mod log;
pub(crate) mod memory;
pub(crate) mod module;
mod phases;
mod pool;
pub(crate) mod process;
mod realm_block;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod response_header;
mod server_names;
mod text;
pub(crate) mod threads;
pub(crate) mod variables;
pub(crate) mod wait;
pub(crate) mod zone;
