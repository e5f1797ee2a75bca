//! The response header, after every other module but the writer: the fields of our own answers, the
//! renewed cookie, and no cookie of our name from an application.

use super::exchange::Exchange;
use super::headers;
use super::log::Severity;
use super::reply::push_header;
use super::request::Request;
use super::text::bytes;
use crate::{access, own, upgraded};
use authgate_core::response::{self, Private};
use http::HeaderValue;
use ngx::ffi::ngx_table_elt_t;

/// `None` where the header cannot be sent: memory is short.
pub(super) fn apply(request: Request<'_>) -> Option<()> {
    if own::server(request).realms().is_empty() {
        return Some(());
    }
    drop_foreign_cookies(request);
    if let Some(exchange) = Exchange::find(request) {
        set_all(request, exchange.fields.take())?;
    }
    let Some(visit) = own::known_visit(request) else { return Some(()) };
    if request.is_main() && visit.unstored.take() {
        set_header(request, "Cache-Control", "no-store")?;
    }
    if let Some(cookie) = access::renewal(request, visit) {
        set_header(request, "Set-Cookie", &cookie)?;
        keep_private(request)?;
    }
    if request.is_being_upgraded() { upgraded::watch(request, visit) } else { Some(()) }
}

/// Sets the fields of an answer, or none of them: the page that then tells of the failure has none.
fn set_all(request: Request<'_>, fields: Vec<(&'static str, String)>) -> Option<()> {
    let mut lines = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        let Some(line) = set_header(request, name, &value) else {
            // SAFETY: lines of the live request's headers_out; one with hash 0 is not sent.
            lines.into_iter().for_each(|line: *mut ngx_table_elt_t| unsafe { (*line).hash = 0 });
            return None;
        };
        lines.push(line);
    }
    Some(())
}

/// Sets a field, and takes out what the gate's word replaces.
fn set_header(
    request: Request<'_>,
    name: &'static str,
    value: &str,
) -> Option<*mut ngx_table_elt_t> {
    // Nothing with a line break in it gets out, wherever it came from. A user name may be UTF-8.
    HeaderValue::from_bytes(value.as_bytes()).ok()?;
    remove(request, |line, text| response::replaces((name, value), line, text));
    let line = push_header(request, name, value)?;
    if name == "WWW-Authenticate" {
        // SAFETY: headers_out of a live request; auth_request takes the challenge of its subrequest
        // from here.
        unsafe { (*request.raw()).headers_out.www_authenticate = line }
    }
    Some(line)
}

/// A renewed cookie is for one visitor: no cache in between may keep the answer.
fn keep_private(request: Request<'_>) -> Option<()> {
    let mut private = Private::default();
    remove(request, |name, value| !private.keeps(name, value));
    match private.missing() {
        Some(control) => push_header(request, "Cache-Control", control).map(drop),
        None => Some(()),
    }
}

fn drop_foreign_cookies(request: Request<'_>) {
    let cookies = own::server(request).cookies();
    remove(request, |name, value| {
        let ours = name.eq_ignore_ascii_case(b"set-cookie") && cookies.are_set_by(value);
        if ours {
            request.report(Severity::Warn, &"upstream sets a cookie of the gate's name, dropped");
        }
        ours
    });
}

/// Takes the response header lines out that `is` names by name and value.
fn remove(request: Request<'_>, mut is: impl FnMut(&[u8], &[u8]) -> bool) {
    // SAFETY: headers_out of a live request; a line with hash 0 is not sent.
    unsafe {
        for line in headers::lines(&raw mut (*request.raw()).headers_out.headers) {
            let line = &mut *line;
            if line.hash != 0 && is(bytes(line.key), bytes(line.value)) {
                line.hash = 0;
            }
        }
    }
}
