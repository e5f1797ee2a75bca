//! Users files: the three formats, and every mistake with its line.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod libcrypt;

use authgate_core::password::Scheme;
use authgate_core::users::{FileFormat, Users};
use libcrypt::crypt;
use proptest::prelude::*;
use std::fmt::Write;
use std::time::{Duration, Instant};

const HASH: &str = "$2y$05$0FXQnxIMVrGkaGYCI.gwLuXEE2Zz2IbdQQlp4uBi6t36EgOcdm61C";
const PBKDF2: &str =
    "pbkdf2:sha256:1$salt$abababababababababababababababababababababababababababababababab";

fn parse(text: &str) -> Users {
    Users::parse(text.as_bytes(), false).unwrap()
}

fn mistake(text: impl AsRef<[u8]>) -> String {
    Users::parse(text.as_ref(), false).unwrap_err().to_string()
}

fn names(users: &Users) -> Vec<&str> {
    users.iter().map(|(name, _)| name).collect()
}

fn groups<'u>(users: &'u Users, name: &str) -> Vec<&'u str> {
    users.get(name).unwrap().groups.iter().map(|group| &**group).collect()
}

#[test]
fn the_article_s_profiles_let_admin_in() {
    let users = parse(include_str!("data/profiles.json"));
    assert_eq!(users.format(), FileFormat::Json);
    assert!(users.get("admin").unwrap().hash.verify(b"12345678", crypt));
}

#[test]
fn a_web_configuration_of_prometheus_is_read() {
    let users = parse(include_str!("data/config.yml"));
    assert_eq!(users.format(), FileFormat::Prometheus);
    assert!(users.get("prometheus").unwrap().hash.verify(b"correct horse", crypt));
    assert_eq!(names(&users), ["prometheus"]);
}

#[test]
fn htpasswd_of_apache_is_read() {
    let users = parse(include_str!("data/htpasswd"));
    assert_eq!(users.format(), FileFormat::Htpasswd);
    assert!(users.get("alice").unwrap().hash.verify(b"correct horse", crypt));
    assert!(users.get("bob").unwrap().hash.verify(b"correct horse", crypt));
    assert_eq!(groups(&users, "bob"), ["sre", "on call"]);
    assert!(users.get("Alice").is_none() && users.get("alice ").is_none());
}

#[test]
fn htpasswd_third_field_names_groups_or_nothing() {
    let users = parse(&format!(
        "a:{HASH}:groups=x,y:more\nb:{HASH}:a comment\nc:{HASH}:\nd:{PBKDF2}:groups=z\ne:{HASH}:groups=\n"
    ));
    assert_eq!(names(&users), ["a", "b", "c", "d", "e"]);
    assert_eq!(groups(&users, "a"), ["x", "y"]);
    assert_eq!(groups(&users, "d"), ["z"]);
    for name in ["b", "c", "e"] {
        assert!(groups(&users, name).is_empty());
    }
    assert_eq!(users.get("d").unwrap().hash.as_str(), PBKDF2);
}

#[test]
fn json_entries_may_be_hash_list_or_object() {
    let users = parse(&format!(
        r#"{{"z": "{HASH}", "y": ["{HASH}"],
        "x": {{"password": "{HASH}", "groups": ["sre", "dev"], "disabled": true}},
        "w": {{"password": "{HASH}"}}}}"#
    ));
    assert_eq!(names(&users), ["z", "y", "x", "w"]);
    assert_eq!(groups(&users, "x"), ["sre", "dev"]);
    let disabled: Vec<_> = users.iter().map(|(_, user)| user.disabled).collect();
    assert_eq!(disabled, [false, false, true, false]);
}

#[test]
fn the_format_is_found_from_the_content() {
    let of = |text: &str| FileFormat::of(text.as_bytes());
    assert_eq!(of("\n\n  {\n"), FileFormat::Json);
    assert_eq!(of("{\"a\": 1}"), FileFormat::Json);
    assert_eq!(of("{a}:hash"), FileFormat::Htpasswd);
    assert_eq!(of("# x\n---\n"), FileFormat::Prometheus);
    assert_eq!(of("basic_auth_users: {}"), FileFormat::Prometheus);
    assert_eq!(of("# x\r\nhttp_server_config:\r\n"), FileFormat::Prometheus);
    assert_eq!(of("basic_auth_users:$2y$"), FileFormat::Htpasswd);
    assert_eq!(of("# basic_auth_users:\na:b"), FileFormat::Htpasswd);
    assert_eq!(of(""), FileFormat::Htpasswd);
}

#[test]
fn i117_bom_crlf_blank_lines_and_comments_are_taken() {
    let users = parse(&format!("\u{feff}# users\r\n\r\n   \r\na:{HASH}\r\nb:{HASH}:groups=x\r\n"));
    assert_eq!(names(&users), ["a", "b"]);
    assert_eq!(groups(&users, "b"), ["x"]);
    assert_eq!(users.get("a").unwrap().hash.as_str(), HASH);
    parse(&format!("\u{feff}{{\r\n\"a\": \"{HASH}\"\r\n}}\r\n"));
    parse(&format!("\u{feff}basic_auth_users:\r\n  a: {HASH}\r\n  12: '{HASH}'\r\n"));
}

