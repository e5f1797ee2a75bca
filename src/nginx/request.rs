//! A request of nginx's, read.

use super::bits;
use super::conf::ServerConf;
use super::headers;
use super::location::LocationConf;
use super::module;
use super::reply::Sent;
use super::variables;
use super::visit::Visit;
use crate::realm::Realm;
use authgate_core::gate;
use authgate_core::network::Network;
use authgate_core::original::{Original, Peer};
use authgate_core::request::{Method, RequestHead};
use ngx::ffi::{
    NGX_HTTP_DELETE, NGX_HTTP_GET, NGX_HTTP_HEAD, NGX_HTTP_POST, ngx_http_block_reading,
    ngx_http_core_loc_conf_t, ngx_http_core_module, ngx_http_core_run_phases, ngx_http_err_page_t,
    ngx_http_request_t, ngx_log_t, ngx_palloc, ngx_pnalloc, ngx_str_t, sockaddr,
};
use std::marker::PhantomData;
use std::net::IpAddr;
use std::ptr::NonNull;

/// `NGX_HTTP_VERSION_20`.
const HTTP_2: usize = 2000;

/// `NGX_HTTP_VERSION_30`, which older versions of nginx do not have.
const HTTP_3: usize = 3000;

/// A request, borrowed for one call from nginx.
#[derive(Clone, Copy)]
pub(crate) struct Request<'r> {
    raw: NonNull<ngx_http_request_t>,
    life: PhantomData<&'r ngx_http_request_t>,
}

impl<'r> Request<'r> {
    /// # Safety
    /// `raw` is a live request for all of `'r`, and this runs on the event loop's thread.
    pub(super) unsafe fn new(raw: *mut ngx_http_request_t) -> Option<Self> {
        Some(Self { raw: NonNull::new(raw)?, life: PhantomData })
    }

    pub(super) fn raw(self) -> *mut ngx_http_request_t {
        self.raw.as_ptr()
    }

    pub(super) fn get(&self) -> &ngx_http_request_t {
        // SAFETY: the request is live for 'r (see `new`) and the event loop is the only thread
        // that touches it.
        unsafe { self.raw.as_ref() }
    }

    /// The main request of this one, which may be itself.
    pub(crate) fn main(self) -> Self {
        // SAFETY: nginx sets `main` of every request, and it outlives its subrequests.
        let main = unsafe { NonNull::new_unchecked(self.get().main) };
        Self { raw: main, life: PhantomData }
    }

    /// Whether this is the main request, not a subrequest.
    pub(crate) fn is_main(self) -> bool {
        std::ptr::eq(self.get().main, self.raw())
    }

    /// The method.
    pub(crate) fn method(self) -> Method {
        match u32::try_from(self.get().method) {
            Ok(NGX_HTTP_GET) => Method::Get,
            Ok(NGX_HTTP_HEAD) => Method::Head,
            Ok(NGX_HTTP_POST) => Method::Post,
            Ok(NGX_HTTP_DELETE) => Method::Delete,
            _ => Method::Other,
        }
    }

