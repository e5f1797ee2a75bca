//! What an operator sees of a realm, and lifts.

use crate::ended;
use crate::limit::{Ban, Banned};
use crate::network::Network;
use crate::origin;
use crate::pages::problem::{not_allowed, problem};
use crate::percent;
use crate::reply::Reply;
use crate::request::{Method, RequestHead};
use crate::users::Users;
use percent_encoding::percent_decode;
use serde_json::{Value, json};
use std::collections::HashMap;

/// What there is to see.
pub struct Insight<'a> {
    /// The realm's name.
    pub realm: &'a str,
    /// Who may sign in.
    pub users: &'a Users,
    /// The size of its shared memory.
    pub zone_bytes: u64,
    /// How full the table of ended sessions is.
    pub ended: ended::Usage,
    /// The limiter; `None` with `limit off`.
    pub limiter: Option<LimiterState<'a>>,
    /// The file of ended sessions; `None` without `state`.
    pub journal: Option<JournalState>,
}

/// What there is to see of the limiter.
pub struct LimiterState<'a> {
    /// How many counters it takes.
    pub capacity: u64,
    /// How many are in use.
    pub used: u64,
    /// The bans in force.
    pub bans: Vec<Ban>,
    /// The key of a user name's counter.
    pub user_key: &'a dyn Fn(&str) -> u64,
    /// The key of a user name's place in a network.
    pub place_key: &'a dyn Fn(Network, &str) -> u64,
}

/// What there is to see of the file of ended sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalState {
    /// Its length.
    pub bytes: u64,
    /// Whether all that has ended is in it.
    pub saved: bool,
}

impl Insight<'_> {
    /// The answer that shows it.
    pub fn reply(&self) -> Reply {
        let ended::Usage { capacity, sessions, tokens, users, coarsened } = self.ended;
        let body = json!({
            "realm": self.realm,
            "users": self.users.len(),
            "zone": { "bytes": self.zone_bytes },
            "ended": {
                "capacity": capacity,
                "sessions": sessions,
                "tokens": tokens,
                "users": users,
                "coarsened": coarsened,
            },
            "limit": self.limiter.as_ref().map(|limiter| limiter.shown(self.users)),
            "state": self.journal.map(|file| json!({ "bytes": file.bytes, "saved": file.saved })),
        });
        Reply::json(200, &body).uncached()
    }
}

impl LimiterState<'_> {
    /// With the longest bans first.
    fn shown(&self, users: &Users) -> Value {
        let names = self.names(users);
        let place = |network, key| self.name_at(users, network, key);
        let mut bans: Vec<&Ban> = self.bans.iter().collect();
        bans.sort_by_key(|ban| core::cmp::Reverse(ban.seconds));
        let bans: Vec<Value> = bans.into_iter().map(|ban| shown_ban(ban, &names, &place)).collect();
        json!({ "capacity": self.capacity, "counters": self.used, "bans": bans })
    }

    /// The banned names, as far as they are those of users: the limiter knows hashes alone.
    fn names<'u>(&self, users: &'u Users) -> HashMap<u64, &'u str> {
        if !self.bans.iter().any(|ban| matches!(ban.subject, Banned::User(_))) {
            return HashMap::new();
        }
        users.iter().map(|(name, _)| ((self.user_key)(name), name)).collect()
    }

    fn name_at<'u>(&self, users: &'u Users, network: Network, key: u64) -> Option<&'u str> {
        let mut names = users.iter().map(|(name, _)| name);
        names.find(|name| (self.place_key)(network, name) == key)
    }
}

fn shown_ban<'u>(
    ban: &Ban,
    names: &HashMap<u64, &'u str>,
    name_at: &dyn Fn(Network, u64) -> Option<&'u str>,
) -> Value {
    let seconds = ban.seconds;
    match ban.subject {
        Banned::Network(network) => {
            json!({ "network": network.to_string(), "seconds": seconds })
        }
        Banned::User(key) => json!({ "user": names.get(&key), "seconds": seconds }),
        Banned::Device(_) => json!({ "device": true, "seconds": seconds }),
        Banned::Place(network, key) => {
            let (network, user) = (network.to_string(), name_at(network, key));
            json!({ "network": network, "user": user, "seconds": seconds })
        }
    }
}

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// To see.
    Show,
    /// To lift the ban of a network.
    LiftNetwork(Network),
    /// To lift the ban of a user name.
    LiftUser(String),
}

/// What a request asks for: `GET` shows; `DELETE` lifts the one ban that the query names, as
/// `network=192.0.2.7` or `user=bob`.
///
/// # Errors
/// The answer to a request that asks for nothing of this.
pub fn order(head: &RequestHead<'_>) -> Result<Order, Box<Reply>> {
    let refusal = match head.method {
        Method::Get | Method::Head => return Ok(Order::Show),
        Method::Delete if origin::may_post(head) => match lift(head.query) {
            Some(order) => return Ok(order),
            None => {
                let text = "Name one ban to lift: ?network=ADDRESS or ?user=NAME.";
                problem(head, 400, "Bad query", text)
            }
        },
        Method::Delete => {
            let text = "This was sent from another site, so nothing was done.";
            problem(head, 403, "Not from here", text)
        }
        Method::Post | Method::Other => not_allowed(head, "GET, HEAD, DELETE"),
    };
    Err(Box::new(refusal.uncached()))
}

fn lift(query: &[u8]) -> Option<Order> {
    // form_urlencoded passes over both mistakes.
    if !percent::codes_are_whole(query) || percent_decode(query).decode_utf8().is_err() {
        return None;
    }
    let mut fields = form_urlencoded::parse(query);
    let (name, value) = fields.next()?;
    if fields.next().is_some() {
        return None;
    }
    match &*name {
        "network" => value.parse().ok().map(Order::LiftNetwork),
        "user" => Some(Order::LiftUser(value.into_owned())),
        _ => None,
    }
}

/// The answer to a client of another machine.
pub fn refused(head: &RequestHead<'_>) -> Box<Reply> {
    let text = "This can be seen from the machine itself alone.";
    Box::new(problem(head, 403, "Not from here", text).uncached())
}

/// The answer once a ban is lifted, or there was none.
pub fn lifted(found: bool) -> Reply {
    Reply::json(if found { 200 } else { 404 }, &json!({ "lifted": found })).uncached()
}
