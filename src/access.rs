//! The gate in nginx's access phase, and what it leaves behind for the later ones.

use crate::head::with_head;
use crate::nginx::clock;
use crate::nginx::phase::{Pass, Phase};
use crate::nginx::reply::Sent;
use crate::nginx::request::Request;
use crate::realm::Realm;
use crate::visit::Visit;
use crate::{answer, checks, faults, own, record};
use authgate_core::check::Check;
use authgate_core::event::Event;
use authgate_core::gate::{Cause, Decision, Gate, Identity, Outcome, Verdict};
use authgate_core::mode::{Mode, Step};
use authgate_core::pages::Page;
use authgate_core::rules::Rules;
use authgate_core::status::Status;

/// What `authgate` and what goes with it say of a location.
#[derive(Clone, Copy)]
pub(crate) struct Site<'c> {
    /// The realm.
    pub realm: &'c Realm,
    /// Whether anybody is refused.
    pub mode: Mode,
    /// Who of those signed in may enter.
    pub rules: &'c Rules,
}

/// What is known of who a request comes from.
#[must_use]
pub(crate) enum Known<'r> {
    /// The realm's verdict.
    Verdict(&'r Verdict),
    /// nginx calls again when the password has been checked.
    Later(Sent),
    /// Nothing: something inside has failed.
    Failed,
}

/// The access phase: nginx has asked `allow`, `deny`, `auth_basic` and `auth_request` before.
pub(crate) fn access(request: Request<'_>) -> Phase {
    if page_at(request).is_some() {
        return admit();
    }
    let Some(site) = own::location(request).site() else { return Phase::Decline };
    faults::in_lock(request, site.realm);
    let Some(visit) = own::visit(request) else { return Phase::Refuse(500) };
    visit.admitted_by.set(Some(site.realm));
    let verdict = match identify(request, visit, site.realm) {
        Known::Later(sent) => return Phase::Sent(sent),
        Known::Verdict(verdict) => Some(verdict),
        Known::Failed => None,
    };
    let status = site.judge(request, visit, verdict);
    match (site.mode.step(status), verdict) {
        (Step::Admit, _) => admit(),
        (Step::GoOn, _) => Phase::Decline,
        (Step::Refuse, Some(verdict)) => refuse(request, site.realm, verdict),
        (Step::Refuse, None) | (Step::Fail, _) => Phase::Refuse(500),
    }
}

/// The one place that lets a request pass.
fn admit() -> Phase {
    Phase::Pass(Pass::granted())
}

impl Site<'_> {
    /// How a request with this verdict fares here. Without one something inside has failed.
    pub(crate) fn status(&self, verdict: Option<&Verdict>) -> Status {
        let ask = |verdict| self.realm.with_gate(|gate| gate.status(verdict, self.rules));
        verdict.and_then(ask).unwrap_or(Status::Error)
    }

    /// The same, where it comes of it: the request is counted, the first time that a gate judges it, and
    /// a dry run tells of whom it would refuse.
    pub(crate) fn judge(
        &self,
        request: Request<'_>,
        visit: &Visit<'_>,
        verdict: Option<&Verdict>,
    ) -> Status {
        let status = self.status(verdict);
        if !visit.counted.replace(true) {
            self.realm.count(status);
        }
        if self.mode.tells(status) {
            let realm = self.realm.settings.name.clone();
            record::log(request, &Event::WouldRefuse { reason: status, realm });
        }
        status
    }
}

fn refuse(request: Request<'_>, realm: &Realm, verdict: &Verdict) -> Phase {
    let Some(visit) = own::visit(request) else { return Phase::Refuse(500) };
    visit.refused_in.set(Some(own::location(request)));
    let refusal = realm
        .with_gate(|gate| with_head(request, |head| gate.refusal(head, verdict, clock::now())))
        .flatten();
    let Some(reply) = refusal else { return Phase::Refuse(500) };
    if matches!(reply.status, 401 | 403) && request.has_error_page(reply.status) {
        return match answer::leave(request, visit, realm, &reply) {
            Some(()) => Phase::Refuse(reply.status),
            None => Phase::Refuse(500),
        };
    }
    Phase::Sent(answer::refuse(request, realm, reply))
}

/// Who the request comes from, found out once for each visit and realm. A password that has to be
/// checked for that is, and nginx goes on with the request afterwards.
pub(crate) fn identify<'r>(request: Request<'r>, visit: &Visit<'r>, realm: &Realm) -> Known<'r> {
    match ask(request, visit, realm) {
        None => Known::Failed,
        Some(Asked::Verdict(verdict)) => Known::Verdict(verdict),
        Some(Asked::Check(check)) => Known::Later(checks::submit(request, realm, *check, checked)),
    }
}

