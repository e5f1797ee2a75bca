//! What the configuration says itself: it is listed, for those who read it, and is a warning only where
//! it says more than it seems to.

use super::Found;
use crate::gate::Gate;
use crate::site::{Kind, Site, Sites, Words};
use crate::syntax::Directive;

/// `satisfy any`, where somebody else's word is enough.
pub(super) fn let_in_by_others(sites: &Sites<'_>) -> Vec<Found> {
    let closed = sites.all().filter(|site| site.serves() && site.is_closed());
    closed.filter_map(let_in).collect()
}

fn let_in(site: Site<'_, '_>) -> Option<Found> {
    let satisfy = site.one("satisfy").filter(|it| it.word(0) == "any")?;
    let allowed: Vec<_> = allowed(site).iter().map(|allow| allow.word(0)).collect();
    if allowed.iter().any(|address| *address == "all" || address.ends_with("/0")) {
        let text = "\"satisfy any\" and \"allow all\": nobody needs a login";
        return Some(Found::warning(
            &satisfy.place,
            text,
            "allow those addresses alone that are known",
        ));
    }
    let others = ["auth_basic", "auth_request", "auth_jwt"];
    let others =
        others.into_iter().filter(|name| site.one(name).is_some_and(|it| it.word(0) != "off"));
    let enough: Vec<_> = allowed.into_iter().chain(others).collect();
    if enough.is_empty() {
        return None;
    }
    let text = format!("\"satisfy any\" lets in without a login: {}", enough.join(", "));
    Some(Found::note(&satisfy.place, text, "\"satisfy all\" asks for both"))
}

/// The `allow` that hold: nginx takes the first of all that fits, so none behind a `deny all`.
fn allowed<'c>(site: Site<'_, 'c>) -> Vec<&'c Directive> {
    let of = |level: Site<'_, 'c>| level.own_among(&["allow", "deny"]).collect::<Vec<_>>();
    let rules = site.levels().map(of).find(|own| !own.is_empty()).unwrap_or_default();
    let before = rules.into_iter().take_while(|it| !(it.name == "deny" && it.word(0) == "all"));
    before.filter(|it| it.name == "allow").collect()
}

/// `authgate off`, `optional` and `authgate_dry_run`.
pub(super) fn said_to_be_open(sites: &Sites<'_>) -> Vec<Found> {
    sites.all().filter_map(opened).collect()
}

fn opened(site: Site<'_, '_>) -> Option<Found> {
    let outer = site.parent()?;
    match site.gate() {
        Gate::Open(gate) if gate.word(1) == "optional" => {
            let mend = "leave \"optional\" out where a login is needed";
            let own = site.own("authgate").next()?;
            Some(Found::note(&own.place, "\"optional\" refuses nobody", mend))
        }
        Gate::Open(_) => {
            let place = &site.one("authgate_dry_run")?.place;
            let text = "\"authgate_dry_run\" is on: nobody is refused";
            Some(Found::warning(place, text, "turn it off when the log shows what it should"))
        }
        Gate::Off(off) if outer.is_closed() && site.own("authgate").next().is_some() => {
            Some(turned_off(site, off))
        }
        Gate::Off(_) | Gate::Absent | Gate::Closed(_) => None,
    }
}

fn turned_off(site: Site<'_, '_>, off: &Directive) -> Found {
    let head = site.directive().map(|it| it.arguments.join(" ")).unwrap_or_default();
    let what = match site.kind() {
        Kind::If => format!("if {head}"),
        Kind::LimitExcept => format!("limit_except {head}"),
        Kind::Location(_) => format!("location {head}"),
        Kind::Server | Kind::Http | Kind::Root => "this server".to_owned(),
    };
    if *site.kind() == Kind::If && is_up_to_the_client(&head) {
        let text = format!("{what}: whoever sends that needs no login");
        return Found::warning(&off.place, text, "ask for something that a client cannot choose");
    }
    Found::note(
        &off.place,
        format!("{what}: no login is needed"),
        "leave \"authgate off\" out to ask for one",
    )
}

/// Whether a condition is about what every client can write.
fn is_up_to_the_client(condition: &str) -> bool {
    let variables = ["$http_", "$arg_", "$cookie_", "$args", "$query_string", "$is_args"];
    variables.iter().any(|variable| condition.contains(variable))
}
