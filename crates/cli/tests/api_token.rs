//! `authgate token issue`, `verify` and `revoke`, and what `inspect` says of API tokens.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod command;

use authgate_core::journal::{Record, UserTag};
use authgate_core::keyring::{KeyRing, Keys};
use authgate_core::token::{Claims, PayloadBuffer, Purpose, Scope, SessionId};
use authgate_state::Journal;
use command::Folder;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

const KEYS: &str = "k1 MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n";
const HASH: &str = "$2y$05$0FXQnxIMVrGkaGYCI.gwLuXEE2Zz2IbdQQlp4uBi6t36EgOcdm61C";
const DAY: u64 = 24 * 3600;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A folder with keys, a journal that nginx has made, and users: alice and prometheus, bob disabled.
fn folder(name: &str) -> (Folder, Journal) {
    let folder = Folder::new(name);
    folder.write("keys", KEYS);
    let user = |disabled: bool| json!({"password": HASH, "disabled": disabled});
    let users = json!({"alice": user(false), "prometheus": user(false), "bob": user(true)});
    folder.write("users", users.to_string());
    std::fs::create_dir(folder.path("state")).unwrap();
    let journal = Journal::open(&folder.path("state"), "ops").unwrap();
    (folder, journal)
}

fn ring() -> KeyRing {
    KeyRing::derive(&Keys::parse(KEYS.as_bytes()).unwrap(), "ops", b"")
}

fn issue<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    let start = ["token", "issue", "--keys", "keys", "--realm", "ops", "--user", "prometheus"];
    [&start, rest].concat()
}

fn verify<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    [&["token", "verify", "--keys", "keys", "--realm", "ops"], rest].concat()
}

fn issued(folder: &Folder, rest: &[&str]) -> Value {
    let json = folder.ok(&issue(&[&["--json", "--expires", "90d"], rest].concat()), "");
    serde_json::from_str(&json).unwrap()
}

fn text<'a>(json: &'a Value, field: &str) -> &'a str {
    json[field].as_str().unwrap()
}

fn session(user: &str, epoch: u64, expires_at: u64) -> String {
    let id = SessionId([0xab; 16]);
    let (issued_at, scope) = (now() - 60, Scope::default());
    let claims =
        Claims { session: id, user, issued_at, expires_at, ends_at: expires_at, epoch, scope };
    ring().sign(Purpose::Session, &claims).unwrap()
}

#[test]
fn issue_prints_the_token_alone() {
    let (folder, _) = folder("issue");
    let before = now();
    let limits = ["--method", "GET,HEAD", "--path", "/metrics", "--path", "/api/"];
    let answer = folder.run(&issue(&[&["--expires", "90d"], &limits[..]].concat()), "");
    assert_eq!(answer.status, 0, "{}", answer.errors);
    let token = answer.output.strip_suffix('\n').unwrap();
    assert!(!token.contains(char::is_whitespace), "{token}");

    let mut buffer = PayloadBuffer::default();
    let bytes = token.strip_prefix("agt_").unwrap().as_bytes();
    let ring = ring();
    let claims = ring.verify(Purpose::Api, bytes, now(), &mut buffer).unwrap().claims;
    assert_eq!((claims.user, claims.epoch), ("prometheus", 0));
    assert!((before..=now()).contains(&claims.issued_at));
    assert_eq!(claims.expires_at, claims.issued_at + 90 * DAY);
    assert_eq!(claims.ends_at, claims.expires_at);
    assert_eq!(claims.scope.methods().collect::<Vec<_>>(), ["GET", "HEAD"]);
    assert_eq!(claims.scope.paths().collect::<Vec<_>>(), ["/metrics", "/api/"]);
    let note = format!(
        "authgate: API token {}, user \"prometheus\", expires at {}\n",
        claims.session, claims.expires_at
    );
    assert_eq!(answer.errors, note);
}

#[test]
fn issue_answers_in_json() {
    let (folder, _) = folder("issue_json");
    let one = issued(&folder, &["--path", "/metrics"]);
    let other = issued(&folder, &[]);
    assert_ne!(one["id"], other["id"]);
    let issued_at = one["issued_at"].as_u64().unwrap();
    assert_eq!(
        one,
        json!({"token": one["token"], "id": one["id"], "realm": "ops", "user": "prometheus",
            "issued_at": issued_at, "expires_at": issued_at + 90 * DAY, "methods": [],
            "paths": ["/metrics"]})
    );
    assert_eq!((text(&one, "id").len(), &other["paths"]), (32, &json!([])));
}

