//! nginx's configuration, as `authgate check-config` reads it: what `nginx -T` prints, or a file.
#![no_main]

use authgate_lint::files::{File, files_of_dump, named, read};
use authgate_lint::syntax::{Directive, parse};
use authgate_lint::{findings, has_gate};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(config) = parse(text, "f") {
        says_of(&config, text.split('\n').count());
        let again = parse(&written(&config), "f").expect("what was read can be written");
        assert_eq!(without_lines(&again), without_lines(&config));
    }
    let files = files_of_dump(text);
    if let Some(main) = files.first() {
        dump(main, &files);
    }
});

/// Whatever is found is about a line that is there.
fn says_of(config: &[Directive], lines: usize) {
    let found = findings(config);
    assert!(found.iter().all(|finding| (1..=lines).contains(&finding.place.line)));
    assert!(found.windows(2).all(|pair| pair[0].place <= pair[1].place && pair[0] != pair[1]));
    assert!(found.is_empty() || has_gate(config) || found.iter().all(|it| it.rule == "metrics"));
}

fn dump(main: &File, files: &[File]) {
    let mut left = 200_usize; // One file may include many twice, and each of them the same.
    let mut find = |name: &str| {
        left = left.saturating_sub(1);
        let found = if left == 0 { Vec::new() } else { named(files, name) };
        found.into_iter().cloned().collect()
    };
    if let Ok(config) = read(main, &mut find) {
        let lines = files.iter().map(|file| file.text.split('\n').count());
        says_of(&config, lines.max().unwrap_or(0));
    }
}

/// All words in quotes.
fn written(config: &[Directive]) -> String {
    let mut text = String::new();
    for directive in config {
        for word in std::iter::once(&directive.name).chain(&directive.arguments) {
            let quoted = word.replace('\\', "\\\\").replace('"', "\\\"");
            text.push_str(&format!("\"{quoted}\" "));
        }
        match &directive.block {
            // A block of another language has been left out, and would be again.
            Some(block) => text.push_str(&format!("{{ {} }}\n", written(block))),
            None => text.push_str(";\n"),
        }
    }
    text
}

type Words<'c> = Vec<(&'c str, &'c [String], Option<Vec<String>>)>;

fn without_lines(config: &[Directive]) -> Words<'_> {
    let inner = |it: &Directive| {
        it.block
            .as_deref()
            .map(|block| without_lines(block).iter().map(|it| format!("{it:?}")).collect())
    };
    config.iter().map(|it| (it.name.as_str(), it.arguments.as_slice(), inner(it))).collect()
}
