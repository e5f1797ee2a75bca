//! `authgate token`

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod command;

use authgate_core::keyring::{KeyRing, Keys};
use authgate_core::token::{Claims, Purpose, Scope, SessionId};
use command::Folder;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

const KEYS: &str = "k1 MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n";

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn token(realm: &str, issued_at: u64) -> String {
    let ring = KeyRing::derive(&Keys::parse(KEYS.as_bytes()).unwrap(), realm, b"");
    let claims = Claims {
        session: SessionId([0xab; 16]),
        user: "alice",
        issued_at,
        expires_at: issued_at + 3600,
        ends_at: issued_at + 7200,
        epoch: 7,
        scope: Scope::default(),
    };
    ring.sign(Purpose::Session, &claims).unwrap()
}

#[test]
fn inspect_shows_claims_as_not_verified() {
    let folder = Folder::new("inspect");
    let token = token("ops", 1_800_000_000);
    let text = format!(
        "status      not verified\nuser        alice\nsession     {}\nissued at   1800000000\n\
         expires at  1800003600\nends at     1800007200\nkey         k1\n",
        "ab".repeat(16)
    );
    assert_eq!(folder.ok(&["token", "inspect", &token], ""), text);
    assert_eq!(folder.ok(&["token", "inspect"], format!(" {token}\n")), text);
    let json: Value =
        serde_json::from_str(&folder.ok(&["token", "inspect", "--json", &token], "")).unwrap();
    assert_eq!(
        json,
        json!({"verified": false, "status": "not verified", "user": "alice",
        "session": "ab".repeat(16), "issued_at": 1_800_000_000, "expires_at": 1_800_003_600,
        "ends_at": 1_800_007_200, "key": "k1", "methods": [], "paths": []})
    );
    assert_eq!(
        folder.fails(1, &["token", "inspect", "nonsense"], ""),
        "authgate: token: malformed\n"
    );
    assert_eq!(folder.fails(1, &["token", "inspect"], ""), "authgate: token: malformed\n");
}

#[test]
fn inspect_verifies_with_keys_and_realm() {
    let folder = Folder::new("inspect_keys");
    folder.write("keys", KEYS);
    let verify = ["token", "inspect", "--keys", "keys", "--realm", "ops"];
    assert!(folder.ok(&verify, token("ops", now())).starts_with("status      verified\n"));
    for (token, reason) in [
        (token("dev", now()), "bad signature"),
        (token("ops", now() - 3600), "expired"),
        (token("ops", now()).replace("k1", "k2"), "unknown key"),
    ] {
        let answer = folder.run(&verify, token);
        assert_eq!((answer.status, answer.errors), (1, format!("authgate: token: {reason}\n")));
        assert!(answer.output.starts_with(&format!("status      refused: {reason}\n")));
    }
    let other = [&verify[..], &["--purpose", "api"]].concat();
    assert_eq!(folder.run(&other, token("ops", now())).status, 1);
    folder.fails(2, &["token", "inspect", "--keys", "keys", "x"], "");
    folder.fails(2, &["token", "inspect", "--keys", "none", "--realm", "ops"], token("ops", 0));
}
