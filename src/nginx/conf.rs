//! The directives, as nginx reads them.

use super::entry::guard;
use super::log;
use super::module;
use super::request::bytes;
use super::zone::Zone;
use crate::access::{Mode, Site};
use crate::files;
use crate::realm::Realm;
use authgate_core::settings::{Builder, Settings};
use ngx::core::{NGX_CONF_ERROR, NGX_CONF_OK, Pool};
use ngx::ffi::{
    NGX_OK, ngx_command_t, ngx_conf_full_name, ngx_conf_include, ngx_conf_parse, ngx_conf_t,
    ngx_int_t, ngx_log_t, ngx_str_t, ngx_thread_pool_add,
};
use std::collections::HashMap;
use std::ffi::{c_char, c_void};
use std::path::PathBuf;
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
    endpoints: Option<Directive>,
    gate: Option<(Rc<Realm>, Mode)>,
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
struct Place {
    file: String,
    line: usize,
}

impl MainConf {
    pub(super) fn realms(&self) -> &[Rc<Realm>] {
        &self.realms
    }

    fn find(&self, name: &str) -> Option<Rc<Realm>> {
        self.realms.iter().find(|realm| realm.settings.name == name).cloned()
    }
}

impl ServerConf {
    /// The realms of the server.
    pub(crate) fn realms(&self) -> &[Rc<Realm>] {
        &self.realms
    }
}

impl LocationConf {
    /// The gate of the location, where it has one.
    pub(crate) fn site(&self) -> Option<Site<'_>> {
        self.gate.as_ref().map(|(realm, mode)| Site { realm, mode: *mode })
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

/// `authgate_realm NAME { … }`
pub(super) unsafe extern "C" fn realm_block(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    _conf: *mut c_void,
) -> *mut c_char {
    directive(cf, |cf| {
        let name = argument(cf, 1)?;
        if module::main_conf(cf).find(&name).is_some() {
            return Err(format!("duplicate realm \"{name}\""));
        }
        let builder = Builder::new(&name).map_err(|error| error.to_string())?;
        let mut block = Block { builder, places: HashMap::new(), pool_added: false };
        parse_block(cf, &mut block)?;
        add_realm(cf, block)
    })
}

/// A realm's block while it is read.
struct Block {
    builder: Builder,
    places: HashMap<&'static str, Place>,
    pool_added: bool,
}

impl Block {
    fn place(&self, directive: &str, cf: &ngx_conf_t) -> Place {
        self.places.get(directive).cloned().unwrap_or_else(|| place(cf))
    }
}

fn parse_block(cf: &mut ngx_conf_t, block: &mut Block) -> Result<(), String> {
    let (handler, handler_conf) = (cf.handler, cf.handler_conf);
    cf.handler = Some(inside_block);
    cf.handler_conf = std::ptr::from_mut(block).cast();
    // SAFETY: nginx parses up to the end of the block and calls `inside_block` for each directive.
    let result = unsafe { ngx_conf_parse(cf, null_mut()) };
    cf.handler = handler;
    cf.handler_conf = handler_conf;
    // The parser has said what is wrong.
    if result == NGX_CONF_OK { Ok(()) } else { Err(String::new()) }
}

unsafe extern "C" fn inside_block(
    cf: *mut ngx_conf_t,
    command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    directive(cf, |cf| {
        // SAFETY: `parse_block` has set this.
        let block = unsafe { &mut *conf.cast::<Block>() };
        let arguments = arguments(cf)?;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match arguments.as_slice() {
            ["include", _] => include(cf, command, conf),
            [name, arguments @ ..] => take(cf, block, name, arguments),
            [] => Ok(()),
        }
    })
}

fn include(
    cf: &mut ngx_conf_t,
    command: *mut ngx_command_t,
    conf: *mut c_void,
) -> Result<(), String> {
    // SAFETY: nginx's own handler of `include`, called as it calls it, in the middle of parsing.
    let result = unsafe { ngx_conf_include(cf, command, conf) };
    if result == NGX_CONF_OK { Ok(()) } else { Err(String::new()) }
}

fn take(
    cf: &mut ngx_conf_t,
    block: &mut Block,
    name: &str,
    arguments: &[&str],
) -> Result<(), String> {
    let directive = block.builder.directive(name, arguments).map_err(|error| error.to_string())?;
    block.places.insert(directive, place(cf));
    if directive == "checks"
        && let Some(pool) = arguments.iter().find_map(|argument| argument.strip_prefix("pool="))
    {
        block.pool_added = true;
        // Here, so that nginx names this line where no such pool is declared.
        return add_pool(cf, pool);
    }
    Ok(())
}

fn add_pool(cf: &mut ngx_conf_t, name: &str) -> Result<(), String> {
    // SAFETY: the name is copied to the configuration's pool, where nginx keeps it.
    unsafe {
        let name = ngx_str_t::from_bytes(cf.pool, name.as_bytes());
        let mut name = name.ok_or_else(|| "no memory".to_owned())?;
        let pool = ngx_thread_pool_add(cf, &raw mut name);
        if pool.is_null() { Err("thread pool cannot be used".into()) } else { Ok(()) }
    }
}

fn add_realm(cf: &mut ngx_conf_t, block: Block) -> Result<(), String> {
    let (users, keys) = (block.place("users", cf), block.place("keys", cf));
    if !block.pool_added {
        add_pool(cf, "default")?;
    }
    let settings = block.builder.finish().map_err(|error| error.to_string())?;
    let realm = load(cf, settings, users, keys)?;
    let realm = Rc::new(realm);
    if !Zone::declare(cf, &realm) {
        return Err(String::new());
    }
    module::main_conf(cf).realms.push(realm);
    Ok(())
}

/// Reads the files of a realm; their mistakes are told with the directive that names them.
fn load(
    cf: &mut ngx_conf_t,
    settings: Settings,
    users_place: Place,
    keys_place: Place,
) -> Result<Realm, String> {
    let users_path = full_path(cf, &settings.users_file)?;
    let users = files::users(&users_path, settings.allow_weak);
    let users = users.map_err(|mistake| say_at(cf.log, &mistake, &users_place))?;
    let keys = match &settings.keys_file {
        None => None,
        Some(file) => {
            let keys = files::keys(&full_path(cf, file)?);
            Some(keys.map_err(|mistake| say_at(cf.log, &mistake, &keys_place))?)
        }
    };
    let readable = Box::new(move || {
        files::readable_by_workers(&users_path)
            .map_err(|mistake| format!("{mistake} in {}:{}", users_place.file, users_place.line))
    });
    Ok(Realm::new(settings, users, keys, readable))
}

fn full_path(cf: &mut ngx_conf_t, name: &str) -> Result<PathBuf, String> {
    // SAFETY: nginx replaces a relative name by one in the configuration's folder, in its pool.
    unsafe {
        let copy = ngx_str_t::from_bytes(cf.pool, format!("{name}\0").as_bytes());
        let mut full = copy.ok_or_else(|| "no memory".to_owned())?;
        full.len -= 1;
        if ngx_conf_full_name(cf.cycle, &raw mut full, 1) != NGX_OK as ngx_int_t {
            return Err("no memory".into());
        }
        let text = str::from_utf8(bytes(full)).map_err(|_| "file name is not UTF-8".to_owned())?;
        Ok(PathBuf::from(text))
    }
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
            return Err("\"authgate\" directive is duplicate".into());
        }
        let arguments = arguments(cf)?;
        let arguments: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
        let (realm, mode) = match arguments.as_slice() {
            ["off"] => (None, Mode::Required),
            ["off", second] => return Err(invalid_parameter(second)),
            [name] => (Some((*name).to_owned()), Mode::Required),
            [name, "optional"] => (Some((*name).to_owned()), Mode::Optional),
            [.., last] => return Err(invalid_parameter(last)),
            [] => return Err("invalid number of arguments".into()),
        };
        conf.authgate = Some(Directive { realm, mode, place: place(cf) });
        Ok(())
    })
}

