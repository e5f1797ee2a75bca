//! Reading a small request body into our own memory: never into a file, whatever the location says
//! of `client_body_buffer_size` and `client_body_in_file_only`.

use super::bits;
use super::entry::guard;
use super::log;
use super::reply::Sent;
use super::request::Request;
use ngx::ffi::{
    NGX_AGAIN, NGX_DONE, NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_HTTP_SPECIAL_RESPONSE, NGX_OK,
    ngx_chain_t, ngx_http_discard_request_body, ngx_http_finalize_request,
    ngx_http_read_client_request_body, ngx_http_read_unbuffered_request_body, ngx_http_request_t,
    ngx_int_t,
};
use zeroize::{Zeroize, Zeroizing};

/// A whole body, or one over the limit.
pub(crate) enum Body {
    /// All of it, wiped when dropped.
    Complete(Zeroizing<Vec<u8>>),
    /// More than the limit.
    TooLarge,
}

/// What is called with the body.
type Then = Box<dyn FnOnce(Request<'_>, Body) -> Sent>;

/// A body that is being read.
pub(super) struct Reading {
    bytes: Zeroizing<Vec<u8>>,
    limit: usize,
    then: Then,
}

/// Reads the body, then calls `then`: at once where all of it is here, else when it has come. A subrequest
/// has none of its own.
pub(crate) fn read(
    request: Request<'_>,
    limit: usize,
    then: impl FnOnce(Request<'_>, Body) -> Sent + 'static,
) -> Sent {
    let Some(exchange) = request.exchange().filter(|_| request.is_main()) else {
        return Sent::failed(request);
    };
    // All the room at once: a vector that grows leaves copies behind. Anyone can ask for it, so that
    // the lack of it must not end the worker.
    let mut bytes = Zeroizing::new(Vec::new());
    if bytes.try_reserve_exact(limit).is_err() {
        log::no_memory("authgate: no memory for a request's body");
        return Sent::failed(request);
    }
    exchange.reading.replace(Some(Reading { bytes, limit, then: Box::new(then) }));
    let raw = request.raw();
    // SAFETY: a live main request; nginx calls `first` with it, now or later, and counts that.
    unsafe {
        bits::read_unbuffered(raw);
        match Progress::of(ngx_http_read_client_request_body(raw, Some(first))) {
            Progress::Ended | Progress::Later => {
                ngx_http_finalize_request(raw, NGX_DONE as ngx_int_t);
            }
            Progress::Failed(status) => {
                // With a status nginx has taken back what it had counted.
                if status.is_none() {
                    ngx_http_finalize_request(raw, NGX_DONE as ngx_int_t);
                }
                drop(exchange.reading.take());
                ngx_http_finalize_request(raw, status.unwrap_or(FAILED));
            }
        }
    }
    Sent::LATER
}

const FAILED: ngx_int_t = NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t;

/// What nginx says of a body that it reads.
enum Progress {
    /// All of it has come.
    Ended,
    /// More will come.
    Later,
    /// No more is to be read. nginx names a status; a filter that fails need not.
    Failed(Option<ngx_int_t>),
}

impl Progress {
    fn of(code: ngx_int_t) -> Self {
        const OK: ngx_int_t = NGX_OK as ngx_int_t;
        const AGAIN: ngx_int_t = NGX_AGAIN as ngx_int_t;
        match code {
            OK => Self::Ended,
            AGAIN => Self::Later,
            code if code >= NGX_HTTP_SPECIAL_RESPONSE as ngx_int_t => Self::Failed(Some(code)),
            _ => Self::Failed(None),
        }
    }
}

/// Leaves the body unread, and wipes what of it has come with the head. NGX_OK, or a status.
pub(super) fn discard(request: Request<'_>) -> ngx_int_t {
    // SAFETY: a live request; what nginx has moved `pos` over in the buffer of the head is body that
    // nobody will read.
    unsafe {
        let buffer = request.get().header_in;
        let start = buffer.as_ref().map(|buffer| buffer.pos);
        let code = ngx_http_discard_request_body(request.raw());
        if let (Some(start), Some(buffer)) = (start, buffer.as_ref())
            && buffer.start <= start
            && start < buffer.pos
            && buffer.pos <= buffer.last
        {
            let length = buffer.pos.offset_from_unsigned(start);
            std::slice::from_raw_parts_mut(start, length).zeroize();
        }
        code
    }
}

/// nginx has read the first part of the body, or all of it.
unsafe extern "C" fn first(raw: *mut ngx_http_request_t) {
    guard((), || {
        // SAFETY: nginx calls this with the live request.
        unsafe {
            (*raw).read_event_handler = Some(more);
            more(raw);
        }
    });
}

/// More of the body may have come, or its time is over.
unsafe extern "C" fn more(raw: *mut ngx_http_request_t) {
    guard((), || {
        let code = guard(FAILED, || {
            // SAFETY: nginx calls this with the live request, on the event loop.
            let request = unsafe { Request::new(raw) };
            request.map_or(NGX_DONE as ngx_int_t, advance)
        });
        if code != NGX_DONE as ngx_int_t {
            // SAFETY: the request is live: nothing has finalized it on this path.
            unsafe { ngx_http_finalize_request(raw, code) }
        }
    });
}

/// Takes what there is. NGX_DONE: all is said, by us or when more comes.
fn advance(request: Request<'_>) -> ngx_int_t {
    let Some(exchange) = request.exchange() else {
        return FAILED;
    };
    loop {
        let Some(mut reading) = exchange.reading.take() else { return NGX_DONE as ngx_int_t };
        let fits = take(request, &mut reading);
        // SAFETY: a live request whose body is being read.
        let ended = unsafe { !bits::is_reading_body(request.raw()) };
        if !fits || ended {
            let Reading { bytes, then, .. } = reading;
            let body = if fits { Body::Complete(bytes) } else { Body::TooLarge };
            block_reading(request);
            let _: Sent = then(request, body);
            return NGX_DONE as ngx_int_t;
        }
        exchange.reading.replace(Some(reading));
        // SAFETY: as above; nginx reads on, and sets its timer where nothing is there.
        let code = unsafe { ngx_http_read_unbuffered_request_body(request.raw()) };
        match Progress::of(code) {
            // What there is ends, and the loop with it.
            Progress::Ended => {}
            Progress::Later if has_buffers(request) => {}
            Progress::Later => return NGX_DONE as ngx_int_t,
            Progress::Failed(status) => {
                drop(exchange.reading.take());
                return status.unwrap_or(FAILED);
            }
        }
    }
}

fn block_reading(request: Request<'_>) {
    // SAFETY: a live request; nginx's own handler ignores what comes.
    unsafe { (*request.raw()).read_event_handler = Some(ngx::ffi::ngx_http_block_reading) }
}

fn has_buffers(request: Request<'_>) -> bool {
    // SAFETY: request_body is null or lives as long as the request.
    unsafe { request.get().request_body.as_ref() }.is_some_and(|body| !body.bufs.is_null())
}

/// Moves what nginx has read to our memory and wipes it where it stood. False over the limit.
fn take(request: Request<'_>, reading: &mut Reading) -> bool {
    // SAFETY: request_body is null or lives as long as the request; its buffers are in memory (no
    // buffering) and are ours to consume: an empty one goes back to nginx.
    unsafe {
        let Some(body) = request.get().request_body.as_mut() else { return true };
        let mut link: *mut ngx_chain_t = std::mem::replace(&mut body.bufs, std::ptr::null_mut());
        let mut fits = true;
        while let Some(chain) = link.as_mut() {
            let buffer = &mut *chain.buf;
            if !buffer.pos.is_null() {
                let length = buffer.last.offset_from_unsigned(buffer.pos);
                let bytes = std::slice::from_raw_parts_mut(buffer.pos, length);
                fits = fits && reading.bytes.len() + length <= reading.limit;
                if fits {
                    reading.bytes.extend_from_slice(bytes);
                }
                bytes.zeroize();
                buffer.pos = buffer.last;
            }
            link = chain.next;
        }
        fits
    }
}
