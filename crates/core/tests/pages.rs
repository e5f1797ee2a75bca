//! The gate's own pages: what each of them answers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod support;

use authgate_core::form::MAX_BODY;
use authgate_core::gate::Verdict;
use authgate_core::pages::{Action, Check, Page};
use authgate_core::password::Scheme;
use authgate_core::reply::Reply;
use authgate_core::request::Method;
use authgate_core::token::{Claims, Purpose, SessionId};
use support::*;

const FRESH: SessionId = SessionId([1; 16]);
const PAGES: [Page; 4] = [Page::Login, Page::Logout, Page::Session, Page::Unknown];

fn page(realm: &Realm, page: Page, request: &Request) -> Reply {
    let reply = reply(request.with_head(|head| realm.gate().page(page, head, NOW)));
    assert!(is_guarded(&reply), "{reply:?}");
    reply
}

fn is_read(request: &Request) -> bool {
    let action = request.with_head(|head| realm().gate().page(Page::Login, head, NOW));
    matches!(action, Action::ReadBody)
}

fn check(realm: &Realm, body: &str) -> Check {
    match form().with_head(|head| realm.gate().posted(head, body.as_bytes())) {
        Action::Check(check) => check,
        Action::ReadBody => panic!("asks for the body again"),
        Action::Reply(reply) => panic!("answers {}", reply.status),
    }
}

/// The answer to a body that needs no check.
fn posted(realm: &Realm, request: &Request, body: &[u8]) -> Reply {
    let reply = reply(request.with_head(|head| realm.gate().posted(head, body)));
    assert!(is_guarded(&reply), "{reply:?}");
    reply
}

fn outcome(realm: &Realm, request: &Request, body: &str, matches: bool) -> Reply {
    let check = check(realm, body);
    let reply = request.with_head(|head| realm.gate().checked(head, &check, matches, FRESH, NOW));
    let reply = reply.unwrap();
    assert!(is_guarded(&reply), "{reply:?}");
    reply
}

/// The whole of a login, with the real check.
fn sign_in(realm: &Realm, request: &Request, body: &str) -> Reply {
    let check = check(realm, body);
    outcome(realm, request, body, check.hash.verify(&check.password, |_, _| None))
}

#[test]
fn a_page_is_a_name_under_the_path() {
    for (directive, path) in [("/authgate/", "/authgate/"), ("/a/b/", "/a/b/")] {
        let settings = settings(&[("path", &[directive])]);
        let at = |name: &str| Page::at(&settings, format!("{path}{name}").as_bytes());
        assert_eq!(["login", "logout", "session", ""].map(at), PAGES.map(Some));
        for unknown in ["Login", "login/", "login/x", "loginx", "metrics", "x/login", "login ", "ß"]
        {
            assert_eq!(at(unknown), Some(Page::Unknown), "{unknown}");
        }
        for outside in
            ["", "/", "/authgate", "/a/b", "/Authgate/login", "/x/authgate/login", "login"]
        {
            assert_eq!(Page::at(&settings, outside.as_bytes()), None, "{outside}");
        }
    }
}

#[test]
fn each_page_and_method() {
    use Method::{Get, Head, Other, Post};
    for (at, statuses, allow) in [
        (Page::Login, [200, 200, 0, 405], Some("GET, HEAD, POST")),
        (Page::Logout, [303, 303, 303, 405], Some("GET, HEAD, POST")),
        (Page::Session, [401, 401, 405, 405], Some("GET, HEAD")),
        (Page::Unknown, [404, 404, 404, 404], None),
    ] {
        for (method, status) in [Get, Head, Post, Other].into_iter().zip(statuses) {
            let request = form().method(method);
            if status == 0 {
                assert!(is_read(&request));
                continue;
            }
            let reply = page(&realm(), at, &request);
            assert_eq!(reply.status, status, "{at:?} {method:?}");
            let expected = allow.filter(|_| status == 405);
            assert_eq!(header(&reply, "Allow"), expected, "{at:?} {method:?}");
            assert_eq!(event(&reply), None);
        }
    }
}

#[test]
fn problems_speak_the_client_s_language() {
    let get = |accept: &str| page(&realm(), Page::Unknown, &get("/authgate/x").accept(accept));
    assert_eq!(get("application/json").body, "{\"error\":\"not found\"}\n");
    assert!(get("text/html").body.contains("<h1>Not found</h1>"));
    assert_eq!(get("*/*").body, "There is no such page here.\n");
}

#[test]
fn h94_the_answer_to_head_is_that_to_get() {
    for at in PAGES {
        for accept in ["text/html", "application/json", "*/*"] {
            let get = get("/authgate/x?rd=/a").accept(accept);
            let head = get.clone().method(Method::Head);
            assert_eq!(page(&realm(), at, &get), page(&realm(), at, &head));
        }
    }
}

