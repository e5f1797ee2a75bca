//! The variables, and what they say of a request.

use crate::access::Site;
use crate::nginx::request::Request;
use crate::nginx::variables::Value;
use crate::visit::Visit;
use crate::{access, own};
use authgate_core::gate::{Identity, Verdict};
use authgate_core::status::Status;

/// Their names, and what each says.
pub(crate) static VARIABLES: [(&str, Value); 7] = [
    ("authgate_user", user),
    ("authgate_groups", groups),
    ("authgate_realm", realm),
    ("authgate_method", method),
    ("authgate_session", session),
    ("authgate_expires", expires),
    ("authgate_status", status),
];

/// `$authgate_user`, and `$remote_user` wherever a realm is on.
pub(crate) fn user(request: Request<'_>) -> Option<String> {
    Some(identity(request)?.user().into())
}

fn groups(request: Request<'_>) -> Option<String> {
    let identity = identity(request)?;
    let site = own::location(request).judge()?;
    Some(site.realm.users.borrow().get(identity.user())?.groups.join(","))
}

fn realm(request: Request<'_>) -> Option<String> {
    Some(own::location(request).judge()?.realm.settings.name.clone())
}

fn method(request: Request<'_>) -> Option<String> {
    Some(identity(request)?.credential.as_str().into())
}

fn session(request: Request<'_>) -> Option<String> {
    Some(identity(request)?.id()?.to_string())
}

fn expires(request: Request<'_>) -> Option<String> {
    Some(identity(request)?.expires_at()?.to_string())
}

fn status(request: Request<'_>) -> Option<String> {
    let outcome = own::known_visit(request).and_then(|visit| visit.outcome.get());
    let status = match (outcome, own::location(request).judge()) {
        (Some(outcome), _) => outcome,
        (None, None) => Status::Off,
        (None, Some(site)) => judged(request, own::visit(request)?, site).0,
    };
    Some(status.as_str().into())
}

/// Who the request comes from. Who is not allowed is named where the gate has refused the request, for the
/// log, and nowhere that another let it in.
fn identity<'r>(request: Request<'r>) -> Option<&'r Identity> {
    let here = own::location(request);
    let visit = own::visit(request)?;
    let (status, verdict) = judged(request, visit, here.judge()?);
    let is_refused_here = visit.refused_in.get().is_some_and(|there| std::ptr::eq(there, here));
    let is_named = status == Status::Ok || is_refused_here;
    verdict.and_then(Verdict::identity).filter(|_| is_named)
}

/// How the request fares here, with the verdict that it comes of.
fn judged<'r>(
    request: Request<'r>,
    visit: &Visit<'r>,
    site: Site<'r>,
) -> (Status, Option<&'r Verdict>) {
    let verdict = access::verdict(request, visit, site.realm);
    (site.status(verdict), verdict)
}
