//! J132: one place writes lines of an htpasswd file, and what it writes is what was meant.

#![allow(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod cases;

use authgate_core::users::UsersError;
use authgate_core::users::htpasswd::{EntryError, Fields, groups_field};
use cases::cases;
use proptest::prelude::*;

const HASH: &str = "$2y$04$CnI5/3Vd2jcBmfkWTBqcI.KWxR4eUYTHD/BZLa1BzCKyVE.1bXqMS";

fn line(name: &str, hash: &str, rest: Option<&str>) -> Result<String, EntryError> {
    Fields { name, hash, rest }.line()
}

#[test]
fn j132_a_line_is_one_line_with_these_fields() {
    assert_eq!(line("a", HASH, None).unwrap(), format!("a:{HASH}"));
    assert_eq!(
        line(" ä b", HASH, Some("groups=x:note")).unwrap(),
        format!(" ä b:{HASH}:groups=x:note")
    );
    assert_eq!(line("a", "scrypt:32768:8:1$salt$00", None).unwrap(), "a:scrypt:32768:8:1$salt$00");
    for (name, error) in [
        ("", EntryError::Users(UsersError::UserName)),
        ("a\nb", EntryError::Users(UsersError::UserName)),
        ("a\rb", EntryError::Users(UsersError::UserName)),
        ("a\0b", EntryError::Users(UsersError::UserName)),
        ("a\u{1b}b", EntryError::Users(UsersError::UserName)),
        ("a\u{85}b", EntryError::Users(UsersError::UserName)),
        ("a:b", EntryError::ColonInName),
        ("#a", EntryError::Comment),
    ] {
        assert_eq!(line(name, HASH, None), Err(error), "{name:?}");
    }
    for (hash, rest) in [
        ("x\nb:y", None),
        ("x:y", None),
        ("x ", None),
        ("x", Some("groups=a\nb:y")),
        ("x", Some("note ")),
        ("x", Some("note\r")),
    ] {
        assert_eq!(line("a", hash, rest), Err(EntryError::NotRead), "{hash:?} {rest:?}");
    }
}

#[test]
fn j132_groups_are_those_that_were_given() {
    assert_eq!(groups_field("sre,dev ops").unwrap(), "groups=sre,dev ops");
    assert_eq!(groups_field("a,b:c"), Err(EntryError::ColonInGroup));
    for groups in ["", ",", "a,", "a,,b", " a", "a ", "a\nb:x", "a\rb", "a\tb", "a\0b", "a,\u{85}"]
    {
        assert_eq!(
            groups_field(groups),
            Err(EntryError::Users(UsersError::GroupName)),
            "{groups:?}"
        );
    }
}

fn hostile() -> impl Strategy<Value = String> {
    let pieces =
        prop::sample::select(vec!["a", "b", ":", "\n", "\r", " ", "#", "$", "\u{feff}", "\0"]);
    prop::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn j132_whatever_the_fields_one_entry_comes_of_them_or_none(
        name in hostile(),
        hash in hostile(),
        rest in prop::option::of(hostile()),
    ) {
        let fields = Fields { name: &name, hash: &hash, rest: rest.as_deref() };
        if let Ok(line) = fields.line() {
            let file = format!("before:x\n{line}\nafter:x\n");
            let read: Vec<_> = file.lines().map(|line| Fields::of(line.as_bytes()).unwrap().unwrap()).collect();
            prop_assert_eq!(read.len(), 3);
            prop_assert!(read[1] == fields);
        }
    }
}