fn invalid_parameter(parameter: &str) -> String {
    format!("invalid parameter \"{parameter}\" in \"authgate\" directive")
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
        if conf.endpoints.is_some() {
            return Err("\"authgate_endpoints\" directive is duplicate".into());
        }
        let realm = Some(argument(cf, 1)?);
        conf.endpoints = Some(Directive { realm, mode: Mode::Required, place: place(cf) });
        Ok(())
    })
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
        if let (Some(endpoints), Some(Directive { realm: Some(_), .. })) =
            (&child.endpoints, &child.authgate)
        {
            let mistake = "\"authgate_endpoints\" cannot stand beside \"authgate\" in one location";
            return Err(say_at(cf.log, mistake, &endpoints.place));
        }
        if child.authgate.is_none() {
            // Also for locations nested in one with authgate_endpoints.
            child.authgate.clone_from(&parent.authgate);
        }
        if let Some(endpoints) = &child.endpoints {
            use_realm(cf, endpoints)?;
            return Ok(());
        }
        child.gate = match &child.authgate {
            None => None,
            Some(authgate) => use_realm(cf, authgate)?.map(|realm| (realm, authgate.mode)),
        };
        Ok(())
    })
}

/// Finds the realm that a directive names and makes the server answer for it.
fn use_realm(cf: &mut ngx_conf_t, directive: &Directive) -> Result<Option<Rc<Realm>>, String> {
    let Some(name) = &directive.realm else { return Ok(None) };
    let Some(realm) = module::main_conf(cf).find(name) else {
        return Err(say_at(cf.log, &format!("unknown realm \"{name}\""), &directive.place));
    };
    let log = cf.log;
    let server = module::merged_server_conf(cf);
    if server.realms.iter().any(|other| Rc::ptr_eq(other, &realm)) {
        return Ok(Some(realm));
    }
    let other = server.realms.iter().find(|other| collide(&other.settings, &realm.settings));
    if let Some(other) = other {
        let other = &other.settings.name;
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
fn directive(
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
fn say_at(log: *mut ngx_log_t, mistake: &str, place: &Place) -> String {
    log::emerg(log, &format!("{mistake} in {}:{}", place.file, place.line));
    String::new()
}

/// The line that nginx is reading.
fn place(cf: &ngx_conf_t) -> Place {
    // SAFETY: conf_file is null or the file being read.
    match unsafe { cf.conf_file.as_ref() } {
        None => Place::default(),
        Some(file) => Place {
            file: String::from_utf8_lossy(bytes(file.file.name)).into_owned(),
            line: file.line,
        },
    }
}

fn argument(cf: &ngx_conf_t, index: usize) -> Result<String, String> {
    let argument = arguments(cf)?.into_iter().nth(index);
    argument.ok_or_else(|| "invalid number of arguments".into())
}

/// The words of the directive being read, its name first.
fn arguments(cf: &ngx_conf_t) -> Result<Vec<String>, String> {
    // SAFETY: args is an array of strings while a directive is handled.
    let words = unsafe { (*cf.args).as_slice::<ngx_str_t>() };
    let text = |word: &ngx_str_t| str::from_utf8(bytes(*word)).map(str::to_owned);
    words.iter().map(text).collect::<Result<_, _>>().map_err(|_| "argument is not UTF-8".into())
}
