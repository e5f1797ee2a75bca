//! Every decision of authgate. No nginx, no files, no clock, no unsafe: `now`, keys, file contents
//! and random bytes are arguments.

#![forbid(unsafe_code)]

pub mod cookie;
pub mod ended;
pub mod form;
pub mod keyring;
pub mod lines;
pub mod negotiate;
pub mod origin;
pub mod page;
pub mod password;
mod percent;
pub mod request;
pub mod return_path;
pub mod token;
pub mod users;
