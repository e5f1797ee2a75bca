//! The groups file.
#![no_main]

use authgate_core::users::{Groups, Users};
use authgate_fuzz::{lines, names};
use libfuzzer_sys::fuzz_target;
use std::collections::{BTreeMap, BTreeSet};

const HASH: &str = "$2y$04$ffE3f5EMQcNLmV26nmwDPOO6C2A6kUXDP9EHm4Y49ex0NOvIX0aau";

fuzz_target!(|text: &[u8]| {
    let expected = expected(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text));
    let groups = match (Groups::parse(text), expected) {
        (Err(seen), Err(line)) => return assert_eq!(seen.line, line, "{seen}"),
        (Ok(groups), Ok(expected)) => {
            agree(&groups, &expected);
            (groups, expected)
        }
        (seen, expected) => panic!("{seen:?} instead of {expected:?}"),
    };
    joined(&groups.0, &groups.1);
});

/// Of each user, groups as they come.
#[derive(Debug, Default)]
struct Expected {
    groups: BTreeSet<String>,
    of: BTreeMap<String, Vec<String>>,
}

/// The number of the first line with a mistake.
fn expected(text: &[u8]) -> Result<Expected, usize> {
    let mut all = Expected::default();
    for (line, number) in lines(text).into_iter().zip(1_usize..) {
        read(&mut all, line).ok_or(number)?;
    }
    Ok(all)
}

fn read(all: &mut Expected, line: &[u8]) -> Option<()> {
    let line = core::str::from_utf8(line).ok()?;
    let line = line.trim_matches([' ', '\t', '\r', '\x0c']);
    if line.is_empty() || line.starts_with('#') {
        return Some(());
    }
    let colon = line.find(':')?;
    let (group, users) =
        (line[..colon].trim_end_matches([' ', '\t', '\r', '\x0c']), &line[colon + 1..]);
    let users: Vec<&str> =
        users.split([' ', '\t', '\r', '\x0c']).filter(|user| !user.is_empty()).collect();
    let looks_otherwise = |user: &&str| user.starts_with(['\'', '#']);
    if line.contains('"') || line.ends_with('\\') || users.iter().any(looks_otherwise) {
        return None;
    }
    if !names::is_group(group) || !users.iter().all(|user| names::is_user(user)) {
        return None;
    }
    all.groups.insert(group.into());
    for user in users {
        all.of.entry(user.into()).or_default().push(group.into());
    }
    Some(())
}

fn agree(groups: &Groups, expected: &Expected) {
    assert_eq!(groups.len(), expected.groups.len());
    assert_eq!(groups.is_empty(), expected.groups.is_empty());
    for (user, of) in &expected.of {
        assert!(groups.of(user).eq(of), "{user:?}");
    }
    assert_eq!(groups.of("").count(), 0);
}

/// Beside a users file: each group once, those of the users file first, and no user more.
fn joined(groups: &Groups, expected: &Expected) {
    let names = expected.of.keys().map(String::as_str).filter(|name| !name.contains(':'));
    let names = names.filter(|name| !name.starts_with('#')).chain(["nobody's"]);
    let names: BTreeSet<&str> = names.collect();
    let file: String = names.iter().map(|name| format!("{name}:{HASH}:groups=first\n")).collect();
    let Ok(users) = Users::parse(file.as_bytes(), false) else {
        return; // The first name makes it look like another format.
    };
    let users = users.with_groups(groups);
    assert_eq!(users.len(), names.len());
    for name in names {
        let mut all = vec!["first"];
        for group in expected.of.get(name).into_iter().flatten() {
            if !all.contains(&&**group) {
                all.push(group);
            }
        }
        let user = users.get(name).expect("a user");
        assert!(user.groups.iter().map(|group| &**group).eq(all), "{name:?}");
    }
}
