//! Signing in: the check and what follows it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod support;

use authgate_core::journal::{Record, UserTag};
use authgate_core::pages::{Action, Page};
use authgate_core::password::Scheme;
use authgate_core::reply::Reply;
use authgate_core::token::{Claims, Purpose, SessionId};
use support::pages::*;
use support::*;

#[test]
fn a_check_holds_what_was_typed() {
    let check = check(&realm(), "username=alice&password=correct+horse&rd=/a&other=1");
    assert_eq!(check.username, "alice");
    assert_eq!(check.password.as_slice(), PASSWORD);
    assert_eq!(check.hash.as_str(), BCRYPT);
}

#[test]
fn a_thread_is_lent_the_password_and_the_check_keeps_none() {
    let mut check = check(&realm(), "username=alice&password=correct+horse");
    let verification = check.begin();
    assert!(check.password.is_empty());
    assert!(verification.verify(|_, _| None));
    assert!(!check.begin().verify(|_, _| None), "once");
}

#[test]
fn e63_who_is_not_there_costs_as_much_and_never_gets_in() {
    let realm = realm();
    for name in ["nobody", "dave", "", "Alice", "alice+", "+alice", "a%0Ab"] {
        let body = format!("username={name}&password=correct+horse");
        let check = check(&realm, &body);
        assert_eq!(check.hash.scheme(), Scheme::Bcrypt { cost: 4 }, "{name}");
        assert!(!check.hash.verify(PASSWORD, |_, _| None), "{name}");
        for matches in [false, true] {
            let reply = outcome(&realm, &form(), &body, matches);
            assert_eq!(reply.status, 403, "{name}");
            assert_eq!((header(&reply, "Set-Cookie"), &*reply.ends), (None, &[][..]));
            assert!(event(&reply).unwrap().contains("reason \"unknown_user\""));
        }
    }
}

#[test]
fn e65_a_password_over_1024_bytes_is_never_checked() {
    let realm = realm();
    let body = |name, length| format!("username={name}&password={}", "x".repeat(length));
    assert_eq!(check(&realm, &body("alice", 1024)).password.len(), 1024);
    for name in ["alice", "nobody"] {
        let reply = posted(&realm, &form(), body(name, 1025).as_bytes());
        assert_eq!(reply, outcome(&realm, &form(), &body(name, 8), false), "{name}");
    }
    // Bytes of the password, not of its encoding.
    let coded = format!("username=alice&password={}", "%41".repeat(1024));
    assert_eq!(check(&realm, &coded).password.len(), 1024);
}

