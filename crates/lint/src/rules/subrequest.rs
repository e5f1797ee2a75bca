//! Subrequests: nginx asks no access module about them.

use super::Found;
use crate::site::{Site, Sites, Words};
use crate::syntax::Directive;

/// An open page may include whatever its author names.
pub(super) fn server_side_includes(sites: &Sites<'_>) -> Vec<Found> {
    let open = sites.all().filter(|site| site.serves() && site.is_on("ssi") && !site.is_guarded());
    let beside = open.filter(|site| site.server().descendants().any(Site::is_closed));
    let text =
        "SSI in a location without a gate shows what is behind one: parts are not asked about";
    let mend = "give the location the gate, or keep what is gated in a server of its own";
    beside.filter_map(|site| Some(Found::warning(&site.one("ssi")?.place, text, mend))).collect()
}

/// Parts of a page, and copies of a request.
pub(super) fn parts_and_mirrors(sites: &Sites<'_>) -> Vec<Found> {
    let serving = sites.all().filter(|site| site.serves());
    serving
        .flat_map(|site| {
            let names = ["add_before_body", "add_after_body", "mirror"];
            let directives = names.into_iter().flat_map(move |name| site.all(name));
            directives.filter_map(move |directive| part(site, directive))
        })
        .collect()
}

fn part(site: Site<'_, '_>, directive: &Directive) -> Option<Found> {
    let targets = site.led_to(directive.word(0));
    if targets.is_empty() || !targets.iter().all(|target| target.asks_more_than(site)) {
        return None;
    }
    let (name, address) = (&directive.name, directive.word(0));
    let text = format!("\"{name}\" goes to {address}, whose gate is not asked about a subrequest");
    Some(Found::warning(&directive.place, text, "give the location that does so the same gate"))
}

/// `auth_request` to a location with a gate: it agrees to everybody.
pub(super) fn asks_a_gated_location(sites: &Sites<'_>) -> Vec<Found> {
    let open = sites.all().filter(|site| site.serves() && !site.is_closed());
    open.filter_map(asks).collect()
}

fn asks(site: Site<'_, '_>) -> Option<Found> {
    let directive = site.one("auth_request").filter(|it| it.word(0) != "off")?;
    let targets = site.led_to(directive.word(0));
    // Where a service behind it is asked, and the gate is that of the whole server, it is not the
    // gate that is meant to answer.
    let is_meant = |target: &Site<'_, '_>| {
        target.is_closed()
            && (target.own("authgate").next().is_some() || target.application().is_none())
    };
    if targets.is_empty() || !targets.iter().all(is_meant) {
        return None;
    }
    let address = directive.word(0);
    let text =
        format!("\"auth_request\" asks {address}, whose gate is not asked about a subrequest");
    Some(Found::warning(
        &directive.place,
        text,
        "use \"authgate_verify\" there, or \"authgate\" here",
    ))
}
