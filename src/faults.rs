//! What goes wrong on request in a realm, in a build for tests alone (cargo feature `faults`).

use crate::nginx::request::Request;
#[cfg(feature = "faults")]
use crate::nginx::{faults, headers, memory::Locked};
use crate::realm::Realm;
use authgate_core::check::Check;

/// Nothing is, in every other build.
#[cfg(not(feature = "faults"))]
pub(crate) fn is_asked_by(_check: &Check, _fault: &str) -> bool {
    false
}

/// Whether who signs in is named like this fault.
#[cfg(feature = "faults")]
pub(crate) fn is_asked_by(check: &Check, fault: &str) -> bool {
    check.username == fault
}

/// Nothing, in every other build.
#[cfg(not(feature = "faults"))]
pub(crate) fn in_users(_realm: &Realm) {}

/// As where other workers have taken users that this one could not read, until it reads them.
#[cfg(feature = "faults")]
pub(crate) fn in_users(realm: &Realm) {
    if faults::is_asked_for("outdated") {
        realm.outdated.set(true);
    }
}

/// Nothing, in every other build.
#[cfg(not(feature = "faults"))]
pub(crate) fn in_lock(_request: Request<'_>, _realm: &Realm) {}

/// What must neither wait for ever nor leave the lock behind.
#[cfg(feature = "faults")]
pub(crate) fn in_lock(request: Request<'_>, realm: &Realm) {
    let fault = headers::find(request, "x-authgate-fault").unwrap_or_default();
    let within = |_: &mut Locked<'_>| match fault {
        b"lock-panics" => assert!(fault.is_empty(), "on request"),
        _ => assert!(realm.zone.locked(|_| ()).is_none(), "locked twice"),
    };
    if fault.starts_with(b"lock-") {
        realm.zone.locked(within);
    }
}