#[test]
fn c49_every_failure_has_the_same_bytes() {
    let realm = realm();
    for accept in ["text/html", "application/json", "*/*"] {
        let request = form().accept(accept);
        // The name as typed is on the page: failures of one name are compared.
        let of = |users: &str, password: &str| {
            let realm = support::realm().with_users(users);
            let body = format!("username=alice&password={password}&rd=/a");
            match request.with_head(|head| realm.gate().posted(head, body.as_bytes(), NOW)) {
                Action::Reply(reply) => reply,
                _ => sign_in(&realm, &request, &body),
            }
        };
        let alice = format!("alice:{BCRYPT}");
        let disabled = format!(r#"{{"alice": {{"password": "{BCRYPT}", "disabled": true}}}}"#);
        let wrong = of(&alice, "wrong");
        assert_eq!(wrong.status, 403);
        for other in [
            of(&format!("bob:{BCRYPT}"), "correct+horse"),
            of(&disabled, "correct+horse"),
            of(&alice, &"x".repeat(73)),
            of(&alice, "correct+horse%00"),
            of(&alice, "%FF"),
            of(&alice, ""),
            of(&alice, &"x".repeat(2000)),
        ] {
            let (event, outcome) = (wrong.event.clone(), wrong.outcome);
            assert_eq!(Reply { event, outcome, ..other }, wrong);
        }
        // And what failed a while ago, of which the log has its line.
        let realm = support::realm().with_users(&alice);
        let check = check_of(&realm, &request, "username=alice&password=wrong&rd=/a", NOW);
        let known = request.with_head(|head| realm.gate().known_to_fail(head, &check));
        assert_eq!((&known.event, known.outcome), (&None, wrong.outcome));
        assert_eq!(Reply { event: wrong.event.clone(), ..known }, wrong);
    }
    let json = outcome(&realm, &form().accept("application/json"), "username=alice", false);
    assert_eq!(json.body, "{\"error\":\"invalid_credentials\"}\n");
}

#[test]
fn c40_the_form_after_a_failure_keeps_the_name_and_the_way_back() {
    let body = "username=%22%3E%3Cscript%3E&password=geheim&rd=/a%3Fb";
    let reply = outcome(&realm(), &form(), body, false);
    assert!(reply.body.contains("value=\"&#34;&#62;&#60;script&#62;\""), "{}", reply.body);
    assert!(reply.body.contains("name=\"rd\" value=\"/a?b\""));
    assert!(reply.body.contains("Wrong user name or password."));
    assert!(!reply.body.contains("geheim"));
}

#[test]
fn a_failure_is_logged_with_its_reason() {
    let line = |user: &str, reason: &str| {
        Some(format!("login failed, user \"{user}\", reason \"{reason}\", realm \"ops\""))
    };
    let of = |name: &str| event(&outcome(&realm(), &form(), &format!("username={name}"), false));
    assert_eq!(of("alice"), line("alice", "bad_password"));
    assert_eq!(of("nobody"), line("nobody", "unknown_user"));
    assert_eq!(of("dave"), line("dave", "unknown_user"));
    assert_eq!(of("a%0Ab%22"), line("a\\x0Ab\\x22", "unknown_user"));
}

#[test]
fn the_right_password_signs_in() {
    let realm = realm();
    for (name, password, tls) in [
        ("alice", "correct+horse", false),
        ("bob", "battery+staple", true),
        ("carol", "correct%20horse", true),
    ] {
        let request = if tls { form().tls() } else { form() };
        let body = format!("username={name}&password={password}&rd=/graph%3Fa%3D1");
        let reply = sign_in(&realm, &request, &body);
        assert_eq!((reply.status, reply.content_type), (303, None));
        assert_eq!(header(&reply, "Location"), Some("/graph?a=1"));
        assert_eq!(event(&reply), Some(format!("login ok, user \"{name}\", realm \"ops\"")));
        assert_eq!(reply.ends, []);

        let set_cookie = session_cookie(&reply).unwrap();
        let token = token_of(set_cookie);
        let (prefix, secure) = if tls { ("__Host-", "; Secure") } else { ("", "") };
        let expected = format!(
            "{prefix}authgate={token}; Path=/{secure}; HttpOnly; SameSite=Lax; Max-Age={IDLE}"
        );
        assert_eq!(set_cookie, expected);
        let request = if tls { get("/").tls() } else { get("/") };
        let identity = realm.admitted(&request.cookie(token), NOW);
        let session = session_of(&identity);
        assert_eq!((identity.user(), session.id), (name, FRESH.session));
        let times = (session.issued_at, session.expires_at, session.ends_at);
        assert_eq!(times, (NOW, NOW + IDLE, NOW + MAX));
    }
}

#[test]
fn d50_a_login_returns_to_this_host() {
    for rd in
        ["//evil.com", "https://evil.com", "/%255cevil.com", "", "/authgate/logout", "/%0d%0ax"]
    {
        let rd = rd.replace('%', "%25");
        let reply = outcome(&realm(), &form(), &format!("username=alice&rd={rd}"), true);
        assert_eq!(header(&reply, "Location"), Some("/"), "{rd}");
    }
}

#[test]
fn with_json_the_session_is_in_the_body_too() {
    let request = form().accept("application/json");
    let reply = outcome(&realm(), &request, "username=alice&rd=/a", true);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body, format!("{{\"expires\":{},\"user\":\"alice\"}}\n", NOW + IDLE));
    assert_eq!(header(&reply, "Location"), None);
    assert!(session_cookie(&reply).is_some());
}

#[test]
fn a_session_shorter_than_idle_says_so() {
    let realm = realm_with(&[("session", &["idle=10m", "max=10m"])]);
    let reply = outcome(&realm, &form(), "username=alice", true);
    assert!(session_cookie(&reply).unwrap().ends_with("; Max-Age=600"));
}

/// A request whose cookies name three sessions: two of alice's, one of bob's.
fn with_three_sessions(realm: &Realm, request: Request) -> (Request, Vec<Record>) {
    let of =
        |user: &'static str, id: u8| Claims { session: SessionId([id; 16]), ..realm.claims(user) };
    let claims = [of("alice", 1), of("alice", 2), of("bob", 3)];
    let request = claims
        .iter()
        .fold(request, |request, claims| request.cookie(&realm.sign(Purpose::Session, claims)));
    (
        request,
        claims.iter().map(|claims| ended(claims.session, claims.user, claims.ends_at)).collect(),
    )
}

