//! `authgate keys`, `authgate check` and the help.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod command;

use command::Folder;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::MetadataExt;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/tests/data/");

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn keys_new_makes_a_key_and_overwrites_none() {
    let folder = Folder::new("keys_new");
    let output = folder.ok(&["keys", "new", "keys"], "");
    assert!(output.starts_with("keys: made, mode 0600, with one key \""), "{output}");
    assert_eq!(fs::metadata(folder.path("keys")).unwrap().mode() & 0o7777, 0o600);
    let key = folder.read("keys");
    assert_eq!(key.len(), 45);
    assert!(!output.contains(key.trim()));
    let errors = folder.fails(1, &["keys", "new", "keys"], "");
    assert_eq!(errors, "authgate: keys: exists and is not overwritten\n");
    assert_eq!(folder.read("keys"), key);
    folder.ok(&["keys", "new", "other"], "");
    assert_ne!(folder.read("other"), key);
    assert!(folder.ok(&["check", "keys"], "").starts_with("keys: keys, 1 in all, \""));
}

#[test]
fn check_tells_users_and_keys_apart() {
    let folder = Folder::new("check");
    for (name, answer) in [
        ("htpasswd", "users in htpasswd, 2 in all"),
        ("profiles.json", "users in JSON, 1 in all"),
        ("config.yml", "users in Prometheus web configuration, 1 in all"),
    ] {
        fs::copy(format!("{DATA}{name}"), folder.path(name)).unwrap();
        assert_eq!(folder.ok(&["check", name], ""), format!("{name}: {answer}\n"));
    }
    let json = folder.ok(&["check", "--json", "htpasswd"], "");
    let users = json!({"ok": true, "kind": "users", "format": "htpasswd", "users": 2, "weak": []});
    assert_eq!(parse(&json), users);
}

#[test]
fn check_names_line_and_mistake() {
    let folder = Folder::new("check_mistakes");
    folder.write("users", "# x\na:x\n");
    assert_eq!(folder.fails(1, &["check", "users"], ""), "authgate: users:2: unknown hash\n");
    folder.write("keys", "\nc2hvcnQ=\n");
    let short = "authgate: keys:2: key is shorter than 32 bytes\n";
    assert_eq!(folder.fails(1, &["check", "keys"], ""), short);
    let answer = folder.run(&["check", "--json", "users"], "");
    let mistake = json!({"ok": false, "kind": "users", "line": 2, "error": "unknown hash"});
    assert_eq!((answer.status, parse(&answer.output)), (1, mistake));
    assert_eq!(
        folder.fails(2, &["check", "none"], ""),
        "authgate: none: no such file or directory\n"
    );
    folder.write("empty", "");
    assert_eq!(folder.fails(1, &["check", "empty"], ""), "authgate: empty:1: no users\n");
}

#[test]
fn check_warns_of_weak_hashes() {
    let folder = Folder::new("check_weak");
    folder.write("users", "a:{PLAIN}secret\n");
    let answer = folder.run(&["check", "users"], "");
    assert_eq!(
        (answer.status, answer.output.as_str()),
        (0, "users: users in htpasswd, 1 in all\n")
    );
    assert!(answer.errors.contains("warning: user \"a\" has a weak hash \"{PLAIN}\""));
    assert!(!answer.errors.contains("secret"));
    let json = parse(&folder.ok(&["check", "--json", "users"], ""));
    assert_eq!(json["weak"], json!(["a"]));
}

#[test]
fn every_command_has_help_with_an_example() {
    let folder = Folder::new("help");
    folder.ok(&["--help"], "");
    for command in [
        "user set",
        "user remove",
        "user list",
        "user check",
        "keys new",
        "keys rotate",
        "token inspect",
        "session revoke",
        "check",
    ] {
        let mut arguments: Vec<_> = command.split(' ').collect();
        arguments.push("--help");
        let help = folder.ok(&arguments, "");
        assert!(
            help.contains("Example") && help.contains(&format!("authgate {command}")),
            "{help}"
        );
    }
    folder.fails(2, &[], "");
    folder.fails(2, &["nonsense"], "");
}
