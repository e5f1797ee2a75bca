//! `authgate_metrics`: the numbers of all realms, as Prometheus reads them.

use crate::head::with_head;
use crate::nginx::reply::Sent;
use crate::nginx::request::Request;
use crate::nginx::{clock, process};
use crate::realm::Realm;
use crate::{answer, insight, own};
use authgate_core::metrics::{self, BasicUse, Build, LimiterUse, RealmMetrics};
use authgate_core::reply::Reply;
use std::rc::Rc;

/// Answers a request of the location.
pub(crate) fn answer(request: Request<'_>) -> Sent {
    let Some(refusal) = with_head(request, metrics::refusal) else { return Sent::failed(request) };
    match refusal.or_else(shown) {
        Some(reply) => answer::deliver(request, reply),
        None => Sent::failed(request),
    }
}

/// `None` where the shared memory is missing.
fn shown() -> Option<Reply> {
    let realms: Vec<Rc<Realm>> = own::running_realms();
    let numbers: Option<Vec<_>> = realms.iter().map(|realm| numbers(realm)).collect();
    let build = Build { version: env!("CARGO_PKG_VERSION"), nginx: process::NGINX };
    Some(metrics::reply(metrics::render(build, &numbers?)))
}

fn numbers(realm: &Realm) -> Option<RealmMetrics<'_>> {
    let (counted, now) = (realm.zone.metrics()?, clock::monotonic());
    let limiter = realm.with_limiter(|limiter| LimiterUse {
        capacity: limiter.slots.len() as u64,
        used: limiter.used() as u64,
        bans: limiter.bans(now).collect(),
    })?;
    Some(RealmMetrics {
        realm: &realm.settings.name,
        totals: counted.totals(),
        checks: counted.checks(now),
        users: realm.users.borrow().len() as u64,
        users_file_valid: realm.has_valid_users_file(),
        keys: realm.keys() as u64,
        zone_bytes: realm.settings.zone_size as u64,
        ended: realm.zone.ended()?.usage(),
        limiter: realm.settings.limits.map(|_| limiter),
        basic: basic(realm),
        journal: insight::journal(realm),
    })
}

/// `None` where no Basic credentials are taken.
fn basic(realm: &Realm) -> Option<BasicUse> {
    let places = realm.places()?;
    let taken = realm.settings.accept.basic();
    taken.then(|| BasicUse { capacity: places.slots.len() as u64, used: places.used() })
}
