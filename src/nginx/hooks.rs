//! Where nginx calls a module: while it reads its configuration, when it has taken it, and in its phases.

use super::carried::{self, Carried, Http, HttpConf, Inherits};
use super::config::{self, Config, Mistake};
use super::entry::{guard, quiet_panics};
use super::phase::{self, Handler};
use super::pool;
use super::request::Request;
use super::variables::{self, Value};
use super::{chain, faults, log, process};
use ngx::ffi::{
    NGX_DIRECT_CONF, NGX_ERROR, NGX_HTTP_LOC_CONF_OFFSET, NGX_HTTP_MAIN_CONF_OFFSET, NGX_MAIN_CONF,
    NGX_OK, ngx_array_push, ngx_command_t, ngx_conf_t, ngx_cycle_t, ngx_http_handler_pt,
    ngx_http_module_t, ngx_http_phases_NGX_HTTP_ACCESS_PHASE,
    ngx_http_phases_NGX_HTTP_POST_READ_PHASE, ngx_http_phases_NGX_HTTP_PRECONTENT_PHASE,
    ngx_http_request_t, ngx_http_variable_value_t, ngx_int_t, ngx_str_t, ngx_uint_t,
};
use std::ffi::{c_char, c_void};
use std::ptr::null_mut;

/// What a module does where nginx calls it.
pub(crate) trait Hooks: Carried {
    /// Its variables.
    const VARIABLES: &'static [(&'static str, Value)];
    /// What it does in the POST_READ phase.
    const POST_READ: Handler;
    /// What it does in the access phase.
    const ACCESS: Handler;
    /// What it does in the PRECONTENT phase.
    const PRECONTENT: Handler;
    /// What it does to the header of each answer.
    const HEADER: chain::Apply;

    /// Looks at what `http` says of all locations, which nginx merges with nothing.
    ///
    /// # Errors
    /// What cannot be.
    fn check_outermost(outermost: &Self::Location) -> Result<(), Mistake>;

    /// Warns of what shows only when all has been read.
    fn warn(config: &Config<'_>);

    /// The configuration is in force: nothing of it can fail any more.
    fn take_effect(http: &Self::Http);

    /// Before a worker's first request.
    fn begin_worker(http: &Self::Http);
}

// ---- Tables ------------------------------------------------------------------------------------------

/// Where nginx would give a directive something else than `conf` says.
const ELSEWHERE: u32 = NGX_MAIN_CONF | NGX_DIRECT_CONF;

