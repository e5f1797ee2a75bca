//! The gate's credentials are for nobody else: they are taken out of each request.

use crate::nginx::headers;
use crate::nginx::request::Request;
use crate::own::{self, Authgate};
use authgate_core::gate;

/// Takes the gate's credentials from the request before an application sees it: the cookies of
/// every realm of the server, and an API token. `None` where memory is short. It is done once, and
/// again after an internal redirect.
pub(crate) fn strip(request: Request<'_>) -> Option<()> {
    let server = own::server(request);
    let Some(accepts) = server.accepts() else { return Some(()) };
    if request.is_marked::<Authgate>() {
        return Some(());
    }
    let mut emptied = headers::strip_cookies(request, server.cookies())?;
    emptied += headers::strip_authorization(request, |value| gate::takes(accepts, value))?;
    if emptied > 0 {
        headers::remove_emptied(request, emptied)?;
    }
    request.mark::<Authgate>();
    Some(())
}
