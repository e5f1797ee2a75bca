//! Connections that have been upgraded, such as WebSockets: each is closed when what let it in has ended.

use super::bits;
use super::entry::guard;
use super::faults;
use super::log;
use super::request::{Request, fits_pool};
use super::visit::Visit;
use crate::access;
use crate::realm::Realm;
use authgate_core::event::Event;
use ngx::ffi::{ngx_http_cleanup_add, ngx_http_request_t, ngx_post_event, ngx_posted_events};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::c_void;

/// This worker's upgraded connections of one realm: by the request that was upgraded, which is live, the
/// epoch of its user at that time.
#[derive(Default)]
pub(crate) struct Upgraded(RefCell<BTreeMap<*mut ngx_http_request_t, u64>>);

/// Keeps an eye on the connection of a request that is being upgraded, where a gate has let it in.
/// `None` where memory is short.
pub(super) fn watch<'r>(request: Request<'r>, visit: &Visit<'r>) -> Option<()> {
    let Some((realm, epoch)) = access::admitted_here(request, visit) else { return Some(()) };
    const { assert!(fits_pool::<Ticket>()) }
    // SAFETY: a live request; the place for the ticket is in the record, and the handler is called
    // once, when the request ends.
    unsafe {
        let cleanup = ngx_http_cleanup_add(request.raw(), size_of::<Ticket>()).as_mut()?;
        cleanup.data.cast::<Ticket>().write(Ticket { request: request.raw(), realm });
        cleanup.handler = Some(forget);
    }
    realm.upgraded.0.borrow_mut().insert(request.raw(), epoch);
    Some(())
}

/// A request's place in a realm's list.
struct Ticket {
    request: *mut ngx_http_request_t,
    realm: *const Realm,
}

unsafe extern "C" fn forget(ticket: *mut c_void) {
    guard((), || {
        // SAFETY: nginx calls this once, with the record's data; the realm lives as long as the cycle,
        // which outlives its requests.
        let (request, realm) = unsafe {
            let Ticket { request, realm } = ticket.cast::<Ticket>().read();
            (request, &*realm)
        };
        realm.upgraded.0.borrow_mut().remove(&request);
    });
}

/// A few times a second: closes those whose user would not be let in any more.
pub(crate) fn tick(realm: &Realm) {
    faults::in_users(realm);
    // Nothing is closed before the event loop goes on, so that the list stays as it is.
    for (request, epoch) in realm.upgraded.0.borrow().iter() {
        // SAFETY: a request that is on the list is live: it leaves the list when it ends.
        let Some(request) = (unsafe { Request::new(*request) }) else { continue };
        if let Some(event) = access::review(request, realm, *epoch) {
            close(request, &event);
        }
    }
}

/// As nginx closes what is open when its `worker_shutdown_timeout` is over, but not before the event
/// loop goes on.
fn close(request: Request<'_>, event: &Event) {
    // SAFETY: a live request and its connection.
    unsafe {
        let connection = (*request.raw()).connection;
        if bits::mark_to_close(connection) {
            log::event(request, event);
            ngx_post_event((*connection).read, &raw mut ngx_posted_events);
        }
    }
}
