//! What an operator sees of a realm, and lifts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod support;

use authgate_core::ended::Usage;
use authgate_core::insight::{Insight, JournalState, LimiterState, Order, lifted, order};
use authgate_core::limit::{Ban, Banned};
use authgate_core::network::Network;
use authgate_core::request::Method;
use authgate_core::users::Users;
use serde_json::{Value, json};
use support::*;

fn user_key(name: &str) -> u64 {
    name.bytes().map(u64::from).sum()
}

fn place_key(network: Network, name: &str) -> u64 {
    user_key(name) + user_key(&network.to_string())
}

fn network(text: &str) -> Network {
    text.parse().unwrap()
}

fn ban(subject: Banned, seconds: u32) -> Ban {
    Ban { subject, seconds }
}

fn limiter(bans: Vec<Ban>) -> LimiterState<'static> {
    LimiterState { capacity: 1000, used: 12, bans, user_key: &user_key, place_key: &place_key }
}

fn seen(users: &Users, limiter: Option<LimiterState<'_>>, journal: Option<JournalState>) -> Value {
    let ended = Usage { capacity: 900, sessions: 4, tokens: 3, users: 2, coarsened: 1 };
    let insight = Insight { realm: "ops", users, zone_bytes: 1 << 20, ended, limiter, journal };
    let reply = insight.reply();
    assert!(is_guarded(&reply), "{reply:?}");
    assert_eq!((reply.status, reply.content_type), (200, Some("application/json")));
    assert_eq!((event(&reply), &*reply.ends), (None, &[][..]));
    serde_json::from_str(&reply.body).unwrap()
}

fn asked(request: &Request) -> Result<Order, u16> {
    request.with_head(order).map_err(|reply| {
        assert!(is_guarded(&reply), "{reply:?}");
        reply.status
    })
}

fn delete(query: &str) -> Request {
    request(Method::Delete, "/authgate/insight").query(query)
}

#[test]
fn everything_is_shown() {
    let bans = vec![
        ban(Banned::Network(network("2001:db8::7")), 9),
        ban(Banned::User(user_key("alice")), 12),
        ban(Banned::Network(network("192.0.2.7")), 271),
        ban(Banned::User(user_key("nobody at all")), 3),
        ban(Banned::Device(7), 1),
        ban(Banned::Place(network("192.0.2.8"), place_key(network("192.0.2.8"), "bob")), 40),
        ban(Banned::Place(network("192.0.2.9"), 0), 39),
        ban(Banned::Network(Network::Unix), 2),
    ];
    let file = JournalState { bytes: 4096, saved: true };
    let expected = json!({
        "realm": "ops",
        "users": 4,
        "zone": { "bytes": 1_048_576 },
        "ended": { "capacity": 900, "sessions": 4, "tokens": 3, "users": 2, "coarsened": 1 },
        "limit": { "capacity": 1000, "counters": 12, "bans": [
            { "network": "192.0.2.7", "seconds": 271 },
            { "network": "192.0.2.8", "user": "bob", "seconds": 40 },
            { "network": "192.0.2.9", "user": null, "seconds": 39 },
            { "user": "alice", "seconds": 12 },
            { "network": "2001:db8::/64", "seconds": 9 },
            { "user": null, "seconds": 3 },
            { "network": "unix:", "seconds": 2 },
            { "device": true, "seconds": 1 },
        ] },
        "state": { "bytes": 4096, "saved": true },
    });
    assert_eq!(seen(&users(), Some(limiter(bans)), Some(file)), expected);
}

#[test]
fn what_is_switched_off_is_null() {
    let seen = seen(&users(), None, None);
    assert_eq!((&seen["limit"], &seen["state"]), (&Value::Null, &Value::Null));
    let fields: Vec<&String> = seen.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["ended", "limit", "realm", "state", "users", "zone"]);
}

#[test]
fn a_limiter_at_rest_and_a_file_that_was_not_written() {
    let file = JournalState { bytes: 0, saved: false };
    let seen = seen(&users(), Some(limiter(Vec::new())), Some(file));
    assert_eq!(seen["limit"], json!({ "capacity": 1000, "counters": 12, "bans": [] }));
    assert_eq!(seen["state"], json!({ "bytes": 0, "saved": false }));
}

