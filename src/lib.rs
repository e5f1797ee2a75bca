//! authgate: an nginx module that asks who comes before it lets anyone to what lies behind.
//!
//! [`module`] names what nginx calls, and for what:
//!
//! - [`conf`]: the directives
//! - [`worker`]: what a worker does besides answering
//! - [`login`]: the post-read and precontent phases, the gate's own pages
//! - [`access`]: the access phase, the gate
//! - [`filter`]: the header of every answer
//! - [`variables`], [`verify`], [`insight`], [`metrics`]: what is told of it
//!
//! These read a request ([`head`], [`visit`], [`own`]) and answer it ([`answer`], [`record`]) for a
//! [`realm`]: its [`checks`], its [`upgraded`] connections, its [`users`] and [`files`], which are read again
//! when they change ([`live`]), its [`state`]. Below all of it stands [`nginx`], the edge.
//!
//! Nothing is decided here: that is `authgate-core`.

#![deny(unsafe_code)]

mod access;
mod answer;
mod checks;
mod conf;
mod credentials;
#[cfg(feature = "export-modules")]
mod exports;
mod faults;
mod files;
mod filter;
mod head;
mod insight;
mod live;
mod login;
mod metrics;
mod module;
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
mod worker;
