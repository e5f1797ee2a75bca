//! The directives, as nginx reads them.

use super::entry::guard;
use super::log;
use super::module;
use super::request::bytes;
use crate::access::{Mode, Site};
use crate::realm::Realm;
use crate::verify::{Navigations, Verify};
use authgate_core::rules::{Rule, Rules};
use authgate_core::settings::Settings;
use ngx::core::{NGX_CONF_ERROR, NGX_CONF_OK, Pool};
use ngx::ffi::{ngx_command_t, ngx_conf_t, ngx_log_t, ngx_str_t};
use std::ffi::{c_char, c_void};
use std::fmt;
use std::ptr::null_mut;
use std::rc::Rc;

/// All realms, in the order of declaration.
#[derive(Default)]
pub(super) struct MainConf {
    realms: Vec<Rc<Realm>>,
}

/// What a server says: the realms that any of its locations names.
#[derive(Default)]
pub(crate) struct ServerConf {
    realms: Vec<Rc<Realm>>,
}

/// What a location says.
#[derive(Default)]
pub(crate) struct LocationConf {
    authgate: Option<Directive>,
    require: Option<Require>,
    dry_run: Option<bool>,
    endpoints: Option<Directive>,
    status: Option<Directive>,
    verify: Option<(Directive, Navigations)>,
    /// The realm of `authgate_status`, found.
    insight: Option<Rc<Realm>>,
    gate: Option<Gate>,
    verifier: Option<(Gate, Navigations)>,
}

/// The directives `authgate_require` of one level, and where the first of them stands.
#[derive(Clone)]
struct Require {
    rules: Rules,
    place: Place,
}

/// What holds at a location, inherited or not.
struct Gate {
    realm: Rc<Realm>,
    mode: Mode,
    rules: Rules,
}

/// `authgate NAME [optional]` or `off`, and where it stands.
#[derive(Clone)]
struct Directive {
    /// `None`: off.
    realm: Option<String>,
    mode: Mode,
    place: Place,
}

/// A line of the configuration.
#[derive(Clone, Default)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl MainConf {
    pub(super) fn realms(&self) -> &[Rc<Realm>] {
        &self.realms
    }

    pub(super) fn add(&mut self, realm: Rc<Realm>) {
        self.realms.push(realm);
    }

    pub(super) fn find(&self, name: &str) -> Option<Rc<Realm>> {
        self.realms.iter().find(|realm| realm.settings.name == name).cloned()
    }
}

impl ServerConf {
    /// The realms of the server.
    pub(crate) fn realms(&self) -> &[Rc<Realm>] {
        &self.realms
    }
}

impl Gate {
    fn site(&self) -> Site<'_> {
        Site { realm: &self.realm, mode: self.mode, rules: &self.rules }
    }
}

impl LocationConf {
    /// The gate of the location, where it has one.
    pub(crate) fn site(&self) -> Option<Site<'_>> {
        self.gate.as_ref().map(Gate::site)
    }

    /// What the location verifies for others.
    pub(crate) fn verify(&self) -> Option<Verify<'_>> {
        let (gate, navigations) = self.verifier.as_ref()?;
        Some(Verify { site: gate.site(), navigations: *navigations })
    }

    /// The realm that the location shows.
    pub(crate) fn insight(&self) -> Option<&Realm> {
        self.insight.as_deref()
    }

    /// Whether the location has a gate.
    pub(crate) fn is_gated(&self) -> bool {
        self.gate.is_some()
    }
}

/// Makes an empty configuration, dropped with nginx's pool.
pub(super) unsafe extern "C" fn create<T: Default>(cf: *mut ngx_conf_t) -> *mut c_void {
    guard(null_mut(), || {
        // SAFETY: nginx calls this with its configuration and a live pool.
        unsafe { Pool::from_ngx_pool((*cf).pool).allocate(T::default()).cast() }
    })
}

