//! The examples of nginx-conf/ and of the documentation: no false alarm.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

use authgate_lint::files::{File, read};
use authgate_lint::finding::Level;
use authgate_lint::{findings, has_gate, rules};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What /etc/nginx/authgate has is in nginx-conf/ here.
fn find(name: &str) -> Vec<File> {
    let file = name.rsplit('/').next().unwrap();
    let text = fs::read_to_string(Path::new(ROOT).join("nginx-conf").join(file));
    vec![File { name: name.into(), text: text.unwrap_or_default() }]
}

/// Those of all rules but one.
fn warnings(name: &str, text: String, but: &str) -> Vec<String> {
    let config = read(&File { name: name.into(), text }, &mut find).unwrap();
    let found = findings(&config).into_iter().filter(|finding| finding.level == Level::Warning);
    let found = found.filter(|finding| finding.rule != but);
    found.map(|finding| format!("{} {} {}", finding.place, finding.rule, finding.text)).collect()
}

#[test]
fn no_example_is_warned_of() {
    let mut count = 0;
    // A container's port is published on the loopback, or by something that has TLS.
    for (folder, but) in [("nginx-conf", ""), ("container", "tls")] {
        for path in files(folder, "conf") {
            let (name, text) = (path.display().to_string(), fs::read_to_string(&path).unwrap());
            assert_eq!(warnings(&name, text, but), [""; 0]);
            count += 1;
        }
    }
    assert!(count > 15, "{count}");
}

fn files(folder: &str, extension: &str) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(Path::new(ROOT).join(folder)).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .filter(move |path| path.extension().is_some_and(|it| it == extension))
}

#[test]
fn examples_that_are_gates_are_known_as_such() {
    for name in ["prometheus.conf", "grafana.conf", "auth-request.conf", "forward-auth.conf"] {
        let main = find(name).remove(0);
        assert!(has_gate(&read(&main, &mut find).unwrap()), "{name}");
    }
}

/// The blocks of configuration in a page.
fn blocks(page: &str) -> Vec<String> {
    let blocks = page.split("```nginx").skip(1).map(|part| part.split_once('\n').unwrap().1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

/// What the documentation shows on purpose: what is open, and says so.
const ON_PURPOSE: [&str; 1] = ["authgate_dry_run on;"];

#[test]
fn no_example_of_the_documentation_is_warned_of() {
    let mut count = 0;
    for page in files("docs", "md").chain([Path::new(ROOT).join("README.md")]) {
        for block in blocks(&fs::read_to_string(&page).unwrap()) {
            if ON_PURPOSE.iter().any(|line| block.contains(line)) {
                continue;
            }
            // Most leave out what is not their matter, as "listen".
            let found = warnings(&page.display().to_string(), block.clone(), "tls");
            assert_eq!(found, [""; 0], "{block}");
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

#[test]
fn every_rule_has_its_line_in_the_documentation() {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/check-config.md")).unwrap();
    let lines = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: Vec<_> = lines.filter(|word| !word.starts_with('-')).collect();
    assert_eq!(documented, rules().collect::<Vec<_>>());
}
