//! A request that waits for something that happens outside of it, such as work in a thread.
//!
//! Who will wake it holds its [`Wait`] and no address of the request, which may end meanwhile: then it
//! is not resumed, whoever asks. Nothing keeps it: what is done for it must own all that it needs.

use super::bits;
use super::entry::guard;
use super::faults;
use super::reply::Sent;
use super::request::Request;
use ngx::ffi::{
    NGX_HTTP_CLIENT_CLOSED_REQUEST, NGX_HTTP_INTERNAL_SERVER_ERROR, ngx_handle_read_event,
    ngx_http_cleanup_add, ngx_http_finalize_request, ngx_http_request_t,
    ngx_http_run_posted_requests, ngx_http_test_reading, ngx_int_t, ngx_post_event,
    ngx_posted_events,
};
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::rc::Rc;

/// The right to resume a request that waits, once. Dropped without that, it answers 500: nobody waits for
/// ever because something inside has failed.
pub(crate) struct Wait(Rc<Waiting>);

/// What the request and who will wake it know of each other.
struct Waiting {
    request: NonNull<ngx_http_request_t>,
    state: Cell<State>,
    /// nginx's call in which the wait began is not over: nginx runs the posted requests after it, and
    /// not before, since a request that is over may be freed by that.
    is_beginning: Cell<bool>,
    when_gone: Cell<Option<Box<dyn FnOnce()>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The request is live and has not been resumed.
    Waits,
    /// It has been resumed, or there was nothing to resume.
    Over,
    /// It has ended, or it waits for something else: its address says nothing any more.
    Gone,
}

/// Has a request wait. `begin` is called at once: it keeps the [`Wait`] for later, or resumes. Where the
/// request ends unresumed, such as when its client goes away, `when_gone` is called.
pub(crate) fn begin(
    request: Request<'_>,
    when_gone: impl FnOnce() + 'static,
    begin: impl FnOnce(Wait),
) -> Sent {
    leave_behind(request);
    let Some(wait) = Wait::register(request, Box::new(when_gone)) else {
        return Sent::failed(request);
    };
    watch_client(request);
    let waiting = Rc::clone(&wait.0);
    guard((), || begin(wait));
    waiting.is_beginning.set(false);
    Sent::LATER
}

impl Wait {
    /// Has the main request's end known here. `None` where memory is short.
    fn register(request: Request<'_>, when_gone: Box<dyn FnOnce()>) -> Option<Self> {
        let waiting = Rc::new(Waiting {
            request: NonNull::new(request.raw())?,
            state: Cell::new(State::Waits),
            is_beginning: Cell::new(true),
            when_gone: Cell::new(Some(when_gone)),
        });
        // SAFETY: a live request; the record owns one reference, which `ended` takes back.
        unsafe {
            let record = ngx_http_cleanup_add(request.raw(), 0).as_mut()?;
            record.data = Rc::into_raw(Rc::clone(&waiting)).cast_mut().cast();
            record.handler = Some(ended);
        }
        Some(Self(waiting))
    }

    /// Whether the request still waits for this, and nothing else drives it.
    pub(crate) fn is_current(&self) -> bool {
        self.0.is_current()
    }

    /// Goes on with the request where it still waits for this. What fails in `with` is a 500.
    pub(crate) fn resume(self, with: impl FnOnce(Request<'_>) -> Sent) {
        self.0.resume(with);
    }

    /// Leaves the request as it is, in a process that ends: nothing is answered there any more.
    pub(crate) fn abandon(self) {
        self.0.state.set(State::Over);
        self.0.when_gone.take();
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.0.resume(Sent::failed);
    }
}

impl Waiting {
    /// An internal redirect, such as that of `post_action`, gives the request another handler.
    fn is_current(&self) -> bool {
        // SAFETY: `ended` is called before the request's memory is given back, and says Gone.
        self.state.get() == State::Waits
            && unsafe { self.request.as_ref() }
                .write_event_handler
                .is_some_and(|handler| std::ptr::fn_addr_eq(handler, waits as Handler))
    }

    fn resume(&self, with: impl FnOnce(Request<'_>) -> Sent) {
        let is_current = self.is_current();
        if self.state.get() == State::Waits {
            self.state.set(State::Over);
            self.when_gone.take();
        }
        if !is_current {
            return;
        }
        let raw = self.request.as_ptr();
        // SAFETY: the request is live until `with` ends it, on the event loop. Its connection is nginx's
        // for longer: a closed one has nothing posted.
        unsafe {
            let connection = (*raw).connection;
            let done = guard(None, || {
                let request = Request::new(raw)?;
                faults::at(request, "resume");
                let _: Sent = with(request);
                Some(())
            });
            if done.is_none() && self.state.get() != State::Gone {
                ngx_http_finalize_request(raw, NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t);
            }
            if !self.is_beginning.get() {
                ngx_http_run_posted_requests(connection);
            }
        }
    }

    /// From now on the address of the request is nobody's.
    fn leave(&self) {
        let waited = self.state.replace(State::Gone) == State::Waits;
        if let Some(when_gone) = self.when_gone.take().filter(|_| waited) {
            guard((), when_gone);
        }
    }
}

/// Ends what the request waited for before nginx redirected it to where it waits anew.
fn leave_behind(request: Request<'_>) {
    // SAFETY: the main request's cleanup records form a list; one with our handler owns a Waiting. They
    // live as long as the request does, and `when_gone` does not end it.
    unsafe {
        let mut record = request.main().get().cleanup;
        while let Some(current) = record.as_ref() {
            if current.handler.is_some_and(|it| std::ptr::fn_addr_eq(it, ended as Cleanup)) {
                let earlier = &*current.data.cast::<Waiting>();
                if earlier.request.as_ptr() == request.raw() {
                    earlier.leave();
                }
            }
            record = current.next;
        }
    }
}

/// nginx tells the request that holds the connection, which may be a subrequest, that its client has gone.
/// Nothing else happens to it until it is resumed.
fn watch_client(request: Request<'_>) {
    // SAFETY: a live request and its connection.
    unsafe {
        let raw = request.raw();
        (*raw).write_event_handler = Some(waits);
        (*raw).read_event_handler = Some(ngx_http_test_reading);
        let connection = (*raw).connection;
        if (*connection).data != raw.cast() {
            return;
        }
        let read = (*connection).read;
        if (*read).ready() != 0 {
            // More has come with the body, perhaps the end: nginx is told of it only once.
            ngx_post_event(read, &raw mut ngx_posted_events);
        } else {
            // A failure here means that a client which goes away is noticed later.
            let _ = ngx_handle_read_event(read, 0);
        }
    }
}

type Handler = unsafe extern "C" fn(*mut ngx_http_request_t);
type Cleanup = unsafe extern "C" fn(*mut c_void);

/// The write handler of a request that waits: there is nothing to write yet. Over HTTP/3 it hears here
/// that its client wants no answer any more.
unsafe extern "C" fn waits(request: *mut ngx_http_request_t) {
    guard((), || {
        // SAFETY: nginx calls this with the live request and touches it no more in this call.
        unsafe {
            if bits::has_write_failed((*request).connection) {
                ngx_http_finalize_request(request, NGX_HTTP_CLIENT_CLOSED_REQUEST as ngx_int_t);
            }
        }
    });
}

/// The main request has ended.
unsafe extern "C" fn ended(waiting: *mut c_void) {
    guard((), || {
        // SAFETY: nginx calls this once, with the reference that `register` has left in the record.
        let waiting = unsafe { Rc::from_raw(waiting.cast::<Waiting>().cast_const()) };
        waiting.leave();
    });
}