/// `authgate NAME [optional]` or `authgate off`
pub(super) unsafe extern "C" fn authgate(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    directive(cf, |cf| {
        // SAFETY: the directive's conf is that of the location (NGX_HTTP_LOC_CONF_OFFSET).
        let conf = unsafe { &mut *conf.cast::<LocationConf>() };
        if conf.authgate.is_some() {
            return Err(duplicate("authgate"));
        }
        let arguments = arguments(cf)?;
        let arguments: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
        let (realm, mode) = match arguments.as_slice() {
            ["off"] => (None, Mode::Required),
            ["off", second] => return Err(invalid_parameter(second, "authgate")),
            [name] => (Some((*name).to_owned()), Mode::Required),
            [name, "optional"] => (Some((*name).to_owned()), Mode::Optional),
            [.., last] => return Err(invalid_parameter(last, "authgate")),
            [] => return Err("invalid number of arguments".into()),
        };
        conf.authgate = Some(Directive { realm, mode, place: place(cf) });
        Ok(())
    })
}

fn invalid_parameter(parameter: &str, directive: &str) -> String {
    format!("invalid parameter \"{parameter}\" in \"{directive}\" directive")
}

/// `authgate_endpoints NAME`
pub(super) unsafe extern "C" fn authgate_endpoints(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    directive(cf, |cf| {
        // SAFETY: the directive's conf is that of the location (NGX_HTTP_LOC_CONF_OFFSET).
        let conf = unsafe { &mut *conf.cast::<LocationConf>() };
        name_realm(cf, &mut conf.endpoints)
    })
}

/// Takes a directive that names a realm and nothing else.
fn name_realm(cf: &ngx_conf_t, slot: &mut Option<Directive>) -> Result<(), String> {
    let (directive, realm) = (argument(cf, 0)?, argument(cf, 1)?);
    if slot.is_some() {
        return Err(duplicate(&directive));
    }
    *slot = Some(Directive { realm: Some(realm), mode: Mode::Required, place: place(cf) });
    Ok(())
}

/// `authgate_status NAME`
pub(super) unsafe extern "C" fn authgate_status(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    directive(cf, |cf| {
        // SAFETY: the directive's conf is that of the location (NGX_HTTP_LOC_CONF_OFFSET).
        let conf = unsafe { &mut *conf.cast::<LocationConf>() };
        name_realm(cf, &mut conf.status)
    })
}

/// `authgate_verify NAME [redirect]`
pub(super) unsafe extern "C" fn authgate_verify(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    directive(cf, |cf| {
        // SAFETY: the directive's conf is that of the location (NGX_HTTP_LOC_CONF_OFFSET).
        let conf = unsafe { &mut *conf.cast::<LocationConf>() };
        let mut named = None;
        if conf.verify.is_none() {
            name_realm(cf, &mut named)?;
        }
        let Some(named) = named else { return Err(duplicate("authgate_verify")) };
        let navigations = match arguments(cf)?.get(2).map(String::as_str) {
            None => Navigations::Refused,
            Some("redirect") => Navigations::Redirected,
            Some(other) => return Err(invalid_parameter(other, "authgate_verify")),
        };
        conf.verify = Some((named, navigations));
        Ok(())
    })
}

/// `authgate_require [user=NAMES] [group=NAMES]`
pub(super) unsafe extern "C" fn authgate_require(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    directive(cf, |cf| {
        // SAFETY: the directive's conf is that of the location (NGX_HTTP_LOC_CONF_OFFSET).
        let conf = unsafe { &mut *conf.cast::<LocationConf>() };
        let arguments = arguments(cf)?;
        let arguments: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
        let rule = Rule::parse(&arguments).map_err(|error| error.to_string())?;
        let require = conf
            .require
            .get_or_insert_with(|| Require { rules: Rules::default(), place: place(cf) });
        require.rules.0.push(rule);
        Ok(())
    })
}

/// `authgate_dry_run on` or `off`
pub(super) unsafe extern "C" fn authgate_dry_run(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    directive(cf, |cf| {
        // SAFETY: the directive's conf is that of the location (NGX_HTTP_LOC_CONF_OFFSET).
        let conf = unsafe { &mut *conf.cast::<LocationConf>() };
        let on = match argument(cf, 1)?.as_str() {
            "on" => true,
            "off" => false,
            other => return Err(invalid_parameter(other, "authgate_dry_run")),
        };
        if conf.dry_run.replace(on).is_some() {
            return Err(duplicate("authgate_dry_run"));
        }
        if on {
            let text = format!("\"authgate_dry_run\" is on, nobody is refused in {}", place(cf));
            log::conf_warn(cf.log, &text);
        }
        Ok(())
    })
}

