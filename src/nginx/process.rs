//! Who the workers are.

use ngx::ffi::{
    NGINX_VERSION, NGX_PROCESS_SINGLE, NGX_PROCESS_WORKER, ngx_core_conf_t, ngx_core_module,
    ngx_cycle, ngx_cycle_t, ngx_process, ngx_process_slot, ngx_test_config, ngx_worker,
};
use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::Path;
use std::ptr::{self, NonNull};

/// The version of nginx: a module built for another is not loaded.
pub(crate) const NGINX: &str = match NGINX_VERSION.to_str() {
    Ok(version) => version,
    Err(_) => "",
};

thread_local! {
    /// The cycle whose configuration is being finished: ngx_cycle is still the old one.
    static CYCLE: Cell<Option<NonNull<ngx_cycle_t>>> = const { Cell::new(None) };
}

/// Remembers the cycle that is being configured.
pub(super) fn remember(cycle: *mut ngx_cycle_t) {
    CYCLE.set(NonNull::new(cycle));
}

/// A configuration is no more, perhaps that one.
pub(super) fn forget_cycle() {
    CYCLE.set(None);
}

/// Does `open` with the file rights of the workers' user, or with our own where nginx does not run
/// as root: then workers are who we are.
///
/// # Errors
/// What `open` says, and the user's name.
pub(crate) fn as_worker<R>(open: impl FnOnce() -> io::Result<R>) -> Result<R, (String, io::Error)> {
    match worker().filter(|_| is_root()) {
        None => open().map_err(|error| ("that started nginx".into(), error)),
        Some(worker) => with_rights(&worker, open).map_err(|error| (worker.name, error)),
    }
}

/// Makes a directory for the workers alone, unless it is there.
///
/// # Errors
/// What the system says.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => match worker().filter(|_| is_root()) {
            Some(worker) => chown(path, Some(worker.user), Some(worker.group)),
            None => Ok(()),
        },
    }
}

/// Whether files can be made in a directory, with the rights that [`as_worker`] gives.
///
/// # Errors
/// Why not.
pub(crate) fn may_write(directory: &Path) -> io::Result<()> {
    let path = CString::new(directory.as_os_str().as_bytes())?;
    let (here, mode) = (libc::AT_FDCWD, libc::W_OK | libc::X_OK);
    // SAFETY: the path ends in NUL. AT_EACCESS: the rights of now, not those of who started us.
    match unsafe { libc::faccessat(here, path.as_ptr(), mode, libc::AT_EACCESS) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The user that workers run as, as `chown` takes it, and its number: who we are where nginx does not
/// run as root.
pub(crate) fn workers_user() -> (String, libc::uid_t) {
    match worker().filter(|_| is_root()) {
        Some(worker) => (worker.name, worker.user),
        None => {
            // SAFETY: geteuid cannot fail.
            let user = unsafe { libc::geteuid() };
            (user.to_string(), user)
        }
    }
}

fn is_root() -> bool {
    // SAFETY: geteuid cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Whether this is `nginx -t`, which leaves everything as it is.
pub(crate) fn is_test() -> bool {
    // SAFETY: set once, when nginx reads its command line.
    unsafe { ngx_test_config != 0 }
}

/// Whether one process without a master is being reconfigured while it runs. nginx starts neither
/// threads nor connections for the new configuration then: it would serve nobody.
pub(super) fn is_reload_without_master() -> bool {
    // SAFETY: set before any configuration is read; the cycle before the first has no configuration.
    unsafe { ngx_process as u32 == NGX_PROCESS_SINGLE && !(*ngx_cycle).conf_ctx.is_null() }
}

/// Whether this process takes requests: the cache's manager and loader start the same way.
pub(super) fn takes_requests() -> bool {
    // SAFETY: set when the process begins.
    let process = unsafe { ngx_process };
    [NGX_PROCESS_WORKER, NGX_PROCESS_SINGLE].contains(&(process as u32))
}

/// Whether this worker does what one of them is to do.
pub(crate) fn is_first_worker() -> bool {
    worker_number() == 0
}

/// Which worker of the configuration this is. One that is told to go has the number of its successor.
pub(crate) fn worker_number() -> usize {
    // SAFETY: set when the process begins.
    unsafe { ngx_worker }
}

/// This process's place among all that nginx has running.
pub(crate) fn slot() -> usize {
    // SAFETY: set before the process begins.
    usize::try_from(unsafe { ngx_process_slot }).unwrap_or(usize::MAX)
}

struct Worker {
    name: String,
    user: libc::uid_t,
    group: libc::gid_t,
}

/// The `user` directive; nginx has filled it in when shared memory is made.
fn worker() -> Option<Worker> {
    let cycle = CYCLE.get()?;
    // SAFETY: while a cycle is being configured its core module has a configuration.
    unsafe {
        let index = (*ptr::addr_of!(ngx_core_module)).index;
        let conf = (*cycle.as_ref().conf_ctx.add(index)).cast::<ngx_core_conf_t>().as_ref()?;
        if conf.user == u32::MAX || conf.username.is_null() {
            return None;
        }
        let name = CStr::from_ptr(conf.username).to_string_lossy().into_owned();
        Some(Worker { name, user: conf.user, group: conf.group })
    }
}

/// Linux keeps file rights apart from the rest, for each thread: only files are opened otherwise.
/// What went wrong with taking the workers' rights is told after our own are back, in every case.
fn with_rights<R>(worker: &Worker, open: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
    let own = groups_of_process()?;
    let groups = groups_of(worker)?;
    // SAFETY: neither call can fail.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    let result = set_rights(&groups, worker.group, worker.user).and_then(|()| open());
    set_rights(&own, group, user)?;
    result
}

fn set_rights(groups: &[libc::gid_t], group: libc::gid_t, user: libc::uid_t) -> io::Result<()> {
    // SAFETY: the slice is valid for its length. The raw call is about this thread alone, as
    // setfsuid and setfsgid are; these give the former id back, and fail without a word.
    unsafe {
        if libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        libc::setfsgid(group);
        libc::setfsuid(user);
        let set = libc::setfsuid(u32::MAX) == user.cast_signed()
            && libc::setfsgid(u32::MAX) == group.cast_signed();
        if set { Ok(()) } else { Err(io::Error::other("file rights cannot be changed")) }
    }
}

fn groups_of_process() -> io::Result<Vec<libc::gid_t>> {
    // SAFETY: with no room, getgroups gives the number; then it fills that many.
    unsafe {
        let count = libc::getgroups(0, ptr::null_mut());
        let mut groups = vec![0; usize::try_from(count).map_err(io::Error::other)?];
        if libc::getgroups(count, groups.as_mut_ptr()) < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(groups)
    }
}

fn groups_of(worker: &Worker) -> io::Result<Vec<libc::gid_t>> {
    let name = CString::new(worker.name.as_bytes()).map_err(io::Error::other)?;
    let mut groups = vec![0; 1024];
    let mut count = 1024;
    // SAFETY: the vector has room for `count` groups; the name ends in NUL.
    let found = unsafe {
        libc::getgrouplist(name.as_ptr(), worker.group, groups.as_mut_ptr(), &raw mut count)
    };
    groups.truncate(usize::try_from(count).unwrap_or(0));
    if found < 0 { Err(io::Error::other("too many groups")) } else { Ok(groups) }
}
