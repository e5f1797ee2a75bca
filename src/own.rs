//! What is ours of a request and of the configuration, by its types.

use crate::conf::location::LocationConf;
use crate::conf::{HttpConf, ServerConf};
use crate::nginx::carried;
use crate::nginx::exchange::Fields;
use crate::nginx::request::Request;
use crate::realm::Realm;
use crate::visit::Visit;
use std::rc::Rc;

/// The module: `module.rs` says what nginx carries for it.
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

/// The fields of our own answer to the request, and what is remembered of it; nothing where it is none of ours.
pub(crate) fn fields_and_visit<'r>(
    request: Request<'r>,
) -> Option<(Fields, Option<&'r Visit<'r>>)> {
    request.fields_and_visit::<Authgate>()
}

/// The realms of the running configuration.
pub(crate) fn running_realms() -> Vec<Rc<Realm>> {
    let realms = |http: &HttpConf| http.realms().to_vec();
    carried::with_running::<Authgate, _>(realms).unwrap_or_default()
}
