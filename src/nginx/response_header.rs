//! The header of an answer that is about to be sent, whoever gives it.

use super::exchange::Fields;
use super::headers;
use super::reply::push_header;
use super::request::Request;
use super::text::bytes;
use http::HeaderValue;
use ngx::ffi::ngx_table_elt_t;

/// Whether a field, given as name and value, takes the place of a line of this name and value.
type Replaces = fn((&str, &str), &[u8], &[u8]) -> bool;

/// Sets these fields, or none of them: the page that then tells of the failure has none. Each takes the place
/// of the lines that it replaces. `None` where memory is short.
pub(crate) fn set_all(request: Request<'_>, fields: Fields, replaces: Replaces) -> Option<()> {
    let mut lines = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        let Some(line) = set_line(request, name, &value, replaces) else {
            // SAFETY: lines of the live request's headers_out; one with hash 0 is not sent.
            lines.into_iter().for_each(|line: *mut ngx_table_elt_t| unsafe { (*line).hash = 0 });
            return None;
        };
        lines.push(line);
    }
    Some(())
}

fn set_line(
    request: Request<'_>,
    name: &'static str,
    value: &str,
    replaces: Replaces,
) -> Option<*mut ngx_table_elt_t> {
    // Nothing with a line break in it gets out, wherever it came from. A user name may be UTF-8.
    HeaderValue::from_bytes(value.as_bytes()).ok()?;
    remove(request, |line, text| replaces((name, value), line, text));
    let line = push_header(request, name, value)?;
    if name == "WWW-Authenticate" {
        // SAFETY: headers_out of a live request; auth_request takes the challenge of its subrequest
        // from here.
        unsafe { (*request.raw()).headers_out.www_authenticate = line }
    }
    Some(line)
}

/// Adds a field. `None` where memory is short.
pub(crate) fn add(request: Request<'_>, name: &'static str, value: &str) -> Option<()> {
    push_header(request, name, value).map(drop)
}

/// Takes the lines out that `is` names by name and value.
pub(crate) fn remove(request: Request<'_>, mut is: impl FnMut(&[u8], &[u8]) -> bool) {
    // SAFETY: headers_out of a live request; a line with hash 0 is not sent.
    unsafe {
        for line in headers::lines(&raw mut (*request.raw()).headers_out.headers) {
            // No reference to the line while others are called.
            if (*line).hash != 0 && is(bytes((*line).key), bytes((*line).value)) {
                (*line).hash = 0;
            }
        }
    }
}