#[test]
fn i117_a_duplicate_user_is_a_mistake_with_its_line() {
    let duplicate = |line: u32| format!("{line}: user \"a\" is duplicate");
    assert_eq!(mistake(format!("a:{HASH}\nb:{HASH}\na:{HASH}\n")), duplicate(3));
    assert_eq!(mistake(format!("{{\"a\": \"{HASH}\",\n\"a\":\n\"{HASH}\"}}")), duplicate(2));
    let yaml = format!("basic_auth_users:\n  a: {HASH}\n  b: {HASH}\n  a: {HASH}\n");
    assert_eq!(mistake(yaml), duplicate(4));
    let yaml = format!("basic_auth_users:\n  a: {HASH}\nbasic_auth_users:\n  b: {HASH}\n");
    assert!(mistake(yaml).ends_with(": key is duplicate"));
}

#[test]
fn i113_nobody_is_a_mistake() {
    for text in
        ["", "\n", "# only\n", "{}", "{\n}\n", "basic_auth_users:\n", "basic_auth_users: {}\n"]
    {
        assert_eq!(mistake(text), "1: no users", "{text:?}");
    }
    assert_eq!(mistake("tls_server_config:\n  cert_file: x\n"), "1: no \"basic_auth_users\"");
}

#[test]
fn htpasswd_mistakes_have_their_line() {
    assert_eq!(mistake(format!("a:{HASH}\n\n#\nb:x\n")), "4: unknown hash");
    assert_eq!(mistake(format!("a:{HASH}\nb\n")), "2: no \":\" after the user name");
    let line = [b"a\xff:".as_slice(), HASH.as_bytes()].concat();
    assert_eq!(mistake(line), "1: not UTF-8");
    assert_eq!(mistake("a:"), "1: unknown hash");
}

#[test]
fn names_are_held_to_their_form() {
    let name = "invalid user name, must be 1-128 bytes without control characters";
    let longest = "é".repeat(64);
    assert!(parse(&format!("{longest}:{HASH}")).get(&longest).is_some());
    for bad in ["", "a\u{7f}", "a\0", "a\tb", "a\u{85}", "a\rb", &format!("{longest}x")] {
        assert_eq!(mistake(format!("{bad}:{HASH}")), format!("1: {name}"), "{bad:?}");
    }
    assert_eq!(mistake(format!("{{\n\"a\\nb\":\"{HASH}\"}}")), format!("2: {name}"));
    let group = "invalid group name, must be 1-128 bytes without commas and control characters";
    for bad in ["x,", ",x", "x, y", "x\u{1}", &"x".repeat(129)] {
        assert_eq!(mistake(format!("a:{HASH}:groups={bad}")), format!("1: {group}"), "{bad:?}");
    }
    let json = format!("{{\"a\": {{\"password\": \"{HASH}\",\n\"groups\": [\"x,y\"]}}}}");
    assert_eq!(mistake(json), format!("2: {group}"));
}

#[test]
fn json_mistakes_have_their_line_and_quote_nothing() {
    let value =
        "unexpected value, must be a hash, a list of one hash, or an object with \"password\"";
    assert_eq!(mistake("{\n\"a\": 12345678}"), format!("2: {value}"));
    assert_eq!(mistake("{\"a\": []}"), format!("1: {value}"));
    assert_eq!(mistake(format!("{{\"a\": [\"{HASH}\", \"{HASH}\"]}}")), format!("1: {value}"));
    assert_eq!(
        mistake(format!("{{\"a\": {{\"password\": \"{HASH}\", \"disabled\": 1}}}}")),
        format!("1: {value}")
    );
    assert_eq!(mistake("{\n\n\"a\": \"secret\",\n\"b\": 1}"), "3: unknown hash");
    assert_eq!(mistake("{\"a\": {\n\"password\": \"secret\"\n}}"), "2: unknown hash");
    assert_eq!(mistake("{\"a\": {}}"), "1: no \"password\"");
    let key = "unknown key, must be \"password\", \"groups\" or \"disabled\"";
    assert_eq!(mistake("{\"a\": {\"passwd\": \"x\"}}"), format!("1: {key}"));
    let twice = format!("{{\"a\": {{\"password\": \"{HASH}\",\n\"password\": \"{HASH}\"}}}}");
    assert_eq!(mistake(twice), "2: key is duplicate");
    for bad in ["{\"a\"", "{\"a\": \"", "{} x", "{ ,}"] {
        assert_eq!(mistake(bad), "1: invalid JSON", "{bad}");
    }
    assert_eq!(mistake(b"{\n\"a\": \"\xff\"}"), "2: not UTF-8");
    assert_eq!(mistake(format!("{{\"a\":{}", "[".repeat(100_000))), format!("1: {value}"));
}

