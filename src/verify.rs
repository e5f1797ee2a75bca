//! `authgate_verify`: the verdict as an answer, for `auth_request` and for other proxies.

use crate::access::{Known, Site, identify};
use crate::head::with_head;
use crate::nginx::clock;
use crate::nginx::reply::Sent;
use crate::nginx::request::Request;
use crate::{answer, own};
use authgate_core::gate::Gate;
use authgate_core::request::RequestHead;
use authgate_core::status::Status;

/// What `authgate_verify` says of a location.
#[derive(Clone, Copy)]
pub(crate) struct Verify<'c> {
    /// The realm, and who may pass.
    pub site: Site<'c>,
    /// What a page navigation without a session gets.
    pub navigations: Navigations,
}

/// What a page navigation without a session gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Navigations {
    /// 401: whoever asks makes a redirect of it.
    Refused,
    /// The redirect to the login page, for proxies that hand it on.
    Redirected,
}

/// Answers a request of the location.
pub(crate) fn answer<'r>(request: Request<'r>, verify: Verify<'r>) -> Sent {
    let Some(visit) = own::visit(request) else { return Sent::failed(request) };
    let site = verify.site;
    let verdict = match identify(request, visit, site.realm) {
        Known::Later(sent) => return sent,
        Known::Verdict(verdict) => Some(verdict),
        Known::Failed => None,
    };
    let status = site.judge(request, visit, verdict);
    let passes = site.mode.verifies(status);
    let answer = |gate: &Gate<'_>, head: &RequestHead<'_>| match (verdict, passes) {
        (verdict, true) => Some(gate.verified(verdict.filter(|_| status == Status::Ok))),
        (Some(verdict), false) if verify.redirects(request) => {
            Some(gate.refusal(head, verdict, clock::now()))
        }
        (Some(verdict), false) => Some(gate.refusal_without_redirect(head, verdict, clock::now())),
        (None, false) => None,
    };
    if status == Status::Ok {
        visit.verified_by.set(Some(site.realm));
    }
    if !passes {
        visit.refused_in.set(Some(own::location(request)));
    }
    let reply = site.realm.with_gate(|gate| with_head(request, |head| answer(gate, head)));
    match reply.flatten().flatten() {
        Some(reply) => answer::send(request, site.realm, reply),
        None => Sent::failed(request),
    }
}

impl Verify<'_> {
    /// nginx's own `auth_request` knows no redirect, and would make a 500 of it.
    fn redirects(&self, request: Request<'_>) -> bool {
        self.navigations == Navigations::Redirected && request.is_main()
    }
}
