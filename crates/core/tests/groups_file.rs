//! The groups file: what it takes, every mistake with its line, and how it joins the users.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

use authgate_core::users::{Groups, Users};
use proptest::prelude::*;
use std::collections::HashSet;
use std::fmt::Write;
use std::time::{Duration, Instant};

const HASH: &str = "$2y$05$0FXQnxIMVrGkaGYCI.gwLuXEE2Zz2IbdQQlp4uBi6t36EgOcdm61C";

fn parse(text: &str) -> Groups {
    Groups::parse(text.as_bytes()).unwrap()
}

fn mistake(text: impl AsRef<[u8]>) -> String {
    Groups::parse(text.as_ref()).unwrap_err().to_string()
}

fn of<'g>(groups: &'g Groups, user: &str) -> Vec<&'g str> {
    groups.of(user).collect()
}

fn joined(users: &str, groups: &str) -> Users {
    Users::parse(users.as_bytes(), false).unwrap().with_groups(&parse(groups))
}

fn groups_of<'u>(users: &'u Users, name: &str) -> Vec<&'u str> {
    users.get(name).unwrap().groups.iter().map(|group| &**group).collect()
}

#[test]
fn a_groups_file_of_apache_is_read() {
    let groups = parse(
        "# who may what\n\nops: alice bob\ndev:bob\ton-call :\nempty:\n \tnight shift : carol  \n",
    );
    assert_eq!(groups.len(), 4);
    assert_eq!(of(&groups, "alice"), ["ops"]);
    assert_eq!(of(&groups, "bob"), ["ops", "dev"]);
    assert_eq!(of(&groups, "carol"), ["night shift"]);
    assert_eq!(of(&groups, "on-call"), ["dev"]);
    assert!(of(&groups, "Alice").is_empty() && of(&groups, "ops").is_empty());
}

#[test]
fn lines_of_one_group_add_up() {
    let groups = parse("ops: alice\ndev: alice\nops: bob alice\n");
    assert_eq!(groups.len(), 2);
    assert_eq!(of(&groups, "bob"), ["ops"]);
    let users =
        joined(&format!("alice:{HASH}\n"), "ops: alice alice\ndev: alice\nops: bob alice\n");
    assert_eq!(groups_of(&users, "alice"), ["ops", "dev"]);
}

#[test]
fn an_empty_file_is_no_mistake() {
    for text in ["", "\n", "# nobody\n", "\u{feff}", "\r\n\r\n"] {
        assert!(parse(text).is_empty(), "{text:?}");
    }
}

#[test]
fn i117_bom_crlf_blank_lines_and_comments_are_taken() {
    let groups = parse("\u{feff}# groups\r\n\r\n   \r\n  # more\r\nops: alice\r\ndev: bob alice");
    assert_eq!(of(&groups, "alice"), ["ops", "dev"]);
    assert_eq!(of(&groups, "bob"), ["dev"]);
    assert_eq!(of(&parse("\u{feff}ops: alice\n"), "alice"), ["ops"]);
}

#[test]
fn groups_of_the_users_file_come_first_and_none_twice() {
    let users = format!("alice:{HASH}:groups=sre,ops\nbob:{HASH}\ncarol:{HASH}:groups=dev\n");
    let users = joined(&users, "dev: bob alice nobody\nops: alice bob\nAlice: carol\n");
    assert_eq!(groups_of(&users, "alice"), ["sre", "ops", "dev"]);
    assert_eq!(groups_of(&users, "bob"), ["dev", "ops"]);
    assert_eq!(groups_of(&users, "carol"), ["dev", "Alice"]);
    assert_eq!(users.len(), 3, "a name in the groups file makes no user");
    assert!(users.get("nobody").is_none());
}

#[test]
fn joining_leaves_a_clone_as_it_was() {
    let users = Users::parse(format!("alice:{HASH}\n").as_bytes(), false).unwrap();
    let before = users.clone();
    let after = users.with_groups(&parse("ops: alice\n"));
    assert!(groups_of(&before, "alice").is_empty());
    assert_eq!(groups_of(&after, "alice"), ["ops"]);
    assert_eq!(after.get("alice").unwrap().hash.as_str(), HASH);
}

