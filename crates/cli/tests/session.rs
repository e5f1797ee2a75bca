//! `authgate session`

#![allow(clippy::panic, clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod command;

use authgate_core::journal::{Record, UserTag};
use authgate_core::keyring::{KeyRing, Keys};
use authgate_core::token::{Claims, Purpose, Scope, SessionId};
use authgate_state::Journal;
use command::Folder;
use serde_json::{Value, json};
use std::os::unix::fs::symlink;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: u64 = 24 * 3600;
const AB: SessionId = SessionId([0xab; 16]);

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A folder with the journal that nginx has made.
fn with_journal(name: &str) -> (Folder, Journal) {
    let folder = Folder::new(name);
    std::fs::create_dir(folder.path("state")).unwrap();
    let journal = Journal::open(&folder.path("state"), "ops").unwrap();
    (folder, journal)
}

fn revoke<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    [&["session", "revoke", "--state", "state", "--realm", "ops"], rest].concat()
}

fn ended(journal: &mut Journal) -> Vec<Record> {
    let mut records = Vec::new();
    journal.read_new(|record| records.push(record)).unwrap();
    records
}

/// The ids, all of them kept for longer than a token can hold.
fn ended_ids(journal: &mut Journal) -> Vec<SessionId> {
    let id = |record| match record {
        Record::Token { id, keep_until } => {
            assert!((now() + 399 * DAY..=now() + 400 * DAY).contains(&keep_until));
            id
        }
        other => panic!("{other:?}"),
    };
    ended(journal).into_iter().map(id).collect()
}

fn token(purpose: Purpose) -> String {
    let keys = Keys::parse(b"k1 MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").unwrap();
    let claims = Claims {
        session: AB,
        user: "bob",
        issued_at: 1,
        expires_at: 2,
        ends_at: 3,
        epoch: 0,
        scope: Scope::default(),
    };
    KeyRing::derive(&keys, "ops", b"").sign(purpose, &claims).unwrap()
}

#[test]
fn i113a_revoke_ends_sessions_by_id() {
    let (folder, mut journal) = with_journal("revoke");
    let (one, two) = ("ab".repeat(16), "0123456789ABCDEF".repeat(2));
    let output = folder.ok(&revoke(&[&one, &two]), "");
    let line =
        |id: &str| format!("session {id}: ended within a second wherever nginx reads state\n");
    assert_eq!(output, line(&one) + &line(&two.to_lowercase()));
    assert_eq!(ended_ids(&mut journal), [AB, two.parse().unwrap()]);
    let output: Value = serde_json::from_str(&folder.ok(&revoke(&["--json", &one]), "")).unwrap();
    assert_eq!(output, json!({"state": "state", "realm": "ops", "sessions": [one]}));
    assert_eq!(ended_ids(&mut journal), [AB]);
}

#[test]
fn i113a_revoke_takes_a_token_from_standard_input() {
    let (folder, mut journal) = with_journal("revoke_token");
    let session = token(Purpose::Session);
    for input in [format!(" {session}\n"), format!("agt_{session}"), format!("{AB}\n")] {
        let output = folder.ok(&revoke(&["-"]), input);
        assert!(output.starts_with(&format!("session {AB}: ended")), "{output}");
        assert_eq!(ended_ids(&mut journal), [AB]);
    }
    let errors = folder.fails(2, &revoke(&["-"]), "nonsense");
    assert_eq!(errors, "authgate: standard input: no id, and as a token malformed\n");
    let errors = folder.fails(2, &revoke(&[&session]), "");
    assert!(errors.contains("32 hexadecimal digits, or \"-\"") && !errors.contains(&session));
    assert!(ended(&mut journal).is_empty());
}

#[test]
fn i113a_revoke_ends_all_sessions_of_a_user() {
    let (folder, mut journal) = with_journal("revoke_user");
    let before = now();
    let output = folder.ok(&revoke(&["--user", "bob"]), "");
    let text =
        "user \"bob\", all sessions until now: ended within a second wherever nginx reads state\n";
    assert_eq!(output, text);
    let records = ended(&mut journal);
    let [Record::User { user, issued_until }] = records[..] else { panic!("{records:?}") };
    assert_eq!(user, UserTag::of("bob"));
    assert!((before + 2..=now() + 2).contains(&issued_until));
    let output: Value =
        serde_json::from_str(&folder.ok(&revoke(&["--json", "--user", "bob"]), "")).unwrap();
    assert_eq!(output, json!({"state": "state", "realm": "ops", "user": "bob"}));
}

#[test]
fn i113a_revoke_makes_no_file() {
    let folder = Folder::new("revoke_nothing");
    std::fs::create_dir(folder.path("state")).unwrap();
    let id = "ab".repeat(16);
    let errors = folder.fails(1, &revoke(&[&id]), "");
    assert!(errors.starts_with("authgate: state: nothing of a realm \"ops\" is kept there"));
    assert!(errors.contains("write \"state state;\""), "{errors}");
    assert_eq!(std::fs::read_dir(folder.path("state")).unwrap().count(), 0);
    symlink("/etc/passwd", folder.path("state/ops.ended")).unwrap();
    let errors = folder.fails(2, &revoke(&[&id]), "");
    assert!(errors.starts_with("authgate: open() \"state/ops.ended\" failed (40: "), "{errors}");
}

#[test]
fn revoke_refuses_mistakes_in_its_arguments() {
    let (folder, mut journal) = with_journal("revoke_mistakes");
    let id = "ab".repeat(16);
    folder.fails(2, &revoke(&[]), "");
    folder.fails(2, &revoke(&[&id, "--user", "bob"]), "");
    folder.fails(2, &revoke(&[&id, "xyz"]), "");
    folder.fails(2, &revoke(&["--user", ""]), "");
    let path = ["session", "revoke", "--state", ".", "--realm", "state/ops", &id];
    assert!(folder.fails(2, &path, "").contains("invalid realm name \"state/ops\""));
    assert!(ended(&mut journal).is_empty());
}
