//! What kind of answer a request wants, and whether a post may act. Lines: the method, then header lines.
#![no_main]

use authgate_core::gate::{Cause, Verdict};
use authgate_core::negotiate::{Format, is_navigation, says_browser};
use authgate_core::origin::may_post;
use authgate_core::request::{Method, RequestHead};
use authgate_fuzz::realm::{NOW, Realm};
use authgate_fuzz::{WHITE, cut, lines, trimmed};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use url::Url;

static REALM: LazyLock<Realm> =
    LazyLock::new(|| Realm::new(&[("accept", &["cookie", "bearer", "basic"])]));

fuzz_target!(|data: &[u8]| {
    let (method, rest) = cut(data);
    let fields: Vec<(&[u8], &[u8])> = lines(rest).into_iter().filter_map(field).collect();
    let lookup = |name: &str| {
        let found = fields.iter().find(|(it, _)| *it == name.as_bytes());
        found.map(|(_, value)| *value)
    };
    let head =
        RequestHead { method: Method::named(method), method_name: method, ..REALM.head(&lookup) };
    let accepted = named(lookup("accept").unwrap_or_default());
    let is_json = |name: &String| {
        matches!(&**name, "application/json" | "text/json") || name.ends_with("+json")
    };
    let html = accepted.iter().any(|name| name == "text/html");
    let format = match accepted.iter().any(is_json) {
        true => Format::Json,
        false if html => Format::Html,
        false => Format::Text,
    };
    assert_eq!(Format::of(&head), format);
    let fetch = ["mode", "site", "dest", "user"].map(|it| lookup(&format!("sec-fetch-{it}")));
    let says_fetch = fetch.iter().any(Option::is_some);
    let navigates = if says_fetch { fetch[0] == Some(b"navigate") } else { html };
    let upgrade = lookup("upgrade").unwrap_or_default();
    let websocket = upgrade
        .split(|byte| *byte == b',')
        .any(|it| String::from_utf8_lossy(trimmed(it, WHITE)).eq_ignore_ascii_case("websocket"));
    let reads = matches!(method, b"GET" | b"HEAD");
    assert_eq!(is_navigation(&head), reads && navigates && !websocket);
    let browser =
        says_fetch || html || ["origin", "x-requested-with"].iter().any(|it| lookup(it).is_some());
    assert_eq!(says_browser(&head), browser);
    posts(&head, fetch[1], lookup("origin"), lookup("host"));
    answers(&head);
});

fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((&line[..colon], line[colon + 1..].trim_ascii()))
}

/// The types of `Accept` that are not refused by a weight of zero.
fn named(accept: &[u8]) -> Vec<String> {
    let text = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    let mut names = Vec::new();
    for range in text(accept).split(',') {
        let mut words = range.split(';').map(|it| it.trim_matches([' ', '\t', '\n', '\r', '\x0c']));
        let name = words.next().unwrap_or_default().to_ascii_lowercase();
        let is_zero = |word: &str| {
            let weight = word.strip_prefix("q=").or(word.strip_prefix("Q="));
            weight.is_some_and(|weight| weight.chars().all(|c| c == '0' || c == '.'))
        };
        if !words.any(is_zero) {
            names.push(name);
        }
    }
    names
}

/// A page of another origin never posts, whatever it can make a browser send.
fn posts(head: &RequestHead<'_>, site: Option<&[u8]>, origin: Option<&[u8]>, host: Option<&[u8]>) {
    let may = may_post(head);
    match (site, origin) {
        (Some(site), _) => assert_eq!(may, matches!(site, b"same-origin" | b"none")),
        (None, None) => assert!(may),
        (None, Some(origin)) if may => {
            let text = |bytes| core::str::from_utf8(bytes).expect("a text");
            let host = text(host.expect("Host"));
            // An origin that a browser can have: the scheme's port is the only one that it leaves out.
            let Ok(url) = Url::parse(text(origin)) else { return };
            let Ok(own) = Url::parse(&format!("{}://{host}/", url.scheme())) else { return };
            assert_eq!(url.origin(), own.origin(), "{url} {host}");
        }
        (None, Some(_)) => {}
    }
}

/// Whoever is refused gets a whole answer.
fn answers(head: &RequestHead<'_>) {
    for cause in [Cause::Missing, Cause::Expired] {
        let reply = REALM.gate().refusal(head, &Verdict::Challenge(cause), NOW);
        assert!(matches!(reply.status, 302 | 401));
        assert_eq!(reply.status == 302, is_navigation(head));
        let challenges = reply.headers.iter().filter(|(name, _)| *name == "WWW-Authenticate");
        assert_eq!(challenges.count(), usize::from(reply.status == 401));
    }
}
