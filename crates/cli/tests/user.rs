//! `authgate user`

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod command;

use command::Folder;
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

const HASH: &str = "$2y$05$0FXQnxIMVrGkaGYCI.gwLuXEE2Zz2IbdQQlp4uBi6t36EgOcdm61C";
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/tests/data/");

fn set<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    [&["user", "set", "--cost", "4", "users"], rest].concat()
}

fn mode(folder: &Folder, name: &str) -> u32 {
    fs::metadata(folder.path(name)).unwrap().mode() & 0o7777
}

#[test]
fn set_makes_the_file_and_check_takes_the_password() {
    let folder = Folder::new("set_makes");
    let answer = folder.run(&["user", "set", "users", "alice"], "correct horse\n");
    assert_eq!((answer.status, answer.output.as_str()), (0, "users: user \"alice\" is set\n"));
    assert!(answer.errors.contains("chgrp"), "{}", answer.errors);
    assert!(folder.read("users").starts_with("alice:$2y$12$"));
    assert_eq!(mode(&folder, "users"), 0o640);

    let check = ["user", "check", "users", "alice"];
    assert_eq!(folder.ok(&check, "correct horse"), "users: user \"alice\": right password\n");
    folder.ok(&check, "correct horse\r\n");
    let wrong = "authgate: users: user \"alice\": wrong password\n";
    assert_eq!(folder.fails(1, &check, "correct horsf"), wrong);
    let nobody = ["user", "check", "users", "bob"];
    assert_eq!(folder.fails(1, &nobody, "x"), "authgate: users: no user \"bob\"\n");
}

/// The folder that the package makes: what is made in it belongs to the workers' group.
#[test]
fn set_says_nothing_of_groups_in_a_folder_that_hands_on_its_own() {
    let folder = Folder::new("set_hands_on");
    fs::set_permissions(folder.path("."), Permissions::from_mode(0o2750)).unwrap();
    assert_eq!(folder.run(&set(&["alice"]), "correct horse\n").errors, "");
    assert_eq!(mode(&folder, "users"), 0o640);
}

#[test]
fn set_leaves_all_else_byte_for_byte() {
    let folder = Folder::new("set_leaves");
    let before =
        format!("\u{feff}# a\r\n\r\nbob:{HASH}:groups=x:note\r\nalice:{HASH}  \r\ncarol:{HASH}");
    folder.write("users", &before);
    folder.ok(&set(&["alice"]), "new");
    let after = folder.read("users");
    let line = after.lines().find(|line| line.starts_with("alice:")).unwrap();
    assert_eq!(after, before.replace(&format!("alice:{HASH}  "), line));

    // an appended entry takes the file's line ends, and the entry before it gets its own
    folder.ok(&set(&["dave"]), "new");
    let added = folder.read("users");
    let line = added.strip_prefix(&format!("{after}\r\n")).unwrap();
    assert!(line.starts_with("dave:$2y$04$") && line.ends_with("\r\n"));
    folder.ok(&["user", "remove", "users", "dave"], "");
    assert_eq!(folder.read("users"), format!("{after}\r\n"));
}

#[test]
fn set_keeps_or_replaces_groups() {
    let folder = Folder::new("set_groups");
    folder.write("users", format!("a:{HASH}:groups=x:note\nb:{HASH}:note\nc:{HASH}\n"));
    let rest = |name: &str| {
        let text = folder.read("users");
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.splitn(3, ':').nth(2).map(str::to_owned)
    };
    for name in ["a", "b", "c"] {
        folder.ok(&set(&[name]), "new");
    }
    assert_eq!(
        [rest("a"), rest("b"), rest("c")],
        [Some("groups=x:note".into()), Some("note".into()), None]
    );
    for name in ["a", "b", "c"] {
        folder.ok(&set(&[name, "--groups", "y,z"]), "new");
    }
    assert_eq!(rest("a").unwrap(), "groups=y,z:note");
    assert_eq!(rest("b").unwrap(), "groups=y,z:note");
    assert_eq!(rest("c").unwrap(), "groups=y,z");
    folder.ok(&set(&["c", "--groups", ""]), "new");
    folder.ok(&set(&["a", "--groups", ""]), "new");
    assert_eq!([rest("a"), rest("c")], [Some(":note".into()), None]);
    let errors = folder.fails(2, &set(&["c", "--groups", "x,,y"]), "new");
    assert!(errors.contains("invalid group name"), "{errors}");
}

#[test]
fn set_replaces_in_one_step_and_keeps_mode_owner_and_link() {
    let folder = Folder::new("set_replaces");
    folder.write("real", format!("a:{HASH}\n"));
    fs::set_permissions(folder.path("real"), Permissions::from_mode(0o604)).unwrap();
    symlink("real", folder.path("users")).unwrap();
    let before = fs::metadata(folder.path("real")).unwrap();
    folder.ok(&set(&["a"]), "new");
    let after = fs::metadata(folder.path("real")).unwrap();
    assert_eq!(mode(&folder, "real"), 0o604);
    assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
    assert_ne!(after.ino(), before.ino());
    assert!(fs::symlink_metadata(folder.path("users")).unwrap().is_symlink());
    assert_eq!(folder.names(), ["real", "users"]);
}

#[test]
fn many_sets_at_once_lose_none() {
    let folder = Folder::new("set_many");
    folder.write("users", format!("a:{HASH}\n"));
    std::thread::scope(|scope| {
        for i in 0..8 {
            let folder = &folder;
            scope.spawn(move || folder.ok(&set(&[&format!("user{i}")]), "new"));
        }
    });
    assert_eq!(folder.read("users").lines().count(), 9);
    assert_eq!(folder.names(), ["users"]);
}

