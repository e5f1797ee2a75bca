//! Sending an answer of the gate's own.

use crate::nginx::reply::{self, Answer, Sent};
use crate::nginx::request::Request;
use crate::own;
use crate::realm::Realm;
use crate::record;
use crate::visit::Visit;
use authgate_core::reply::Reply;

/// Sends a refusal. Its status stands where a location behind `error_page` is what is refused; the
/// gate's own pages there keep the status of the error.
pub(crate) fn refuse(request: Request<'_>, realm: &Realm, reply: Reply) -> Sent {
    reply::forget_error(request);
    send(request, realm, reply)
}

/// Carries out what goes with a realm's reply, sends it and ends the request.
pub(crate) fn send(request: Request<'_>, realm: &Realm, mut reply: Reply) -> Sent {
    if reply.ends.is_empty() {
        return complete(request, realm, reply);
    }
    let ends = std::mem::take(&mut reply.ends);
    realm.end_all(request, ends, |request, realm, is_written| match is_written {
        true => complete(request, realm, reply),
        false => Sent::failed(request),
    })
}

/// Sends a reply once all has ended that ends with it.
fn complete(request: Request<'_>, realm: &Realm, reply: Reply) -> Sent {
    let Some(visit) = own::visit(request) else { return Sent::failed(request) };
    if let Some(event) = &reply.event {
        record::record(request, realm, event);
    }
    if reply.outcome.is_some() {
        visit.outcome.set(reply.outcome);
    }
    deliver(request, reply)
}

/// Sends a reply that nothing goes with.
pub(crate) fn deliver(request: Request<'_>, reply: Reply) -> Sent {
    let Reply { status, content_type, body, headers, .. } = reply;
    reply::deliver(request, Answer { status, content_type, body, fields: headers })
}

/// Leaves a refusal to the location's own `error_page`, with the challenge and without caching.
pub(crate) fn leave(
    request: Request<'_>,
    visit: &Visit<'_>,
    realm: &Realm,
    reply: &Reply,
) -> Option<()> {
    if let Some(event) = &reply.event {
        record::record(request, realm, event);
    }
    visit.unstored.set(true);
    for (_, value) in reply.headers.iter().filter(|(name, _)| *name == "WWW-Authenticate") {
        reply::add_challenge(request, value)?;
    }
    Some(())
}
