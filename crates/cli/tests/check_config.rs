//! `authgate check-config`: what it reads, what it answers, how it ends. What is found is tested where it
//! is looked for, in crates/lint.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod command;

use command::Folder;
use serde_json::{Value, json};

const OPEN: &str = "http {
    server {
        listen 443 ssl;
        authgate ops;
        location /x { return 200 text; }
        location /y { authgate off; }
    }
}
";
const WARNING: &str =
    "f:5: warning: \"return\" answers before the gate is asked: everybody gets this text [return]
    serve it from a file, or write \"authgate off\" beside it\n";
const NOTE: &str = "f:6: note: location /y: no login is needed [open]
    leave \"authgate off\" out to ask for one\n";

#[test]
fn a_warning_is_a_no() {
    let folder = Folder::new("config");
    folder.write("f", OPEN);
    let answer = folder.run(&["check-config", "f"], "");
    assert_eq!(answer.status, 1);
    assert_eq!(answer.output, format!("{WARNING}{NOTE}"));
    assert_eq!(answer.errors, "authgate: warnings: 1\n");
}

#[test]
fn a_note_is_none() {
    let folder = Folder::new("config_note");
    folder.write("f", OPEN.replace("return 200 text;", ""));
    assert_eq!(folder.ok(&["check-config", "f"], ""), NOTE);
    assert_eq!(folder.ok(&["check-config", "--quiet", "f"], ""), "");
    folder.write("f", OPEN);
    assert_eq!(folder.run(&["check-config", "-q", "f"], "").output, WARNING);
}

#[test]
fn rules_may_be_left_out() {
    let folder = Folder::new("config_allow");
    folder.write("f", OPEN);
    assert_eq!(folder.ok(&["check-config", "--allow", "return", "f"], ""), NOTE);
    assert_eq!(folder.ok(&["check-config", "--allow=return", "--allow=open", "f"], ""), "");
    let errors = folder.fails(2, &["check-config", "--allow", "nonsense", "f"], "");
    assert!(errors.contains("possible values: return, "), "{errors}");
}

#[test]
fn the_answer_in_json() {
    let folder = Folder::new("config_json");
    folder.write("f", OPEN);
    let answer = folder.run(&["check-config", "--json", "f"], "");
    let findings: Value = serde_json::from_str(&answer.output).unwrap();
    assert_eq!(answer.status, 1);
    assert_eq!(findings.as_array().unwrap().len(), 2);
    assert_eq!(
        findings[0],
        json!({
            "file": "f", "line": 5, "level": "warning", "rule": "return",
            "text": "\"return\" answers before the gate is asked: everybody gets this text",
            "mend": "serve it from a file, or write \"authgate off\" beside it",
        })
    );
    folder.write("f", "http { }");
    assert_eq!(folder.ok(&["check-config", "--json", "f"], ""), "[]\n");
}

#[test]
fn what_nginx_prints_from_standard_input() {
    let folder = Folder::new("config_dump");
    let dump = format!(
        "# configuration file /n/nginx.conf:\ninclude f;\n\n# configuration file /n/f:\n{OPEN}\n"
    );
    let expected = format!("{WARNING}{NOTE}").replace("f:5", "/n/f:5").replace("f:6", "/n/f:6");
    for arguments in [&["check-config"][..], &["check-config", "-"]] {
        assert_eq!(folder.run(arguments, &dump).output, expected, "{arguments:?}");
    }
    assert_eq!(folder.run(&["check-config"], OPEN).status, 1, "a configuration will do as well");
    let without = "# configuration file /n/nginx.conf:\ninclude gone;\n";
    let errors = folder.fails(2, &["check-config"], without);
    assert_eq!(errors, "authgate: /n/nginx.conf:1: \"/n/gone\" cannot be read\n");
}

#[test]
fn a_file_with_what_it_includes() {
    let folder = Folder::new("config_include");
    folder.write("nginx.conf", "http { include *.part; }");
    folder.write(
        "a.part",
        "authgate ops; server { listen 443 ssl;\nlocation /x { return 200 text; } }",
    );
    let answer = folder.run(&["check-config", "nginx.conf"], "");
    assert!(answer.output.starts_with("a.part:2: warning: "), "{}", answer.output);
    let full = folder.path("nginx.conf");
    let answer = folder.run(&["check-config", full.to_str().unwrap()], "");
    let part = format!("{}:2: warning: ", folder.path("a.part").display());
    assert!(answer.output.starts_with(&part), "{}", answer.output);
}

#[test]
fn what_cannot_be_read() {
    let folder = Folder::new("config_mistakes");
    assert_eq!(
        folder.fails(2, &["check-config", "none"], ""),
        "authgate: none: no such file or directory\n"
    );
    // A failed "nginx -T" prints nothing.
    for nothing in ["", "\n"] {
        let errors = folder.fails(2, &["check-config"], nothing);
        assert!(errors.starts_with("authgate: no configuration: "), "{errors}");
    }
    folder.write("f", "http {\n");
    let end = "authgate: f:2: unexpected end of file, expecting \";\" or \"}\"\n";
    assert_eq!(folder.fails(2, &["check-config", "f"], ""), end);
    folder.write("f", b"http { # \xff\xfe\n}\n");
    assert_eq!(folder.run(&["check-config", "f"], "").status, 0);
}

#[test]
fn no_gate_at_all_is_said() {
    let folder = Folder::new("config_no_gate");
    folder.write("f", "http { server { location / { } } }");
    let answer = folder.run(&["check-config", "f"], "");
    assert_eq!((answer.status, answer.output.as_str()), (0, ""));
    assert_eq!(answer.errors, "authgate: no \"authgate\" in this configuration\n");
    assert_eq!(folder.run(&["check-config", "--quiet", "f"], "").errors, "");
}