#[test]
fn the_form_carries_where_to_go_back_to() {
    for (query, rd) in [
        ("?rd=/graph%3Fa%3D1%26b%3D2", "/graph?a=1&#38;b=2"),
        ("", "/"),
        ("?rd=//evil.com", "/"),
        ("?rd=/a&rd=/b", "/"),
        ("?rd=%2Fauthgate%2Flogin", "/"),
        ("?rd=%zz", "/"),
    ] {
        let reply = page(&realm(), Page::Login, &get(&format!("/authgate/login{query}")));
        assert_eq!(reply.status, 200);
        let field = format!("name=\"rd\" value=\"{rd}\"");
        assert!(reply.body.contains(&field), "{query}: {}", reply.body);
        assert!(reply.body.contains("action=\"/authgate/login\""));
    }
}

#[test]
fn c39_credentials_in_the_query_are_not_read() {
    let plain = page(&realm(), Page::Login, &get("/authgate/login?rd=/a"));
    for query in ["username=alice&password=x&rd=/a", "rd=/a&username=%3Cb%3E"] {
        let reply = page(&realm(), Page::Login, &get(&format!("/authgate/login?{query}")));
        assert_eq!(reply, plain);
    }
    assert!(is_read(&form().target("/authgate/login?username=alice&password=x")));
    let check = check(&realm(), "rd=/a");
    assert_eq!((check.username.as_str(), check.password.as_slice()), ("", [].as_slice()));
}

#[test]
fn signed_in_already_one_goes_where_one_wanted() {
    let realm = realm();
    let token = realm.session("alice");
    for (target, location) in [
        ("/authgate/login?rd=/a%3Fb", "/a?b"),
        ("/authgate/login", "/"),
        ("/authgate/login?rd=https://evil.com", "/"),
    ] {
        let reply = page(&realm, Page::Login, &get(target).cookie(&token));
        assert_eq!((reply.status, header(&reply, "Location")), (303, Some(location)));
        assert_eq!((header(&reply, "Set-Cookie"), &*reply.ends), (None, &[][..]));
    }
    // An API token is no session to go on with.
    let by_token = get("/authgate/login").bearer(&realm.api_token("alice"));
    assert_eq!(page(&realm, Page::Login, &by_token).status, 200);
}

#[test]
fn c37_a_post_from_another_site_does_nothing() {
    let realm = realm();
    let token = realm.session("alice");
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "null"),
        ("origin", "https://evil.com"),
    ] {
        let request = form().field(name, value).field("host", "gate.example").cookie(&token);
        for at in [Page::Login, Page::Logout] {
            let reply = page(&realm, at, &request);
            assert_eq!(reply.status, 403, "{at:?} {name}: {value}");
            assert_eq!((header(&reply, "Set-Cookie"), &*reply.ends), (None, &[][..]));
            assert_eq!(event(&reply), None);
        }
        // Before anything else about the body: the type, the length.
        let untyped = post("/authgate/login").field(name, value).field("content-length", "9999");
        assert_eq!(page(&realm, Page::Login, &untyped).status, 403);
    }
    for (name, value) in [("sec-fetch-site", "same-origin"), ("origin", "https://gate.example")] {
        assert!(is_read(&form().field(name, value).field("host", "gate.example")));
    }
}

#[test]
fn c43_a_body_of_another_type_is_not_read() {
    for content_type in ["multipart/form-data; boundary=x", "application/json", "text/plain", ""] {
        let request = post("/authgate/login").field("content-type", content_type);
        assert_eq!(page(&realm(), Page::Login, &request).status, 415, "{content_type}");
    }
    assert_eq!(page(&realm(), Page::Login, &post("/authgate/login")).status, 415);
    let coded = form().field("content-encoding", "gzip");
    assert_eq!(page(&realm(), Page::Login, &coded).status, 415);
    let json = post("/authgate/login").accept("application/json");
    assert_eq!(page(&realm(), Page::Login, &json).body, "{\"error\":\"not a form\"}\n");
}

#[test]
fn c44_c45_a_form_that_cannot_be_read() {
    for body in ["username=a&username=b", "rd=/a&rd=/b", "username=%zz", "username=%00", "rd=%"] {
        let reply = posted(&realm(), &form(), body.as_bytes());
        assert_eq!((reply.status, event(&reply)), (400, None), "{body}");
    }
    let json = posted(&realm(), &form().accept("application/json"), b"%");
    assert_eq!(json.body, "{\"error\":\"bad form\"}\n");
}

#[test]
fn c46_one_byte_over_the_limit() {
    let of_length = |length: &str| form().field("content-length", length);
    assert!(is_read(&of_length(&MAX_BODY.to_string())));
    assert!(is_read(&of_length("x")), "nginx refuses it");
    for length in [&(MAX_BODY + 1).to_string(), "18446744073709551615"] {
        assert_eq!(page(&realm(), Page::Login, &of_length(length)).status, 413);
    }
    for (accept, body) in
        [("application/json", "{\"error\":\"too large\"}\n"), ("*/*", "The form is too large.\n")]
    {
        let request = of_length("9000").accept(accept);
        let early = page(&realm(), Page::Login, &request);
        let late = request.with_head(|head| realm().gate().too_large(head));
        assert_eq!((early.status, early.body.as_str()), (413, body));
        assert!(is_guarded(&late));
        assert_eq!(early, late, "by Content-Length and by counting");
    }
}

