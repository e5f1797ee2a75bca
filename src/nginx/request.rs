//! A request of nginx's, read.

use super::bits;
use super::exchange::Exchange;
use super::log::{self, Severity};
use super::pool;
use super::reply::Sent;
use super::text::bytes;
use authgate_core::request::Method;
use ngx::ffi::{
    NGX_HTTP_DELETE, NGX_HTTP_GET, NGX_HTTP_HEAD, NGX_HTTP_POST, ngx_http_block_reading,
    ngx_http_core_loc_conf_t, ngx_http_core_module, ngx_http_core_run_phases, ngx_http_err_page_t,
    ngx_http_request_t, ngx_log_t, ngx_pnalloc, ngx_str_t, sockaddr,
};
use std::cell::Cell;
use std::fmt::Display;
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
    /// Neither shorter nor longer: what is remembered of a request names it by this.
    life: PhantomData<Cell<&'r ()>>,
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

    /// The method's name.
    pub(crate) fn method_name(self) -> &'r [u8] {
        self.text(|request| &request.method_name)
    }

    /// The target of the request line, as it came.
    pub(crate) fn target(self) -> &'r [u8] {
        self.text(|request| &request.unparsed_uri)
    }

    /// The query, without its question mark.
    pub(crate) fn query(self) -> &'r [u8] {
        self.text(|request| &request.args)
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

    /// Whether its answer turns the connection into one of another protocol. HTTP/2 and 3 have no such.
    pub(crate) fn is_being_upgraded(self) -> bool {
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
    pub(crate) fn host(self) -> Option<&'r [u8]> {
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

    /// What it came with, remembered through internal redirects. `None` where memory is short.
    pub(crate) fn exchange(self) -> Option<&'r Exchange<'r>> {
        Exchange::of(self)
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

    /// Writes to nginx's error log about this request.
    pub(crate) fn report(self, severity: Severity, text: &impl Display) {
        log::about_request(self.log(), severity, text);
    }

    pub(super) fn log(self) -> *mut ngx_log_t {
        // SAFETY: a request's connection lives as long as the request and has a log.
        unsafe { (*self.get().connection).log }
    }

    /// Moves a value into the request's memory, where it lives as long as the request. `None` where
    /// memory is short.
    pub(crate) fn keep<T>(self, value: T) -> Option<&'r T> {
        // SAFETY: the pool lives as long as the request.
        unsafe { pool::keep(self.get().pool, value) }
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
