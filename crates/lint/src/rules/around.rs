//! Ways around a gate: another location, another page, another server.

use super::Found;
use crate::gate::{Gate, is_loopback};
use crate::location::Matcher;
use crate::site::{Site, Sites, Words};
use crate::syntax::Directive;

/// Locations that nginx prefers to one with a gate, for addresses that begin alike.
pub(super) fn location_beside_the_gate(sites: &Sites<'_>) -> Vec<Found> {
    let closed = sites.all().filter(|site| site.is_closed());
    closed.flat_map(|site| beside(site).filter_map(move |other| shadows(site, other))).collect()
}

fn beside<'s, 'c>(site: Site<'s, 'c>) -> impl Iterator<Item = Site<'s, 'c>> {
    site.parent().into_iter().flat_map(|level| level.children().collect::<Vec<_>>())
}

/// Whether `other` has no gate and takes addresses that are meant to be `site`'s.
fn shadows(site: Site<'_, '_>, other: Site<'_, '_>) -> Option<Found> {
    let Some(Matcher::Prefix { path, last }) = site.matcher() else { return None };
    let takes = match other.matcher()? {
        Matcher::Exact(longer) => longer.starts_with(path.as_str()),
        Matcher::Prefix { path: longer, .. } => longer.starts_with(path.as_str()) && longer != path,
        expression @ Matcher::Regex { .. } => !last && expression.may_match_below(path),
        Matcher::Named(_) => false,
    };
    if !takes || !is_forgotten(other) {
        return None;
    }
    let place = &other.directive()?.place;
    let text =
        format!("this location takes addresses under {path}, which has a gate, and has none");
    Some(Found::warning(
        place,
        text,
        "give it the gate, or write \"authgate off\" if it is to be open",
    ))
}

/// Whether nobody has said anything of a gate, and it shows something.
fn is_forgotten(site: Site<'_, '_>) -> bool {
    let answers = site.is_off_by_itself() || site.own("return").next().is_some();
    site.gate() == Gate::Absent && !site.is_guarded() && !answers
}

/// An `error_page` that shows those whom the gate refuses the same application without it.
pub(super) fn page_of_refusal_with_content(sites: &Sites<'_>) -> Vec<Found> {
    let closed = sites.all().filter(|site| site.serves() && site.is_closed());
    closed.flat_map(pages_of_refusal).collect()
}

fn pages_of_refusal(site: Site<'_, '_>) -> Vec<Found> {
    let Some(application) = site.application() else { return Vec::new() };
    let of_refusals = site
        .all("error_page")
        .into_iter()
        .filter(|page| page.arguments.iter().any(|word| ["401", "403"].contains(&word.as_str())));
    let same = of_refusals.filter(|page| {
        let targets = page.arguments.last().map(|target| site.led_to(target)).unwrap_or_default();
        let shows = |target: &Site<'_, '_>| {
            !target.is_closed() && target.application() == Some(application)
        };
        targets.iter().any(shows)
    });
    let text = "who is refused is shown the same application, in a location without a gate";
    let mend = "have \"error_page\" of 401 and 403 lead to a page of its own";
    same.map(|page| Found::warning(&page.place, text, mend)).collect()
}

/// Another server that hands requests to the same application without asking anybody.
pub(super) fn same_application_elsewhere(sites: &Sites<'_>) -> Vec<Found> {
    let closed: Vec<_> = sites.all().filter(|site| site.is_closed()).collect();
    let open = sites.all().filter(|site| site.serves() && is_forgotten(*site) && !site.is_local());
    let by_stream = sites.streams().filter_map(|server| without_requests(server, &closed));
    open.filter_map(|site| elsewhere(site, &closed)).chain(by_stream).collect()
}

/// A server of `stream`, which hands on what it cannot read.
fn without_requests(server: &Directive, closed: &[Site<'_, '_>]) -> Option<Found> {
    let own = |name| server.block.iter().flatten().filter(move |directive| directive.name == name);
    let mut listens = own("listen");
    let pass = own("proxy_pass").next()?;
    if listens.all(|listen| is_loopback(listen.word(0))) {
        return None;
    }
    let same = |gated: &&Site<'_, '_>| gated.application() == Some(pass.word(0));
    let gated = &closed.iter().find(same)?.application_directive()?.place;
    let text = format!("{} is behind the gate in {gated}, and \"stream\" knows none", pass.word(0));
    Some(Found::warning(&pass.place, text, "leave it out, or \"listen\" on loopback"))
}

fn elsewhere(site: Site<'_, '_>, closed: &[Site<'_, '_>]) -> Option<Found> {
    let application = site.application()?;
    let mut same = closed.iter().filter(|gated| gated.application() == Some(application));
    let gated = &same.clone().next()?.application_directive()?.place;
    if same.any(|gated| gated.server() == site.server()) {
        return None; // There, what has a gate and what has none was chosen side by side.
    }
    let text = format!("{application} is behind the gate in {gated}, and here it is not");
    let mend = "give this one the gate too, or write \"authgate off\" if it is to be open";
    Some(Found::warning(&site.application_directive()?.place, text, mend))
}

/// WebDAV's COPY and MOVE: nobody is asked about their target, which may lie behind a gate.
pub(super) fn written_behind_the_gate(sites: &Sites<'_>) -> Vec<Found> {
    let open = sites.all().filter(|site| site.serves() && !site.is_closed());
    let beside = open.filter(|site| site.server().descendants().any(Site::is_closed));
    let methods = beside.filter_map(|site| site.one("dav_methods"));
    let writes = methods.filter(|directive| {
        directive.arguments.iter().any(|word| ["COPY", "MOVE"].contains(&word.as_str()))
    });
    let text = "COPY and MOVE write behind the gate as well: nobody is asked about their target";
    let mend = "give the location the gate, leave both methods out, or give it a server of its own";
    writes.map(|directive| Found::warning(&directive.place, text, mend)).collect()
}
