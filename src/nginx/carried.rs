//! What nginx carries for a module, by its types: the edge hands it out and knows nothing of it.

use super::exchange::Exchange;
use super::request::Request;
use ngx::ffi::ngx_module_t;
use std::ffi::c_void;

/// The module that all this is carried for.
///
/// # Safety
/// One type alone implements this. `module` is one that nginx has in its list where a request comes to it:
/// its create_srv_conf makes a `Server`, its create_loc_conf a `Location`.
pub(crate) unsafe trait Carried {
    /// What a server says.
    type Server: 'static;
    /// What a location says.
    type Location: 'static;
    /// What is remembered of a request.
    type Visit<'r>: Default;

    /// nginx's description of the module.
    fn module() -> *const ngx_module_t;
}

impl<'r> Request<'r> {
    /// What this location says.
    pub(crate) fn location<C: Carried>(self) -> &'r C::Location {
        // SAFETY: there is one for every location, and it lives as long as the cycle, which outlives its
        // requests.
        unsafe { &*conf::<C>(self.get().loc_conf).cast() }
    }

    /// What this server says.
    pub(crate) fn server<C: Carried>(self) -> &'r C::Server {
        // SAFETY: as for the location.
        unsafe { &*conf::<C>(self.get().srv_conf).cast() }
    }

    /// What is remembered of the request; `None` where memory is short.
    pub(crate) fn visit<C: Carried>(self) -> Option<&'r C::Visit<'r>> {
        // SAFETY: no other type is Carried.
        unsafe { Exchange::of(self)?.visit(self) }
    }

    /// The same, where anything is remembered.
    pub(crate) fn known_visit<C: Carried>(self) -> Option<&'r C::Visit<'r>> {
        // SAFETY: as above.
        unsafe { Exchange::find(self)?.known_visit() }
    }

    /// Marks the request, until nginx redirects it internally.
    pub(crate) fn mark<C: Carried>(self) {
        // SAFETY: a live request; nobody else has the context.
        unsafe { *context::<C>(self) = self.raw().cast() }
    }

    /// Whether it is marked.
    pub(crate) fn is_marked<C: Carried>(self) -> bool {
        // SAFETY: as above.
        unsafe { !(*context::<C>(self)).is_null() }
    }
}

/// The module's context, which nginx clears at each internal redirect.
fn context<C: Carried>(request: Request<'_>) -> *mut *mut c_void {
    // SAFETY: nginx gave the module its index, and every request a context for each module.
    unsafe { (*request.raw()).ctx.add((*C::module()).ctx_index) }
}

/// # Safety
/// `confs` are those of all modules for one place.
unsafe fn conf<C: Carried>(confs: *mut *mut c_void) -> *const c_void {
    // SAFETY: nginx gave the module its index.
    unsafe { *confs.add((*C::module()).ctx_index) }
}
