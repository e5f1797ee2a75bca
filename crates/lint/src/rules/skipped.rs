//! `return` and `rewrite`: nginx carries them out before it asks any access module.

use super::Found;
use super::realm;
use crate::site::{Kind, Site, Sites, Words};
use crate::syntax::Directive;

/// Answers that everybody gets where a login is needed.
pub(super) fn answers_before_the_gate(sites: &Sites<'_>) -> Vec<Found> {
    let closed = sites.all().filter(|site| site.is_closed());
    closed
        .flat_map(|site| site.own("return").chain(site.own("rewrite")).filter_map(found))
        .collect()
}

fn found(directive: &Directive) -> Option<Found> {
    let place = &directive.place;
    if redirects(directive) {
        let text = format!("\"{}\" redirects before the gate is asked", directive.name);
        return Some(Found::note(place, text, "keep what only some may see out of the address"));
    }
    let shows = directive.name == "return"
        && directive.word(0).starts_with('2')
        && !directive.word(1).is_empty();
    shows.then(|| {
        let text = "\"return\" answers before the gate is asked: everybody gets this text";
        Found::warning(place, text, "serve it from a file, or write \"authgate off\" beside it")
    })
}

/// Whether a `return` or `rewrite` sends the client to another address.
fn redirects(directive: &Directive) -> bool {
    let is_url = |word: &str| {
        ["http://", "https://", "$scheme"].iter().any(|beginning| word.starts_with(beginning))
    };
    match directive.name.as_str() {
        "return" => is_url(directive.word(0)) || is_redirect(directive.word(0)),
        _ => is_url(directive.word(1)) || ["redirect", "permanent"].contains(&directive.word(2)),
    }
}

fn is_redirect(status: &str) -> bool {
    ["301", "302", "303", "307", "308"].contains(&status)
}

/// The login page has to be reached in a server where somebody is sent to it.
pub(super) fn pages_out_of_reach(sites: &Sites<'_>) -> Vec<Found> {
    sites.servers().flat_map(|server| pages_of(sites, server)).collect()
}

fn pages_of(sites: &Sites<'_>, server: Site<'_, '_>) -> Vec<Found> {
    if taker(server).is_some() {
        return Vec::new(); // Nobody gets to a gate either.
    }
    let used = realm::used_in(server);
    let realms = used.iter().filter(|name| !realm::has_login_url(sites, name));
    let pages = realms.map(|name| format!("{}login", realm::path(sites, name)));
    pages.filter_map(|page| out_of_reach(server, &page)).collect()
}

fn out_of_reach(server: Site<'_, '_>, page: &str) -> Option<Found> {
    let serving = server.serving(page);
    let takers: Option<Vec<_>> = serving.into_iter().map(taker).collect();
    let taker = takers?.into_iter().next()?;
    let text = format!("\"{}\" takes {page} as well: nobody can sign in", taker.name);
    let mend = "add a location for the realm's path with \"authgate_endpoints\"";
    Some(Found::warning(&taker.place, text, mend))
}

/// What answers every request of a block before it is looked at.
fn taker<'c>(site: Site<'_, 'c>) -> Option<&'c Directive> {
    let everything = ["^", ".", "^/", "^(.*)$", "^/(.*)$", "^.*$", "(.*)", ".*"];
    let mut rewrites = site.own("rewrite").filter(|it| redirects(it));
    site.own("return").next().or_else(|| rewrites.find(|it| everything.contains(&it.word(0))))
}

/// A location with a gate that hands its requests to one without, before the gate is asked.
pub(super) fn leaves_before_the_gate(sites: &Sites<'_>) -> Vec<Found> {
    let locations = sites.all().filter(|site| site.matcher().is_some() && site.is_closed());
    locations.flat_map(|site| site.own("rewrite").filter_map(move |it| leaves(site, it))).collect()
}

fn leaves(site: Site<'_, '_>, rewrite: &Directive) -> Option<Found> {
    let goes_on = rewrite.word(2).is_empty() || rewrite.word(2) == "last";
    if !goes_on || redirects(rewrite) {
        return None;
    }
    let targets = site.led_to(rewrite.word(1));
    let unasked = |target: &Site<'_, '_>| {
        !target.is_closed() && !target.is_off_by_itself() && *target.kind() != Kind::Server
    };
    if targets.is_empty() || !targets.iter().all(unasked) {
        return None;
    }
    let text =
        "\"rewrite\" leads to a location without a gate, before the gate of this one is asked";
    Some(Found::warning(&rewrite.place, text, "give that location the gate, or \"break\" here"))
}
