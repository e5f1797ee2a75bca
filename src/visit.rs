//! What the gate remembers of a request through internal redirects and subrequests.

use crate::conf::location::LocationConf;
use crate::nginx::request::Request;
use crate::realm::Realm;
use authgate_core::gate::Verdict;
use authgate_core::status::Status;
use std::cell::Cell;

/// One visit of a client: a main request with its subrequests and internal redirects.
#[derive(Default)]
pub(crate) struct Visit<'r> {
    /// The verdicts, the last one first.
    verdicts: Cell<Option<&'r Judged<'r>>>,
    /// The realm whose `authgate_verify` admitted the request, to renew its session.
    pub verified_by: Cell<Option<&'r Realm>>,
    /// Where a gate has refused the request last.
    pub refused_in: Cell<Option<&'r LocationConf>>,
    /// Whether a gate has counted the request.
    pub counted: Cell<bool>,
    /// The realm whose gate admitted the request, to renew its session.
    pub admitted_by: Cell<Option<&'r Realm>>,
    /// Whether a refusal has been left to the location's `error_page`: no cache keeps what that shows.
    pub unstored: Cell<bool>,
    /// How a sign-in or a sign-out ended, for `$authgate_status`.
    pub outcome: Cell<Option<Status>>,
}

/// A verdict in the request's memory.
struct Judged<'r> {
    by: *const Realm,
    verdict: Verdict,
    before: Option<&'r Self>,
}

impl<'r> Visit<'r> {
    /// The verdict that `realm` has given on this visit.
    pub(crate) fn verdict_of(&self, realm: &Realm) -> Option<&'r Verdict> {
        let mut judged = std::iter::successors(self.verdicts.get(), |judged| judged.before);
        judged.find(|judged| std::ptr::eq(judged.by, realm)).map(|judged| &judged.verdict)
    }

    /// Remembers the verdict of `realm`, unless it has given one, and gives the one that counts;
    /// `None` where memory is short.
    pub(crate) fn remember(
        &self,
        request: Request<'r>,
        realm: &Realm,
        verdict: Verdict,
    ) -> Option<&'r Verdict> {
        if let Some(known) = self.verdict_of(realm) {
            return Some(known);
        }
        let judged = Judged { by: realm, verdict, before: self.verdicts.get() };
        let judged = request.main().keep(judged)?;
        self.verdicts.set(Some(judged));
        Some(&judged.verdict)
    }
}
