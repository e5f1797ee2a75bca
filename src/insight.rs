//! `authgate_status`: what an operator sees of a realm, and the bans that one lifts.

use crate::answer;
use crate::head::with_head;
use crate::nginx::reply::Sent;
use crate::nginx::request::Request;
use crate::realm::Realm;
use authgate_core::ended::Usage;
use authgate_core::insight::{self, Insight, JournalState, LimiterState, Order};
use authgate_core::limit::{self, Ban};
use authgate_core::reply::Reply;
use std::sync::atomic::Ordering::Acquire;

/// Answers a request of the location.
pub(crate) fn answer(request: Request<'_>, realm: &Realm) -> Sent {
    let order = with_head(request, |head| {
        if request.is_local() { insight::order(head) } else { Err(insight::refused(head)) }
    });
    let reply = match order {
        None => None,
        Some(Err(refusal)) => Some(*refusal),
        Some(Ok(Order::Show)) => show(realm),
        Some(Ok(Order::LiftNetwork(network))) => {
            lifted(realm.with_limiter(|limiter| limiter.lift_network(network)))
        }
        Some(Ok(Order::LiftUser(name))) => {
            lifted(realm.with_limiter(|limiter| limiter.lift_user(&name)))
        }
    };
    match reply {
        Some(reply) => answer::send(request, realm, reply),
        None => Sent::failed(request),
    }
}

fn lifted(found: Option<bool>) -> Option<Reply> {
    Some(insight::lifted(found.unwrap_or(false)))
}

/// `None` where the shared memory is missing.
fn show(realm: &Realm) -> Option<Reply> {
    let ended: Usage = realm.zone.ended()?.usage();
    let counters = realm.with_limiter(|limiter| Counters {
        capacity: limiter.slots.len() as u64,
        used: limiter.used() as u64,
        bans: limiter.bans(crate::nginx::clock::monotonic()).collect(),
    })?;
    let places = realm.places()?;
    let user_key = |name: &str| limit::user_key(places.key, name);
    let place_key = |network, name: &str| places.place(network, name).tag();
    let Counters { capacity, used, bans } = counters;
    let limiter = LimiterState { capacity, used, bans, user_key: &user_key, place_key: &place_key };
    let insight = Insight {
        realm: &realm.settings.name,
        users: &realm.users.borrow(),
        zone_bytes: realm.settings.zone_size as u64,
        ended,
        limiter: realm.settings.limits.map(|_| limiter),
        journal: journal(realm),
    };
    Some(insight.reply())
}

/// The limiter, as it was while no other worker had it.
struct Counters {
    capacity: u64,
    used: u64,
    bans: Vec<Ban>,
}

/// The file of ended sessions; `None` without `state`.
pub(crate) fn journal(realm: &Realm) -> Option<JournalState> {
    realm.state.as_ref()?;
    let marks = realm.zone.journal()?;
    let saved = marks.failures.load(Acquire) == marks.saved.load(Acquire);
    Some(JournalState { bytes: marks.length.load(Acquire), saved })
}
