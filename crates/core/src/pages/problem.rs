//! Answers to requests that are wrong in themselves.

use crate::form::FormError;
use crate::negotiate::Format;
use crate::page;
use crate::reply::Reply;
use crate::request::RequestHead;
use serde_json::json;

pub(crate) fn cross_site(head: &RequestHead<'_>) -> Reply {
    let text = "This form was sent from another site, so nothing was done.";
    problem(head, 403, "Not from here", text)
}

pub(crate) fn too_early(head: &RequestHead<'_>) -> Reply {
    problem(head, 425, "Too early", "Send this again when the TLS handshake is complete.")
}

pub(crate) fn malformed(head: &RequestHead<'_>, error: FormError) -> Reply {
    match error {
        FormError::UnsupportedMediaType => {
            problem(head, 415, "Not a form", "The login takes application/x-www-form-urlencoded.")
        }
        FormError::Malformed => problem(head, 400, "Bad form", "The form cannot be read."),
    }
}

pub(crate) fn too_large(head: &RequestHead<'_>) -> Reply {
    problem(head, 413, "Too large", "The form is too large.")
}

pub(crate) fn not_allowed(head: &RequestHead<'_>, allow: &str) -> Reply {
    let text = "This page does not take that method.";
    problem(head, 405, "Not allowed", text).header("Allow", allow.into())
}

pub(crate) fn problem(head: &RequestHead<'_>, status: u16, title: &str, text: &str) -> Reply {
    match Format::of(head) {
        Format::Json => Reply::json(status, &json!({ "error": title.to_lowercase() })),
        Format::Html => Reply::html(status, page::message(title, text, None)),
        Format::Text => Reply::text(status, text),
    }
}
