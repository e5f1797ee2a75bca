//! What is remembered of a request while it lives. nginx forgets a module's context at every internal
//! redirect, when the credentials have been removed already: so this lives in a cleanup record of the main
//! request's pool, as ngx_http_realip_module's does.

use super::body::Reading;
use super::entry::guard;
use super::headers;
use super::pool;
use super::request::Request;
use super::text::bytes;
use ngx::ffi::{ngx_palloc, ngx_pool_cleanup_add};
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr::NonNull;

/// Fields of an answer: names and values.
pub(crate) type Fields = Vec<(&'static str, String)>;

/// One request of a client with its answer: a main request with its subrequests and internal redirects.
pub(crate) struct Exchange<'r> {
    cookies: &'r [&'r [u8]],
    authorization: Option<&'r [u8]>,
    /// The fields of an answer of our own, set last.
    pub(super) fields: RefCell<Fields>,
    /// A body that is being read.
    pub(super) reading: RefCell<Option<Reading>>,
    /// What the module remembers besides.
    visit: Cell<Option<NonNull<c_void>>>,
}

impl<'r> Exchange<'r> {
    /// The exchange that this request belongs to; `None` where memory is short.
    pub(super) fn of(request: Request<'r>) -> Option<&'r Self> {
        Self::find(request).or_else(|| Self::begin(request))
    }

    /// The exchange, where it is known.
    pub(super) fn find(request: Request<'r>) -> Option<&'r Self> {
        // SAFETY: the pool's cleanup records form a list; a record with our handler holds an Exchange
        // that lives until the pool is given back.
        unsafe {
            let mut record = (*request.main().get().pool).cleanup;
            while let Some(current) = record.as_ref() {
                if current.handler.is_some_and(|it| std::ptr::fn_addr_eq(it, end as Handler)) {
                    return current.data.cast::<Self>().as_ref();
                }
                record = current.next;
            }
        }
        None
    }

    fn begin(request: Request<'r>) -> Option<&'r Self> {
        let main = request.main();
        let authorization = main.get().headers_in.authorization;
        let exchange = Self {
            cookies: cookie_values(main)?,
            // SAFETY: null, or a line of the live request's headers, with what it says.
            authorization: unsafe { authorization.as_ref().map(|line| bytes(line.value)) },
            fields: RefCell::default(),
            reading: RefCell::default(),
            visit: Cell::default(),
        };
        const { assert!(pool::fits_pool::<Self>()) }
        // SAFETY: the record gets room for an Exchange, aligned as all of the pool's memory; it is
        // dropped once, by `end`, with the pool.
        unsafe {
            let record = ngx_pool_cleanup_add(main.get().pool, size_of::<Self>()).as_mut()?;
            let place = record.data.cast::<Self>();
            place.write(exchange);
            record.handler = Some(end);
            place.as_ref()
        }
    }

    /// What the module remembers; `None` where memory is short.
    ///
    /// # Safety
    /// Each call names the same type, but for its lifetime, which is `'r`.
    pub(super) unsafe fn visit<V: Default>(&self, request: Request<'r>) -> Option<&'r V> {
        // SAFETY: by the caller's promise; the pool lives as long as the request.
        unsafe {
            if self.visit.get().is_none() {
                let visit: &V = pool::keep(request.main().get().pool, V::default())?;
                self.visit.set(Some(NonNull::from(visit).cast()));
            }
            self.known_visit()
        }
    }

    /// The same, where something is remembered.
    ///
    /// # Safety
    /// As for [`Self::visit`].
    pub(super) unsafe fn known_visit<V>(&self) -> Option<&'r V> {
        // SAFETY: by the caller's promise; it lives as long as the request.
        self.visit.get().map(|visit| unsafe { visit.cast::<V>().as_ref() })
    }

    /// The values of the `Cookie` lines that the client sent.
    pub(crate) fn cookies(&self) -> &'r [&'r [u8]] {
        self.cookies
    }

    /// The value of the `Authorization` line that the client sent.
    pub(crate) fn authorization(&self) -> Option<&'r [u8]> {
        self.authorization
    }
}

type Handler = unsafe extern "C" fn(*mut c_void);

unsafe extern "C" fn end(exchange: *mut c_void) {
    // SAFETY: nginx calls this once, with the data of a record that `begin` has filled.
    guard((), || unsafe { exchange.cast::<Exchange<'_>>().drop_in_place() });
}

/// The values as they are now, remembered in the request's memory.
fn cookie_values<'r>(request: Request<'r>) -> Option<&'r [&'r [u8]]> {
    let count = headers::cookie_lines(request).count();
    if count == 0 {
        return Some(&[]);
    }
    let layout = count.checked_mul(size_of::<&[u8]>())?;
    // SAFETY: the pool aligns to pointers; each of the `count` places is written before the slice
    // is made. Values live as long as the request.
    unsafe {
        let start = ngx_palloc(request.get().pool, layout).cast::<&'r [u8]>();
        if start.is_null() {
            return None;
        }
        for (index, line) in headers::cookie_lines(request).take(count).enumerate() {
            start.add(index).write(bytes((*line).value));
        }
        Some(std::slice::from_raw_parts(start, count))
    }
}
