//! `authgate_realm NAME { … }`: nginx reads the block, the core makes settings of it.

use super::conf::{Place, argument, arguments, directive, place, say_at};
use super::log;
use super::module;
use super::text::bytes;
use super::zone::Zone;
use crate::files;
use crate::live::Watched;
use crate::own::Authgate;
use crate::realm::Realm;
use crate::state::State;
use crate::users::{Both, Loaded, UsersFiles};
use authgate_core::keyring::Keys;
use authgate_core::settings::{Builder, Settings};
use ngx::core::NGX_CONF_OK;
use ngx::ffi::{
    NGX_OK, ngx_command_t, ngx_conf_full_name, ngx_conf_include, ngx_conf_parse, ngx_conf_t,
    ngx_int_t, ngx_str_t, ngx_thread_pool_add,
};
use std::collections::HashMap;
use std::ffi::{c_char, c_void};
use std::path::PathBuf;
use std::ptr::null_mut;
use std::rc::Rc;

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
        // Before the first hash table asks for them, which would panic.
        getrandom::fill(&mut [0]).map_err(|error| format!("no random bytes: {error}"))?;
        let builder = Builder::new(&name).map_err(|error| error.to_string())?;
        let mut block = Block { builder, places: HashMap::new() };
        parse_block(cf, &mut block)?;
        add_realm(cf, block)
    })
}

/// A realm's block while it is read.
struct Block {
    builder: Builder,
    places: Directives,
}

/// The directives of a block that are there, and where.
type Directives = HashMap<&'static str, Place>;

/// Where a directive stands, or the line being read where it is not there.
fn place_of(directives: &Directives, directive: &str, cf: &ngx_conf_t) -> Place {
    directives.get(directive).cloned().unwrap_or_else(|| place(cf))
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
    let Block { builder, places: directives } = block;
    let at = |directive| place_of(&directives, directive, cf);
    let users = Both { users: at("users"), groups: Some(at("groups")) };
    let places = Places { users, keys: at("keys"), state: at("state") };
    // Also where checks have a pool of their own: files are read in it.
    add_pool(cf, "default")?;
    let settings = finish(cf, builder, &directives)?;
    let realm = load(cf, settings, places)?;
    let name = format!("authgate:{}", realm.settings.name);
    // SAFETY: the main configuration keeps the realm; all zones of the module are of realms.
    if !unsafe { Zone::declare::<Authgate, _>(cf, (&name, realm.settings.zone_size), &*realm) } {
        return Err(String::new());
    }
    module::main_conf(cf).add(realm);
    Ok(())
}

/// What shows only when the block ends is told with the line of the directive that it is about.
fn finish(cf: &ngx_conf_t, builder: Builder, directives: &Directives) -> Result<Settings, String> {
    let settings = builder.finish().map_err(|mistake| match mistake.directive() {
        None => mistake.to_string(),
        Some(at) => say_at(cf.log, &mistake.to_string(), &place_of(directives, at, cf)),
    })?;
    for warning in settings.warnings() {
        let place = place_of(directives, warning.directive(), cf);
        log::conf_warn(cf.log, &format!("{warning} in {place}"));
    }
    Ok(settings)
}

/// Where the directives stand that name files.
struct Places {
    users: Both<Place>,
    keys: Place,
    state: Place,
}

/// Reads the files of a realm; their mistakes are told with the directive that names them.
fn load(cf: &mut ngx_conf_t, settings: Settings, places: Places) -> Result<Rc<Realm>, String> {
    let files = users_files(cf, &settings)?;
    let Loaded { users, marks, fingerprint } = files
        .load()
        .map_err(|mistake| say_at(cf.log, &mistake.text, places.users.get(mistake.which)))?;
    let keys = match &settings.keys_file {
        None => None,
        Some(file) => Some(load_keys(cf, file, &places.keys)?),
    };
    let state = match &settings.state_dir {
        None => None,
        Some(dir) => Some(State::new(full_path(cf, dir)?, places.state.to_string())),
    };
    let watched = Watched::new(files.clone(), marks, fingerprint);
    let readable = Box::new(move || {
        files
            .readable_by_workers()
            .map_err(|mistake| format!("{} in {}", mistake.text, places.users.get(mistake.which)))
    });
    Ok(Realm::new(settings, (users, watched), keys, state, readable))
}

fn users_files(cf: &mut ngx_conf_t, settings: &Settings) -> Result<UsersFiles, String> {
    let users = full_path(cf, &settings.users_file)?;
    let groups = settings.groups_file.as_ref().map(|file| full_path(cf, file)).transpose()?;
    Ok(UsersFiles { paths: Both { users, groups }, allow_weak: settings.allow_weak })
}

fn load_keys(cf: &mut ngx_conf_t, file: &str, place: &Place) -> Result<Keys, String> {
    let keys = files::keys(&full_path(cf, file)?);
    let (keys, warning) = keys.map_err(|mistake| say_at(cf.log, &mistake, place))?;
    if let Some(warning) = warning {
        log::conf_warn(cf.log, &format!("{warning} in {place}"));
    }
    Ok(keys)
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
