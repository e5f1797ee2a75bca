//! authgate: an nginx module that asks who comes before it lets anyone to what lies behind.
//!
//! - [`access`]: the gate in the access phase
//! - [`checks`]: password checks, so many at a time
//! - [`login`]: the gate's own pages, and the password check in between
//! - [`realm`]: settings, users, keys and shared memory of one realm
//! - [`files`]: reading files, and the keys among them
//! - [`users`]: users and groups, read as one
//! - [`insight`]: what an operator sees
//! - [`metrics`]: what Prometheus sees
//! - [`live`]: users and groups, read again when a file has been edited
//! - [`state`]: ended sessions, kept in a file
//! - [`upgraded`]: connections that outlive what let them in
//! - [`verify`]: the verdict as an answer, for `auth_request` and other proxies
//! - [`nginx`]: the edge, the only unsafe code
//!
//! Nothing is decided here: that is `authgate-core`.

#![deny(unsafe_code)]

mod access;
mod answer;
mod checks;
mod credentials;
mod faults;
mod files;
mod filter;
mod head;
mod insight;
mod live;
mod login;
mod metrics;
mod nginx;
mod own;
mod realm;
mod record;
mod state;
mod upgraded;
mod users;
mod variables;
mod verify;
mod visit;