#[test]
fn i116_a_banned_name_is_any_text() {
    let users = Users::parse(format!("\"<b>\\é:{BCRYPT}").as_bytes(), false).unwrap();
    let bans = vec![ban(Banned::User(user_key("\"<b>\\é")), 1)];
    let seen = seen(&users, Some(limiter(bans)), None);
    assert_eq!(seen["limit"]["bans"][0]["user"], json!("\"<b>\\é"));
}

#[test]
fn a_get_shows_whatever_its_query() {
    for target in ["/insight", "/insight?user=bob", "/insight?%"] {
        for method in [Method::Get, Method::Head] {
            assert_eq!(asked(&request(method, target)), Ok(Order::Show), "{target}");
        }
    }
}

#[test]
fn a_delete_lifts_the_one_ban_that_it_names() {
    for (query, lifts) in [
        ("network=192.0.2.7", Order::LiftNetwork(network("192.0.2.7"))),
        ("network=::ffff:192.0.2.7", Order::LiftNetwork(network("192.0.2.7"))),
        ("network=2001:db8::1", Order::LiftNetwork(network("2001:db8::"))),
        ("network=2001:db8::/64", Order::LiftNetwork(network("2001:db8::"))),
        ("network=2001%3Adb8%3A%3A%2F64", Order::LiftNetwork(network("2001:db8::"))),
        ("network=unix:", Order::LiftNetwork(Network::Unix)),
        ("user=bob", Order::LiftUser("bob".into())),
        ("user=on+call%2B%C3%A9", Order::LiftUser("on call+é".into())),
        ("user=192.0.2.7", Order::LiftUser("192.0.2.7".into())),
        ("user=", Order::LiftUser(String::new())),
    ] {
        assert_eq!(asked(&delete(query)), Ok(lifts), "{query}");
    }
}

#[test]
fn a_delete_that_names_none_or_two_is_refused() {
    for query in [
        "",
        "user",
        "network=",
        "network=x",
        "network=192.0.2.0/24",
        "network=2001:db8::/48",
        "network=192.0.2.7/64",
        "network=192.0.2.7&user=bob",
        "user=bob&user=bob",
        "network=192.0.2.7&network=192.0.2.7",
        "user=bob&x=1",
        "User=bob",
        "bob",
        "user=%zz",
        "user=%FF",
        "device=1",
    ] {
        // A field without a value is an empty one.
        let expected = if query == "user" { Ok(Order::LiftUser(String::new())) } else { Err(400) };
        assert_eq!(asked(&delete(query)), expected, "{query}");
    }
    let json = delete("").accept("application/json");
    let reply = json.with_head(order).unwrap_err();
    assert_eq!(reply.body, "{\"error\":\"bad query\"}\n");
}

#[test]
fn c37_a_delete_from_another_site_lifts_nothing() {
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "null"),
        ("origin", "https://evil.com"),
    ] {
        let request = delete("user=bob").field(name, value).host("gate.example");
        assert_eq!(asked(&request), Err(403), "{name}: {value}");
    }
    let own = delete("user=bob").field("sec-fetch-site", "same-origin");
    assert_eq!(asked(&own), Ok(Order::LiftUser("bob".into())));
}

#[test]
fn h94_other_methods() {
    for method in [Method::Post, Method::Other] {
        let request = request(method, "/insight?user=bob");
        let reply = request.with_head(order).unwrap_err();
        assert_eq!((reply.status, header(&reply, "Allow")), (405, Some("GET, HEAD, DELETE")));
    }
}

#[test]
fn a_lifted_ban_and_none() {
    for (found, status, body) in
        [(true, 200, "{\"lifted\":true}\n"), (false, 404, "{\"lifted\":false}\n")]
    {
        let reply = lifted(found);
        assert!(is_guarded(&reply));
        assert_eq!((reply.status, reply.body.as_str()), (status, body));
    }
}