#[test]
fn yaml_mistakes_have_their_line() {
    assert_eq!(mistake("basic_auth_users:\n  a: secret\n  b: x\n"), "2: unknown hash");
    assert_eq!(mistake("basic_auth_users:\n  - a\n"), "2: invalid YAML");
    assert_eq!(mistake("basic_auth_users:\n  ? [a, b]\n  : x\n"), "2: invalid YAML");
    assert_eq!(mistake(format!("basic_auth_users:\n  a: {HASH}\n\tb: x\n")), "3: invalid YAML");
    let weak = "basic_auth_users:\n  a: '{PLAIN}x'\n";
    assert_eq!(mistake(weak), "2: weak hash \"{PLAIN}\" (see allow_weak)");
    assert!(Users::parse(weak.as_bytes(), true).is_ok());
}

#[test]
fn e63_the_usual_hash_is_the_commonest_and_opens_nothing() {
    let other = "$2b$04$2zdTpgyz04ACRyzJ0kMrh.5DRXy2lnqhjHKdBgdFu4aXtcbvn1p0C";
    let users = parse(&format!("a:{other}\nb:{HASH}\nc:{PBKDF2}\nd:{HASH}\n"));
    assert_eq!(users.usual_hash().scheme(), Scheme::Bcrypt { cost: 5 });
    assert!(users.get("b").unwrap().hash.verify(b"correct horse", crypt));
    assert!(!users.usual_hash().verify(b"correct horse", crypt));
}

#[test]
fn i117_a_hundred_thousand_lines_load_in_a_second() {
    let htpasswd = (0..100_000).fold(String::new(), |mut text, i| {
        writeln!(text, "user{i}:{HASH}:groups=a,b").unwrap();
        text
    });
    let json = (0..100_000).map(|i| format!("\"user{i}\": [\"{HASH}\"]")).collect::<Vec<_>>();
    let yaml = (0..100_000).fold("basic_auth_users:\n".to_owned(), |mut text, i| {
        writeln!(text, "  user{i}: {HASH}").unwrap();
        text
    });
    for text in [htpasswd, format!("{{{}}}", json.join(",\n")), yaml] {
        let start = Instant::now();
        let users = parse(&text);
        let took = start.elapsed();
        println!("{}: {took:?}", users.format());
        assert_eq!(users.len(), 100_000);
        // unoptimized and beside other tests; optimized it is a fraction of a second
        assert!(took < Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 }));
    }
}

#[test]
fn i117_a_line_of_a_mebibyte_takes_bounded_time() {
    let long = "x".repeat(1 << 20);
    let start = Instant::now();
    assert_eq!(mistake(format!("a:{long}\n")), "1: hash is too long");
    assert!(mistake(format!("{long}:{HASH}\n")).starts_with("1: invalid user name"));
    assert!(mistake(format!("a:{HASH}:groups={long}\n")).starts_with("1: invalid group name"));
    assert_eq!(mistake(format!("a:{HASH}\n{long}\n")), "2: no \":\" after the user name");
    assert!(Users::parse(format!("#{long}\na:{HASH}:{long}\n").as_bytes(), false).is_ok());
    assert_eq!(mistake(format!("{{\"a\": \"{long}\"}}")), "1: hash is too long");
    assert_eq!(mistake(format!("basic_auth_users:\n  a: {long}\n")), "2: hash is too long");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn i117_yaml_aliases_take_bounded_time() {
    let start = Instant::now();
    let mut bomb = format!("tls_server_config: &a0 [{}]\n", "x,".repeat(30_000));
    for i in 1..40 {
        writeln!(bomb, "k{i}: &a{i} [*a{0},*a{0},*a{0},*a{0},*a{0},*a{0},*a{0},*a{0}]", i - 1)
            .unwrap();
    }
    assert!(mistake(format!("{bomb}basic_auth_users: *a39\n")).ends_with(": invalid YAML"));
    assert!(mistake(format!("{bomb}basic_auth_users: {{a: *a39}}\n")).ends_with(": invalid YAML"));
    for open in ["[", "{"] {
        let nested = format!("tls_server_config:\n  {}\n", open.repeat(1 << 20));
        assert_eq!(mistake(nested), "2: too many \"[\" and \"{\"");
    }
    parse(&format!("tls_server_config: &h {HASH}\nbasic_auth_users:\n  a: *h\n  b: *h\n"));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever stands in a file, reading it ends in users or a mistake in one of its lines.
    #[test]
    fn reading_takes_anything(
        start in prop::sample::select(vec!["", "{", "{\"a\": ", "---\n", "basic_auth_users:\n", "a:"]),
        text in "([-\\[\\]{}:,&*!|>'\"#%@?<~a0.$ \\n\\r\\t\\\\]|\\PC|groups=|\\u{0}){0,60}",
    ) {
        let text = format!("{start}{text}");
        if let Err(mistake) = Users::parse(text.as_bytes(), true) {
            // YAML knows more line ends than one
            let ends = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
            let lines = text.split(ends).count();
            prop_assert!((1..=lines + 1).contains(&mistake.line), "{mistake}");
        }
    }

    #[test]
    fn reading_takes_any_bytes(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Users::parse(&text, true);
        let _ = Users::parse(&[b"basic_auth_users:\n  a: ".as_slice(), &text].concat(), true);
    }
}
