//! Every decision of authgate. No nginx, no files, no clock, no unsafe: `now`, keys, file contents
//! and random bytes are arguments.

#![forbid(unsafe_code)]

pub mod basic;
pub mod check;
pub mod cookie;
pub mod ended;
pub mod event;
pub mod form;
pub mod gate;
pub mod insight;
pub mod journal;
pub mod keyring;
pub mod limit;
pub mod lines;
pub mod metrics;
pub mod negotiate;
pub mod network;
pub mod origin;
pub mod page;
pub mod pages;
pub mod password;
mod percent;
pub mod queue;
pub mod reply;
pub mod request;
pub mod return_path;
pub mod rules;
pub mod settings;
pub mod status;
pub mod token;
pub mod units;
pub mod users;
pub mod watch;
