//! `authgate keys`, `authgate check` and the help.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod command;

use command::Folder;
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

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
fn check_knows_a_groups_file() {
    let folder = Folder::new("check_groups");
    for (text, answer) in [
        ("ops: alice bob\ndev: bob\nops: carol\n", "groups, 2 in all"),
        ("# who\r\n\r\non call:\talice\r\n", "groups, 1 in all"),
        ("nobody:\nempty:\nops: administrator\n", "groups, 3 in all"),
    ] {
        folder.write("groups", text);
        assert_eq!(folder.ok(&["check", "groups"], ""), format!("groups: {answer}\n"), "{text}");
    }
    let json = folder.ok(&["check", "--json", "groups"], "");
    assert_eq!(parse(&json), json!({"ok": true, "kind": "groups", "groups": 3}));
    folder.write("groups", "ops: alice\nops: \"bob b\"\n");
    let quotes = "names in quotes, as Apache takes them, are not supported";
    let errors = folder.fails(1, &["check", "groups"], "");
    assert_eq!(errors, format!("authgate: groups:2: {quotes}\n"));
    let answer = folder.run(&["check", "--json", "groups"], "");
    let mistake = json!({"ok": false, "kind": "groups", "line": 2, "error": quotes});
    assert_eq!((answer.status, parse(&answer.output)), (1, mistake));
}

#[test]
fn check_never_passes_users_for_groups() {
    let folder = Folder::new("check_users_or_groups");
    let hash = "$2y$05$0FXQnxIMVrGkaGYCI.gwLuXEE2Zz2IbdQQlp4uBi6t36EgOcdm61C";
    for (text, mistake) in [
        ("alice:\n".to_owned(), "1: unknown hash"),
        ("alice:bob\n".to_owned(), "1: unknown hash"),
        (format!("alice:{hash}\nbob: secret\n"), "2: unknown hash"),
        (format!("alice: {hash}\n"), "1: unknown hash"),
        ("alice: {PLAIN}x\n".to_owned(), "1: unknown hash"),
        (format!("alice:\nbob:{hash}\n"), "1: unknown hash"),
    ] {
        folder.write("users", &text);
        let errors = folder.fails(1, &["check", "users"], "");
        assert_eq!(errors, format!("authgate: users:{mistake}\n"), "{text}");
    }
}

#[test]
fn check_takes_the_kind_that_is_said() {
    let folder = Folder::new("check_kind");
    folder.write("file", "ops:alice bob\n");
    assert_eq!(folder.fails(1, &["check", "file"], ""), "authgate: file:1: unknown hash\n");
    let groups = folder.ok(&["check", "--kind", "groups", "file"], "");
    assert_eq!(groups, "file: groups, 1 in all\n");
    let users = folder.fails(1, &["check", "--kind=users", "file"], "");
    assert_eq!(users, "authgate: file:1: unknown hash\n");
    folder.fails(1, &["check", "--kind", "keys", "file"], "");
    folder.fails(2, &["check", "--kind", "tokens", "file"], "");
    folder.write("empty", "");
    assert_eq!(folder.ok(&["check", "--kind", "groups", "empty"], ""), "empty: groups, 0 in all\n");
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
fn j134_check_says_who_may_read_and_write_keys() {
    let folder = Folder::new("check_rights");
    folder.ok(&["keys", "new", "keys"], "");
    let json = |folder: &Folder, status| {
        let answer = folder.run(&["check", "--json", "keys"], "");
        assert_eq!(
            (answer.status, parse(&answer.output)["ok"].as_bool()),
            (status, Some(status == 0))
        );
        parse(&answer.output)
    };
    assert_eq!(json(&folder, 0)["warning"], Value::Null);
    fs::set_permissions(folder.path("keys"), Permissions::from_mode(0o644)).unwrap();
    let text = "\"keys\" may be read by others than its owner (mode 644): chmod 600";
    let answer = folder.run(&["check", "keys"], "");
    assert_eq!((answer.status, answer.errors), (0, format!("authgate: warning: {text}\n")));
    assert_eq!(json(&folder, 0)["warning"], json!(text));
    fs::set_permissions(folder.path("keys"), Permissions::from_mode(0o666)).unwrap();
    let text = "\"keys\" may be written by anyone (mode 666): chmod 600";
    assert_eq!(folder.fails(1, &["check", "keys"], ""), format!("authgate: {text}\n"));
    assert_eq!(json(&folder, 1)["error"], json!(text));
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
        "check-config",
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
