//! What nginx loads: two modules, their directives and their place among the others.
//!
//! nginx orders access handlers and header filters by the order of modules, and one module cannot
//! stand in both right places: the gate asks last in the access phase, behind `allow`, `deny`,
//! `auth_basic` and `auth_request`; the filter sees the response header last, but for the writer.

use super::carried::Carried;
use super::conf::{self, MainConf, ServerConf};
use super::entry::{guard, quiet_panics};
use super::location::{self, LocationConf, directives};
use super::request::Request;
use super::{chain, clock, listen, log, phases, process, realm_block, variables};
use crate::filter;
use crate::live;
use crate::own::{self, Authgate};
use crate::realm::Realm;
use crate::variables::VARIABLES;
use crate::visit::Visit;
use ngx::ffi::{
    NGINX_VERSION, NGX_CONF_1MORE, NGX_CONF_BLOCK, NGX_CONF_NOARGS, NGX_CONF_TAKE1,
    NGX_CONF_TAKE12, NGX_ERROR, NGX_HTTP_LIF_CONF, NGX_HTTP_LMT_CONF, NGX_HTTP_LOC_CONF,
    NGX_HTTP_LOC_CONF_OFFSET, NGX_HTTP_MAIN_CONF, NGX_HTTP_MAIN_CONF_OFFSET, NGX_HTTP_MODULE,
    NGX_HTTP_SRV_CONF, NGX_OK, NGX_RS_MODULE_SIGNATURE, nginx_version, ngx_array_push, ngx_array_t,
    ngx_command_t, ngx_conf_t, ngx_cycle, ngx_cycle_t, ngx_http_conf_ctx_t,
    ngx_http_core_main_conf_t, ngx_http_core_module, ngx_http_handler_pt, ngx_http_module,
    ngx_http_module_t, ngx_http_phases_NGX_HTTP_ACCESS_PHASE,
    ngx_http_phases_NGX_HTTP_POST_READ_PHASE, ngx_http_phases_NGX_HTTP_PRECONTENT_PHASE,
    ngx_http_request_t, ngx_http_variable_value_t, ngx_int_t, ngx_module_t, ngx_msec_t, ngx_str_t,
    ngx_uint_t,
};
use std::ffi::{c_char, c_void};
use std::ptr::{addr_of, addr_of_mut, null_mut};
use std::rc::Rc;

static mut COMMANDS: [ngx_command_t; 9] = [
    ngx_command_t {
        conf: NGX_HTTP_MAIN_CONF_OFFSET,
        ..command(
            ngx::ngx_string!("authgate_realm"),
            NGX_HTTP_MAIN_CONF | NGX_CONF_BLOCK | NGX_CONF_TAKE1,
            realm_block::realm_block,
        )
    },
    command(ngx::ngx_string!("authgate"), EVERYWHERE | NGX_CONF_TAKE12, directives::authgate),
    command(
        ngx::ngx_string!("authgate_require"),
        EVERYWHERE | NGX_CONF_1MORE,
        directives::authgate_require,
    ),
    command(
        ngx::ngx_string!("authgate_dry_run"),
        EVERYWHERE | NGX_CONF_TAKE1,
        directives::authgate_dry_run,
    ),
    command(
        ngx::ngx_string!("authgate_endpoints"),
        NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1,
        directives::authgate_endpoints,
    ),
    command(
        ngx::ngx_string!("authgate_verify"),
        NGX_HTTP_LOC_CONF | NGX_CONF_TAKE12,
        directives::authgate_verify,
    ),
    command(
        ngx::ngx_string!("authgate_status"),
        NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1,
        directives::authgate_status,
    ),
    command(
        ngx::ngx_string!("authgate_metrics"),
        NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS,
        directives::authgate_metrics,
    ),
    ngx_command_t::empty(),
];

type Handler =
    unsafe extern "C" fn(*mut ngx_conf_t, *mut ngx_command_t, *mut c_void) -> *mut c_char;

/// A directive of a location.
const fn command(name: ngx_str_t, place: u32, set: Handler) -> ngx_command_t {
    ngx_command_t {
        name,
        type_: place as ngx_uint_t,
        set: Some(set),
        conf: NGX_HTTP_LOC_CONF_OFFSET,
        offset: 0,
        post: null_mut(),
    }
}

