//! Which gate holds in a block, and what else keeps people out.

use crate::location::Matcher::{Exact, Named, Prefix, Regex};
use crate::site::{Kind, Site, Words};
use crate::syntax::Directive;

/// What `authgate` makes of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate<'c> {
    /// Nothing is said here or above.
    Absent,
    /// It is said to be off.
    Off(&'c Directive),
    /// A realm that refuses nobody: `optional`, or a dry run.
    Open(&'c Directive),
    /// A realm, whose login is needed.
    Closed(&'c Directive),
}

impl<'c> Site<'_, 'c> {
    /// The gate that holds in the block.
    pub(crate) fn gate(self) -> Gate<'c> {
        let Some(directive) = self.one("authgate") else { return Gate::Absent };
        let by_itself = ["authgate_endpoints", "authgate_verify"];
        if by_itself.iter().any(|name| self.own(name).next().is_some()) {
            // It says who may pass; it has no gate itself.
            return Gate::Off(directive);
        }
        match (directive.word(0), directive.word(1)) {
            ("off", _) => Gate::Off(directive),
            (_, "optional") => Gate::Open(directive),
            _ if self.is_on("authgate_dry_run") => Gate::Open(directive),
            _ => Gate::Closed(directive),
        }
    }

    pub(crate) fn is_closed(self) -> bool {
        matches!(self.gate(), Gate::Closed(_))
    }

    /// Whether it asks for what `other` does not: a login, that of another realm, or one of fewer users.
    pub(crate) fn asks_more_than(self, other: Self) -> bool {
        let words = |name: &str, site: Self| {
            site.all(name).iter().map(|it| it.arguments.as_slice()).collect::<Vec<_>>()
        };
        let realm = |site: Self| site.one("authgate").map(|it| it.word(0));
        let requires = words("authgate_require", self);
        let fewer = !requires.is_empty() && requires != words("authgate_require", other);
        self.is_closed() && (!other.is_closed() || realm(self) != realm(other) || fewer)
    }

    /// Whether the block itself says that it has no gate.
    pub(crate) fn is_off_by_itself(self) -> bool {
        self.own("authgate").any(|directive| directive.word(0) == "off")
            || self.verifies()
            || self.own("authgate_endpoints").next().is_some()
    }

    pub(crate) fn verifies(self) -> bool {
        self.own("authgate_verify").next().is_some()
    }

    /// Whether something keeps strangers out, be it the gate or another.
    pub(crate) fn is_guarded(self) -> bool {
        self.is_closed()
            || self.own("internal").next().is_some()
            || self.one("auth_request").is_some_and(|it| it.word(0) != "off")
            || self.one("auth_basic").is_some_and(|it| it.word(0) != "off")
            || self.one("auth_jwt").is_some_and(|it| it.word(0) != "off")
            || self.is_on("ssl_verify_client")
            || self.denies()
            || matches!(self.matcher(), Some(Named(_)))
    }

    /// Whether addresses that are not named are refused.
    pub(crate) fn denies(self) -> bool {
        self.all("deny").iter().any(|directive| directive.word(0) == "all")
    }

    /// Whether it is only reached from this machine.
    pub(crate) fn is_local(self) -> bool {
        let listens: Vec<_> = self.server().own("listen").collect();
        !listens.is_empty() && listens.iter().all(|listen| is_loopback(listen.word(0)))
    }

    /// Where a request of this path may be served, in the server or location that this is: by the
    /// longest prefix, and by each regular expression that might match, which is not computed.
    pub(crate) fn serving(self, path: &str) -> Vec<Self> {
        let (mut best, mut length, mut last) = (None, 0, false);
        let mut expressions = Vec::new();
        for location in self.children() {
            match location.matcher() {
                Some(Exact(exact)) if exact == path => return vec![location],
                Some(Prefix { path: prefix, last: only }) if path.starts_with(prefix.as_str()) => {
                    if best.is_none() || prefix.len() > length {
                        (best, length, last) = (Some(location), prefix.len(), *only);
                    }
                }
                Some(matcher @ Regex { .. }) if matcher.may_match(path) => {
                    expressions.push(location)
                }
                Some(Exact(_) | Prefix { .. } | Regex { .. } | Named(_)) | None => {}
            }
        }
        let mut found = match best {
            Some(location) => location.serving(path),
            None => vec![self],
        };
        if !last {
            found.extend(expressions);
        }
        found
    }

    /// Where nginx goes on with a request that is led to this address inside: a path or `@name`.
    pub(crate) fn led_to(self, address: &str) -> Vec<Self> {
        let server = self.server();
        if address.starts_with('@') {
            let is_it =
                |site: &Self| matches!(site.matcher(), Some(Named(name)) if name == address);
            return server.children().filter(is_it).collect();
        }
        let path = address.split(['?', '$']).next().unwrap_or(address);
        match path.starts_with('/') && !address.starts_with('$') {
            true => server.serving(path),
            false => Vec::new(),
        }
    }
}

impl Site<'_, '_> {
    /// Whether requests end here: the block of a location, or of a server outside of its locations.
    pub(crate) fn serves(self) -> bool {
        matches!(self.kind(), Kind::Location(_) | Kind::Server)
    }
}

/// Whether what is listened on is reached from this machine alone.
pub(crate) fn is_loopback(address: &str) -> bool {
    let beginnings = ["unix:", "127.", "localhost", "[::1]"];
    beginnings.iter().any(|beginning| address.starts_with(beginning))
}
