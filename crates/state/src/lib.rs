//! The files under `state`: what has ended, what the users were, and the generated key.
//!
//! The folder belongs to the workers' user, and so do the files, of mode 0600, whoever makes them:
//!
//! - `REALM.ended`: the journal, one record of 48 bytes after the other.
//! - `REALM.ended.new`: the journal's next edition while it is written, or what a killed process
//!   left of one.
//! - `REALM.lock`: locked (flock) by who appends to the journal or replaces it.
//! - `REALM.users`: what the users were, to find out who has changed while nginx was down;
//!   `REALM.users.lock`, `REALM.users.new` as above.
//! - `key`: the generated key, a keys file of one line; `key.lock`, `key.new` as above.
//!
//! Also what any file keeps that is replaced ([`Attributes`]), and who may read and write what is for
//! nginx alone ([`rights`]).
//!
//! Local file systems alone: that a file's length grows only after its content is there, and that
//! locks work, is what all of this builds on.

#![forbid(unsafe_code)]

mod attributes;
mod file;
mod journal;
mod key;
mod lock;
mod replacement;
pub mod rights;
mod users;

pub use attributes::Attributes;
pub use journal::{Journal, Read};
pub use key::{generated_key, new_key};
pub use replacement::Replacement;
pub use users::{remember_users, remembered_users};