/// The verdict of `realm` for who does not ask the gate. A password says nothing here: what is known of
/// one is told to the gate alone, which counts each that is tried.
pub(crate) fn verdict<'r>(
    request: Request<'r>,
    visit: &Visit<'r>,
    realm: &Realm,
) -> Option<&'r Verdict> {
    if let Some(verdict) = visit.verdict_of(realm) {
        return Some(verdict);
    }
    let is_basic = |gate: &Gate<'_>| with_head(request, |head| gate.is_asked_by_basic(head));
    if realm.with_gate(is_basic)?? {
        return Some(&Verdict::Challenge(Cause::Missing));
    }
    Some(match ask(request, visit, realm)? {
        Asked::Verdict(verdict) => verdict,
        Asked::Check(_) => &Verdict::Challenge(Cause::Missing),
    })
}

/// What can be told of a request at once.
enum Asked<'r> {
    Verdict(&'r Verdict),
    Check(Box<Check>),
}

fn ask<'r>(request: Request<'r>, visit: &Visit<'r>, realm: &Realm) -> Option<Asked<'r>> {
    if let Some(verdict) = visit.verdict_of(realm) {
        return Some(Asked::Verdict(verdict));
    }
    let decide = |gate: &Gate<'_>| with_head(request, |head| gate.decide(head, clock::now()));
    Some(match realm.with_gate(decide)?? {
        Decision::Verdict(verdict) => Asked::Verdict(visit.remember(request, realm, verdict)?),
        Decision::Check(check) => Asked::Check(check),
    })
}

/// The password of a Basic credential has been checked, or could not be: nginx goes on.
fn checked(request: Request<'_>, realm: &Realm, check: Check, outcome: Option<Outcome>) -> Sent {
    let verdict =
        outcome.and_then(|outcome| realm.with_gate(|gate| gate.of_check(&check, outcome)));
    let (Some((verdict, event)), Some(visit)) = (verdict, own::visit(request)) else {
        return Sent::failed(request);
    };
    if let Some(event) = event {
        record::record(request, realm, &event);
    }
    match visit.remember(request, realm, verdict) {
        Some(_) => request.go_on(),
        None => Sent::failed(request),
    }
}

/// The realm whose gate has let a request in where it is now, with the epoch of its user.
pub(crate) fn admitted_here<'r>(
    request: Request<'r>,
    visit: &Visit<'r>,
) -> Option<(&'r Realm, u64)> {
    let realm = visit.admitted_by.get().filter(|realm| gate_of(request, realm).is_some())?;
    let identity = visit.verdict_of(realm)?.admitted()?;
    Some((realm, realm.with_gate(|gate| gate.epoch(identity)).unwrap_or_default()))
}

fn gate_of<'r>(request: Request<'r>, realm: &Realm) -> Option<Site<'r>> {
    own::location(request).site().filter(|site| std::ptr::eq(site.realm, realm))
}

/// Whether a request that was let in would be refused now, and what to say of it. What cannot be told is
/// refused, as it would be with a request.
pub(crate) fn review(request: Request<'_>, realm: &Realm, epoch: u64) -> Option<Event> {
    let site = gate_of(request, realm)?;
    let visit = own::visit(request);
    let identity = visit.and_then(|visit| visit.verdict_of(realm)?.admitted());
    let review = |identity| realm.with_gate(|gate| gate.review(identity, epoch, clock::now()));
    let reason = site.status(identity.and_then(review).as_ref());
    let user = identity.map_or_else(String::new, |identity| identity.user().into());
    let closed = || Event::ConnectionClosed { user, reason, realm: realm.settings.name.clone() };
    matches!(site.mode.step(reason), Step::Refuse | Step::Fail).then(closed)
}

/// The realm and the page of the gate's own that this request is for.
pub(crate) fn page_at(request: Request<'_>) -> Option<(&Realm, Page)> {
    let path = request.path();
    let mut realms = own::server(request).realms().iter();
    realms.find_map(|realm| Some((&**realm, Page::at(&realm.settings, path)?)))
}

/// The cookie to send with the answer of an admitted request whose session is due for renewal.
pub(crate) fn renewal<'r>(request: Request<'r>, visit: &Visit<'r>) -> Option<String> {
    if !request.is_main() {
        return None;
    }
    let gated = || visit.admitted_by.get().filter(|_| own::location(request).is_gated());
    let realm = visit.verified_by.get().or_else(gated)?;
    let verdict = visit.verdict_of(realm)?;
    let has_session = |identity: &&Identity| identity.session().is_some();
    let identity = verdict.admitted().filter(has_session).filter(|_| realm.may_renew())?;
    let now = clock::now();
    let renew = |gate: &Gate<'_>| with_head(request, |head| gate.renewal(identity, head, now));
    realm.with_gate(renew).flatten().flatten()
}
