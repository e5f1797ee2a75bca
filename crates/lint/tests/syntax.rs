//! nginx's syntax, as nginx reads it.

use authgate_lint::syntax::{Directive, Mistake, parse};
use proptest::prelude::*;

/// Directives in one line: `name(argument|argument){…}@line`.
fn shown(directives: &[Directive]) -> String {
    let one = |it: &Directive| {
        let block = it.block.as_deref().map(|block| format!("{{{}}}", shown(block)));
        let arguments = it.arguments.join("|");
        format!("{}({arguments}){}@{}", it.name, block.unwrap_or_default(), it.place.line)
    };
    directives.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn read(text: &str) -> String {
    match parse(text, "f") {
        Ok(directives) => shown(&directives),
        Err(error) => error.to_string(),
    }
}

#[test]
fn words_blocks_and_lines() {
    assert_eq!(read(""), "");
    assert_eq!(read("a;"), "a()@1");
    assert_eq!(read("a b  c;\nd\n{\n e; }\n"), "a(b|c)@1 d(){e()@4}@2");
    assert_eq!(read("a{b{}}"), "a(){b(){}@1}@1");
    assert_eq!(read("a\n  b\n  c;"), "a(b|c)@1");
    assert_eq!(read("\u{feff}a;\r\nb\t;\r\n"), "a()@1 b()@2");
}

#[test]
fn comments() {
    assert_eq!(read("# a;\nb; # c; }\n#d"), "b()@2");
    assert_eq!(read("a b#c;"), "a(b#c)@1");
    assert_eq!(read("a # b\n c;"), "a(c)@1");
    assert_eq!(read("a '#' \"#\";"), "a(#|#)@1");
}

#[test]
fn quotes_and_backslashes() {
    for (text, arguments) in [
        (r#""b c""#, "b c"),
        (r#"'b c'"#, "b c"),
        (r#""b\"c""#, "b\"c"),
        (r#"'b\'c'"#, "b'c"),
        (r#""b'c" 'd"e'"#, "b'c|d\"e"),
        (r#""""#, ""),
        (r#""b;{}#""#, "b;{}#"),
        (r#"b"c"#, "b\"c"),
        (r"b\;c", "b\\;c"),
        (r"b\ c", "b\\ c"),
        (r"\n\t\r\\\x", "\n\t\r\\\\x"),
        ("${x}y", "${x}y"),
        ("a${x}b$y", "a${x}b$y"),
        ("b}c", "b}c"),
        (r"\.(?:a|b)$", "\\.(?:a|b)$"),
        ("\"b\nc\"", "b\nc"),
    ] {
        assert_eq!(read(&format!("a {text};")), format!("a({arguments})@1"), "{text}");
    }
    assert_eq!(read("a \"b\nc\"\nd;\ne;"), "a(b\nc|d)@1 e()@4");
    assert_eq!(read(r#"if ($a = "b") { c; }"#), "if(($a|=|b|)){c()@1}@1");
    assert_eq!(read("a $b{ c; }"), "a($b){c()@1}@1");
}

#[test]
fn blocks_of_other_languages_are_left_out() {
    let text = "location / { content_by_lua_block {\n if x { y } -- it's }\n }\n }\nb;";
    assert_eq!(read("a_by_lua_block { b { c } } d;"), "a_by_lua_block(){}@1 d()@1");
    assert!(read(text).starts_with("f:"), "a brace in a comment of that language is counted");
}

#[test]
fn mistakes_have_their_line() {
    for (text, mistake) in [
        ("a", Mistake::End),
        ("a b\n", Mistake::End),
        ("a {\nb;", Mistake::End),
        ("a \"b", Mistake::End),
        ("a_by_lua_block { {", Mistake::End),
        ("}", Mistake::Closing),
        ("a; }", Mistake::Closing),
        ("a }", Mistake::Closing),
        (";", Mistake::Unexpected(';')),
        ("a;;", Mistake::Unexpected(';')),
        ("{ }", Mistake::Unexpected('{')),
        ("a \"b\"c;", Mistake::Unexpected('c')),
    ] {
        assert_eq!(parse(text, "f").unwrap_err().mistake, mistake, "{text:?}");
    }
    assert_eq!(read("a;\nb;\n\nc }\n"), "f:4: unexpected \"}\"");
    assert_eq!(read("a;\nb"), "f:2: unexpected end of file, expecting \";\" or \"}\"");
    assert_eq!(parse(&"a{".repeat(500), "f").unwrap_err().mistake, Mistake::Depth);
    assert_eq!(parse(&"a{".repeat(100_000), "f").unwrap_err().mistake, Mistake::Depth);
}

/// A word as one would write it.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(?s).{0,200}|[ab{};#\"'\\\\$ \n]{0,60}") {
        let _ = parse(&text, "f");
    }

    #[test]
    fn any_words_in_quotes_come_out_as_they_were(words in prop::collection::vec("(?s).{0,20}", 1..5)) {
        let text: Vec<_> = words.iter().map(|word| quoted(word)).collect();
        let directives = parse(&format!("a {};", text.join(" ")), "f").unwrap();
        prop_assert_eq!(&directives[0].arguments, &words);
    }
}