    /// The path that nginx matched to a location: decoded and normalized.
    pub(crate) fn path(self) -> &'r [u8] {
        self.text(|request| &request.uri)
    }

    /// A string of the request itself.
    fn text(self, field: fn(&ngx_http_request_t) -> &ngx_str_t) -> &'r [u8] {
        // SAFETY: nginx's strings of a request name memory that lives as long as the request and is not
        // written again: where nginx changes one, it names other memory.
        unsafe { bytes(*field(self.get())) }
    }

    /// Whether the connection is TLS.
    pub(crate) fn tls(self) -> bool {
        // SAFETY: a request's connection lives as long as the request.
        unsafe { !(*self.get().connection).ssl.is_null() }
    }

    /// Whether it came before the TLS handshake was complete: somebody may send it again.
    fn in_early_data(self) -> bool {
        variables::value(self, "ssl_early_data") == Some(b"1")
    }

    /// Whether its answer turns the connection into one of another protocol. HTTP/2 and 3 have no such.
    pub(super) fn is_being_upgraded(self) -> bool {
        let request = self.get();
        request.headers_out.status == 101 && request.http_version < HTTP_2 && self.is_main()
    }

    /// The client's address; `None` on a unix socket.
    pub(crate) fn address(self) -> Option<IpAddr> {
        // SAFETY: nginx fills sockaddr of every connection, in the length of its family.
        unsafe { ip_address((*self.get().connection).sockaddr) }
    }

    /// Whether the client is on this machine.
    pub(crate) fn is_local(self) -> bool {
        self.address().is_none_or(|address| address.to_canonical().is_loopback())
    }

    /// The only `Host` field, or the authority of HTTP/2 and 3; nginx refuses a second one.
    fn host(self) -> Option<&'r [u8]> {
        // SAFETY: null, or a line of the live request's headers, with what it says.
        let value = unsafe { self.get().headers_in.host.as_ref().map(|line| bytes(line.value)) };
        value.or_else(|| self.authority())
    }

    /// `:authority` of HTTP/3, of which nginx makes no `Host` field.
    fn authority(self) -> Option<&'r [u8]> {
        let (start, end) = (self.get().host_start, self.get().host_end);
        if self.get().http_version < HTTP_3 || start.is_null() {
            return None;
        }
        // SAFETY: nginx points both to the ends of the value, which lives as long as the request.
        Some(unsafe { std::slice::from_raw_parts(start, end.offset_from_unsigned(start)) })
    }

    /// What this location says.
    pub(crate) fn location(self) -> &'r LocationConf {
        // SAFETY: create_loc_conf made one for every location, and it lives as long as the cycle,
        // which outlives its requests.
        unsafe { &*module::location_conf(self.raw()) }
    }

    /// What this server says.
    pub(crate) fn server(self) -> &'r ServerConf {
        // SAFETY: as for the location.
        unsafe { &*module::server_conf(self.raw()) }
    }

    /// What is remembered of the request through internal redirects.
    pub(crate) fn visit(self) -> Option<&'r Visit<'r>> {
        Visit::of(self)
    }

    /// Remembers whose login this is, until its password has been checked. False for a subrequest,
    /// which has no body of its own.
    pub(crate) fn begin_login(self, realm: &'r Realm) -> bool {
        let visit = self.is_main().then(|| self.visit()).flatten();
        visit.map(|visit| visit.login.set(Some(realm))).is_some()
    }

    /// Has nginx go on with a request that has waited in a phase handler, where it has stopped.
    pub(crate) fn go_on(self) -> Sent {
        // SAFETY: a live request that no handler has answered; nginx calls the handler of the same
        // phase again.
        unsafe {
            let raw = self.raw();
            (*raw).read_event_handler = Some(ngx_http_block_reading);
            (*raw).write_event_handler = Some(ngx_http_core_run_phases);
            ngx_http_core_run_phases(raw);
        }
        Sent::LATER
    }

    /// The realm whose login is under way.
    pub(crate) fn login_realm(self) -> Option<&'r Realm> {
        self.visit()?.login.get()
    }

    /// Takes the gate's credentials from the request before an application sees it: the cookies of
    /// every realm of the server, and an API token. `None` where memory is short. It is done once, and
    /// again after an internal redirect.
    pub(crate) fn strip_credentials(self) -> Option<()> {
        let server = self.server();
        let Some(accepts) = server.accepts() else { return Some(()) };
        // SAFETY: a live request; nobody else has the context.
        let done = unsafe { &mut *module::context(self.raw()) };
        if !done.is_null() {
            return Some(());
        }
        let mut emptied = headers::strip_cookies(self, server.cookies())?;
        emptied += headers::strip_authorization(self, |value| gate::takes(accepts, value))?;
        if emptied > 0 {
            headers::remove_emptied(self, emptied)?;
        }
        *done = self.raw().cast();
        Some(())
    }

    /// Whether the location answers `status` with a page of its own (`error_page`), and nginx would
    /// take it now.
    pub(crate) fn has_error_page(self, status: u16) -> bool {
        // SAFETY: a live request.
        if !unsafe { bits::may_redirect_to_error_page(self.raw()) } {
            return false;
        }
        let request = self.get();
        // SAFETY: every location has the core module's configuration; error_pages is null or an
        // array of ngx_http_err_page_t.
        let pages = unsafe {
            let index = (*std::ptr::addr_of!(ngx_http_core_module)).ctx_index;
            let core = (*request.loc_conf.add(index)).cast::<ngx_http_core_loc_conf_t>();
            let Some(pages) = (*core).error_pages.as_ref() else { return false };
            pages.as_slice::<ngx_http_err_page_t>()
        };
        pages.iter().any(|page| page.status == isize::try_from(status).unwrap_or(0))
    }

    /// Reads the head of the request, with the credentials that it came with.
    pub(crate) fn with_head<R>(
        self,
        visit: &Visit<'r>,
        read: impl FnOnce(&RequestHead<'_>) -> R,
    ) -> R {
        // In a subrequest it is the main request that is asked about.
        let main = self.main();
        let fields = |name: &str| match name {
            "early-data" if main.in_early_data() => Some(&b"1"[..]),
            name => headers::find(main, name).map(<[u8]>::trim_ascii),
        };
        // Who verifies for others is not asked about its own address.
        let verify = self.location().verify().filter(|_| self.is_main());
        let own = verify.is_none();
        let head = RequestHead {
            method: main.method(),
            method_name: main.text(|request| &request.method_name),
            target: own.then(|| main.text(|request| &request.unparsed_uri)),
            query: main.text(|request| &request.args),
            host: main.host().filter(|_| own),
            scheme: None,
            network: Network::of(self.address()),
            server_names: self.server().names(),
            tls: self.tls(),
            cookies: visit.cookies(),
            authorization: visit.authorization(),
            fields: &fields,
        };
        let lines = |name: &str| headers::only(main, name);
        match verify.and_then(|verify| Original::read(&lines, self.peer(verify.site.realm))) {
            None => read(&head),
            Some(original) => read(&original.head(&head)),
        }
    }

    /// Whether the proxy that has connected is one that the realm believes.
    fn peer(self, realm: &Realm) -> Peer {
        // ngx_http_realip_module has put the client's address in the place of the proxy's.
        let own = variables::value(self, "realip_remote_addr");
        let address =
            own.map_or_else(|| self.address(), |own| str::from_utf8(own).ok()?.parse().ok());
        match realm.settings.forwarded.contains(address) {
            true => Peer::Trusted,
            false => Peer::Untrusted,
        }
    }

    pub(super) fn log(self) -> *mut ngx_log_t {
        // SAFETY: a request's connection lives as long as the request and has a log.
        unsafe { (*self.get().connection).log }
    }

    /// Moves a value into the request's memory, where it lives as long as the request. `None` where
    /// memory is short.
    pub(super) fn keep<T>(self, value: T) -> Option<&'r T> {
        const { assert!(!std::mem::needs_drop::<T>() && fits_pool::<T>()) }
        // SAFETY: the pool lives as long as the request and aligns to words; what it gives out is
        // ours alone, and nothing has to be dropped with it.
        unsafe {
            let place = NonNull::new(ngx_palloc(self.get().pool, size_of::<T>()).cast::<T>())?;
            place.write(value);
            Some(place.as_ref())
        }
    }

    /// Room in the request's memory, freed with it.
    pub(super) fn allocate(self, size: usize) -> Option<&'r mut [u8]> {
        // SAFETY: the pool lives as long as the request; what it gives out is ours alone. Zeroed
        // below before it becomes a slice.
        unsafe {
            let start = NonNull::new(ngx_pnalloc(self.get().pool, size.max(1)).cast::<u8>())?;
            start.write_bytes(0, size);
            Some(std::slice::from_raw_parts_mut(start.as_ptr(), size))
        }
    }
}

