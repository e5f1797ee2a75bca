//! What is remembered of a request while it lives. nginx forgets a module's context at every
//! internal redirect, when the credentials have been removed already: so this lives in a cleanup
//! record of the main request's pool, as ngx_http_realip_module's does.

use super::body::Reading;
use super::entry::guard;
use super::headers;
use super::location::LocationConf;
use super::request::{Request, bytes, fits_pool};
use crate::realm::Realm;
use authgate_core::gate::Verdict;
use authgate_core::status::Status;
use ngx::ffi::{ngx_pool_cleanup_add, ngx_pool_cleanup_t};
use std::cell::{Cell, RefCell};
use std::ffi::c_void;

/// A verdict in the request's memory.
struct Judged<'r> {
    by: *const Realm,
    verdict: Verdict,
    before: Option<&'r Self>,
}

/// One visit of a client: a main request with its subrequests and internal redirects.
pub(crate) struct Visit<'r> {
    cookies: &'r [&'r [u8]],
    authorization: Option<&'r [u8]>,
    /// The verdicts, the last one first.
    verdicts: Cell<Option<&'r Judged<'r>>>,
    /// The realm whose `authgate_verify` admitted the request, to renew its session.
    pub verified_by: Cell<Option<&'r Realm>>,
    /// Where a gate has refused the request last.
    pub refused_in: Cell<Option<&'r LocationConf>>,
    /// Whether a gate has counted the request.
    pub counted: Cell<bool>,
    /// The realm whose gate admitted the request, to renew its session.
    pub admitted_by: Cell<Option<&'r Realm>>,
    /// The fields of the gate's own answer, set last.
    pub reply_headers: RefCell<Vec<(&'static str, String)>>,
    /// Whether a refusal has been left to the location's `error_page`: no cache keeps what that shows.
    pub unstored: Cell<bool>,
    /// A body that is being read.
    pub(super) reading: RefCell<Option<Reading>>,
    /// How a sign-in or a sign-out ended, for `$authgate_status`.
    pub outcome: Cell<Option<Status>>,
    /// The realm whose login is under way.
    pub login: Cell<Option<&'r Realm>>,
}

impl<'r> Visit<'r> {
    /// The visit that this request belongs to; `None` where memory is short.
    pub(super) fn of(request: Request<'r>) -> Option<&'r Self> {
        Self::find(request).or_else(|| Self::begin(request))
    }

    /// The visit, where one has begun.
    pub(super) fn find(request: Request<'r>) -> Option<&'r Self> {
        // SAFETY: the pool's cleanup records form a list; a record with our handler holds a Visit
        // that lives until the pool is destroyed.
        unsafe {
            let mut record = (*request.main().get().pool).cleanup;
            while let Some(current) = record.as_ref() {
                if current
                    .handler
                    .is_some_and(|handler| std::ptr::fn_addr_eq(handler, end as Handler))
                {
                    return current.data.cast::<Self>().as_ref();
                }
                record = current.next;
            }
        }
        None
    }

    fn begin(request: Request<'r>) -> Option<&'r Self> {
        let main = request.main();
        let cookies = cookie_values(main)?;
        let authorization = main.get().headers_in.authorization;
        let visit = Self {
            cookies,
            // SAFETY: null, or a line of the live request's headers, with what it says.
            authorization: unsafe { authorization.as_ref().map(|line| bytes(line.value)) },
            verdicts: Cell::default(),
            verified_by: Cell::default(),
            refused_in: Cell::default(),
            counted: Cell::default(),
            admitted_by: Cell::default(),
            reply_headers: RefCell::default(),
            unstored: Cell::default(),
            reading: RefCell::default(),
            outcome: Cell::default(),
            login: Cell::default(),
        };
        const { assert!(fits_pool::<Self>()) }
        // SAFETY: the record gets room for a Visit, aligned as all of the pool's memory; it is
        // dropped once, by `end`, with the pool.
        unsafe {
            let record: *mut ngx_pool_cleanup_t =
                ngx_pool_cleanup_add(main.get().pool, size_of::<Self>());
            let record = record.as_mut()?;
            let place = record.data.cast::<Self>();
            place.write(visit);
            record.handler = Some(end);
            place.as_ref()
        }
    }

    /// The verdict that `realm` has given on this visit.
    pub(crate) fn verdict_of(&self, realm: &Realm) -> Option<&'r Verdict> {
        let mut judged = std::iter::successors(self.verdicts.get(), |judged| judged.before);
        judged.find(|judged| std::ptr::eq(judged.by, realm)).map(|judged| &judged.verdict)
    }

    /// Remembers the verdict of `realm`, unless it has given one, and gives the one that counts;
    /// `None` where memory is short.
    pub(crate) fn remember(
        &self,
        request: Request<'r>,
        realm: &Realm,
        verdict: Verdict,
    ) -> Option<&'r Verdict> {
        if let Some(known) = self.verdict_of(realm) {
            return Some(known);
        }
        let judged = Judged { by: realm, verdict, before: self.verdicts.get() };
        let judged = request.main().keep(judged)?;
        self.verdicts.set(Some(judged));
        Some(&judged.verdict)
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

unsafe extern "C" fn end(visit: *mut c_void) {
    // SAFETY: nginx calls this once, with the data of a record that `begin` has filled.
    guard((), || unsafe { visit.cast::<Visit<'_>>().drop_in_place() });
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
        let start = ngx::ffi::ngx_palloc(request.get().pool, layout).cast::<&'r [u8]>();
        if start.is_null() {
            return None;
        }
        for (index, line) in headers::cookie_lines(request).take(count).enumerate() {
            start.add(index).write(bytes((*line).value));
        }
        Some(std::slice::from_raw_parts(start, count))
    }
}
