//! J132: whatever an argument holds, a file gets the one entry that was meant, or nothing.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod command;

use authgate_core::users::Users;
use command::Folder;
use proptest::prelude::*;
use std::fs;

const HASH: &str = "$2y$04$CnI5/3Vd2jcBmfkWTBqcI.KWxR4eUYTHD/BZLa1BzCKyVE.1bXqMS";

/// What would be an entry of its own, or a line, or change the terminal.
const CONTROL: [&str; 7] = ["\n", "\r", "\r\n", "\t", "\u{1b}[2J", "\u{7f}", "\u{85}"];

type Entry = (String, String, Vec<String>);

fn entries(text: &str) -> Vec<Entry> {
    let users = Users::parse(text.as_bytes(), true).unwrap();
    let entry = |(name, user): (&str, &authgate_core::users::User)| {
        let groups = user.groups.iter().map(ToString::to_string).collect();
        (name.to_owned(), user.hash.as_str().to_owned(), groups)
    };
    users.iter().map(entry).collect()
}

#[test]
fn j132_a_line_break_in_groups_adds_no_user() {
    let folder = Folder::new("j132_groups");
    let before = format!("a:{HASH}\n");
    folder.write("users", &before);
    let groups = format!("ops\nmallory:{HASH}:groups=admins");
    let set = ["user", "set", "users", "a", "--cost", "4", "--groups", &groups];
    let errors = folder.fails(2, &set, "new");
    assert!(errors.contains("leave it out"), "{errors}");
    assert_eq!(folder.read("users"), before);
    assert_eq!(folder.names(), ["users"]);
}

/// Each argument that there is, also of commands yet to come.
#[test]
fn j132_no_argument_takes_control_characters() {
    let folder = Folder::new("j132_every");
    folder.write("users", format!("a:{HASH}\n"));
    let mut tried = 0;
    for command in leaves(&[], authgate_cli::command()) {
        for value in values(&command.1) {
            for control in CONTROL {
                let arguments: Vec<_> = command.0.iter().map(String::as_str).collect();
                let value = value.replace("VALUE", &format!("x{control}y"));
                let arguments = [&arguments[..], &[value.as_str()]].concat();
                let errors = folder.fails(2, &arguments, "new");
                let number = arguments.len();
                let text = format!(
                    "authgate: argument {number} contains a line break or another control character, leave it out\n"
                );
                assert_eq!(errors, text, "{arguments:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 40 * CONTROL.len(), "{tried}");
    assert_eq!(folder.names(), ["users"]);
    assert_eq!(folder.read("users"), format!("a:{HASH}\n"));
}

fn leaves(before: &[String], command: clap::Command) -> Vec<(Vec<String>, clap::Command)> {
    if !command.has_subcommands() {
        return vec![(before.to_vec(), command)];
    }
    let below = |command: &clap::Command| {
        let path = [before, &[command.get_name().to_owned()]].concat();
        leaves(&path, command.clone())
    };
    command.get_subcommands().flat_map(below).collect()
}

/// The positional arguments and the options of a command.
fn values(command: &clap::Command) -> Vec<String> {
    let option = |argument: &clap::Arg| match argument.get_long() {
        None => "VALUE".to_owned(),
        Some(name) => format!("--{name}=VALUE"),
    };
    command.get_arguments().map(option).collect()
}

#[test]
fn j132_what_would_change_the_structure_says_what_to_do() {
    let folder = Folder::new("j132_structure");
    let before = format!("# ours\na:{HASH}:groups=x:note\n");
    folder.write("users", &before);
    for (name, groups, mistake) in [
        ("a:b", "x", "user name cannot contain \":\" in an htpasswd file, choose another one"),
        ("#a", "x", "user name cannot begin with \"#\" in an htpasswd file, choose another one"),
        ("", "x", "invalid user name, must be 1-128 bytes without control characters"),
        ("b", "x:y", "group name cannot contain \":\" in an htpasswd file, choose another one"),
        (
            "b",
            "x,,y",
            "invalid group name, must be 1-128 bytes without commas and control characters",
        ),
        (
            "b",
            " x",
            "invalid group name, must be 1-128 bytes without commas and control characters",
        ),
        (
            "b",
            "x ",
            "invalid group name, must be 1-128 bytes without commas and control characters",
        ),
        ("b", ",", "invalid group name, must be 1-128 bytes without commas and control characters"),
    ] {
        let set = ["user", "set", "users", name, "--cost", "4", "--groups", groups];
        assert_eq!(folder.fails(2, &set, "new"), format!("authgate: users: {mistake}\n"));
        assert_eq!(folder.read("users"), before);
        assert_eq!(folder.names(), ["users"]);
    }
    // In the first line these would make another kind of file of it.
    fs::remove_file(folder.path("users")).unwrap();
    for name in ["{\"", "{ x", "\u{feff}a"] {
        let set = ["user", "set", "users", name, "--cost", "4"];
        let errors = folder.fails(2, &set, "new");
        let mistake = format!("\"{name}\" cannot be a user name in an htpasswd file");
        assert_eq!(errors, format!("authgate: users: {mistake}\n"));
        assert!(folder.names().is_empty());
    }
}

/// Texts of what files of lines, JSON and YAML are made of.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "b",
        "c",
        "x",
        ":",
        ",",
        "#",
        "\n",
        "\r",
        " ",
        "\t",
        "=",
        "groups=",
        "{",
        "}",
        "\"",
        "'",
        "[",
        "]",
        "-",
        "---",
        "basic_auth_users:",
        "\u{feff}",
        "\u{85}",
        "\u{2028}",
        "\\",
        "$",
        "!",
        "%",
        "&",
        "ä",
        HASH,
    ]);
    prop_oneof![
        prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat()),
        any::<String>().prop_map(|text| text.replace('\0', "")),
    ]
}