/// A directive of a location.
pub(crate) type InLocation<C> =
    fn(&mut Config<'_>, &mut <C as Carried>::Location) -> Result<(), Mistake>;

/// A directive of `http` alone.
pub(crate) type InHttp = fn(&mut Config<'_>) -> Result<(), Mistake>;

/// nginx's description of a directive of a location.
pub(crate) const fn in_location<C: Carried>(
    name: ngx_str_t,
    place: u32,
    set: &'static InLocation<C>,
) -> ngx_command_t {
    assert!(place & ELSEWHERE == 0, "a directive of http, or inside it");
    ngx_command_t {
        name,
        type_: place as ngx_uint_t,
        set: Some(set_in_location::<C>),
        conf: NGX_HTTP_LOC_CONF_OFFSET,
        offset: 0,
        post: std::ptr::from_ref(set).cast_mut().cast(),
    }
}

/// nginx's description of a directive of `http`.
pub(crate) const fn in_http(name: ngx_str_t, place: u32, set: &'static InHttp) -> ngx_command_t {
    assert!(place & ELSEWHERE == 0, "a directive of http, or inside it");
    ngx_command_t {
        name,
        type_: place as ngx_uint_t,
        set: Some(set_in_http),
        conf: NGX_HTTP_MAIN_CONF_OFFSET,
        offset: 0,
        post: std::ptr::from_ref(set).cast_mut().cast(),
    }
}

unsafe extern "C" fn set_in_location<C: Carried>(
    cf: *mut ngx_conf_t,
    command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    // SAFETY: the command is one that `in_location` has made, and its conf that of the location.
    config::directive(cf, |config| unsafe {
        (*(*command).post.cast::<InLocation<C>>())(config, &mut *conf.cast::<C::Location>())
    })
}

unsafe extern "C" fn set_in_http(
    cf: *mut ngx_conf_t,
    command: *mut ngx_command_t,
    _conf: *mut c_void,
) -> *mut c_char {
    // SAFETY: the command is one that `in_http` has made.
    config::directive(cf, |config| unsafe { (*(*command).post.cast::<InHttp>())(config) })
}

/// The context of the module in which all is but the filter of headers.
pub(crate) const fn gate_context<H: Hooks>() -> ngx_http_module_t {
    ngx_http_module_t {
        preconfiguration: Some(preconfiguration::<H>),
        postconfiguration: Some(postconfiguration::<H>),
        create_main_conf: Some(create::<HttpConf<H::Http>>),
        init_main_conf: None,
        create_srv_conf: Some(create::<H::Server>),
        merge_srv_conf: None,
        create_loc_conf: Some(create::<H::Location>),
        merge_loc_conf: Some(merge_location::<H>),
    }
}

/// The context of the module whose place is that of the filter of headers.
pub(crate) const fn filter_context<H: Hooks>() -> ngx_http_module_t {
    ngx_http_module_t {
        preconfiguration: None,
        postconfiguration: Some(filter_postconfiguration::<H>),
        create_main_conf: None,
        init_main_conf: None,
        create_srv_conf: None,
        merge_srv_conf: None,
        create_loc_conf: None,
        merge_loc_conf: None,
    }
}

// ---- Reading the configuration -------------------------------------------------------------------------

/// Makes an empty configuration, dropped with nginx's pool.
unsafe extern "C" fn create<T: Default>(cf: *mut ngx_conf_t) -> *mut c_void {
    guard(null_mut(), || {
        // SAFETY: nginx calls this with its configuration and a live pool.
        let made = unsafe { pool::own((*cf).pool, T::default()) };
        made.map_or(null_mut(), |made| made.as_ptr().cast())
    })
}

unsafe extern "C" fn merge_location<C: Carried>(
    cf: *mut ngx_conf_t,
    parent: *mut c_void,
    child: *mut c_void,
) -> *mut c_char {
    // SAFETY: nginx calls this with two configurations that `create` made.
    config::directive(cf, |config| unsafe {
        (*child.cast::<C::Location>()).inherit(&*parent.cast::<C::Location>(), config)
    })
}

unsafe extern "C" fn preconfiguration<H: Hooks>(cf: *mut ngx_conf_t) -> ngx_int_t {
    hook(|| {
        // SAFETY: nginx calls this with its configuration.
        let config = unsafe { Config::new(cf) };
        for (name, value) in H::VARIABLES {
            variables::add(config.raw, name, value)?;
        }
        let own = Some(remote_user::<H> as _);
        let nginx = variables::take_over(config.core(), "remote_user", own)?;
        // SAFETY: inside http{} ctx is its context.
        unsafe { (*carried::http_conf::<H>((*config.context()).main_conf)).remote_user = nginx }
        Some(())
    })
}

unsafe extern "C" fn postconfiguration<H: Hooks>(cf: *mut ngx_conf_t) -> ngx_int_t {
    hook(|| {
        // SAFETY: nginx calls this with its configuration.
        let mut config = unsafe { Config::new(cf) };
        // SAFETY: nobody else has what `http` says of locations: nginx has merged it with all of them.
        if let Err(mistake) = unsafe { H::check_outermost(&*config.outermost::<H>()) } {
            config.tell(mistake);
            return None;
        }
        if !config.http::<H>().is_used() {
            return Some(());
        }
        if process::is_reload_without_master() {
            let text = "\"master_process off\" takes no reload, restart nginx instead";
            log::emerg(config.raw.log, text);
            return None;
        }
        H::warn(&config);
        config.add_handler(ngx_http_phases_NGX_HTTP_POST_READ_PHASE, Some(post_read::<H>))?;
        config.add_handler(ngx_http_phases_NGX_HTTP_ACCESS_PHASE, Some(access::<H>))?;
        config.add_handler(ngx_http_phases_NGX_HTTP_PRECONTENT_PHASE, Some(precontent::<H>))
    })
}

unsafe extern "C" fn filter_postconfiguration<H: Hooks>(cf: *mut ngx_conf_t) -> ngx_int_t {
    hook(|| {
        // SAFETY: nginx calls this with its configuration.
        if unsafe { Config::new(cf) }.http::<H>().is_used() {
            faults::install_filters();
            chain::install(H::HEADER);
        }
        Some(())
    })
}

impl Config<'_> {
    fn add_handler(&mut self, phase: u32, handler: ngx_http_handler_pt) -> Option<()> {
        // SAFETY: each phase has an array of handlers, made by the core module, to whose configuration nobody
        // has a reference here.
        unsafe {
            let core = self.core_address();
            let handlers = &raw mut (*core).phases.get_mut(usize::try_from(phase).ok()?)?.handlers;
            let place = ngx_array_push(handlers).cast::<ngx_http_handler_pt>();
            if place.is_null() {
                return None;
            }
            place.write(handler);
        }
        Some(())
    }
}

fn hook(body: impl FnOnce() -> Option<()>) -> ngx_int_t {
    let done = guard(None, body);
    if done.is_some() { NGX_OK as ngx_int_t } else { NGX_ERROR as ngx_int_t }
}

// ---- Taking it -----------------------------------------------------------------------------------------

/// nginx has taken the configuration, all of it. A failure here would end it.
pub(crate) unsafe extern "C" fn init_module<H: Hooks>(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    hook(|| {
        // SAFETY: nginx calls this with the cycle that it has configured, and the module among its modules.
        unsafe {
            begin::<H>(cycle)?;
            if !process::is_test() {
                // Without this nginx serves all the same.
                guard(None, || carried::with_http_of::<H, _>(cycle, H::take_effect));
            }
        }
        Some(())
    })
}

/// # Safety
/// `cycle` is configured, and the module among its modules.
unsafe fn begin<H: Hooks>(cycle: *mut ngx_cycle_t) -> Option<()> {
    // SAFETY: by the caller's promise.
    unsafe {
        let Some(http) = carried::http_of(cycle).as_ref() else { return Some(()) };
        let conf = carried::http_conf::<H>(http.main_conf).as_mut()?;
        if conf.own.is_used() {
            conf.begin(http.main_conf);
        }
    }
    Some(())
}

/// A process begins, not all of which take requests.
pub(crate) unsafe extern "C" fn init_process<H: Hooks>(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    hook(|| {
        guard((), || {
            quiet_panics();
            if process::takes_requests() {
                // SAFETY: nginx calls this with its cycle.
                unsafe { carried::with_http_of::<H, _>(cycle, H::begin_worker) };
            }
        });
        Some(())
    })
}

// ---- Requests ------------------------------------------------------------------------------------------

unsafe extern "C" fn post_read<H: Hooks>(raw: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: nginx calls handlers with a live request, on the event loop.
    unsafe { phase::handle(raw, "post_read", H::POST_READ) }
}

unsafe extern "C" fn access<H: Hooks>(raw: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: as above.
    unsafe { phase::handle(raw, "access", H::ACCESS) }
}

unsafe extern "C" fn precontent<H: Hooks>(raw: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: as above.
    unsafe { phase::handle(raw, "precontent", H::PRECONTENT) }
}

/// `$remote_user`: what the module says, else what nginx does.
unsafe extern "C" fn remote_user<C: Carried>(
    raw: *mut ngx_http_request_t,
    value: *mut ngx_http_variable_value_t,
    data: usize,
) -> ngx_int_t {
    guard(NGX_ERROR as ngx_int_t, || {
        // SAFETY: nginx calls this with a live request, of a configuration that knows the module, and a value
        // to fill; the other handler takes the same.
        unsafe {
            let request = Request::new(raw);
            if let Some(user) = request.and_then(C::remote_user) {
                return variables::fill(request, &mut *value, user.as_deref());
            }
            match (*carried::http_conf::<C>((*raw).main_conf)).remote_user {
                Some(nginx) => nginx(raw, value, data),
                None => variables::fill(None, &mut *value, None),
            }
        }
    })
}
