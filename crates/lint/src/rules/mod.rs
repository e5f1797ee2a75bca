//! What is looked for, one question in each function.

mod around;
mod exposed;
mod open;
mod realm;
mod skipped;
mod subrequest;

use crate::finding::{Finding, Level};
use crate::place::Place;
use crate::site::Sites;

/// Looks for what one rule is about.
type Check = fn(&Sites<'_>) -> Vec<Found>;

/// All rules, by name.
pub(crate) const RULES: [(&str, Check); 16] = [
    ("return", skipped::answers_before_the_gate),
    ("pages", skipped::pages_out_of_reach),
    ("rewrite", skipped::leaves_before_the_gate),
    ("ssi", subrequest::server_side_includes),
    ("subrequest", subrequest::parts_and_mirrors),
    ("auth-request", subrequest::asks_a_gated_location),
    ("location", around::location_beside_the_gate),
    ("error-page", around::page_of_refusal_with_content),
    ("dav", around::written_behind_the_gate),
    ("upstream", around::same_application_elsewhere),
    ("identity", exposed::forged_identity),
    ("cache", exposed::kept_by_caches),
    ("tls", exposed::passwords_in_the_clear),
    ("metrics", exposed::open_metrics),
    ("satisfy", open::let_in_by_others),
    ("open", open::said_to_be_open),
];

/// What a rule has found.
pub(crate) struct Found {
    place: Place,
    level: Level,
    text: String,
    mend: &'static str,
}

impl Found {
    fn warning(place: &Place, text: impl Into<String>, mend: &'static str) -> Self {
        Self { place: place.clone(), level: Level::Warning, text: text.into(), mend }
    }

    fn note(place: &Place, text: impl Into<String>, mend: &'static str) -> Self {
        Self { place: place.clone(), level: Level::Note, text: text.into(), mend }
    }

    fn by(self, rule: &'static str) -> Finding {
        let Self { place, level, text, mend } = self;
        Finding { place, level, rule, text, mend: mend.into() }
    }
}

/// All findings of all rules, in the order of lines, each once: what is inherited by many blocks is said
/// of the line that they inherit.
pub(crate) fn findings(sites: &Sites<'_>) -> Vec<Finding> {
    let of_rule = |(name, check): &(&'static str, Check)| {
        check(sites).into_iter().map(|found| found.by(name)).collect::<Vec<_>>()
    };
    let mut findings: Vec<_> = RULES.iter().flat_map(of_rule).collect();
    findings.sort_by(|a, b| (&a.place, a.level, &a.text).cmp(&(&b.place, b.level, &b.text)));
    findings.dedup();
    findings
}