#[test]
fn a23_a_logout_ends_every_session_that_the_request_names() {
    let realm = realm();
    let (request, sessions) = with_three_sessions(&realm, post("/authgate/logout"));
    assert_eq!(page(&realm, Page::Logout, &request).ends, sessions);
}

#[test]
fn a24_signing_in_ends_every_session_that_the_request_names() {
    let realm = realm();
    let (request, sessions) = with_three_sessions(&realm, form());
    assert_eq!(outcome(&realm, &request, "username=alice", true).ends, sessions);
}

#[test]
fn a24_signing_in_again_ends_the_session_before() {
    for before in ["alice", "bob"] {
        let realm = realm();
        let request = form().cookie(&realm.session(before));
        let reply = outcome(&realm, &request, "username=alice", true);
        assert_eq!(reply.ends, [ended(SessionId([7; 16]), before, NOW + MAX)], "{before}");
        let token = token_of(session_cookie(&reply).unwrap());
        assert_eq!(realm.admitted(&get("/").cookie(token), NOW).id(), Some(FRESH.session));
    }
    // Nothing is ended that is no session of ours, nor by a failure.
    let realm = realm();
    let foreign = form().cookie("garbage").bearer(&realm.api_token("alice"));
    assert_eq!(outcome(&realm, &foreign, "username=alice", true).ends, []);
    let request = form().cookie(&realm.session("alice"));
    assert_eq!(outcome(&realm, &request, "username=alice", false).ends, []);
}

#[test]
fn i112_a_login_beside_a_full_table_is_good() {
    let realm = realm();
    for number in 0..64 {
        realm.ended().apply(&ended(SessionId([number; 16]), "alice", NOW + 2 * MAX), NOW);
    }
    let end = realm.ended().earliest("alice").ends_at;
    assert!(end > NOW + MAX, "everyone is covered");
    let reply = outcome(&realm, &form(), "username=alice", true);
    let token = token_of(session_cookie(&reply).unwrap());
    assert_eq!(session_of(&realm.admitted(&get("/").cookie(token), NOW)).ends_at, end);
}

#[test]
fn a24_a_login_beside_the_end_of_all_of_the_user_s_sessions_is_good() {
    let realm = realm();
    let everything = Record::User { user: UserTag::of("alice"), issued_until: NOW + 2 };
    realm.ended().apply(&everything, NOW);
    let issued_at = NOW.max(realm.ended().earliest("alice").issued_at);
    let reply = outcome(&realm, &form(), "username=alice", true);
    let cookie = session_cookie(&reply).unwrap();
    let identity = realm.admitted(&get("/").cookie(token_of(cookie)), NOW);
    let session = session_of(&identity);
    assert_eq!((session.issued_at, session.expires_at), (issued_at, issued_at + IDLE));
    // The browser's clock runs from now.
    let max_age = format!("; Max-Age={}", issued_at + IDLE - NOW);
    assert!(cookie.ends_with(&max_age), "{cookie}");
}

#[test]
fn a22_a_password_changed_during_the_check_signs_nobody_in() {
    let realm = realm();
    let check = check(&realm, "username=alice");
    // J123: nor does who is gone, whose cookie would hold again when the line comes back.
    for users in [format!("alice:{OTHER_BCRYPT}"), format!("bob:{BCRYPT}")] {
        let after = support::realm().with_users(&users);
        let reply = form().with_head(|head| after.gate().checked(head, &check, true, FRESH, NOW));
        let reply = reply.unwrap();
        assert_eq!((reply.status, session_cookie(&reply)), (403, None), "{users}");
        let gate = after.gate();
        assert_eq!(form().with_head(|head| gate.replaced_sessions(head, &check, true, NOW)), []);
    }
}

#[test]
fn e60_too_busy() {
    let realm = realm();
    let check = check(&realm, "username=alice&password=correct+horse&rd=/a");
    for (accept, content_type) in
        [("application/json", "application/json"), ("text/html", "text/html; charset=utf-8")]
    {
        let reply = form().accept(accept).with_head(|head| realm.gate().busy(head, &check));
        assert!(is_guarded(&reply));
        assert_eq!((reply.status, reply.content_type), (503, Some(content_type)));
        assert_eq!(header(&reply, "Retry-After"), Some("5"));
        let line = "login busy, user \"alice\", realm \"ops\"";
        assert_eq!(event(&reply).as_deref(), Some(line));
        if content_type == "application/json" {
            assert_eq!(reply.body, "{\"error\":\"busy\"}\n");
        } else {
            assert!(reply.body.contains("Please try again in 5 seconds."));
            assert!(reply.body.contains("value=\"/a\"") && !reply.body.contains("correct horse"));
        }
    }
}
