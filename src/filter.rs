//! The response header, after every other module but the writer: the fields of our own answers, the
//! renewed cookie, and no cookie of our name from an application.

use crate::nginx::log::Severity;
use crate::nginx::request::Request;
use crate::nginx::response_header::{add, remove, set_all};
use crate::{access, own, upgraded};
use authgate_core::response::{Private, replaces};

/// `None` where the header cannot be sent: memory is short.
pub(crate) fn apply(request: Request<'_>) -> Option<()> {
    if own::server(request).realms().is_empty() {
        return Some(());
    }
    drop_foreign_cookies(request);
    let Some((fields, visit)) = own::fields_and_visit(request) else { return Some(()) };
    if !fields.is_empty() {
        set_all(request, fields, replaces)?;
    }
    let Some(visit) = visit else { return Some(()) };
    if request.is_main() && visit.unstored.take() {
        set_all(request, vec![("Cache-Control", "no-store".into())], replaces)?;
    }
    if let Some(cookie) = access::renewal(request, visit) {
        set_all(request, vec![("Set-Cookie", cookie)], replaces)?;
        keep_private(request)?;
    }
    if request.is_being_upgraded() { upgraded::watch(request, visit) } else { Some(()) }
}

/// A renewed cookie is for one visitor: no cache in between may keep the answer.
fn keep_private(request: Request<'_>) -> Option<()> {
    let mut private = Private::default();
    remove(request, |name, value| !private.keeps(name, value));
    match private.missing() {
        Some(control) => add(request, "Cache-Control", control),
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
