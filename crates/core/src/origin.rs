//! Whether a post comes from this site's own pages (Fetch Metadata, and `Origin` of RFC 6454).

use crate::hosts::HostAndPort;
use crate::request::RequestHead;

/// Whether a post may act: from this origin, or from a client that is no browser.
///
/// A browser says where a request comes from in `Sec-Fetch-Site`; an older one, or any over plain
/// HTTP, in `Origin`. A client that sends neither holds no cookie of another's.
pub fn may_post(head: &RequestHead<'_>) -> bool {
    match ((head.fields)("sec-fetch-site"), (head.fields)("origin")) {
        (Some(site), _) => matches!(site, b"same-origin" | b"none"),
        (None, Some(origin)) => is_this_host(origin, head.host).unwrap_or(false),
        (None, None) => true,
    }
}

/// Whether `Origin` names the host and port that the client asked. The scheme is not compared: where
/// TLS ends in front, this host does not know its own. `None` where either cannot be read, as with
/// `null` (RFC 6454, section 7.1).
fn is_this_host(origin: &[u8], host: Option<&[u8]>) -> Option<bool> {
    let (scheme, authority) = std::str::from_utf8(origin).ok()?.split_once("://")?;
    let default_port = match scheme.to_ascii_lowercase().as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let theirs = HostAndPort::read(authority)?;
    let ours = HostAndPort::read(std::str::from_utf8(host?).ok()?)?;
    let port = |read: HostAndPort<'_>| read.port.unwrap_or(default_port);
    Some(theirs.host.eq_ignore_ascii_case(ours.host) && port(theirs) == port(ours))
}
