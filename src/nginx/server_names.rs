//! The names of a server, as `server_name` gives them.

use super::text::bytes;
use authgate_core::hosts::{HostPattern, Hosts};
use ngx::ffi::{
    ngx_conf_t, ngx_http_conf_ctx_t, ngx_http_core_module, ngx_http_core_srv_conf_t,
    ngx_http_server_name_t,
};
use std::ptr::addr_of;

/// Those of the server whose locations are being merged; regular expressions are left out.
pub(super) fn read(cf: &ngx_conf_t) -> Hosts {
    // SAFETY: inside http{} ctx is its context, and nginx sets srv_conf before it merges a server;
    // the core module has made a configuration and an array of names for each.
    let names = unsafe {
        let ctx = cf.ctx.cast::<ngx_http_conf_ctx_t>();
        let index = (*addr_of!(ngx_http_core_module)).ctx_index;
        let core = (*(*ctx).srv_conf.add(index)).cast::<ngx_http_core_srv_conf_t>();
        (*core).server_names.as_slice::<ngx_http_server_name_t>()
    };
    // SAFETY: names that the configuration being read has in its memory.
    let texts = names.iter().filter_map(|name| str::from_utf8(unsafe { bytes(name.name) }).ok());
    texts.filter_map(HostPattern::of_server).collect()
}