fn duplicate(directive: &str) -> String {
    format!("\"{directive}\" directive is duplicate")
}

/// A location takes over what it does not say itself, and the server learns of its realm.
pub(super) unsafe extern "C" fn merge_location(
    cf: *mut ngx_conf_t,
    parent: *mut c_void,
    child: *mut c_void,
) -> *mut c_char {
    directive(cf, |cf| {
        // SAFETY: nginx calls this with two configurations that `create` made.
        let (parent, child) =
            unsafe { (&*parent.cast::<LocationConf>(), &mut *child.cast::<LocationConf>()) };
        child.check_neighbours(cf)?;
        if let Some(status) = &child.status {
            child.insight = find_realm(cf, status)?;
        }
        let own = child.require.is_some();
        child.inherit(parent);
        let alone = child.endpoints.as_ref().or(child.verify.as_ref().map(|(verify, _)| verify));
        match alone {
            Some(directive) => {
                let gate = child.gate_of(cf, directive)?;
                child.verifier = child.verify.as_ref().zip(gate).map(|((_, to), gate)| (gate, *to));
            }
            None => {
                let authgate = child.authgate.clone();
                child.gate = match &authgate {
                    Some(authgate) => child.gate_of(cf, authgate)?,
                    None => None,
                };
            }
        }
        match (&child.require, child.holds()) {
            // What is inherited ends with `off`; what stands here would say nothing.
            (Some(require), false) if own => {
                Err(say_at(cf.log, NOTHING_TO_REQUIRE, &require.place))
            }
            _ => Ok(()),
        }
    })
}

const NOTHING_TO_REQUIRE: &str =
    "\"authgate_require\" needs \"authgate\" with a realm in the same place or above";
const OPTIONAL: &str = "\"authgate_require\" cannot hold where \"authgate\" is \"optional\"";

impl LocationConf {
    /// Directives that a location has for itself.
    fn check_neighbours(&self, cf: &ngx_conf_t) -> Result<(), String> {
        let verify = self.verify.as_ref().map(|(verify, _)| verify);
        let gated = matches!(&self.authgate, Some(Directive { realm: Some(_), .. }));
        let alone = [("authgate_endpoints", self.endpoints.as_ref()), ("authgate_verify", verify)];
        for (name, directive) in alone {
            if let Some(directive) = directive.filter(|_| gated) {
                let mistake =
                    format!("\"{name}\" cannot stand beside \"authgate\" in one location");
                return Err(say_at(cf.log, &mistake, &directive.place));
            }
        }
        let endpoints = self.endpoints.as_ref().map(|_| "authgate_endpoints");
        let status = self.status.as_ref().map(|_| "authgate_status");
        match (verify, endpoints.or(status)) {
            (Some(verify), Some(other)) => {
                let mistake =
                    format!("\"authgate_verify\" cannot stand beside \"{other}\" in one location");
                Err(say_at(cf.log, &mistake, &verify.place))
            }
            _ => Ok(()),
        }
    }

    /// What `http` says itself, which nginx merges with nothing.
    pub(super) fn check_outermost(&self, cf: &ngx_conf_t) -> Result<(), String> {
        let gated = matches!(&self.authgate, Some(Directive { realm: Some(_), .. }));
        match &self.require {
            Some(require) if !gated => Err(say_at(cf.log, NOTHING_TO_REQUIRE, &require.place)),
            _ => Ok(()),
        }
    }

    /// Also for locations nested in one that is there for itself.
    fn inherit(&mut self, parent: &Self) {
        if self.authgate.is_none() {
            self.authgate.clone_from(&parent.authgate);
        }
        if self.require.is_none() {
            self.require.clone_from(&parent.require);
        }
        self.dry_run = self.dry_run.or(parent.dry_run);
    }

    /// What holds here by a directive that names a realm; `None` where it says `off`.
    fn gate_of(&self, cf: &mut ngx_conf_t, directive: &Directive) -> Result<Option<Gate>, String> {
        let Some(realm) = use_realm(cf, directive)? else { return Ok(None) };
        let mode = match (directive.mode, self.dry_run) {
            (Mode::Optional, _) => Mode::Optional,
            (_, Some(true)) => Mode::DryRun,
            (mode, _) => mode,
        };
        if let Some(require) = self.require.as_ref().filter(|_| mode == Mode::Optional) {
            return Err(say_at(cf.log, OPTIONAL, &require.place));
        }
        let rules = self.require.as_ref().map_or_else(Rules::default, |it| it.rules.clone());
        Ok(Some(Gate { realm, mode, rules }))
    }

