//! `authgate keys rotate`

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod command;

use authgate_core::keyring::Keys;
use command::Folder;
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

const K1: &str = "k1 MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const K2: &str = "k2 MTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

fn names(folder: &Folder) -> Vec<String> {
    let keys = Keys::parse(folder.read("keys").as_bytes()).unwrap();
    keys.ids().map(ToString::to_string).collect()
}

/// Rotates; no key is in the output.
fn rotate(folder: &Folder, step: &[&str]) -> String {
    let before = folder.read("keys");
    let output = folder.ok(&[&["keys", "rotate", "keys"], step].concat(), "");
    for text in [before, folder.read("keys")] {
        for secret in text.split_ascii_whitespace().filter(|word| word.len() > 40) {
            assert!(!output.contains(secret), "{output}");
        }
    }
    output
}

#[test]
fn a_new_key_comes_first_and_the_rest_stays() {
    let folder = Folder::new("rotate");
    let before = format!("# ours\n\n\t{K1}\r\n# older\n{K2}");
    folder.write("keys", &before);
    fs::set_permissions(folder.path("keys"), Permissions::from_mode(0o440)).unwrap();
    let output = rotate(&folder, &[]);
    let after = folder.read("keys");
    let new = after.strip_prefix("# ours\n\n").unwrap().lines().next().unwrap();
    assert_eq!(after, format!("# ours\n\n{new}\n\t{K1}\r\n# older\n{K2}\n"));
    let ids = names(&folder);
    assert_eq!(ids[1..], ["k1", "k2"]);
    let start = format!(
        "keys: key \"{0}\" is new and comes first; the keys are now:\n  {0}  signs\n  k1  verifies\n  k2  verifies\nNext: reload nginx. ",
        ids[0]
    );
    assert!(output.starts_with(&start), "{output}");
    assert!(output.contains("\"authgate keys rotate --drop keys\""), "{output}");
    assert_eq!(fs::metadata(folder.path("keys")).unwrap().mode() & 0o7777, 0o440);
    assert_eq!(folder.names(), ["keys"]);
}

#[test]
fn several_nodes_add_promote_and_drop() {
    let folder = Folder::new("rotate_nodes");
    folder.write("keys", format!("# ours\n{K1}"));
    let output = rotate(&folder, &["--add"]);
    let new = names(&folder)[1].clone();
    assert!(folder.read("keys").starts_with(&format!("# ours\n{K1}\n")));
    assert!(output.starts_with(&format!("keys: key \"{new}\" is new and comes last")), "{output}");
    assert!(output.contains("Then: \"authgate keys rotate --promote keys\"."), "{output}");

    let output = rotate(&folder, &["--promote"]);
    assert_eq!(names(&folder), [new.as_str(), "k1"]);
    assert!(folder.read("keys").starts_with("# ours\n"));
    assert!(output.starts_with(&format!("keys: key \"{new}\" comes first")), "{output}");

    let output = rotate(&folder, &["--drop"]);
    assert_eq!(names(&folder), [new.as_str()]);
    assert!(output.starts_with("keys: key \"k1\" is deleted"), "{output}");
    let before = folder.read("keys");
    let only = "authgate: keys: has one key only, which signs already and stays\n";
    for step in ["--promote", "--drop"] {
        assert_eq!(folder.fails(1, &["keys", "rotate", "keys", step], ""), only);
    }
    assert_eq!(folder.read("keys"), before);
}

#[test]
fn rotation_answers_in_json() {
    let folder = Folder::new("rotate_json");
    folder.write("keys", format!("{K1}\n{K2}\n"));
    let output: Value = serde_json::from_str(&rotate(&folder, &["--promote", "--json"])).unwrap();
    assert_eq!(output["step"], json!("promote"));
    assert_eq!(output["key"], json!("k2"));
    assert_eq!(output["keys"], json!(["k2", "k1"]));
    assert!(output["next"].as_str().unwrap().starts_with("copy the file to every node"));
    assert_eq!(folder.read("keys"), format!("{K2}\n{K1}\n"));
}

#[test]
fn what_is_no_keys_file_stays_as_it_is() {
    let folder = Folder::new("rotate_mistakes");
    let errors = folder.fails(1, &["keys", "rotate", "keys"], "");
    let none = "authgate: keys: no such file; \"authgate keys new keys\" makes one\n";
    assert_eq!(errors, none);
    folder.write("keys", format!("{K1}\n{K1}\n"));
    let errors = folder.fails(2, &["keys", "rotate", "keys"], "");
    assert_eq!(errors, "authgate: keys:2: key name is duplicate\n");
    assert_eq!(folder.read("keys"), format!("{K1}\n{K1}\n"));
    folder.fails(2, &["keys", "rotate", "keys", "--add", "--drop"], "");
    assert_eq!(folder.names(), ["keys"]);
}
