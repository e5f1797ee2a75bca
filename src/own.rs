//! What is ours of a request, by its types.

use crate::nginx::conf::ServerConf;
use crate::nginx::location::LocationConf;
use crate::nginx::request::Request;
use crate::visit::Visit;

/// The module: `nginx/module.rs` says what nginx carries for it.
pub(crate) struct Authgate;

/// What this location says.
pub(crate) fn location(request: Request<'_>) -> &LocationConf {
    request.location::<Authgate>()
}

/// What this server says.
pub(crate) fn server(request: Request<'_>) -> &ServerConf {
    request.server::<Authgate>()
}

/// What is remembered of the request; `None` where memory is short.
pub(crate) fn visit<'r>(request: Request<'r>) -> Option<&'r Visit<'r>> {
    request.visit::<Authgate>()
}

/// The same, where anything is remembered.
pub(crate) fn known_visit<'r>(request: Request<'r>) -> Option<&'r Visit<'r>> {
    request.known_visit::<Authgate>()
}
