//! The answer while a ban is in force.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod support;

use authgate_core::limit::{LimitReason, Limited};
use authgate_core::reply::Reply;
use support::pages::*;
use support::*;

fn limited(request: &Request, body: &str, seconds: u32, reason: LimitReason) -> Reply {
    let realm = realm();
    let check = check_of(&realm, request, body, NOW);
    let limited = Limited { seconds, reason, is_first: true };
    let reply = request.with_head(|head| realm.gate().limited(head, &check, limited));
    assert!(is_guarded(&reply), "{reply:?}");
    reply
}

#[test]
fn f69_who_has_to_wait_is_told_how_long() {
    let body = "username=alice&password=correct+horse&rd=/a%3Fb";
    let reply = limited(&form().accept("text/html"), body, 240, LimitReason::User);
    assert_eq!((reply.status, header(&reply, "Retry-After")), (429, Some("240")));
    assert_eq!(reply.content_type, Some("text/html; charset=utf-8"));
    for part in [
        "role=\"alert\"",
        "Too many failed attempts. Please try again in 4 minutes.",
        "name=\"rd\" value=\"/a?b\"",
        "value=\"alice\"",
    ] {
        assert!(reply.body.contains(part), "{part} in {}", reply.body);
    }
    assert!(!reply.body.contains("correct horse"));
    assert_eq!((header(&reply, "Set-Cookie"), &*reply.ends), (None, &[][..]));
}

#[test]
fn f69_in_json_and_to_a_client_that_names_no_type() {
    let json = form().accept("application/json");
    let reply = limited(&json, "username=alice", 1, LimitReason::Network);
    assert_eq!((reply.status, header(&reply, "Retry-After")), (429, Some("1")));
    assert_eq!(reply.body, "{\"error\":\"limited\"}\n");
    let reply = limited(&form(), "username=alice", 1, LimitReason::Network);
    assert!(reply.body.contains("Please try again in a second."));
}

#[test]
fn f76_the_answer_tells_neither_the_reason_nor_whether_there_is_such_a_user() {
    for accept in ["text/html", "application/json", "*/*"] {
        let request = form().accept(accept);
        let of = |name: &str, reason| {
            let reply = limited(&request, &format!("username={name}&rd=/a"), 99, reason);
            let body = reply.body.replace(&format!("value=\"{name}\""), "");
            Reply { event: None, body, ..reply }
        };
        let alice = of("alice", LimitReason::User);
        for other in [
            of("alice", LimitReason::Network),
            of("nobody", LimitReason::User),
            of("dave", LimitReason::Network),
        ] {
            assert_eq!(other, alice, "{accept}");
        }
        // Nor whether the device is known.
        let request = request.clone().device("garbage");
        assert_eq!(limited(&request, "username=alice&rd=/a", 99, LimitReason::User).status, 429);
    }
}

#[test]
fn the_log_tells_what_is_banned() {
    let line = |name: &str, reason| {
        event(&limited(&form(), &format!("username={name}"), 9, reason)).unwrap()
    };
    let network = line("bob", LimitReason::Network);
    assert_eq!(network, "login limited, user \"bob\", reason \"network\", realm \"ops\"");
    let user = line("no%0Abody", LimitReason::User);
    assert_eq!(user, "login limited, user \"no\\x0Abody\", reason \"user\", realm \"ops\"");
}

#[test]
fn c40_the_form_of_one_who_has_to_wait_is_escaped() {
    let body = "username=%22%3E%3Cscript%3E&rd=/a";
    let reply = limited(&form(), body, 9, LimitReason::User);
    assert!(reply.body.contains("value=\"&#34;&#62;&#60;script&#62;\""), "{}", reply.body);
}