#[test]
fn set_refuses_what_the_gate_would_not_read() {
    let folder = Folder::new("set_refuses");
    let before = format!("a:{HASH}\n");
    folder.write("users", &before);
    let long = "x".repeat(129);
    for name in ["", "#a", "a:b", "a\nb", &long] {
        folder.fails(2, &set(&[name]), "new");
    }
    for password in ["", "\n", "a\nb", &"x".repeat(73), "a\0b", &"x".repeat(1025)] {
        folder.fails(2, &set(&["b"]), password);
    }
    folder.fails(2, &["user", "set", "users", "b", "--cost", "16"], "new");
    assert_eq!(folder.read("users"), before);

    folder.write("users", "a:x\n");
    let errors = folder.fails(2, &set(&["b"]), "new");
    assert_eq!(errors, "authgate: users: line 1: unknown hash; mend it first\n");
    // the bad line itself can be mended
    folder.ok(&set(&["a"]), "new");
    folder.ok(&set(&["b"]), "new");
}

#[test]
fn a_password_is_never_an_argument() {
    let folder = Folder::new("set_argument");
    folder.fails(2, &["user", "set", "users", "alice", "secret"], "");
    folder.fails(2, &["user", "check", "users", "alice", "secret"], "");
    assert!(folder.names().is_empty());
}

#[test]
fn only_htpasswd_files_are_edited() {
    let folder = Folder::new("set_formats");
    for (name, format) in
        [("profiles.json", "JSON"), ("config.yml", "Prometheus web configuration")]
    {
        fs::copy(format!("{DATA}{name}"), folder.path(name)).unwrap();
        let before = folder.read(name);
        let errors = folder.fails(2, &["user", "set", name, "bob"], "new");
        assert!(
            errors.contains(&format!("{name}: is {format}, and only htpasswd files are edited")),
            "{errors}"
        );
        folder.fails(2, &["user", "remove", name, "admin"], "");
        assert_eq!(folder.read(name), before);
    }
    let line = folder.ok(&["user", "set", "-", "bob", "--cost", "4"], "new");
    assert!(line.starts_with("bob:$2y$04$") && line.ends_with('\n'));
}

#[test]
fn remove_takes_the_user_out_and_never_the_last() {
    let folder = Folder::new("remove");
    folder.write("users", format!("# x\na:{HASH}\nb:{HASH}\n"));
    assert_eq!(folder.ok(&["user", "remove", "users", "a"], ""), "users: user \"a\" is removed\n");
    assert_eq!(folder.read("users"), format!("# x\nb:{HASH}\n"));
    assert_eq!(
        folder.fails(1, &["user", "remove", "users", "a"], ""),
        "authgate: users: no user \"a\"\n"
    );
    let errors = folder.fails(2, &["user", "remove", "users", "b"], "");
    assert!(errors.contains("\"b\" is the last user"), "{errors}");
    let errors = folder.fails(2, &["user", "remove", "none", "b"], "");
    assert_eq!(errors, "authgate: none: no such file or directory\n");
}

#[test]
fn check_takes_every_scheme_but_those_of_libcrypt_alone() {
    let folder = Folder::new("check_schemes");
    let read = |name: &str| fs::read_to_string(format!("{DATA}{name}")).unwrap();
    let hashes = format!("{}{}", read("hashes"), read("weak_hashes"));
    let hashes: Vec<_> = hashes.lines().filter(|line| !line.starts_with('#')).collect();
    let users: Vec<_> = hashes.iter().enumerate().map(|(i, hash)| format!("u{i}:{hash}")).collect();
    folder.write("users", users.join("\n"));
    for (i, hash) in hashes.iter().enumerate() {
        let answer = folder.run(&["user", "check", "users", &format!("u{i}")], "correct horse");
        let unknown = hash.starts_with("$apr1$") || hash.starts_with("$1$") || hash.len() == 13;
        assert_eq!(answer.status, if unknown { 2 } else { 0 }, "{hash} {}", answer.errors);
        assert_eq!(unknown, answer.errors.contains("cannot be checked by this command"), "{hash}");
    }
    let sha = hashes.iter().position(|hash| hash.starts_with("{SSHA}")).unwrap();
    folder.fails(1, &["user", "check", "users", &format!("u{sha}")], "wrong");
}

#[test]
fn list_shows_scheme_groups_and_disabled_users_who_fail_a_check() {
    let folder = Folder::new("list");
    let users = json!({"a": HASH, "b": {"password": HASH, "groups": ["x", "y"], "disabled": true}});
    folder.write("users", users.to_string());
    let text = "a\tbcrypt cost 5\t\nb\tbcrypt cost 5\tx,y\tdisabled\n";
    assert_eq!(folder.ok(&["user", "list", "users"], ""), text);
    let listed: Value =
        serde_json::from_str(&folder.ok(&["user", "list", "--json", "users"], "")).unwrap();
    assert_eq!(
        listed[1],
        json!({"name": "b", "scheme": "bcrypt", "cost": "bcrypt cost 5",
        "weak": false, "groups": ["x", "y"], "disabled": true})
    );
    assert!(!listed.to_string().contains("$2y$"));
    let check = folder.fails(1, &["user", "check", "users", "b"], "correct horse");
    assert_eq!(check, "authgate: users: user \"b\" is disabled\n");
    folder.write("users", "a:x\n");
    assert_eq!(
        folder.fails(2, &["user", "list", "users"], ""),
        "authgate: users:1: unknown hash\n"
    );
}
