//! Servers while their configuration is read: their names, and what they listen on.

use super::carried::{self, Carried};
use super::config::{Config, Place};
use super::text::bytes;
use ngx::ffi::{
    ngx_http_conf_addr_t, ngx_http_conf_port_t, ngx_http_core_main_conf_t, ngx_http_core_module,
    ngx_http_core_srv_conf_t, ngx_http_server_name_t,
};
use std::ffi::CStr;
use std::ptr::addr_of;

/// A server that listens on a unix socket, whose clients have no address to be told apart by.
pub(crate) struct OnUnixSocket<'c, S> {
    /// What `listen` says.
    pub socket: String,
    /// What the server says.
    pub server: &'c S,
    /// Where it begins.
    pub place: Place,
}

impl Config<'_> {
    /// The names of the server whose locations are being merged, as `server_name` gives them.
    pub(crate) fn server_names(&self) -> Vec<String> {
        // SAFETY: inside http{} ctx is its context, and nginx sets srv_conf before it merges a server;
        // the core module has made a configuration and an array of names for each.
        let names = unsafe {
            let index = (*addr_of!(ngx_http_core_module)).ctx_index;
            let core = (*(*self.context()).srv_conf.add(index)).cast::<ngx_http_core_srv_conf_t>();
            (*core).server_names.as_slice::<ngx_http_server_name_t>()
        };
        // SAFETY: names that the configuration being read has in its memory.
        let texts = names.iter().map(|name| str::from_utf8(unsafe { bytes(name.name) }));
        texts.filter_map(Result::ok).map(str::to_owned).collect()
    }

    /// The servers that listen on unix sockets, once for each socket.
    pub(crate) fn on_unix_sockets<C: Carried>(&self) -> Vec<OnUnixSocket<'_, C::Server>> {
        // SAFETY: while configuration is read, ports is null or an array of ports, of which each has
        // an array of addresses, of which each has an array of servers.
        unsafe {
            let Some(ports) = self.core().ports.as_ref() else { return Vec::new() };
            let ports = ports.as_slice::<ngx_http_conf_port_t>().iter();
            let ports = ports.filter(|port| port.family == libc::AF_UNIX as isize);
            let addresses = ports.flat_map(|port| port.addrs.as_slice::<ngx_http_conf_addr_t>());
            let servers = addresses.flat_map(|address| {
                let servers = address.servers.as_slice::<*mut ngx_http_core_srv_conf_t>();
                servers.iter().map(move |server| on_unix_socket::<C>(address, &**server))
            });
            servers.collect()
        }
    }

    /// What the core module says of `http`.
    pub(super) fn core(&self) -> &ngx_http_core_main_conf_t {
        // SAFETY: the core module has made this.
        unsafe { &*self.core_address() }
    }

    pub(super) fn core_address(&self) -> *mut ngx_http_core_main_conf_t {
        // SAFETY: inside http{} and its hooks, ctx is its context.
        unsafe {
            let index = (*addr_of!(ngx_http_core_module)).ctx_index;
            (*(*self.context()).main_conf.add(index)).cast()
        }
    }
}

/// # Safety
/// The server is of the configuration that is being read, for all of `'c`.
unsafe fn on_unix_socket<'c, C: Carried>(
    address: &ngx_http_conf_addr_t,
    server: &ngx_http_core_srv_conf_t,
) -> OnUnixSocket<'c, C::Server> {
    // SAFETY: by the caller's promise; create_srv_conf made ours for each server. The configuration being
    // read has the names in its memory.
    unsafe {
        let file = CStr::from_ptr(server.file_name.cast()).to_string_lossy().into_owned();
        let socket = String::from_utf8_lossy(bytes(address.opt.addr_text)).into_owned();
        let own = &*carried::conf::<C>((*server.ctx).srv_conf).cast();
        OnUnixSocket { socket, server: own, place: Place::new(file, server.line) }
    }
}
