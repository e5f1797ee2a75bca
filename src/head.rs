//! The head of a request, as the core reads it.

use crate::nginx::headers;
use crate::nginx::request::Request;
use crate::nginx::variables;
use crate::own;
use crate::realm::Realm;
use authgate_core::network::Network;
use authgate_core::original::{Original, Peer};
use authgate_core::request::RequestHead;

/// Reads the head of a request, with the credentials that it came with. `None` where memory is short.
pub(crate) fn with_head<R>(
    request: Request<'_>,
    read: impl FnOnce(&RequestHead<'_>) -> R,
) -> Option<R> {
    let exchange = request.exchange()?;
    // In a subrequest it is the main request that is asked about.
    let main = request.main();
    let fields = |name: &str| match name {
        "early-data" if is_in_early_data(main) => Some(&b"1"[..]),
        name => headers::find(main, name).map(<[u8]>::trim_ascii),
    };
    // Who verifies for others is not asked about its own address.
    let verify = own::location(request).verify().filter(|_| request.is_main());
    let is_own = verify.is_none();
    let head = RequestHead {
        method: main.method(),
        method_name: main.method_name(),
        target: is_own.then(|| main.target()),
        query: main.query(),
        host: main.host().filter(|_| is_own),
        scheme: None,
        network: Network::of(request.address()),
        server_names: own::server(request).names(),
        tls: request.tls(),
        cookies: exchange.cookies(),
        authorization: exchange.authorization(),
        fields: &fields,
    };
    let lines = |name: &str| headers::only(main, name);
    Some(match verify.and_then(|it| Original::read(&lines, peer(request, it.site.realm))) {
        None => read(&head),
        Some(original) => read(&original.head(&head)),
    })
}

/// Whether it came before the TLS handshake was complete: somebody may send it again.
fn is_in_early_data(request: Request<'_>) -> bool {
    variables::value(request, "ssl_early_data") == Some(b"1")
}

/// Whether the proxy that has connected is one that the realm believes.
fn peer(request: Request<'_>, realm: &Realm) -> Peer {
    // ngx_http_realip_module has put the client's address in the place of the proxy's.
    let own = variables::value(request, "realip_remote_addr");
    let address =
        own.map_or_else(|| request.address(), |own| str::from_utf8(own).ok()?.parse().ok());
    match realm.settings.forwarded.contains(address) {
        true => Peer::Trusted,
        false => Peer::Untrusted,
    }
}
