//! The edge to nginx: the only unsafe code of the repository. Every function that nginx calls
//! converts its pointers, calls a safe function and converts the result.

#![allow(unsafe_code, reason = "this is where nginx's pointers become references")]

pub(crate) mod background;
mod bits;
pub(crate) mod body;
mod chain;
pub(crate) mod checks;
pub(crate) mod clock;
mod conf;
mod crypt;
mod entry;
#[cfg(feature = "export-modules")]
mod exports;
pub(crate) mod faults;
mod filter;
mod headers;
mod listen;
mod location;
mod lock;
pub(crate) mod log;
pub(crate) mod memory;
pub(crate) mod module;
mod phases;
pub(crate) mod process;
mod realm_block;
pub(crate) mod reply;
pub(crate) mod request;
mod server_names;
pub(crate) mod upgraded;
mod variables;
pub(crate) mod visit;
pub(crate) mod wait;
pub(crate) mod zone;
