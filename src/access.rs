//! The gate in nginx's access phase, and what it leaves behind for the later ones.

use crate::nginx::clock;
use crate::nginx::reply::{self, Sent};
use crate::nginx::request::Request;
use crate::nginx::visit::Visit;
use crate::realm::Realm;
use authgate_core::gate::{Cause, Gate, Verdict};
use authgate_core::pages::Page;
use std::cell::Ref;

/// What `authgate` says of a location.
#[derive(Clone, Copy)]
pub(crate) struct Site<'c> {
    /// The realm.
    pub realm: &'c Realm,
    /// Whether anybody is refused.
    pub mode: Mode,
}

/// Whether anybody is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Who has no valid credential is.
    Required,
    /// Nobody is; the variables tell.
    Optional,
}

/// What a phase handler tells nginx.
#[must_use]
pub(crate) enum Phase {
    /// The request may pass. Produced in [`admit`] alone.
    Pass(Pass),
    /// No opinion.
    Decline,
    /// nginx answers with this status and the location's `error_page`.
    Refuse(u16),
    /// We have answered, or will.
    Sent(Sent),
}

/// The right to pass.
pub(crate) struct Pass(());

/// The access phase: nginx has asked `allow`, `deny`, `auth_basic` and `auth_request` before.
pub(crate) fn access(request: Request<'_>) -> Phase {
    if page_at(request).is_some() {
        return admit();
    }
    let Some(site) = request.location().site() else { return Phase::Decline };
    let Some(visit) = request.visit() else { return Phase::Refuse(500) };
    visit.admitted_by.set(Some(site.realm));
    let cause = match (verdict(request, visit, site.realm).as_deref(), site.mode) {
        (Some(Verdict::Admit(_)), _) => return admit(),
        (_, Mode::Optional) => return Phase::Decline,
        (Some(Verdict::Challenge(cause)), Mode::Required) => *cause,
        (None, Mode::Required) => return Phase::Refuse(500),
    };
    // The verdict is let go of: a refusal ends the request, and the visit with it.
    refuse(request, site.realm, cause)
}

fn admit() -> Phase {
    Phase::Pass(Pass(()))
}

fn refuse(request: Request<'_>, realm: &Realm, cause: Cause) -> Phase {
    let Some(visit) = request.visit() else { return Phase::Refuse(500) };
    let refusal =
        realm.with_gate(|gate| request.with_head(visit, |head| gate.refusal(head, cause)));
    let Some(reply) = refusal else { return Phase::Refuse(500) };
    if reply.status == 401 && request.has_error_page(401) {
        return match reply::challenge(request, realm, &reply) {
            Some(()) => Phase::Refuse(401),
            None => Phase::Refuse(500),
        };
    }
    Phase::Sent(reply::refuse(request, realm, reply))
}

/// The verdict of `realm`, computed once for each visit. `None` where something inside fails.
pub(crate) fn verdict<'v, 'r>(
    request: Request<'r>,
    visit: &'v Visit<'r>,
    realm: &Realm,
) -> Option<Ref<'v, Verdict>> {
    if visit.verdict_of(realm).is_none() {
        let verdict = realm
            .with_gate(|gate| request.with_head(visit, |head| gate.decide(head, clock::now())))?;
        visit.verdict.replace(Some((realm, verdict)));
    }
    visit.verdict_of(realm)
}

/// The realm and the page of the gate's own that this request is for.
pub(crate) fn page_at(request: Request<'_>) -> Option<(&Realm, Page)> {
    let path = request.path();
    let mut realms = request.server().realms().iter();
    realms.find_map(|realm| Some((&**realm, Page::at(&realm.settings, path)?)))
}

/// The cookie to send with the answer of an admitted request whose session is due for renewal.
pub(crate) fn renewal<'r>(request: Request<'r>, visit: &Visit<'r>) -> Option<String> {
    if !request.is_main() || !request.location().is_gated() {
        return None;
    }
    let realm = visit.admitted_by.get()?;
    match &*visit.verdict_of(realm)? {
        Verdict::Admit(identity) if realm.may_renew() => {
            let now = clock::now();
            let renew = |gate: &Gate<'_>| {
                request.with_head(visit, |head| gate.renewal(identity, head, now))
            };
            realm.with_gate(renew).flatten()
        }
        Verdict::Admit(_) | Verdict::Challenge(_) => None,
    }
}
