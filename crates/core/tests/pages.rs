//! The gate's own pages: what each of them answers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod support;

use authgate_core::form::MAX_BODY;
use authgate_core::pages::Page;
use authgate_core::request::Method;
use support::pages::*;
use support::*;

const PAGES: [Page; 4] = [Page::Login, Page::Logout, Page::Session, Page::Unknown];

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
    use Method::{Delete, Get, Head, Other, Post};
    for (at, statuses, allow) in [
        (Page::Login, [200, 200, 0, 405, 405], Some("GET, HEAD, POST")),
        (Page::Logout, [303, 303, 303, 405, 405], Some("GET, HEAD, POST")),
        (Page::Session, [401, 401, 405, 405, 405], Some("GET, HEAD")),
        (Page::Unknown, [404, 404, 404, 404, 404], None),
    ] {
        for (method, status) in [Get, Head, Post, Delete, Other].into_iter().zip(statuses) {
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
fn a_post_in_early_data_does_nothing() {
    let realm = realm();
    let token = realm.session("alice");
    for at in [Page::Login, Page::Logout] {
        let reply = page(&realm, at, &form().field("early-data", "1").cookie(&token));
        assert_eq!(reply.status, 425, "{at:?}");
        assert_eq!((header(&reply, "Set-Cookie"), &*reply.ends), (None, &[][..]));
        assert_eq!(event(&reply), None);
    }
    assert!(is_read(&form().field("early-data", "0")));
    assert_eq!(
        page(&realm, Page::Login, &get("/authgate/login").field("early-data", "1")).status,
        200
    );
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
        let request = form().field(name, value).host("gate.example").cookie(&token);
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
        assert!(is_read(&form().field(name, value).host("gate.example")));
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
