//! What a worker does besides answering requests.

use crate::conf::HttpConf;
use crate::nginx::clock;
use crate::nginx::entry::guard;
use crate::realm::Realm;
use crate::{live, own};
use std::rc::Rc;

/// The configuration is in force: nothing of it can fail any more.
pub(crate) fn take_effect(http: &HttpConf) {
    http.realms().iter().for_each(|realm| realm.in_force());
}

/// Begins a worker.
pub(crate) fn begin(http: &HttpConf) {
    if http.realms().is_empty() {
        return;
    }
    http.realms().iter().for_each(start);
    clock::every(PERIOD, look_around);
}

fn start(realm: &Rc<Realm>) {
    let started = guard(false, || {
        realm.start();
        true
    });
    if !started {
        // Whether its users are those of the other workers is not known.
        guard((), || live::is_outdated(realm));
    }
}

/// How often, in milliseconds, a worker looks at the files of its realms.
const PERIOD: usize = 250;

fn look_around() {
    let realms = own::running_realms();
    for realm in &realms {
        guard((), || realm.tick());
    }
    clock::keep_worker(realms.iter().any(|realm| realm.checks.anyone_waits()));
}