    /// Whether somebody is asked here who he is.
    fn holds(&self) -> bool {
        self.gate.is_some() || self.verifier.is_some()
    }
}

/// Finds the realm that a directive names; `None` where it says `off`.
fn find_realm(cf: &mut ngx_conf_t, directive: &Directive) -> Result<Option<Rc<Realm>>, String> {
    let Some(name) = &directive.realm else { return Ok(None) };
    let realm = module::main_conf(cf).find(name);
    let unknown = || say_at(cf.log, &format!("unknown realm \"{name}\""), &directive.place);
    realm.map(Some).ok_or_else(unknown)
}

/// Finds the realm that a directive names and makes the server answer for it.
fn use_realm(cf: &mut ngx_conf_t, directive: &Directive) -> Result<Option<Rc<Realm>>, String> {
    let Some(realm) = find_realm(cf, directive)? else { return Ok(None) };
    let log = cf.log;
    let server = module::merged_server_conf(cf);
    if server.realms.iter().any(|other| Rc::ptr_eq(other, &realm)) {
        return Ok(Some(realm));
    }
    let other = server.realms.iter().find(|other| collide(&other.settings, &realm.settings));
    if let Some(other) = other {
        let (other, name) = (&other.settings.name, &realm.settings.name);
        let mistake = format!("realms \"{other}\" and \"{name}\" {COLLISION}");
        return Err(say_at(log, &mistake, &directive.place));
    }
    server.realms.push(Rc::clone(&realm));
    Ok(Some(realm))
}

const COLLISION: &str = "in one server have the same cookie name or overlapping paths";

fn collide(a: &Settings, b: &Settings) -> bool {
    let paths = a.path.starts_with(&b.path) || b.path.starts_with(&a.path);
    paths || a.cookie.collides_with(&b.cookie)
}

/// Runs a directive's handler; what it says is wrong is told as nginx tells it. An empty text: it
/// has been told.
pub(super) fn directive(
    cf: *mut ngx_conf_t,
    handler: impl FnOnce(&mut ngx_conf_t) -> Result<(), String>,
) -> *mut c_char {
    guard(NGX_CONF_ERROR, || {
        // SAFETY: nginx calls directive handlers with its configuration.
        let cf = unsafe { &mut *cf };
        match handler(cf) {
            Ok(()) => NGX_CONF_OK,
            Err(mistake) if mistake.is_empty() => NGX_CONF_ERROR,
            Err(mistake) => {
                let _ = say_at(cf.log, &mistake, &place(cf));
                NGX_CONF_ERROR
            }
        }
    })
}

/// Tells a mistake with its line; gives the empty text that means so.
pub(super) fn say_at(log: *mut ngx_log_t, mistake: &str, place: &Place) -> String {
    log::emerg(log, &format!("{mistake} in {place}"));
    String::new()
}

/// The line that nginx is reading.
pub(super) fn place(cf: &ngx_conf_t) -> Place {
    // SAFETY: conf_file is null or the file being read.
    match unsafe { cf.conf_file.as_ref() } {
        None => Place::default(),
        Some(file) => Place {
            file: String::from_utf8_lossy(bytes(file.file.name)).into_owned(),
            line: file.line,
        },
    }
}

pub(super) fn argument(cf: &ngx_conf_t, index: usize) -> Result<String, String> {
    let argument = arguments(cf)?.into_iter().nth(index);
    argument.ok_or_else(|| "invalid number of arguments".into())
}

/// The words of the directive being read, its name first.
pub(super) fn arguments(cf: &ngx_conf_t) -> Result<Vec<String>, String> {
    // SAFETY: args is an array of strings while a directive is handled.
    let words = unsafe { (*cf.args).as_slice::<ngx_str_t>() };
    let text = |word: &ngx_str_t| str::from_utf8(bytes(*word)).map(str::to_owned);
    words.iter().map(text).collect::<Result<_, _>>().map_err(|_| "argument is not UTF-8".into())
}