#[test]
fn mistakes_have_their_line() {
    assert_eq!(mistake("ops: alice\n\n# x\nbob\n"), "4: no \":\" after the group name");
    assert_eq!(mistake(b"ops: alice\nops: b\xff\n"), "2: not UTF-8");
    let quotes = "names in quotes, as Apache takes them, are not supported";
    for quoted in ["ops: \"a b\"", "ops: a \"b", "\"my ops\": alice", "ops: 'a b'", "ops:a 'b'"] {
        assert_eq!(mistake(format!("\n{quoted}\n")), format!("2: {quotes}"), "{quoted}");
    }
    assert_eq!(of(&parse("ops: o'neill\n"), "o'neill"), ["ops"]);
    let continued = "lines continued with \"\\\", as Apache takes them, are not supported";
    assert_eq!(mistake("dev: carol\nops: alice \\\nbob\n"), format!("2: {continued}"));
    let comment = "a comment must have a line of its own";
    assert_eq!(mistake("ops: alice # never bob\n"), format!("1: {comment}"));
    assert_eq!(of(&parse("# never \"bob\" \\\nops: c#\n"), "c#"), ["ops"]);
}

#[test]
fn names_are_held_to_their_form() {
    let longest = "é".repeat(64);
    assert_eq!(of(&parse(&format!("{longest}: {longest}")), &longest), [&longest]);
    let group = "1: invalid group name, must be 1-128 bytes without commas and control characters";
    for bad in
        ["", " ", "a,b", "a\u{7f}", "a\0", "a\tb", "a\u{85}", "\u{a0}a", &format!("{longest}x")]
    {
        assert_eq!(mistake(format!("{bad}: alice\n")), group, "{bad:?}");
    }
    let user = "1: invalid user name, must be 1-128 bytes without control characters";
    for bad in ["a\u{7f}", "a\0", "a\u{b}b", "a\u{85}", &format!("{longest}x")] {
        assert_eq!(mistake(format!("ops: alice {bad}\n")), user, "{bad:?}");
    }
}

#[test]
fn i117_large_files_take_bounded_time() {
    let line = |text: &mut String, i: usize| writeln!(text, "group{i}: alice user{i} bob").unwrap();
    let many_groups = (0..100_000).fold(String::new(), |mut text, i| {
        line(&mut text, i);
        text
    });
    let one_line =
        |users: &str| format!("{}: {}\n", "g".repeat(128), users.repeat((1 << 20) / users.len()));
    let users = format!("alice:{HASH}\nbob:{HASH}\n");
    let start = Instant::now();
    for (groups, of_alice) in [
        (many_groups, 100_000),
        ("ops: alice\n".repeat(100_000), 1),
        (one_line("alice "), 1),
        ((0..100_000).fold("ops: alice".to_owned(), |text, i| text + &format!(" u{i}")), 1),
        (format!("#{}\nops: alice", "x".repeat(1 << 20)), 1),
        (format!("ops: alice{}bob", " ".repeat(1 << 20)), 1),
        (format!("ops: alice\n{}", "\n".repeat(1 << 20)), 1),
    ] {
        assert_eq!(groups_of(&joined(&users, &groups), "alice").len(), of_alice);
    }
    for bad in [
        "x".repeat(1 << 20),
        format!("{}:", "x".repeat(1 << 20)),
        format!("ops:{}", "x".repeat(1 << 20)),
    ] {
        assert!(mistake(bad).len() < 200);
    }
    println!("{:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(10));
}

/// The pairs of user and group, read off word by word.
fn naive(text: &str) -> HashSet<(String, String)> {
    let mut pairs = HashSet::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        if let Some((group, users)) = line.split_once(':') {
            pairs.extend(users.split_whitespace().map(|user| (user.into(), group.trim().into())));
        }
    }
    pairs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_user_is_in_the_groups_that_name_it_and_in_no_other(
        text in "((#? ?[xyz]{1,2} ?:|)( {1,2}[abc]{1,2}){0,3} ?\\r?\\n){0,8}",
    ) {
        if let Ok(groups) = Groups::parse(text.as_bytes()) {
            let expected = naive(&text);
            for user in ["a", "b", "c", "aa", "ab", "ba", "bb", "cc"] {
                let got: HashSet<_> = groups.of(user).map(|group| (user.to_owned(), group.to_owned())).collect();
                let wanted: HashSet<_> = expected.iter().filter(|(name, _)| name == user).cloned().collect();
                prop_assert_eq!(got, wanted);
            }
        } else {
            prop_assert!(text.lines().any(|line| !line.trim().is_empty() && !line.contains(':')));
        }
    }

    #[test]
    fn reading_takes_any_bytes(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let lines = text.split(|byte| *byte == b'\n').count();
        if let Err(mistake) = Groups::parse(&text) {
            prop_assert!((1..=lines).contains(&mistake.line));
        }
    }
}
