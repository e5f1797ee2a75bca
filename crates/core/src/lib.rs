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
pub mod hosts;
pub mod insight;
pub mod journal;
pub mod keyring;
pub mod limit;
pub mod lines;
pub mod login_url;
pub mod metrics;
pub mod mode;
pub mod negotiate;
pub mod network;
pub mod origin;
pub mod original;
pub mod page;
pub mod pages;
pub mod password;
pub mod peers;
mod percent;
pub mod plain_path;
mod query;
pub mod queue;
pub mod reply;
pub mod request;
pub mod response;
pub mod return_path;
pub mod return_target;
pub mod rules;
pub mod scheduler;
pub mod settings;
pub mod status;
pub mod token;
pub mod units;
pub mod users;
pub mod watch;