/// Where a gate may stand.
const EVERYWHERE: u32 = NGX_HTTP_MAIN_CONF
    | NGX_HTTP_SRV_CONF
    | NGX_HTTP_LOC_CONF
    | NGX_HTTP_LIF_CONF
    | NGX_HTTP_LMT_CONF;

static GATE_CONTEXT: ngx_http_module_t = ngx_http_module_t {
    preconfiguration: Some(preconfiguration),
    postconfiguration: Some(postconfiguration),
    create_main_conf: Some(conf::create::<MainConf>),
    init_main_conf: None,
    create_srv_conf: Some(conf::create::<ServerConf>),
    merge_srv_conf: None,
    create_loc_conf: Some(conf::create::<LocationConf>),
    merge_loc_conf: Some(location::merge_location),
};

static FILTER_CONTEXT: ngx_http_module_t = ngx_http_module_t {
    preconfiguration: None,
    postconfiguration: Some(filter_postconfiguration),
    create_main_conf: None,
    init_main_conf: None,
    create_srv_conf: None,
    merge_srv_conf: None,
    create_loc_conf: None,
    merge_loc_conf: None,
};

/// The gate.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "nginx's name for it")]
pub(super) static mut ngx_http_authgate_module: ngx_module_t = ngx_module_t {
    ctx: addr_of!(GATE_CONTEXT).cast_mut().cast(),
    commands: addr_of_mut!(COMMANDS).cast(),
    init_module: Some(init_module),
    init_process: Some(init_process),
    ..MODULE
};

/// The response header filter.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "nginx's name for it")]
pub(super) static mut ngx_http_authgate_filter_module: ngx_module_t =
    ngx_module_t { ctx: addr_of!(FILTER_CONTEXT).cast_mut().cast(), commands: NONE, ..MODULE };

static mut NO_COMMANDS: [ngx_command_t; 1] = [ngx_command_t::empty()];
const NONE: *mut ngx_command_t = addr_of_mut!(NO_COMMANDS).cast();

const MODULE: ngx_module_t = ngx_module_t {
    ctx_index: ngx_uint_t::MAX,
    index: ngx_uint_t::MAX,
    name: null_mut(),
    spare0: 0,
    spare1: 0,
    version: nginx_version as ngx_uint_t,
    signature: NGX_RS_MODULE_SIGNATURE.as_ptr(),
    ctx: null_mut(),
    commands: null_mut(),
    type_: NGX_HTTP_MODULE as ngx_uint_t,
    init_master: None,
    init_module: None,
    init_process: None,
    init_thread: None,
    exit_thread: None,
    exit_process: None,
    exit_master: None,
    spare_hook0: 0,
    spare_hook1: 0,
    spare_hook2: 0,
    spare_hook3: 0,
    spare_hook4: 0,
    spare_hook5: 0,
    spare_hook6: 0,
    spare_hook7: 0,
};

/// The version of nginx: a module built for another is not loaded.
pub(crate) const NGINX: &str = match NGINX_VERSION.to_str() {
    Ok(version) => version,
    Err(_) => "",
};

// SAFETY: Authgate alone is Carried; the contexts above have `create` make these types, and no request is
// handed to anything of ours whose configuration does not know us (chain.rs).
unsafe impl Carried for Authgate {
    type Server = ServerConf;
    type Location = LocationConf;
    type Visit<'r> = Visit<'r>;

    fn module() -> *const ngx_module_t {
        addr_of!(ngx_http_authgate_module)
    }
}

/// # Safety
/// `r` is a live request of a configuration that knows us.
pub(super) unsafe fn main_conf_of(r: *mut ngx_http_request_t) -> *const MainConf {
    // SAFETY: nginx gave the module its index, and create_main_conf made this.
    unsafe { (*(*r).main_conf.add(ngx_http_authgate_module.ctx_index)).cast() }
}

/// # Safety
/// `confs` are the configurations of a server.
pub(super) unsafe fn server_conf_at(confs: *mut *mut c_void) -> *const c_void {
    // SAFETY: nginx gave the module its index, and create_srv_conf made this.
    unsafe { *confs.add(ngx_http_authgate_module.ctx_index) }
}

