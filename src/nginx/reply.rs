//! Sending an answer of our own.

use super::exchange::Fields;
use super::request::Request;
use super::text::string;
use super::{bits, body, chain};
use ngx::ffi::{
    NGX_DONE, NGX_ERROR, NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_OK, ngx_buf_t, ngx_chain_t,
    ngx_http_clean_header, ngx_http_finalize_request, ngx_http_output_filter, ngx_http_request_t,
    ngx_http_send_header, ngx_int_t, ngx_list_push, ngx_table_elt_t,
};

/// The proof that a request has been answered, or will be: nginx has nothing more to do with it.
#[must_use]
pub(crate) struct Sent(());

impl Sent {
    /// It will be answered when nginx calls again.
    pub(super) const LATER: Self = Self(());

    /// Answers with nginx's own page of status 500.
    pub(crate) fn failed(request: Request<'_>) -> Self {
        // SAFETY: a live request, finalized here alone.
        unsafe {
            let code = NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t;
            ngx_http_finalize_request(request.raw(), code);
        }
        Self(())
    }

    /// NGX_DONE: to nginx's phase engine, the request is out of its hands.
    pub(super) fn code(self) -> ngx_int_t {
        NGX_DONE as ngx_int_t
    }
}

/// An answer.
pub(crate) struct Answer {
    /// Its status.
    pub status: u16,
    /// What its body is.
    pub content_type: Option<&'static str>,
    /// Its body.
    pub body: String,
    /// Its other fields, set last.
    pub fields: Fields,
}

/// Sends an answer and ends the request.
pub(crate) fn deliver(request: Request<'_>, answer: Answer) -> Sent {
    let Some(exchange) = request.exchange() else { return Sent::failed(request) };
    chain::ensure();
    // SAFETY: a live request that nothing has answered yet, finalized here alone.
    unsafe {
        let raw = request.raw();
        let mut code = body::discard(request);
        if code == NGX_OK as ngx_int_t {
            let Answer { status, content_type, body: text, fields } = answer;
            exchange.fields.replace(fields);
            describe(&mut *raw, status, content_type, text.len());
            code = send_body(request, text.as_bytes()).unwrap_or(NGX_ERROR as ngx_int_t);
            if has_failed(code) && !bits::is_header_sent(raw) {
                // Memory is short, of which nginx's own page needs less, or a filter refuses. That page
                // has none of our fields, whether they have been set or not.
                drop(exchange.fields.take());
                ngx_http_clean_header(raw);
                if code == NGX_ERROR as ngx_int_t {
                    code = NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t;
                }
            }
        }
        ngx_http_finalize_request(raw, code);
    }
    Sent(())
}

fn describe(
    request: &mut ngx_http_request_t,
    status: u16,
    content_type: Option<&'static str>,
    length: usize,
) {
    let out = &mut request.headers_out;
    out.status = status.into();
    out.content_length_n = i64::try_from(length).unwrap_or(i64::MAX);
    if let Some(content_type) = content_type {
        // The type with its charset as one: ssi, sub_filter, gzip and charset look for the bare
        // type and leave the page alone.
        out.content_type = string(content_type.as_bytes());
        out.content_type_len = content_type.len();
        out.content_type_lowcase = std::ptr::null_mut();
    }
    // SAFETY: a live request.
    unsafe { bits::send_whole(request) }
}

/// # Safety
/// The request is live, and its header has been described but not sent.
unsafe fn send_body(request: Request<'_>, body: &[u8]) -> Option<ngx_int_t> {
    let raw = request.raw();
    let copy = request.allocate(body.len())?;
    copy.copy_from_slice(body);
    // SAFETY: by the caller's promise; the buffer lies in the request's memory and outlives the
    // sending; all fields zero is an empty ngx_buf_t.
    unsafe {
        // Before the header: where memory is short, another answer can still be given.
        let buffer = ngx::ffi::ngx_pcalloc(request.get().pool, size_of::<ngx_buf_t>());
        let buffer = buffer.cast::<ngx_buf_t>().as_mut()?;
        let mut code = ngx_http_send_header(raw);
        if !has_failed(code) && !bits::is_header_only(raw) {
            let main = u32::from(request.is_main());
            let content = u32::from(!copy.is_empty());
            buffer.pos = copy.as_mut_ptr();
            buffer.last = buffer.pos.add(copy.len());
            buffer.set_memory(content);
            buffer.set_last_buf(main);
            buffer.set_last_in_chain(1);
            buffer.set_sync(u32::from(main == 0 && content == 0));
            let mut chain = ngx_chain_t { buf: buffer, next: std::ptr::null_mut() };
            code = ngx_http_output_filter(raw, &raw mut chain);
        }
        Some(code)
    }
}

/// What nginx's filters say where nothing is to come after them.
fn has_failed(code: ngx_int_t) -> bool {
    code == NGX_ERROR as ngx_int_t || code > NGX_OK as ngx_int_t
}

/// Forgets the status that `error_page` would have stand: that of the answer counts.
pub(crate) fn forget_error(request: Request<'_>) {
    // SAFETY: a live request.
    unsafe { (*request.raw()).err_status = 0 }
}

/// Adds a challenge to the response header. `None` where memory is short.
pub(crate) fn add_challenge(request: Request<'_>, value: &str) -> Option<()> {
    let line = push_header(request, "WWW-Authenticate", value)?;
    // SAFETY: headers_out of a live request; nginx links further challenges to it.
    unsafe { (*request.raw()).headers_out.www_authenticate = line }
    Some(())
}

/// Adds a line to the response header. `None` where memory is short.
pub(super) fn push_header(
    request: Request<'_>,
    name: &'static str,
    value: &str,
) -> Option<*mut ngx_table_elt_t> {
    let copy = request.allocate(value.len())?;
    copy.copy_from_slice(value.as_bytes());
    // SAFETY: headers_out of a live request; the new line is written whole, its unlinked `next`
    // included, before nginx reads it.
    unsafe {
        let line = ngx_list_push(&raw mut (*request.raw()).headers_out.headers);
        let line = line.cast::<ngx_table_elt_t>();
        if line.is_null() {
            return None;
        }
        line.write_bytes(0, 1);
        (*line).hash = 1;
        (*line).key = string(name.as_bytes());
        (*line).value = string(copy);
        Some(line)
    }
}
