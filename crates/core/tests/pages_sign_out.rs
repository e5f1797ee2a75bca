//! Signing out, and the session page.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod support;

use authgate_core::gate::Verdict;
use authgate_core::pages::Page;
use authgate_core::token::{Purpose, SessionId};
use support::pages::*;
use support::*;

#[test]
fn the_logout_page_asks_and_ends_nothing() {
    let realm = realm();
    let reply =
        page(&realm, Page::Logout, &get("/authgate/logout").cookie(&realm.session("alice")));
    assert_eq!(reply.status, 200);
    assert!(reply.body.contains("action=\"/authgate/logout\"") && reply.body.contains("alice"));
    assert_eq!((header(&reply, "Set-Cookie"), &*reply.ends), (None, &[][..]));
    let reply = page(&realm, Page::Logout, &get("/authgate/logout"));
    assert_eq!((reply.status, header(&reply, "Location")), (303, Some("/authgate/login")));
}

#[test]
fn b34_a_logout_ends_the_session_and_clears_the_cookie_as_it_was_set() {
    let realm = realm();
    for tls in [false, true] {
        let login = if tls { form().tls() } else { form() };
        let set = outcome(&realm, &login, "username=alice", true);
        let token = token_of(session_cookie(&set).unwrap());
        let request = post("/authgate/logout");
        let request = if tls { request.tls() } else { request }.cookie(token);
        let reply = page(&realm, Page::Logout, &request);
        assert_eq!((reply.status, header(&reply, "Location")), (303, Some("/authgate/login")));
        assert_eq!(reply.ends, [ended(FRESH.session, "alice", NOW + MAX)]);
        assert_eq!(event(&reply).as_deref(), Some("logout, user \"alice\", realm \"ops\""));
        let cleared = session_cookie(&set)
            .unwrap()
            .replace(token, "")
            .replace(&format!("Max-Age={IDLE}"), "Max-Age=0");
        assert_eq!(header(&reply, "Set-Cookie"), Some(cleared.as_str()));
    }
}

#[test]
fn a_logout_without_a_session_clears_the_cookie() {
    let realm = realm();
    let by_token = post("/authgate/logout").bearer(&realm.api_token("alice"));
    for request in [post("/authgate/logout"), post("/authgate/logout").cookie("x"), by_token] {
        let reply = page(&realm, Page::Logout, &request);
        assert_eq!((reply.status, &*reply.ends), (303, &[][..]));
        assert!(header(&reply, "Set-Cookie").unwrap().starts_with("authgate=; "));
        assert_eq!(event(&reply), None);
    }
    // An API token beside the cookie does not hide the session.
    let both = post("/authgate/logout").bearer("agt_x").cookie(&realm.session("alice"));
    assert_eq!(
        page(&realm, Page::Logout, &both).ends,
        [ended(SessionId([7; 16]), "alice", NOW + MAX)]
    );
}

#[test]
fn the_session_page_tells_and_does_not_renew() {
    let realm = realm();
    let later = NOW + IDLE / 2;
    let request = get("/authgate/session").cookie(&realm.session("carol"));
    let reply = page_at(&realm, Page::Session, &request, later);
    assert_eq!((reply.status, header(&reply, "Set-Cookie")), (200, None));
    let body = "{\"expires\":EXPIRES,\"groups\":[\"sre\",\"on call\"],\"realm\":\"ops\",\"user\":\"carol\"}\n";
    assert_eq!(reply.body, body.replace("EXPIRES", &(NOW + IDLE).to_string()));

    let by_token = get("/authgate/session").bearer(&realm.api_token("alice"));
    assert!(page(&realm, Page::Session, &by_token).body.contains("\"groups\":[]"));
}

#[test]
fn the_session_page_of_nobody() {
    let realm = realm();
    let device = realm.sign(Purpose::Device, &realm.claims("alice"));
    for request in [get("/authgate/session"), get("/authgate/session").cookie(&device)] {
        assert!(matches!(realm.decide(&request, NOW), Verdict::Challenge(_)));
        let reply = page(&realm, Page::Session, &request.accept("text/html"));
        assert_eq!(reply.status, 401);
        assert_eq!(reply.body, "{\"error\":\"unauthenticated\",\"login\":\"/authgate/login\"}\n");
        assert_eq!(header(&reply, "WWW-Authenticate"), Some("Bearer realm=\"ops\""));
    }
    let by_token = page(&realm, Page::Session, &get("/authgate/session").bearer("agt_x"));
    let challenge = "Bearer realm=\"ops\", error=\"invalid_token\"";
    assert_eq!(header(&by_token, "WWW-Authenticate"), Some(challenge));
}
