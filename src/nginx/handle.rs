//! A request that may be over when somebody comes back to it.

use super::bits;
use super::entry::guard;
use super::request::Request;
use ngx::ffi::{ngx_http_cleanup_add, ngx_http_request_t, ngx_post_event, ngx_posted_events};
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::rc::Rc;

/// The address of a request, until that ends.
type Address = Rc<Cell<Option<NonNull<ngx_http_request_t>>>>;

/// What whoever comes back to a request holds of it meanwhile.
pub(crate) struct Handle(Address);

/// What is done when the request ends.
struct Ending {
    address: Address,
    then: Box<dyn FnOnce()>,
}

impl Handle {
    /// A handle of this request; `then` is called when the request ends. `None` where memory is short.
    pub(crate) fn new(request: Request<'_>, then: impl FnOnce() + 'static) -> Option<Self> {
        let address = Rc::new(Cell::new(NonNull::new(request.raw())));
        let ending = Ending { address: Rc::clone(&address), then: Box::new(then) };
        // SAFETY: a live request; the record owns the box, which `ended` takes back.
        unsafe {
            let record = ngx_http_cleanup_add(request.raw(), 0).as_mut()?;
            record.data = Box::into_raw(Box::new(ending)).cast();
            record.handler = Some(ended);
        }
        Some(Self(address))
    }

    /// Gives the request to `with`, unless it is over.
    pub(crate) fn with(&self, with: impl FnOnce(Request<'_>)) {
        // SAFETY: `ended` is called before the request's memory is given back, and takes the address.
        let request = self.0.get().and_then(|raw| unsafe { Request::new(raw.as_ptr()) });
        if let Some(request) = request {
            with(request);
        }
    }
}

unsafe extern "C" fn ended(ending: *mut c_void) {
    guard((), || {
        // SAFETY: nginx calls this once, with the box that `new` has left in the record.
        let ending = unsafe { Box::from_raw(ending.cast::<Ending>()) };
        ending.address.take();
        (ending.then)();
    });
}

/// Has nginx close the connection as it does when its `worker_shutdown_timeout` is over, but not before the
/// event loop goes on. False where that was said before.
pub(crate) fn close_connection(request: Request<'_>) -> bool {
    // SAFETY: a live request and its connection.
    unsafe {
        let connection = (*request.raw()).connection;
        let is_first = bits::mark_to_close(connection);
        if is_first {
            ngx_post_event((*connection).read, &raw mut ngx_posted_events);
        }
        is_first
    }
}
