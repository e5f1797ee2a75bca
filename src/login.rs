//! The gate's own pages, answered before nginx looks for content.

use crate::access::{self, Known};
use crate::head::with_head;
use crate::nginx::body::{self, Body};
use crate::nginx::clock;
use crate::nginx::phase::Phase;
use crate::nginx::reply::Sent;
use crate::nginx::request::Request;
use crate::realm::Realm;
use crate::{answer, checks, credentials, insight, metrics, own, verify};
use authgate_core::check::Check;
use authgate_core::form::MAX_BODY;
use authgate_core::gate::{Gate, Outcome};
use authgate_core::pages::{Action, Fresh};
use authgate_core::reply::Reply;
use authgate_core::request::RequestHead;
use authgate_core::token::SessionId;

/// The POST_READ phase: takes the gate's credentials from every request of a server that uses a
/// realm, gated or not, before anything makes a subrequest of it or hands it to an application.
pub(crate) fn post_read(request: Request<'_>) -> Phase {
    match credentials::strip(request) {
        Some(()) => Phase::Decline,
        None => Phase::Refuse(500),
    }
}

/// The PRECONTENT phase: answers the gate's own pages.
pub(crate) fn precontent(request: Request<'_>) -> Phase {
    let Some((realm, page)) = access::page_at(request) else { return of_location(request) };
    let answer = |gate: &Gate<'_>, head: &RequestHead<'_>| gate.page(page, head, clock::now());
    Phase::Sent(match with_gate(request, realm, answer) {
        Some(action) => perform(request, realm, action),
        None => Sent::failed(request),
    })
}

/// The gate lets everyone come to its pages, wherever they are: so they come before these.
fn of_location(request: Request<'_>) -> Phase {
    let location = own::location(request);
    if location.shows_metrics() {
        return Phase::Sent(metrics::answer(request));
    }
    if let Some(verify) = location.verify() {
        return Phase::Sent(verify::answer(request, verify));
    }
    match location.insight() {
        Some(realm) => Phase::Sent(insight::answer(request, realm)),
        // A request that nginx could not read comes here by `error_page` alone.
        None if request.is_main() => post_read(request),
        None => Phase::Decline,
    }
}

/// Does what the core has decided.
fn perform(request: Request<'_>, realm: &Realm, action: Action) -> Sent {
    match action {
        Action::Reply(reply) => answer::send(request, realm, reply),
        Action::Identify => session(request, realm),
        Action::ReadBody => {
            let this = realm.this.clone();
            body::read(request, MAX_BODY, move |request, body| match this.upgrade() {
                Some(realm) => posted(request, &realm, body),
                None => Sent::failed(request),
            })
        }
        Action::Check(check) => checks::submit(request, realm, check, checked),
    }
}

/// The session page, for whichever credential.
fn session(request: Request<'_>, realm: &Realm) -> Sent {
    let Some(visit) = own::visit(request) else { return Sent::failed(request) };
    let verdict = match access::identify(request, visit, realm) {
        Known::Verdict(verdict) => verdict,
        Known::Later(sent) => return sent,
        Known::Failed => return Sent::failed(request),
    };
    let reply = with_gate(request, realm, |gate, head| gate.session(head, verdict, clock::now()));
    reply.map_or_else(|| Sent::failed(request), |reply| answer::send(request, realm, reply))
}

/// The body of a login is here.
fn posted(request: Request<'_>, realm: &Realm, body: Body) -> Sent {
    let action = with_gate(request, realm, |gate, head| match body {
        Body::Complete(bytes) => gate.posted(head, &bytes, clock::now()),
        Body::TooLarge => Action::Reply(gate.too_large(head)),
    });
    action.map_or_else(|| Sent::failed(request), |action| perform(request, realm, action))
}

/// A password has been checked, or could not be.
fn checked(request: Request<'_>, realm: &Realm, check: Check, outcome: Option<Outcome>) -> Sent {
    match outcome {
        None => Sent::failed(request),
        Some(Outcome::Checked(matches)) => replace_sessions(request, realm, check, matches),
        Some(outcome) => conclude(request, realm, &check, outcome),
    }
}

/// Ends the sessions that a login takes the place of, before it makes its own.
fn replace_sessions(request: Request<'_>, realm: &Realm, check: Check, matches: bool) -> Sent {
    let replaced = with_gate(request, realm, |gate, head| {
        gate.replaced_sessions(head, &check, matches, clock::now())
    });
    let Some(replaced) = replaced else { return Sent::failed(request) };
    realm.end_all(request, replaced, move |request, realm, is_written| match is_written {
        true => conclude(request, realm, &check, Outcome::Checked(matches)),
        false => Sent::failed(request),
    })
}

fn conclude(request: Request<'_>, realm: &Realm, check: &Check, outcome: Outcome) -> Sent {
    let reply = with_gate(request, realm, |gate, head| answer(gate, head, check, outcome));
    let reply = reply.flatten();
    reply.map_or_else(|| Sent::failed(request), |reply| answer::send(request, realm, reply))
}

fn answer(
    gate: &Gate<'_>,
    head: &RequestHead<'_>,
    check: &Check,
    outcome: Outcome,
) -> Option<Reply> {
    match outcome {
        Outcome::Checked(matches) => gate.checked(head, check, matches, fresh()?, clock::now()),
        // Nothing holds without a check: places are of Basic alone.
        Outcome::Known(_) => Some(gate.known_to_fail(head, check)),
        Outcome::Busy => Some(gate.busy(head, check)),
        Outcome::Limited(limited) => Some(gate.limited(head, check, limited)),
    }
}

/// From the kernel each time: a generator seeded before the fork repeats itself.
fn fresh() -> Option<Fresh> {
    let (mut session, mut device) = ([0; 16], [0; 16]);
    getrandom::fill(&mut session).and_then(|()| getrandom::fill(&mut device)).ok()?;
    Some(Fresh { session: SessionId(session), device: SessionId(device) })
}

fn with_gate<R>(
    request: Request<'_>,
    realm: &Realm,
    with: impl FnOnce(&Gate<'_>, &RequestHead<'_>) -> R,
) -> Option<R> {
    realm.with_gate(|gate| with_head(request, |head| with(gate, head))).flatten()
}