#[test]
fn a_lifetime_is_at_most_a_year() {
    let (folder, _) = folder("issue_expires");
    for time in ["1", "1s", "12h", "365d", "1y", "1M1d"] {
        assert_eq!(folder.run(&issue(&["--expires", time]), "").status, 0, "{time}");
    }
    for time in ["", "0", "366d", "365d1s", "1y1s", "2y", "1x", "-1", "never"] {
        let option = format!("--expires={time}");
        let errors = folder.fails(2, &issue(&[&option]), "");
        assert!(errors.contains("from 1s to 365d"), "{errors}");
    }
    assert!(folder.fails(2, &issue(&[]), "").contains("--expires"));
}

#[test]
fn issue_refuses_what_cannot_be_a_limit() {
    let (folder, _) = folder("issue_limits");
    let limited = |option, text| issue(&["--expires", "1d", option, text]);
    for path in ["metrics", "/a/../b", "//a", "/a?b", "/a%20b", ""] {
        let errors = folder.fails(2, &limited("--path", path), "");
        assert!(errors.starts_with("authgate: --path \""), "{errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
    for method in ["GET HEAD", "GET,", "", "É"] {
        let errors = folder.fails(2, &limited("--method", method), "");
        assert!(errors.contains("invalid method"), "{errors}");
    }
    let paths = [format!("/{}", "a".repeat(200)), format!("/{}", "b".repeat(200))];
    let arguments = issue(&["--expires", "1d", "--path", &paths[0], "--path", &paths[1]]);
    assert!(folder.fails(2, &arguments, "").contains("longer than 512 bytes"));
    let long = format!("/{}", "c".repeat(255));
    assert!(folder.fails(2, &limited("--path", &long), "").contains("at most 255 bytes"));
}

#[test]
fn issue_refuses_mistakes_in_its_arguments() {
    let (folder, _) = folder("issue_mistakes");
    let of = |keys, realm, user| {
        let arguments = ["--keys", keys, "--realm", realm, "--user", user, "--expires", "1d"];
        [&["token", "issue"], &arguments[..]].concat()
    };
    assert_eq!(folder.run(&of("keys", "ops", "a"), "").status, 0);
    let long = "u".repeat(129);
    for user in ["", &long] {
        let errors = folder.fails(2, &of("keys", "ops", user), "");
        assert!(errors.contains("a user name has 1 to 128 bytes"), "{errors}");
    }
    for realm in ["", "off", "a/b", "a b"] {
        assert!(folder.fails(2, &of("keys", realm, "a"), "").contains("invalid realm name"));
    }
    let errors = folder.fails(2, &of("none", "ops", "a"), "");
    assert_eq!(errors, "authgate: none: no such file or directory\n");
    folder.write("short", "MDEyMzQ1\n");
    let errors = folder.fails(2, &of("short", "ops", "a"), "");
    assert_eq!(errors, "authgate: short:1: key is shorter than 32 bytes\n");
}

#[test]
fn issue_asks_the_users_file() {
    let (folder, _) = folder("issue_users");
    let of = |user, users| {
        let arguments = ["--realm", "ops", "--expires", "1d", "--user", user, "--users", users];
        [&["token", "issue", "--keys", "keys"], &arguments[..]].concat()
    };
    assert_eq!(folder.run(&of("alice", "users"), "").status, 0);
    let errors = folder.fails(1, &of("bob", "users"), "");
    assert_eq!(errors, "authgate: users: user \"bob\" is disabled\n");
    let errors = folder.fails(1, &of("Alice", "users"), "");
    assert_eq!(errors, "authgate: users: no user \"Alice\"\n");
    folder.fails(2, &of("alice", "none"), "");
    folder.fails(2, &of("alice", "keys"), "");
}

#[test]
fn inspect_shows_the_limits_of_an_api_token() {
    let (folder, _) = folder("inspect_api");
    let json = issued(&folder, &["--method", "GET", "--path", "/a", "--path", "/b b"]);
    let verified = ["token", "inspect", "--keys", "keys", "--realm", "ops"];
    let output = folder.ok(&verified, text(&json, "token"));
    assert!(output.starts_with("status      verified\nuser        prometheus\n"), "{output}");
    let limits = "key         k1\nmethod      GET\npath        /a\npath        /b b\n";
    assert!(output.ends_with(limits), "{output}");
    let output = folder.ok(&["token", "inspect", "--json", text(&json, "token")], "");
    let inspected: Value = serde_json::from_str(&output).unwrap();
    assert_eq!((&inspected["session"], &inspected["verified"]), (&json["id"], &json!(false)));
    assert_eq!((&inspected["methods"], &inspected["paths"]), (&json!(["GET"]), &json["paths"]));
    let as_session = [&verified[..], &["--purpose", "session"]].concat();
    assert_eq!(folder.run(&as_session, text(&json, "token")).status, 1);
}

#[test]
fn verify_answers_with_its_status() {
    let (folder, _) = folder("verify");
    let json = issued(&folder, &["--method", "GET"]);
    let token = text(&json, "token");
    let held = format!(
        "token: holds, API token {}, user \"prometheus\", expires at {}\n",
        text(&json, "id"),
        json["expires_at"]
    );
    assert_eq!(folder.ok(&verify(&[]), format!(" {token}\n")), held);
    assert_eq!(folder.ok(&verify(&[token]), ""), held);
    let output: Value = serde_json::from_str(&folder.ok(&verify(&["--json"]), token)).unwrap();
    let (id, at) = (&json["id"], &json["expires_at"]);
    assert_eq!(
        output,
        json!({"holds": true, "purpose": "api", "id": id, "user": "prometheus", "expires_at": at,
            "issued_at": json["issued_at"], "ends_at": at, "methods": ["GET"], "paths": []})
    );
    folder.fails(2, &["token", "verify", "--realm", "ops", token], "");
    folder.fails(2, &["token", "verify", "--keys", "none", "--realm", "ops"], token);
    folder.fails(2, &verify(&["--users", "none"]), token);
    folder.fails(2, &verify(&["--method", "GET"]), token);
    folder.fails(2, &verify(&["--path", "/"]), token);
}

#[test]
fn a10_verify_takes_a_token_for_what_its_prefix_says() {
    let (folder, _) = folder("verify_purpose");
    let json = issued(&folder, &[]);
    let session = session("alice", 7, now() + 60);
    let output = folder.ok(&verify(&[]), &session);
    assert!(output.starts_with("token: holds, session abab"), "{output}");
    for (token, reason) in [
        (text(&json, "token").strip_prefix("agt_").unwrap(), "bad signature"),
        (&format!("agt_{session}"), "bad signature"),
        (&session.replace("k1", "k2"), "unknown key"),
        (&format!("agt_{}", text(&json, "token")), "malformed"),
        ("", "malformed"),
        (&self::session("alice", 7, now() - 1), "expired"),
    ] {
        let errors = folder.fails(1, &verify(&[]), token);
        assert_eq!(errors, format!("authgate: token: {reason}\n"));
        let answer = folder.run(&verify(&["--json"]), token);
        let output: Value = serde_json::from_str(&answer.output).unwrap();
        assert_eq!(output, json!({"holds": false, "reason": reason.replace(' ', "_")}));
        assert_eq!((answer.status, answer.errors), (1, errors));
    }
    let other = ["token", "verify", "--keys", "keys", "--realm", "dev"];
    assert!(folder.fails(1, &other, text(&json, "token")).contains("bad signature"));
}

#[test]
fn verify_asks_the_users_file() {
    let (folder, _) = folder("verify_users");
    let (users, end) = (verify(&["--users", "users"]), now() + 60);
    let epoch = ring().epoch("alice", HASH);
    folder.ok(&users, session("alice", epoch, end));
    for (token, reason) in [
        (session("alice", epoch ^ 1, end), "password changed"),
        (session("nobody", ring().epoch("nobody", HASH), end), "unknown user"),
        (session("bob", ring().epoch("bob", HASH), end), "unknown user"),
    ] {
        folder.ok(&verify(&[]), &token);
        assert_eq!(folder.fails(1, &users, token), format!("authgate: token: {reason}\n"));
    }
    let json = issued(&folder, &[]);
    folder.ok(&users, text(&json, "token"));
    folder.write("users", format!("alice:{HASH}\n"));
    assert!(folder.fails(1, &users, text(&json, "token")).contains("unknown user"));
}

#[test]
fn g85a_verify_asks_the_limits() {
    let (folder, _) = folder("verify_limits");
    let json = issued(&folder, &["--method", "GET", "--path", "/metrics"]);
    let asked = |method, path| verify(&["--method", method, "--path", path]);
    for path in ["/metrics", "/metrics/x"] {
        folder.ok(&asked("GET", path), text(&json, "token"));
    }
    for (method, path) in
        [("HEAD", "/metrics"), ("get", "/metrics"), ("GET", "/metricsx"), ("GET", "/metrics/../x")]
    {
        let errors = folder.fails(1, &asked(method, path), text(&json, "token"));
        assert_eq!(errors, "authgate: token: forbidden\n", "{method} {path}");
    }
    folder.ok(&asked("POST", "/"), session("alice", 7, now() + 60));
}

#[test]
fn revoke_ends_api_tokens() {
    let (folder, mut journal) = folder("revoke_api");
    let verify = verify(&["--state", "state"]);
    let revoke = |rest: &[&'static str]| {
        [&["token", "revoke", "--state", "state", "--realm", "ops"], rest].concat()
    };
    let [one, two, other] = [(); 3].map(|()| issued(&folder, &[]));
    let line = |json: &Value| {
        format!("token {}: ended within a second wherever nginx reads state\n", text(json, "id"))
    };
    let id = text(&one, "id").to_owned().leak();
    assert_eq!(folder.ok(&revoke(&[id]), ""), line(&one));
    assert_eq!(folder.ok(&revoke(&["-"]), text(&two, "token")), line(&two));
    for json in [&one, &two] {
        assert_eq!(folder.fails(1, &verify, text(json, "token")), "authgate: token: revoked\n");
    }
    folder.ok(&verify, text(&other, "token"));
    let mut records = Vec::new();
    journal.read_new(|record| records.push(record)).unwrap();
    assert_eq!(records.len(), 2);
    for record in records {
        assert!(
            matches!(record, Record::Token { keep_until, .. } if keep_until > now() + 399 * DAY)
        );
    }
    let output: Value = serde_json::from_str(&folder.ok(&revoke(&["--json", id]), "")).unwrap();
    assert_eq!(output, json!({"state": "state", "realm": "ops", "tokens": [id]}));
    let errors = folder.fails(2, &revoke(&["xyz"]), "");
    assert!(errors.contains("a token is named by 32 hexadecimal digits"), "{errors}");
    folder.fails(2, &revoke(&[]), "");
    folder.fails(2, &revoke(&["--user", "alice"]), "");
}

#[test]
fn verify_asks_the_state() {
    let (folder, mut journal) = folder("verify_state");
    let verify = verify(&["--state", "state"]);
    let (api, session) = (issued(&folder, &[]), session("alice", 7, now() + 60));
    let both = |api_holds: bool, session_holds: bool| {
        let holds =
            [text(&api, "token"), &session].map(|token| folder.run(&verify, token).status == 0);
        assert_eq!(holds, [api_holds, session_holds]);
    };
    both(true, true);
    let others = (0..2000_u128).map(|number| Record::Session {
        id: SessionId((number << 117).to_be_bytes()),
        user: UserTag::of("alice"),
        ends_at: now() + 3600,
    });
    journal.append(&others.collect::<Vec<_>>()).unwrap();
    both(true, true);
    let (user, issued_until) = (UserTag::of("alice"), now());
    journal.append(&[Record::User { user, issued_until }]).unwrap();
    both(true, false);
    journal.append(&[Record::Everyone { issued_until: now() }]).unwrap();
    both(false, false);
    let none = ["--state", "none", "--keys", "keys", "--realm", "ops"];
    let errors = folder.fails(2, &[&["token", "verify"], &none[..]].concat(), &session);
    assert!(errors.contains("nothing of a realm \"ops\" is kept there"), "{errors}");
}
