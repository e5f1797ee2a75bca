//! The applications that requests are handed to.

use crate::site::Site;
use crate::syntax::Directive;

const HANDING_ON: [&str; 5] =
    ["proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass"];

impl<'c> Site<'_, 'c> {
    /// The directive of the block's own that hands requests on.
    pub(crate) fn application_directive(self) -> Option<&'c Directive> {
        HANDING_ON.into_iter().find_map(|name| self.own(name).next())
    }

    /// Where to: a host and port, a socket, the name of an upstream; `None` where variables say it.
    pub(crate) fn application(self) -> Option<&'c str> {
        let address = self.application_directive()?.arguments.first()?;
        let rest = address.split_once("://").map_or(address.as_str(), |(_, rest)| rest);
        let host = match rest.strip_prefix("unix:") {
            Some(_) => rest
                .rsplit_once(':')
                .filter(|(socket, _)| *socket != "unix")
                .map_or(rest, |it| it.0),
            None => rest.split('/').next().unwrap_or(rest),
        };
        (!host.is_empty() && !host.contains('$')).then_some(host)
    }
}
