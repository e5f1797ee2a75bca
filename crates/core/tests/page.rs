//! Cases C40 and C41: nothing that a visitor typed becomes a part of the page.

use authgate_core::page::{CONTENT_SECURITY_POLICY, Notice, login, logout, message};
use proptest::prelude::*;

const HOSTILE: &[&str] = &[
    "\"><script>alert(1)</script>",
    "'><script>alert(1)</script>",
    "' onfocus='alert(1)",
    "\" autofocus onfocus=\"alert(1)",
    "</form><form action=https://evil.com>",
    "</style><style>*{display:none}",
    "</title><script>",
    "\u{2028}</script>\u{2029}",
    "<!--#include virtual=\"/etc/passwd\" -->",
    "<!--#echo var=\"authgate_user\" -->",
    "<esi:include src=x>",
    "{{ 7*7 }}{% include \"x\" %}",
    "&quot;&#34;&lt;",
    "javascript:alert(1)",
    "\u{202e}nimda",
    "\r\nSet-Cookie: a=b\r\n\r\n<b>",
];

const NOTICES: [Notice; 7] = [
    Notice::None,
    Notice::InvalidCredentials,
    Notice::Busy(5),
    Notice::Limited(271),
    Notice::Expired,
    Notice::Revoked,
    Notice::PasswordChanged,
];

/// Every page, with the visitor's text wherever a text goes.
fn pages(text: &str) -> Vec<String> {
    let mut pages: Vec<String> =
        NOTICES.iter().map(|&notice| login(text, text, text, text, notice)).collect();
    pages.push(logout(text, text, text));
    pages.push(message(text, text, Some((text, text))));
    pages
}

/// How often the characters occur that make markup.
fn markup(page: &str) -> [usize; 4] {
    ["<", ">", "\"", "'"].map(|character| page.matches(character).count())
}

fn is_only_text(text: &str) -> bool {
    pages(text).iter().zip(pages("x")).all(|(page, plain)| markup(page) == markup(&plain))
}

#[test]
fn c40_hostile_text_stays_text() {
    for text in HOSTILE {
        assert!(is_only_text(text), "{text}");
    }
    for page in pages(&HOSTILE.concat()) {
        assert!(!page.contains("<script") && !page.contains("</form><form"));
    }
}

#[test]
fn c41_no_server_side_include_survives() {
    for page in pages("<!--#include virtual=\"/\" --><!--# echo var=x -->") {
        assert!(!page.contains("<!--"));
    }
}

proptest! {
    #[test]
    fn c40_any_text_stays_text(text in "\\PC{1,40}|[<>\"'&=/a!#-]{1,40}|[\\x01-\\x20<>\"']{1,20}") {
        prop_assert!(is_only_text(&text));
    }
}

#[test]
fn c40_the_policy_allows_the_page_and_nothing_else() {
    let mut directives: Vec<&str> = CONTENT_SECURITY_POLICY.split("; ").collect();
    directives.retain(|directive| !directive.starts_with("style-src 'sha256-"));
    assert_eq!(
        directives,
        [
            "default-src 'none'",
            "img-src data:",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'"
        ]
    );
}

#[test]
fn c40_a_page_asks_for_nothing_and_runs_nothing() {
    for page in pages("x") {
        let page = page.replace("xmlns='http://www.w3.org/2000/svg'", "");
        for part in
            ["<script", " src=", " onfocus", " style=", "url(", "@import", "http:", "https:", "//"]
        {
            assert!(!page.contains(part), "{part}");
        }
    }
}

#[test]
fn c38_the_form_is_one_that_password_managers_know() {
    let page = login("ops", "/authgate/login", "/graph?a=1&b=2", "", Notice::None);
    for part in [
        "<title>Sign in to ops</title>",
        "<form method=\"post\" action=\"/authgate/login\">",
        "<input type=\"hidden\" name=\"rd\" value=\"/graph?a=1&#38;b=2\">",
        "<label for=\"username\">",
        "autocomplete=\"username\" autocapitalize=\"none\"",
        "<label for=\"password\">",
        "type=\"password\" autocomplete=\"current-password\"",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("id=\"notice\""));
}

#[test]
fn c38_the_cursor_is_where_the_hand_is() {
    let field_with_cursor = |username, notice| {
        let page = login("ops", "/authgate/login", "/", username, notice);
        assert_eq!(page.matches(" autofocus").count(), 1);
        let (before, _) = page.split_once(" autofocus")?;
        let (_, name) = before.rsplit_once(" name=\"")?;
        name.split('"').next().map(str::to_owned)
    };
    assert_eq!(field_with_cursor("", Notice::None).as_deref(), Some("username"));
    assert_eq!(field_with_cursor("", Notice::InvalidCredentials).as_deref(), Some("username"));
    assert_eq!(field_with_cursor("bob", Notice::InvalidCredentials).as_deref(), Some("password"));
}

#[test]
fn the_notices() {
    let notice = |notice| {
        let page = login("ops", "/authgate/login", "/", "bob", notice);
        let (_, rest) = page.split_once("<p ")?;
        rest.split_once("</p>").map(|(notice, _)| notice.to_owned())
    };
    let alert = |text: &str| Some(format!("role=\"alert\" id=\"notice\">{text}"));
    assert_eq!(notice(Notice::None), None);
    assert_eq!(notice(Notice::InvalidCredentials), alert("Wrong user name or password."));
    for (seconds, words) in [
        (0, "a second"),
        (1, "a second"),
        (2, "2 seconds"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (121, "3 minutes"),
        (7199, "120 minutes"),
        (7200, "2 hours"),
        (86_401, "25 hours"),
        (172_800, "2 days"),
        (172_801, "3 days"),
        (u32::MAX, "49711 days"),
    ] {
        let text = format!("Many people are signing in right now. Please try again in {words}.");
        assert_eq!(notice(Notice::Busy(seconds)), alert(&text));
        let text = format!("Too many failed attempts. Please try again in {words}.");
        assert_eq!(notice(Notice::Limited(seconds)), alert(&text));
    }
    for (why, text) in [
        (Notice::Expired, "Your session has ended. Please sign in again."),
        (Notice::Revoked, "You have been signed out. Please sign in again."),
        (Notice::PasswordChanged, "Your password has changed. Please sign in again."),
    ] {
        assert_eq!(notice(why), Some(format!("role=\"status\" id=\"notice\">{text}")));
    }
}

#[test]
fn the_pages_are_small() {
    let name = "n".repeat(64);
    for notice in NOTICES {
        assert!(login(&name, "/authgate/login", "/", &name, notice).len() < 5 * 1024);
    }
    assert!(logout(&name, "/authgate/logout", &name).len() < 5 * 1024);
}
