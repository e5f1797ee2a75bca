//! Realms, as far as they matter for what is reached where.

use crate::gate::Gate;
use crate::site::{Site, Sites, Words};
use crate::syntax::Directive;

/// The names of the realms whose login somebody in this server needs.
pub(super) fn used_in(server: Site<'_, '_>) -> Vec<String> {
    let gates = server.descendants().filter(|site| site.serves()).map(|site| site.gate());
    let mut names: Vec<_> = gates
        .filter_map(|gate| match gate {
            Gate::Closed(directive) => Some(directive.word(0).to_owned()),
            Gate::Absent | Gate::Off(_) | Gate::Open(_) => None,
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

/// A directive of a realm's own.
fn directive<'c>(sites: &Sites<'c>, realm: &str, name: &str) -> Option<&'c Directive> {
    let mut blocks = sites.all().flat_map(|site| site.own("authgate_realm"));
    let block = blocks.find(|it| it.word(0) == realm)?;
    block.block.as_deref().unwrap_or_default().iter().find(|it| it.name == name)
}

/// Where a realm's own pages are.
pub(super) fn path<'c>(sites: &Sites<'c>, realm: &str) -> &'c str {
    directive(sites, realm, "path").map_or("/authgate/", |it| it.word(0))
}

/// Whether the login page is another server's.
pub(super) fn has_login_url(sites: &Sites<'_>, realm: &str) -> bool {
    directive(sites, realm, "login_url").is_some()
}

/// Whether TLS is said to end in front of this nginx.
pub(super) fn is_secure(sites: &Sites<'_>, realm: &str) -> bool {
    let cookie = directive(sites, realm, "cookie");
    cookie.is_some_and(|it| it.arguments.iter().any(|word| word == "secure=on"))
}
