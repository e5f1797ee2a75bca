//! Connections that have been upgraded, such as WebSockets: each is closed when what let it in has ended.

use crate::access;
use crate::nginx::handle::{self, Handle};
use crate::nginx::request::Request;
use crate::realm::Realm;
use crate::visit::Visit;
use crate::{faults, record};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// This worker's upgraded connections of one realm, in the order in which they came.
#[derive(Default)]
pub(crate) struct Upgraded {
    connections: RefCell<BTreeMap<u64, Connection>>,
    count: Cell<u64>,
}

struct Connection {
    /// The request that was upgraded.
    request: Handle,
    /// The epoch of its user at that time.
    epoch: u64,
}

impl Upgraded {
    fn next_number(&self) -> u64 {
        self.count.replace(self.count.get() + 1)
    }
}

/// Keeps an eye on the connection of a request that is being upgraded, where a gate has let it in.
/// `None` where memory is short.
pub(crate) fn watch<'r>(request: Request<'r>, visit: &Visit<'r>) -> Option<()> {
    let Some((realm, epoch)) = access::admitted_here(request, visit) else { return Some(()) };
    let number = realm.upgraded.next_number();
    let this = realm.this.clone();
    let request = Handle::new(request, move || {
        if let Some(realm) = this.upgrade() {
            realm.upgraded.connections.borrow_mut().remove(&number);
        }
    })?;
    realm.upgraded.connections.borrow_mut().insert(number, Connection { request, epoch });
    Some(())
}

/// A few times a second: closes those whose user would not be let in any more.
pub(crate) fn close_ended(realm: &Realm) {
    faults::in_users(realm);
    // Nothing is closed before the event loop goes on, so that the list stays as it is.
    for Connection { request, epoch } in realm.upgraded.connections.borrow().values() {
        request.with(|request| {
            let ended = access::review(request, realm, *epoch);
            if let Some(event) = ended.filter(|_| handle::close_connection(request)) {
                record::log(request, &event);
            }
        });
    }
}