#[test]
fn a_check_holds_what_was_typed() {
    let check = check(&realm(), "username=alice&password=correct+horse&rd=/a&other=1");
    assert_eq!(check.username, "alice");
    assert_eq!(check.password.as_slice(), PASSWORD);
    assert_eq!(check.hash.as_str(), BCRYPT);
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
            match request.with_head(|head| realm.gate().posted(head, body.as_bytes())) {
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
            assert_eq!(Reply { event: wrong.event.clone(), ..other }, wrong);
        }
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

        let set_cookie = header(&reply, "Set-Cookie").unwrap();
        let token = token_of(set_cookie);
        let (prefix, secure) = if tls { ("__Host-", "; Secure") } else { ("", "") };
        let expected = format!(
            "{prefix}authgate={token}; Path=/{secure}; HttpOnly; SameSite=Lax; Max-Age={IDLE}"
        );
        assert_eq!(set_cookie, expected);
        let request = if tls { get("/").tls() } else { get("/") };
        let identity = realm.admitted(&request.cookie(token), NOW);
        assert_eq!((identity.user(), identity.session), (name, FRESH));
        let times = (identity.issued_at, identity.expires_at, identity.ends_at);
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
    assert!(header(&reply, "Set-Cookie").is_some());
}

#[test]
fn a_session_shorter_than_idle_says_so() {
    let realm = realm_with(&[("session", &["idle=10m", "max=10m"])]);
    let reply = outcome(&realm, &form(), "username=alice", true);
    assert!(header(&reply, "Set-Cookie").unwrap().ends_with("; Max-Age=600"));
}

/// A request whose cookies name three sessions: two of alice's, one of bob's.
fn with_three_sessions(realm: &Realm, request: Request) -> (Request, Vec<(SessionId, u64)>) {
    let of =
        |user: &'static str, id: u8| Claims { session: SessionId([id; 16]), ..realm.claims(user) };
    let claims = [of("alice", 1), of("alice", 2), of("bob", 3)];
    let request = claims
        .iter()
        .fold(request, |request, claims| request.cookie(&realm.sign(Purpose::Session, claims)));
    (request, claims.iter().map(|claims| (claims.session, claims.ends_at)).collect())
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
    let realm = realm();
    for before in ["alice", "bob"] {
        let request = form().cookie(&realm.session(before));
        let reply = outcome(&realm, &request, "username=alice", true);
        assert_eq!(reply.ends, [(SessionId([7; 16]), NOW + MAX)], "{before}");
        let token = token_of(header(&reply, "Set-Cookie").unwrap());
        assert_eq!(realm.admitted(&get("/").cookie(token), NOW).session, FRESH);
    }
    // Nothing is ended that is no session of ours, nor by a failure.
    let foreign = form().cookie("garbage").bearer(&realm.api_token("alice"));
    assert_eq!(outcome(&realm, &foreign, "username=alice", true).ends, []);
    let request = form().cookie(&realm.session("alice"));
    assert_eq!(outcome(&realm, &request, "username=alice", false).ends, []);
}

#[test]
fn i112_a_login_beside_a_full_table_is_good() {
    let realm = realm();
    for number in 0..64 {
        realm.ended().insert(SessionId([number; 16]), NOW + 2 * MAX, NOW);
    }
    let end = realm.ended().earliest_new_end();
    assert!(end > NOW + MAX, "everyone is covered");
    let reply = outcome(&realm, &form(), "username=alice", true);
    let token = token_of(header(&reply, "Set-Cookie").unwrap());
    assert_eq!(realm.admitted(&get("/").cookie(token), NOW).ends_at, end);
}

#[test]
fn a22_a_password_changed_during_the_check_signs_nobody_in() {
    let realm = realm();
    let check = check(&realm, "username=alice");
    let users = format!("alice:{OTHER_BCRYPT}");
    let after = support::realm().with_users(&users);
    let reply = form().with_head(|head| after.gate().checked(head, &check, true, FRESH, NOW));
    let token = token_of(header(&reply.unwrap(), "Set-Cookie").unwrap()).to_owned();
    assert_eq!(after.says(&get("/").cookie(&token), NOW), "password_changed");
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
        let token = token_of(header(&set, "Set-Cookie").unwrap());
        let request = post("/authgate/logout");
        let request = if tls { request.tls() } else { request }.cookie(token);
        let reply = page(&realm, Page::Logout, &request);
        assert_eq!((reply.status, header(&reply, "Location")), (303, Some("/authgate/login")));
        assert_eq!(reply.ends, [(FRESH, NOW + MAX)]);
        assert_eq!(event(&reply).as_deref(), Some("logout, user \"alice\", realm \"ops\""));
        let cleared = header(&set, "Set-Cookie")
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
    assert_eq!(page(&realm, Page::Logout, &both).ends, [(SessionId([7; 16]), NOW + MAX)]);
}

#[test]
fn the_session_page_tells_and_does_not_renew() {
    let realm = realm();
    let later = NOW + IDLE / 2;
    let request = get("/authgate/session").cookie(&realm.session("carol"));
    let action = request.with_head(|head| realm.gate().page(Page::Session, head, later));
    let reply = reply(action);
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