/// The configuration of `http` that is being read.
pub(super) fn main_conf(cf: &mut ngx_conf_t) -> &mut MainConf {
    // SAFETY: inside http{} and its hooks, ctx is its context, and create_main_conf made this; one
    // thread reads configuration and holds this borrow for one call.
    unsafe {
        let ctx = cf.ctx.cast::<ngx_http_conf_ctx_t>();
        &mut *(*(*ctx).main_conf.add(ngx_http_authgate_module.ctx_index)).cast()
    }
}

/// What `http` says of all locations.
fn outermost_conf(cf: &ngx_conf_t) -> &LocationConf {
    // SAFETY: as for the main configuration; it lives as long as the cycle.
    unsafe {
        let ctx = cf.ctx.cast::<ngx_http_conf_ctx_t>();
        &*(*(*ctx).loc_conf.add(ngx_http_authgate_module.ctx_index)).cast()
    }
}

/// The configuration of the server whose locations are being merged.
pub(super) fn merged_server_conf(cf: &mut ngx_conf_t) -> &mut ServerConf {
    // SAFETY: as for the main configuration; nginx sets srv_conf before it merges a server.
    unsafe {
        let ctx = cf.ctx.cast::<ngx_http_conf_ctx_t>();
        &mut *(*(*ctx).srv_conf.add(ngx_http_authgate_module.ctx_index)).cast()
    }
}

fn core_conf(cf: &mut ngx_conf_t) -> &mut ngx_http_core_main_conf_t {
    // SAFETY: as for the main configuration.
    unsafe {
        let ctx = cf.ctx.cast::<ngx_http_conf_ctx_t>();
        let index = (*addr_of!(ngx_http_core_module)).ctx_index;
        &mut *(*(*ctx).main_conf.add(index)).cast()
    }
}

unsafe extern "C" fn preconfiguration(cf: *mut ngx_conf_t) -> ngx_int_t {
    hook(|| {
        // SAFETY: nginx calls this with its configuration.
        let cf = unsafe { &mut *cf };
        VARIABLES.iter().try_for_each(|(name, value)| variables::add(cf, name, value))?;
        let own = Some(get_remote_user as _);
        main_conf(cf).unverified = variables::take_over(core_conf(cf), "remote_user", own)?;
        Some(())
    })
}

/// `$remote_user` is the verified user wherever a gate is on.
unsafe extern "C" fn get_remote_user(
    raw: *mut ngx_http_request_t,
    value: *mut ngx_http_variable_value_t,
    data: usize,
) -> ngx_int_t {
    guard(NGX_ERROR as ngx_int_t, || {
        // SAFETY: nginx calls this with a live request, of a configuration that knows us, and a value to
        // fill; the other handler takes the same.
        unsafe {
            match (Request::new(raw), (*main_conf_of(raw)).unverified) {
                (Some(request), _) if own::location(request).judge().is_some() => {
                    let user = crate::variables::user(request);
                    variables::fill(Some(request), &mut *value, user.as_deref())
                }
                (_, Some(unverified)) => unverified(raw, value, data),
                _ => variables::fill(None, &mut *value, None),
            }
        }
    })
}

unsafe extern "C" fn postconfiguration(cf: *mut ngx_conf_t) -> ngx_int_t {
    hook(|| {
        // SAFETY: nginx calls this with its configuration.
        let cf = unsafe { &mut *cf };
        outermost_conf(cf).check_outermost(cf).ok()?;
        if !main_conf(cf).is_used() {
            return Some(());
        }
        if process::is_reload_without_master() {
            log::emerg(cf.log, "\"master_process off\" takes no reload, restart nginx instead");
            return None;
        }
        listen::warn_of_unix_sockets(cf.log, core_conf(cf));
        let phases = &mut core_conf(cf).phases;
        let mut add = |phase: u32, handler: ngx_http_handler_pt| {
            let handlers = &mut phases.get_mut(usize::try_from(phase).ok()?)?.handlers;
            // SAFETY: each phase has an array of handlers, made by the core module.
            unsafe { push(handlers, handler) }
        };
        add(ngx_http_phases_NGX_HTTP_POST_READ_PHASE, Some(phases::post_read_handler))?;
        add(ngx_http_phases_NGX_HTTP_ACCESS_PHASE, Some(phases::access_handler))?;
        add(ngx_http_phases_NGX_HTTP_PRECONTENT_PHASE, Some(phases::precontent_handler))
    })
}