/// Each of them runs the command.
fn cases() -> ProptestConfig {
    ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn j132_the_former_entries_and_the_one_or_an_error_and_the_same_file(
        name in hostile(),
        groups in prop::option::of(hostile()),
        end in prop::sample::select(vec!["\n", "\r\n", ""]),
        is_new in any::<bool>(),
    ) {
        let folder = Folder::new("j132_property");
        let before = match is_new {
            true => String::new(),
            false => format!("# ours\na:{HASH}:groups=x:note\nb:{HASH}{end}"),
        };
        if !is_new {
            folder.write("users", &before);
        }
        let groups_option = groups.as_ref().map(|groups| format!("--groups={groups}"));
        let mut set = vec!["user", "set", "--cost=4"];
        set.extend(groups_option.as_deref());
        set.extend(["--", "users", &name]);
        let answer = folder.run(&set, "new");
        let files = folder.names();
        if answer.status != 0 {
            prop_assert_eq!(answer.status, 2);
            prop_assert!(answer.errors.starts_with("authgate: "), "{}", answer.errors);
            prop_assert_eq!(files.len(), usize::from(!is_new));
            prop_assert!(is_new || folder.read("users") == before);
            return Ok(());
        }
        prop_assert_eq!(files, ["users"]);
        let after = entries(&folder.read("users"));
        let old = if is_new { Vec::new() } else { entries(&before) };
        let was = old.iter().find(|entry| entry.0 == name).map(|entry| entry.2.clone());
        let groups = groups.map(|groups| match groups.is_empty() {
            true => Vec::new(),
            false => groups.split(',').map(str::to_owned).collect(),
        });
        let groups = groups.or(was).unwrap_or_default();
        let (mine, others): (Vec<Entry>, _) = after.into_iter().partition(|entry| entry.0 == name);
        prop_assert_eq!(mine.len(), 1);
        prop_assert!(mine[0].1 != HASH);
        prop_assert_eq!(&mine[0].2, &groups);
        let old_others: Vec<Entry> = old.into_iter().filter(|entry| entry.0 != name).collect();
        prop_assert_eq!(others, old_others);
    }
}
