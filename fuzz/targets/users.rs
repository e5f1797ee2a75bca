//! The users file in its three formats. The first line has options: `w` weak hashes too; the rest is the file.
#![no_main]

use authgate_core::users::{FileFormat, User, Users, UsersError};
use authgate_fuzz::{cut, has, names};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|data: &[u8]| {
    let (options, text) = cut(data);
    let weak = has(options, b'w');
    let lines = lines_of_yaml(text);
    let users = match Users::parse(text, weak) {
        Ok(users) => users,
        Err(error) => {
            assert!((1..=lines + 1).contains(&error.line), "{error}");
            return shows_no_secret(&error.error);
        }
    };
    check(&users);
    if !weak {
        // What is taken without weak hashes is taken with them, and is the same.
        same(&users, &Users::parse(text, true).expect("the same file"));
    }
    let in_htpasswd = |(name, user): (&str, &User)| {
        !name.contains(':') && !name.starts_with('#') && !user.disabled
    };
    if users.iter().all(in_htpasswd) {
        same(&users, &Users::parse(&htpasswd(&users), weak).expect("as htpasswd"));
    }
    if users.format() != FileFormat::Json {
        same(&users, &Users::parse(json(&users).as_bytes(), weak).expect("as JSON"));
    }
});

/// YAML has more ends of a line than one (YAML 1.1, section 5.4).
fn lines_of_yaml(text: &[u8]) -> usize {
    let ends = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
    String::from_utf8_lossy(text).split(ends).count()
}

fn check(users: &Users) {
    assert!(users.len() > 0);
    assert_eq!(users.iter().count(), users.len());
    for (name, user) in users.iter() {
        assert!(names::is_user(name), "{name:?}");
        assert!(user.groups.iter().all(|group| names::is_group(group)), "{:?}", user.groups);
        let found = users.get(name).expect("a user that is there");
        assert_eq!(found.hash.as_str(), user.hash.as_str());
    }
    let usual = users.usual_hash();
    let of_scheme = users.iter().filter(|(_, user)| user.hash.scheme() == usual.scheme()).count();
    for (_, user) in users.iter() {
        let scheme = user.hash.scheme();
        let count = users.iter().filter(|(_, user)| user.hash.scheme() == scheme).count();
        assert!(count <= of_scheme);
    }
}

fn same(one: &Users, other: &Users) {
    let fields = |user: &User| (user.hash.as_str().to_owned(), user.groups.clone(), user.disabled);
    assert!(
        one.iter()
            .map(|(name, user)| (name, fields(user)))
            .eq(other.iter().map(|(name, user)| (name, fields(user))))
    );
}

/// All but who is disabled, which htpasswd has no word for.
fn htpasswd(users: &Users) -> Vec<u8> {
    let mut file = String::from("# users\n\n");
    for (name, user) in users.iter() {
        let hash = user.hash.as_str();
        file += &format!("{name}:{hash}:groups={}\r\n", user.groups.join(","));
    }
    file.into_bytes()
}

fn json(users: &Users) -> String {
    let entry = |user: &User| json!({ "password": user.hash.as_str(), "groups": user.groups, "disabled": user.disabled });
    let entries: Vec<_> =
        users.iter().map(|(name, user)| format!("{}: {}", json!(name), entry(user))).collect();
    format!("{{\n{}\n}}\n", entries.join(",\n"))
}

/// A mistake quotes nothing of the file but the name of a user.
fn shows_no_secret(error: &UsersError) {
    if let UsersError::DuplicateUser(name) = error {
        assert!(names::is_user(name));
    }
    assert!(error.to_string().len() < 300);
}
