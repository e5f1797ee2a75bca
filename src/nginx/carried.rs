//! What nginx carries for a module, by its types: the edge hands it out and knows nothing of it.

use super::chain::{self, Confs};
use super::config::{Config, Mistake};
use super::exchange::{Exchange, Fields};
use super::process;
use super::request::Request;
use super::zone::Owner;
use ngx::ffi::{
    ngx_cycle, ngx_cycle_t, ngx_http_conf_ctx_t, ngx_http_get_variable_pt, ngx_http_module,
    ngx_module_t,
};
use std::ffi::c_void;
use std::ptr::addr_of;

/// The module that all this is carried for.
///
/// # Safety
/// One type alone implements this. `module` has the context that `hooks` makes, and commands of `hooks`, unchanged.
pub(crate) unsafe trait Carried: 'static {
    /// What `http` says.
    type Http: Http;
    /// What a server says.
    type Server: Default + 'static;
    /// What a location says.
    type Location: Inherits + 'static;
    /// What is remembered of a request, with nothing to drop.
    type Visit<'r>: Default;
    /// Who has shared memory.
    type Owner: Owner + 'static;

    /// nginx's description of the module.
    fn module() -> *const ngx_module_t;

    /// What `$remote_user` is where the module says so; else nginx does.
    fn remote_user(request: Request<'_>) -> Option<Option<String>>;
}

/// What `http` says.
pub(crate) trait Http: Default + 'static {
    /// Whether the module has anything to do at all.
    fn is_used(&self) -> bool;
}

/// What a location says.
pub(crate) trait Inherits: Default {
    /// Takes over from the level above what this one does not say.
    ///
    /// # Errors
    /// What cannot be.
    fn inherit(&mut self, above: &Self, config: &mut Config<'_>) -> Result<(), Mistake>;
}

/// What nginx keeps of the module for `http`.
#[derive(Default)]
pub(super) struct HttpConf<H> {
    /// The module's own.
    pub(super) own: H,
    /// nginx's own handler of `$remote_user`, for locations without a gate. Here, since a reload that fails
    /// may have another module's, which nginx then unloads.
    pub(super) remote_user: ngx_http_get_variable_pt,
    /// Where nginx keeps this one among those of all modules, once it runs.
    among: Option<Confs>,
}

impl<H> HttpConf<H> {
    /// nginx has taken the configuration.
    pub(super) fn begin(&mut self, among: Confs) {
        self.among = Some(among);
        chain::begin(among);
    }
}

impl<H> Drop for HttpConf<H> {
    fn drop(&mut self) {
        process::forget_cycle();
        self.among.into_iter().for_each(chain::end);
    }
}

/// # Safety
/// `confs` are those of all modules for one place.
pub(super) unsafe fn conf<C: Carried>(confs: *mut *mut c_void) -> *mut c_void {
    // SAFETY: nginx gave the module its index.
    unsafe { *confs.add((*C::module()).ctx_index) }
}

/// # Safety
/// `confs` are those of all modules for `http`.
pub(super) unsafe fn http_conf<C: Carried>(confs: *mut *mut c_void) -> *mut HttpConf<C::Http> {
    // SAFETY: by the caller's promise; create_main_conf made this.
    unsafe { conf::<C>(confs).cast() }
}

impl<'r> Request<'r> {
    /// What this location says. A request reaches the module only where its configuration knows that: nginx calls
    /// handlers of such ones, and chain.rs leaves the others alone.
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

    /// The fields of an answer of our own, which nobody else has from now on, and what is remembered of the
    /// request; nothing where it is none of ours.
    pub(crate) fn fields_and_visit<C: Carried>(self) -> Option<(Fields, Option<&'r C::Visit<'r>>)> {
        let exchange = Exchange::find(self)?;
        // SAFETY: no other type is Carried.
        Some((exchange.fields.take(), unsafe { exchange.known_visit() }))
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

/// Gives what `http` says in the running configuration to `with`; nothing where that has none, or does not
/// know the module.
pub(crate) fn with_running<C: Carried, R>(with: impl FnOnce(&C::Http) -> R) -> Option<R> {
    // SAFETY: on the event loop ngx_cycle is the running cycle.
    unsafe { with_http_of::<C, R>(ngx_cycle, with) }
}

/// # Safety
/// `cycle` is configured: it has a place for the configuration of each of its modules.
pub(super) unsafe fn with_http_of<C: Carried, R>(
    cycle: *mut ngx_cycle_t,
    with: impl FnOnce(&C::Http) -> R,
) -> Option<R> {
    // SAFETY: by the caller's promise; where the configuration that names the module runs create_main_conf
    // made ours.
    unsafe {
        let http = http_of(cycle).as_ref()?;
        if !chain::runs(http.main_conf) {
            return None;
        }
        http_conf::<C>(http.main_conf).as_ref().map(|conf| with(&conf.own))
    }
}

/// What a cycle says of `http`; null where it has none.
///
/// # Safety
/// `cycle` is configured: it has a place for the configuration of each of its modules.
pub(super) unsafe fn http_of(cycle: *mut ngx_cycle_t) -> *const ngx_http_conf_ctx_t {
    // SAFETY: by the caller's promise.
    unsafe { (*(*cycle).conf_ctx.add((*addr_of!(ngx_http_module)).index)).cast() }
}
