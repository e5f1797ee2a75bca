//! What nginx loads: two modules, their directives and their place among the others.
//!
//! nginx orders access handlers and header filters by the order of modules, and one module cannot
//! stand in both right places: the gate asks last in the access phase, behind `allow`, `deny`,
//! `auth_basic` and `auth_request`; the filter sees the response header last, but for the writer.

#![allow(unsafe_code, reason = "nginx finds these tables by their names, and calls what they name")]

use crate::conf::directives::{
    authgate, authgate_dry_run, authgate_endpoints, authgate_metrics, authgate_require,
    authgate_status, authgate_verify,
};
use crate::conf::location::LocationConf;
use crate::conf::realm_block::realm_block;
use crate::conf::{HttpConf, ServerConf, unix_sockets};
use crate::nginx::carried::Carried;
use crate::nginx::chain::Apply;
use crate::nginx::config::{Config, Mistake};
use crate::nginx::hooks::{self, Hooks, InHttp, InLocation};
use crate::nginx::phase::Handler;
use crate::nginx::request::Request;
use crate::nginx::variables::Value;
use crate::own::{self, Authgate};
use crate::realm::Realm;
use crate::visit::Visit;
use crate::{access, filter, login, variables, worker};
use ngx::ffi::{
    NGX_CONF_1MORE, NGX_CONF_BLOCK, NGX_CONF_NOARGS, NGX_CONF_TAKE1, NGX_CONF_TAKE12,
    NGX_HTTP_LIF_CONF, NGX_HTTP_LMT_CONF, NGX_HTTP_LOC_CONF, NGX_HTTP_MAIN_CONF, NGX_HTTP_MODULE,
    NGX_HTTP_SRV_CONF, NGX_RS_MODULE_SIGNATURE, nginx_version, ngx_command_t, ngx_http_module_t,
    ngx_module_t, ngx_str_t, ngx_uint_t,
};
use std::ptr::{addr_of, addr_of_mut, null_mut};

static mut COMMANDS: [ngx_command_t; 9] = [
    hooks::in_http(
        ngx::ngx_string!("authgate_realm"),
        NGX_HTTP_MAIN_CONF | NGX_CONF_BLOCK | NGX_CONF_TAKE1,
        &(realm_block as InHttp),
    ),
    in_location(ngx::ngx_string!("authgate"), EVERYWHERE | NGX_CONF_TAKE12, &(authgate as Set)),
    in_location(
        ngx::ngx_string!("authgate_require"),
        EVERYWHERE | NGX_CONF_1MORE,
        &(authgate_require as Set),
    ),
    in_location(
        ngx::ngx_string!("authgate_dry_run"),
        EVERYWHERE | NGX_CONF_TAKE1,
        &(authgate_dry_run as Set),
    ),
    in_location(
        ngx::ngx_string!("authgate_endpoints"),
        NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1,
        &(authgate_endpoints as Set),
    ),
    in_location(
        ngx::ngx_string!("authgate_verify"),
        NGX_HTTP_LOC_CONF | NGX_CONF_TAKE12,
        &(authgate_verify as Set),
    ),
    in_location(
        ngx::ngx_string!("authgate_status"),
        NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1,
        &(authgate_status as Set),
    ),
    in_location(
        ngx::ngx_string!("authgate_metrics"),
        NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS,
        &(authgate_metrics as Set),
    ),
    ngx_command_t::empty(),
];

type Set = InLocation<Authgate>;

const fn in_location(name: ngx_str_t, place: u32, set: &'static Set) -> ngx_command_t {
    hooks::in_location::<Authgate>(name, place, set)
}

/// Where a gate may stand.
const EVERYWHERE: u32 = NGX_HTTP_MAIN_CONF
    | NGX_HTTP_SRV_CONF
    | NGX_HTTP_LOC_CONF
    | NGX_HTTP_LIF_CONF
    | NGX_HTTP_LMT_CONF;

static GATE_CONTEXT: ngx_http_module_t = hooks::gate_context::<Authgate>();
static FILTER_CONTEXT: ngx_http_module_t = hooks::filter_context::<Authgate>();

// SAFETY: Authgate alone is Carried; nginx has the module with the context and the commands that `hooks` makes.
unsafe impl Carried for Authgate {
    type Http = HttpConf;
    type Server = ServerConf;
    type Location = LocationConf;
    type Visit<'r> = Visit<'r>;
    type Owner = Realm;

    fn module() -> *const ngx_module_t {
        addr_of!(ngx_http_authgate_module)
    }

    fn remote_user(request: Request<'_>) -> Option<Option<String>> {
        own::location(request).judge().map(|_| variables::user(request))
    }
}

impl Hooks for Authgate {
    const VARIABLES: &'static [(&'static str, Value)] = &variables::VARIABLES;
    const POST_READ: Handler = login::post_read;
    const ACCESS: Handler = access::access;
    const PRECONTENT: Handler = login::precontent;
    const HEADER: Apply = filter::apply;

    fn check_outermost(outermost: &LocationConf) -> Result<(), Mistake> {
        outermost.check_outermost()
    }

    fn warn(config: &Config<'_>) {
        unix_sockets::warn(config);
    }

    fn take_effect(http: &HttpConf) {
        worker::take_effect(http);
    }

    fn begin_worker(http: &HttpConf) {
        worker::begin(http);
    }
}

/// The gate.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "nginx's name for it")]
pub(crate) static mut ngx_http_authgate_module: ngx_module_t = ngx_module_t {
    ctx: addr_of!(GATE_CONTEXT).cast_mut().cast(),
    commands: addr_of_mut!(COMMANDS).cast(),
    init_module: Some(hooks::init_module::<Authgate>),
    init_process: Some(hooks::init_process::<Authgate>),
    ..MODULE
};

/// The response header filter.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "nginx's name for it")]
pub(crate) static mut ngx_http_authgate_filter_module: ngx_module_t =
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
