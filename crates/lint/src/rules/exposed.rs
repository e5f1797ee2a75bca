//! What gets to the wrong people although every request is asked about.

use super::Found;
use super::realm;
use crate::site::{Site, Sites, Words};
use crate::syntax::Directive;

/// An application that believes a header field of the gate's gets it from clients elsewhere.
pub(super) fn forged_identity(sites: &Sites<'_>) -> Vec<Found> {
    let claims: Vec<_> = sites.all().filter(|site| site.is_closed()).flat_map(claims_of).collect();
    let locations = sites.all().filter(|site| site.serves());
    locations.filter_map(|site| forged(site, &claims)).collect()
}

/// The applications that are told who it is, and by which fields.
fn claims_of<'c>(site: Site<'_, 'c>) -> Vec<(&'c str, &'c Directive)> {
    let Some(application) = site.application() else { return Vec::new() };
    let tells = |field: &&Directive| {
        let variables = ["$authgate_user", "$authgate_groups", "$remote_user"];
        let value = field.word(1).replace(['{', '}'], "");
        variables.iter().any(|variable| value.contains(variable))
    };
    let fields = site.all("proxy_set_header").into_iter().filter(tells);
    fields.map(|field| (application, field)).collect()
}

fn forged(site: Site<'_, '_>, claims: &[(&str, &Directive)]) -> Option<Found> {
    let application = site.application()?;
    if site.one("proxy_pass_request_headers").is_some_and(|it| it.word(0) == "off") {
        return None;
    }
    let set = site.all("proxy_set_header");
    let sets = |name: &str| set.iter().any(|field| field.word(0).eq_ignore_ascii_case(name));
    let mut claims = claims.iter().filter(|(other, _)| *other == application);
    let (_, claim) = claims.find(|(_, field)| !sets(field.word(0)))?;
    let (name, place) = (claim.word(0), &claim.place);
    let text = format!(
        "{application} believes {name} ({place}), and gets here what a client writes there"
    );
    let mend = "set that field here as well, to \"\" where nobody has signed in";
    Some(Found::warning(&site.application_directive()?.place, text, mend))
}

/// Answers behind a gate that caches in front are told to keep for everybody.
pub(super) fn kept_by_caches(sites: &Sites<'_>) -> Vec<Found> {
    let closed = sites.all().filter(|site| site.serves() && site.is_closed());
    let fields = closed.flat_map(|site| site.all("add_header"));
    let shared = fields.filter(|field| is_for_shared_caches(field));
    let text = "caches in front may keep what is behind the gate, and show it to everybody";
    let mend = "write \"private\" in Cache-Control here, or leave the field out";
    shared.map(|field| Found::warning(&field.place, text, mend)).collect()
}

fn is_for_shared_caches(field: &Directive) -> bool {
    let (name, value) = (field.word(0).to_lowercase(), field.word(1).to_lowercase());
    let says = |word: &str| value.split([',', '=']).any(|part| part.trim() == word);
    match name.as_str() {
        "cache-control" => says("public") || says("s-maxage"),
        "surrogate-control" | "x-accel-expires" => value != "0" && !says("no-store"),
        name => name.ends_with("cdn-cache-control") && !says("no-store") && !says("private"),
    }
}

/// Passwords and cookies on a connection that everybody in between can read.
pub(super) fn passwords_in_the_clear(sites: &Sites<'_>) -> Vec<Found> {
    sites.servers().flat_map(|server| plain_listeners(sites, server)).collect()
}

fn plain_listeners(sites: &Sites<'_>, server: Site<'_, '_>) -> Vec<Found> {
    let realms = realm::used_in(server);
    let is_left = server.own("return").next().is_some() || sends_to_tls(server);
    if is_left || realms.is_empty() || realms.iter().all(|name| realm::is_secure(sites, name)) {
        return Vec::new();
    }
    let text = "the login and its cookie can be read on the way: no TLS here";
    let mend = "add \"ssl\"; where TLS ends in front of nginx, say \"secure=on\" in the realm's \"cookie\"";
    let listens: Vec<_> = server.own("listen").collect();
    if listens.is_empty() {
        let place = server.directive().map(|directive| &directive.place);
        return place.map(|place| Found::warning(place, text, mend)).into_iter().collect();
    }
    let plain = listens.into_iter().filter(|listen| is_plain(server, listen));
    plain.map(|listen| Found::warning(&listen.place, text, mend)).collect()
}

fn is_plain(server: Site<'_, '_>, listen: &Directive) -> bool {
    let encrypted = listen.arguments.iter().any(|word| word == "ssl" || word == "quic");
    !encrypted && !server.is_on("ssl") && !crate::gate::is_loopback(listen.word(0))
}

/// `if ($scheme = http) { return 301 https://…; }`
fn sends_to_tls(server: Site<'_, '_>) -> bool {
    let inner = server.children().filter(|site| *site.kind() == crate::site::Kind::If);
    let mut returns = inner.flat_map(|site| site.own("return"));
    returns.any(|it| it.arguments.iter().any(|word| word.starts_with("https://")))
}

/// Numbers of the gate's for everybody.
pub(super) fn open_metrics(sites: &Sites<'_>) -> Vec<Found> {
    let shown = sites.all().flat_map(|site| site.own("authgate_metrics").map(move |it| (site, it)));
    let open = shown.filter(|(site, _)| !site.is_guarded() && !site.is_local());
    let text = "everybody can read the gate's numbers here";
    let mend =
        "\"allow\" the address of Prometheus and \"deny all\", or give the location the gate";
    open.map(|(_, directive)| Found::warning(&directive.place, text, mend)).collect()
}