unsafe extern "C" fn filter_postconfiguration(cf: *mut ngx_conf_t) -> ngx_int_t {
    hook(|| {
        // SAFETY: nginx calls this with its configuration.
        if main_conf(unsafe { &mut *cf }).is_used() {
            super::faults::install_filters();
            chain::install(filter::apply);
        }
        Some(())
    })
}

/// # Safety
/// `array` is an array of T.
unsafe fn push<T>(array: &mut ngx_array_t, value: T) -> Option<()> {
    // SAFETY: by the caller's promise.
    unsafe {
        let place = ngx_array_push(array).cast::<T>();
        if place.is_null() {
            return None;
        }
        place.write(value);
    }
    Some(())
}

fn hook(body: impl FnOnce() -> Option<()>) -> ngx_int_t {
    let done = guard(None, body);
    if done.is_some() { NGX_OK as ngx_int_t } else { NGX_ERROR as ngx_int_t }
}

/// nginx has taken the configuration, all of it. A failure here would end it.
unsafe extern "C" fn init_module(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    hook(|| {
        begin(cycle)?;
        if !process::is_test() {
            // Without this nginx serves all the same.
            guard((), || realms_of(cycle).iter().for_each(|realm| realm.in_force()));
        }
        Some(())
    })
}

fn begin(cycle: *mut ngx_cycle_t) -> Option<()> {
    // SAFETY: nginx calls this with the cycle that it has configured, and us among its modules.
    unsafe {
        let Some(http) = http_of(cycle).as_ref() else { return Some(()) };
        let main = *http.main_conf.add(ngx_http_authgate_module.ctx_index);
        let main = main.cast::<MainConf>().as_mut()?;
        if main.is_used() {
            main.begin(http.main_conf);
        }
    }
    Some(())
}

unsafe extern "C" fn init_process(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    guard((), || start_worker(cycle));
    NGX_OK as ngx_int_t
}

fn start_worker(cycle: *mut ngx_cycle_t) {
    quiet_panics();
    let realms = realms_of(cycle);
    if process::takes_requests() && !realms.is_empty() {
        for realm in &realms {
            let started = guard(false, || {
                realm.start();
                true
            });
            if !started {
                // Whether its users are those of the other workers is not known.
                guard((), || live::is_outdated(realm));
            }
        }
        clock::every(TICK, tick);
    }
}

/// How often, in milliseconds, a worker looks at the files of its realms.
const TICK: ngx_msec_t = 250;

fn tick() {
    let realms = running_realms();
    for realm in &realms {
        guard((), || realm.tick());
    }
    clock::keep_worker(realms.iter().any(|realm| realm.checks.anyone_waits()));
}

/// The realms of the running configuration.
pub(crate) fn running_realms() -> Vec<Rc<Realm>> {
    // SAFETY: on the event loop ngx_cycle is the running cycle.
    realms_of(unsafe { ngx_cycle })
}

/// The realms of a cycle; none where it has no `http`, or does not know us.
fn realms_of(cycle: *mut ngx_cycle_t) -> Vec<Rc<Realm>> {
    // SAFETY: where the configuration that names us runs create_main_conf made ours.
    unsafe {
        let Some(http) = http_of(cycle).as_ref() else { return Vec::new() };
        if !chain::runs(http.main_conf) {
            return Vec::new();
        }
        let main = *http.main_conf.add(ngx_http_authgate_module.ctx_index);
        main.cast::<MainConf>().as_ref().map_or_else(Vec::new, |main| main.realms().to_vec())
    }
}

/// What a cycle says of `http`; null where it has none.
///
/// # Safety
/// `cycle` is configured: it has a place for the configuration of each of its modules.
unsafe fn http_of(cycle: *mut ngx_cycle_t) -> *const ngx_http_conf_ctx_t {
    // SAFETY: by the caller's promise.
    unsafe { (*(*cycle).conf_ctx.add((*addr_of!(ngx_http_module)).index)).cast() }
}