/// Whether nginx's pools align their memory for this type: to words. Cleanup records have theirs from there.
pub(super) const fn fits_pool<T>() -> bool {
    align_of::<T>() <= align_of::<usize>()
}

/// nginx's string as bytes.
///
/// # Safety
/// `text` names bytes that live, unchanged, for all of `'r`; it may be empty and name none.
pub(super) unsafe fn bytes<'r>(text: ngx_str_t) -> &'r [u8] {
    // nginx leaves the address of an empty string unset: `args` after a redirect of try_files.
    if text.len == 0 || text.data.is_null() {
        return &[];
    }
    // SAFETY: by the caller's promise.
    unsafe { std::slice::from_raw_parts(text.data, text.len) }
}

/// Bytes of a request's memory as nginx's string.
pub(super) fn string(text: &[u8]) -> ngx_str_t {
    ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() }
}

/// # Safety
/// `address` is null or a socket address in the length of its family.
unsafe fn ip_address(address: *const sockaddr) -> Option<IpAddr> {
    // SAFETY: by the caller's promise the family tells which structure it is.
    unsafe {
        match i32::from(address.as_ref()?.sa_family) {
            libc::AF_INET => {
                let address = &*address.cast::<libc::sockaddr_in>();
                Some(IpAddr::from(address.sin_addr.s_addr.to_ne_bytes()))
            }
            libc::AF_INET6 => {
                Some(IpAddr::from((*address.cast::<libc::sockaddr_in6>()).sin6_addr.s6_addr))
            }
            _ => None,
        }
    }
}
