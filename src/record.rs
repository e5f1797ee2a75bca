//! What is written down of a request: in nginx's error log and in the metrics.

use crate::nginx::log::Severity;
use crate::nginx::request::Request;
use crate::realm::Realm;
use authgate_core::event::{Event, Level};

/// Logs and counts an event of a request: each comes here once.
pub(crate) fn record(request: Request<'_>, realm: &Realm, event: &Event) {
    log(request, event);
    realm.count_event(event);
}

/// Logs an event of a request, where it is one for the log.
pub(crate) fn log(request: Request<'_>, event: &Event) {
    let severity = match event.level() {
        Level::Error => Severity::Error,
        Level::Warn => Severity::Warn,
        Level::Info => Severity::Info,
    };
    if event.is_logged() {
        request.report(severity, event);
    }
}
