//! The configuration of `http` and of each server, and what all directives share.

use super::chain::{self, Confs};
use super::entry::guard;
use super::location::Directive;
use super::log;
use super::pool::fits_pool;
use super::server_names;
use super::text::bytes;
use super::{module, process};
use crate::realm::Realm;
use authgate_core::cookie::GateCookies;
use authgate_core::hosts::Hosts;
use authgate_core::settings::{Accept, Settings};
use ngx::core::{NGX_CONF_ERROR, NGX_CONF_OK};
use ngx::ffi::{ngx_conf_t, ngx_http_get_variable_pt, ngx_log_t, ngx_pool_cleanup_add, ngx_str_t};
use std::ffi::{c_char, c_void};
use std::fmt;
use std::ptr::null_mut;
use std::rc::Rc;

/// All realms, in the order of declaration.
#[derive(Default)]
pub(super) struct MainConf {
    realms: Vec<Rc<Realm>>,
    /// Whether any location shows the metrics.
    pub(super) metrics: bool,
    /// nginx's own handler of `$remote_user`, for locations without a gate. Here, since a reload that fails
    /// may have another module's, which nginx then unloads.
    pub(super) unverified: ngx_http_get_variable_pt,
    /// Where nginx keeps this one among those of all modules, once it runs.
    among: Option<Confs>,
}

impl Drop for MainConf {
    fn drop(&mut self) {
        process::forget_cycle();
        self.among.into_iter().for_each(chain::end);
    }
}

/// What a server says: the realms that any of its locations names.
#[derive(Default)]
pub(crate) struct ServerConf {
    realms: Vec<Rc<Realm>>,
    names: Hosts,
    cookies: GateCookies,
    accepts: Option<Accept>,
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

    /// Whether there is anything to do at all.
    pub(super) fn is_used(&self) -> bool {
        self.metrics || !self.realms.is_empty()
    }

    /// nginx has taken the configuration.
    pub(super) fn begin(&mut self, among: Confs) {
        self.among = Some(among);
        chain::begin(among);
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

    /// The cookies of all its realms.
    pub(crate) fn cookies(&self) -> &GateCookies {
        &self.cookies
    }

    /// What any of its realms accepts.
    pub(crate) fn accepts(&self) -> Option<Accept> {
        self.accepts
    }

    fn add(&mut self, realm: &Rc<Realm>) {
        let accept = realm.settings.accept;
        self.accepts = Some(self.accepts.map_or(accept, |others| others.and(accept)));
        self.cookies.add(&realm.settings.cookie);
        self.realms.push(Rc::clone(realm));
    }

    /// The names of the server, regular expressions left out.
    pub(crate) fn names(&self) -> &Hosts {
        &self.names
    }
}

/// Makes an empty configuration, dropped with nginx's pool.
pub(super) unsafe extern "C" fn create<T: Default>(cf: *mut ngx_conf_t) -> *mut c_void {
    const { assert!(fits_pool::<T>()) }
    guard(null_mut(), || {
        // SAFETY: nginx calls this with its configuration and a live pool. The record has room for
        // a T, aligned as all of the pool's memory, which `drop_conf` drops once.
        unsafe {
            // ngx's Pool::allocate writes to its memory even where it has got none.
            let Some(record) = ngx_pool_cleanup_add((*cf).pool, size_of::<T>()).as_mut() else {
                return null_mut();
            };
            record.data.cast::<T>().write(T::default());
            record.handler = Some(drop_conf::<T>);
            record.data
        }
    })
}

unsafe extern "C" fn drop_conf<T>(conf: *mut c_void) {
    // SAFETY: nginx calls this once, with the data of a record that `create` has filled.
    guard((), || unsafe { conf.cast::<T>().drop_in_place() });
}

/// Finds the realm that a directive names; `None` where it says `off`.
pub(super) fn find_realm(
    cf: &mut ngx_conf_t,
    directive: &Directive,
) -> Result<Option<Rc<Realm>>, String> {
    let Some(name) = &directive.realm else { return Ok(None) };
    let realm = module::main_conf(cf).find(name);
    let unknown = || say_at(cf.log, &format!("unknown realm \"{name}\""), &directive.place);
    realm.map(Some).ok_or_else(unknown)
}

/// Finds the realm that a directive names and makes the server answer for it.
pub(super) fn use_realm(
    cf: &mut ngx_conf_t,
    directive: &Directive,
) -> Result<Option<Rc<Realm>>, String> {
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
    server.add(&realm);
    let names = server_names::read(cf);
    module::merged_server_conf(cf).names = names;
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
            // SAFETY: nginx has the name in its memory while it reads the file.
            file: String::from_utf8_lossy(unsafe { bytes(file.file.name) }).into_owned(),
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
    // SAFETY: as above, each with its text.
    let text = |word: &ngx_str_t| str::from_utf8(unsafe { bytes(*word) }).map(str::to_owned);
    words.iter().map(text).collect::<Result<_, _>>().map_err(|_| "argument is not UTF-8".into())
}
