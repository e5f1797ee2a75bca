//! What servers listen on, as far as it matters: clients of a unix socket have no address to be
//! told apart by.

use super::conf::ServerConf;
use super::log;
use super::module;
use super::text::bytes;
use ngx::ffi::{
    ngx_http_conf_addr_t, ngx_http_conf_port_t, ngx_http_core_main_conf_t,
    ngx_http_core_srv_conf_t, ngx_log_t,
};
use std::ffi::CStr;

/// Warns of each server with a limit that listens on a unix socket.
pub(super) fn warn_of_unix_sockets(log: *mut ngx_log_t, core: &ngx_http_core_main_conf_t) {
    // SAFETY: while configuration is read, ports is null or an array of ports, of which each has
    // an array of addresses, of which each has an array of servers.
    unsafe {
        let Some(ports) = core.ports.as_ref() else { return };
        for port in ports.as_slice::<ngx_http_conf_port_t>() {
            if port.family != libc::AF_UNIX as isize {
                continue;
            }
            for address in port.addrs.as_slice::<ngx_http_conf_addr_t>() {
                for server in address.servers.as_slice::<*mut ngx_http_core_srv_conf_t>() {
                    warn(log, address, &**server);
                }
            }
        }
    }
}

/// # Safety
/// The server is of the configuration that is being read.
unsafe fn warn(
    log: *mut ngx_log_t,
    address: &ngx_http_conf_addr_t,
    server: &ngx_http_core_srv_conf_t,
) {
    // SAFETY: by the caller's promise; create_srv_conf made ours for each server.
    let (conf, file) = unsafe {
        let conf = module::server_conf_at((*server.ctx).srv_conf).cast::<ServerConf>();
        (&*conf, CStr::from_ptr(server.file_name.cast()).to_string_lossy())
    };
    let mut limited = conf.realms().iter().filter(|realm| realm.settings.limits.is_some());
    if let Some(realm) = limited.next() {
        // SAFETY: the configuration being read has it in its memory.
        let socket = String::from_utf8_lossy(unsafe { bytes(address.opt.addr_text) });
        let (realm, line) = (&realm.settings.name, server.line);
        let text = format!(
            "clients of \"{socket}\" have no address: realm \"{realm}\" limits their failed logins \
             by user name only, unless \"set_real_ip_from unix:\" tells who they are in {file}:{line}"
        );
        log::conf_warn(log, &text);
    }
}
