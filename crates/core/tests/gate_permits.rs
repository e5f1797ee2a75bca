//! Who is let in, and may not: limits of API tokens, and `authgate_require`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod support;

use authgate_core::gate::{Cause, Credential, Decision, Verdict};
use authgate_core::limit::{LimitReason, Limited};
use authgate_core::request::{Method, RequestHead};
use authgate_core::rules::{Rule, Rules};
use authgate_core::status::Status;
use authgate_core::token::{Claims, Purpose, ScopeBuf};
use support::*;

/// An API token of carol's, limited to reading `/metrics` and `/api/`.
fn limited(realm: &Realm) -> String {
    let mut scope = ScopeBuf::default();
    ["GET", "HEAD"].into_iter().for_each(|method| scope.add_method(method).unwrap());
    ["/metrics", "/api/"].into_iter().for_each(|path| scope.add_path(path).unwrap());
    let claims = Claims { epoch: 0, scope: scope.as_scope(), ..realm.claims("carol") };
    format!("agt_{}", realm.sign(Purpose::Api, &claims))
}

fn verdict(realm: &Realm, head: &RequestHead<'_>) -> Verdict {
    match realm.gate().decide(head, NOW) {
        Decision::Verdict(verdict) => verdict,
        Decision::Check(_) => panic!("wants a check"),
    }
}

#[test]
fn g81_a_limited_token_opens_what_it_names() {
    let realm = realm();
    let token = limited(&realm);
    for (method, target, status) in [
        (Method::Get, "/metrics", Status::Ok),
        (Method::Head, "/metrics/x?y=/admin", Status::Ok),
        (Method::Get, "/api/v1", Status::Ok),
        (Method::Post, "/metrics", Status::Forbidden),
        (Method::Get, "/metricsx", Status::Forbidden),
        (Method::Get, "/api", Status::Forbidden),
        (Method::Get, "/admin?x=/metrics", Status::Forbidden),
    ] {
        let request = request(method, target).bearer(&token);
        let verdict = realm.decide(&request, NOW);
        assert_eq!(verdict.status(), status, "{method:?} {target}");
        // It is known who it is, but nobody is let in.
        assert_eq!(verdict.identity().unwrap().user(), "carol");
        assert_eq!(verdict.admitted().is_some(), status == Status::Ok);
    }
}

#[test]
fn g85a_of_an_unknown_request_a_limited_token_opens_nothing() {
    let realm = realm();
    for (token, status) in
        [(limited(&realm), Status::Forbidden), (realm.api_token("carol"), Status::Ok)]
    {
        let seen = get("/metrics")
            .bearer(&token)
            .with_head(|head| verdict(&realm, &RequestHead { target: None, ..*head }).status());
        assert_eq!(seen, status);
    }
}

#[test]
fn g81_who_goes_beyond_the_limits_is_told_so() {
    let realm = realm();
    let refusal = |accept: &str| {
        let request = get("/admin").accept(accept).bearer(&limited(&realm));
        let verdict = realm.decide(&request, NOW);
        let (again, without) = request.with_head(|head| {
            let gate = realm.gate();
            (gate.refusal(head, &verdict, NOW), gate.refusal_without_redirect(head, &verdict, NOW))
        });
        assert_eq!(again, without);
        assert!(is_guarded(&again));
        again
    };
    for accept in ["*/*", "text/html", "application/json"] {
        let reply = refusal(accept);
        assert_eq!(reply.status, 403, "{accept}");
        let challenge = header(&reply, "WWW-Authenticate");
        assert_eq!(challenge, Some("Bearer realm=\"ops\", error=\"insufficient_scope\""));
        assert!(event(&reply).unwrap().contains("\"carol\""), "{:?}", event(&reply));
    }
}

fn rules(directives: &[&[&str]]) -> Rules {
    Rules(directives.iter().map(|args| Rule::parse(args).unwrap()).collect())
}

#[test]
fn rules_are_about_the_user_and_the_groups_of_now() {
    let realm = realm();
    let status = |user: &str, directives: &[&[&str]]| {
        let verdict = realm.decide(&get("/").cookie(&realm.session(user)), NOW);
        realm.gate().status(&verdict, &rules(directives))
    };
    assert_eq!(status("alice", &[]), Status::Ok);
    assert_eq!(status("alice", &[&["user=alice"]]), Status::Ok);
    assert_eq!(status("alice", &[&["user=bob"]]), Status::Forbidden);
    assert_eq!(status("alice", &[&["group=sre"]]), Status::Forbidden);
    assert_eq!(status("carol", &[&["group=sre"]]), Status::Ok);
    assert_eq!(status("carol", &[&["group=sre"], &["user=alice"]]), Status::Forbidden);
    let moved = realm_with(&[]).with_users(&format!("carol:{PBKDF2}:groups=dev\n"));
    let verdict = moved.decide(&get("/").cookie(&realm.session("carol")), NOW);
    assert_eq!(moved.gate().status(&verdict, &rules(&[])), Status::Ok);
    assert_eq!(moved.gate().status(&verdict, &rules(&[&["group=sre"]])), Status::Forbidden);
}

#[test]
fn rules_let_in_nobody_whom_the_gate_refuses() {
    let realm = realm();
    let anyone = rules(&[&["user=alice"]]);
    let limited = Limited { seconds: 7, reason: LimitReason::User, is_first: true };
    for (verdict, status) in [
        (Verdict::Challenge(Cause::Missing), Status::Missing),
        (Verdict::Challenge(Cause::Revoked), Status::Revoked),
        (Verdict::Limited(limited), Status::Limited),
        (Verdict::Busy, Status::Busy),
    ] {
        assert_eq!(realm.gate().status(&verdict, &anyone), status);
        assert_eq!(realm.gate().status(&verdict, &Rules::default()), status);
        assert!(verdict.identity().is_none() && verdict.admitted().is_none());
    }
    let request = get("/admin").bearer(&self::limited(&realm));
    let forbidden = realm.decide(&request, NOW);
    assert_eq!(realm.gate().status(&forbidden, &rules(&[&["user=carol"]])), Status::Forbidden);
}

#[test]
fn a_credential_has_its_name() {
    let realm = realm();
    let name = |request: &Request| realm.admitted(request, NOW).credential.as_str();
    assert_eq!(name(&get("/").cookie(&realm.session("alice"))), "cookie");
    assert_eq!(name(&get("/").bearer(&realm.api_token("alice"))), "bearer");
    assert_eq!(Credential::Basic.as_str(), "basic");
}
