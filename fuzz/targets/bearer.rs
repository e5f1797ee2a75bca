//! `Authorization: Bearer`, with limits. Lines: methods; paths; the request's method; its target;
//! the value, in which `$` stands for the token. Words of the first two are separated by blanks.
#![no_main]

use authgate_core::gate::{Cause, Decision, Verdict};
use authgate_core::request::{Method, RequestHead};
use authgate_core::token::{Purpose, ScopeBuf};
use authgate_fuzz::realm::{NOW, Realm};
use authgate_fuzz::token::{Fields, is_method, is_path};
use authgate_fuzz::{WHITE, cut, trimmed};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use url::Url;

static REALM: LazyLock<Realm> =
    LazyLock::new(|| Realm::new(&[("accept", &["cookie", "bearer", "basic"])]));

fuzz_target!(|data: &[u8]| {
    let (methods, rest) = cut(data);
    let (paths, rest) = cut(rest);
    let (method, rest) = cut(rest);
    let (target, value) = cut(rest);
    let mut scope = ScopeBuf::default();
    let add_method = |text: &str| scope.add_method(text).is_ok();
    let methods = taken(methods, add_method, |text| is_method(text) && text.len() < 256);
    let add_path = |text: &str| scope.add_path(text).is_ok();
    let paths = taken(paths, add_path, |text| is_path(text) && text.len() < 256);
    let token = REALM.token(Purpose::Api, "bob", scope.as_scope());
    let fields = [methods.len(), paths.len()].map(|count| count == 0);
    assert_eq!(scope.as_scope().is_unlimited(), fields == [true, true]);
    let Some(token) = token else { return };
    let limits = Fields { methods, paths, ..nothing() };

    let value: Vec<u8> = value
        .iter()
        .flat_map(|byte| if *byte == b'$' { token.as_bytes().to_vec() } else { vec![*byte] })
        .collect();
    let none = |_: &str| None;
    let head = RequestHead {
        method: Method::named(method),
        method_name: method,
        target: Some(target),
        authorization: Some(&value),
        ..REALM.head(&none)
    };
    let expected = presented(&value).map(|it| it == token.as_bytes());
    match (REALM.gate().decide(&head, NOW), expected) {
        (Decision::Verdict(Verdict::Admit(identity)), Some(true)) => {
            assert_eq!(identity.user(), "bob");
            assert!(limits.allow(method, target));
            for path in readings(target) {
                assert!(stays_below(&limits.paths, &path), "{}", target.escape_ascii());
            }
        }
        (Decision::Verdict(Verdict::Forbid(_)), Some(true)) => {
            assert!(!limits.allow(method, target));
        }
        (Decision::Verdict(Verdict::Challenge(Cause::Missing)), None) => {}
        (Decision::Verdict(Verdict::Challenge(_)) | Decision::Check(_), None) => {
            assert!(value.to_ascii_lowercase().starts_with(b"basic"));
        }
        (Decision::Verdict(Verdict::Challenge(_)), Some(false)) => {}
        (Decision::Verdict(verdict), _) => panic!("{verdict:?} for {}", value.escape_ascii()),
        (Decision::Check(_), _) => panic!("a check for {}", value.escape_ascii()),
    }
    // Where the target is not known, limits open nothing.
    let unknown = RequestHead { target: None, ..head };
    if let Decision::Verdict(Verdict::Admit(_)) = REALM.gate().decide(&unknown, NOW) {
        assert!(scope.as_scope().is_unlimited());
    }
});

fn nothing() -> Fields {
    let (user, methods, paths) = (String::new(), Vec::new(), Vec::new());
    let (issued_at, expires_at, ends_at, epoch) = (0, 0, 0, 0);
    let (realm_tag, session) = ([0; 4], [0; 16]);
    Fields { realm_tag, session, issued_at, expires_at, ends_at, epoch, user, methods, paths }
}

/// The words that can be limits, in both ways of saying so.
fn taken(
    words: &[u8],
    mut add: impl FnMut(&str) -> bool,
    expected: impl Fn(&str) -> bool,
) -> Vec<String> {
    let words = core::str::from_utf8(words).unwrap_or_default().split(' ');
    words
        .filter(|word| !word.is_empty())
        .filter(|word| {
            let is_taken = add(word);
            assert_eq!(is_taken, expected(word), "{word:?}");
            is_taken
        })
        .map(String::from)
        .collect()
}

/// The API token of a value (RFC 6750, section 2.1), by its definition.
fn presented(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(())?;
    trimmed(rest, WHITE).strip_prefix(b"agt_")
}

/// The path of a target as it is read: decoded once or twice, split off before or after, by a browser.
fn readings(target: &[u8]) -> Vec<Vec<u8>> {
    let before = |text: &[u8], ends: &[u8]| {
        text.split(|byte| ends.contains(byte)).next().unwrap_or_default().to_vec()
    };
    let raw = before(target, b"?");
    let once: Vec<u8> = percent_encoding::percent_decode(&raw).collect();
    let twice: Vec<u8> = percent_encoding::percent_decode(&once).collect();
    let url = core::str::from_utf8(&raw).ok();
    let url = url.and_then(|raw| Url::parse(&format!("https://app.example.com{raw}")).ok());
    let url = url.map(|url| percent_encoding::percent_decode_str(url.path()).collect());
    let cut = [&once, &twice].map(|text| before(text, b"?#\0"));
    [once, twice].into_iter().chain(cut).chain(url).collect()
}

/// However an application reads the path that was let through: with `\` for `/`, without
/// parameters, dot segments resolved, it is one of those that are allowed or below.
fn stays_below(allowed: &[String], path: &[u8]) -> bool {
    let path: Vec<u8> = path.iter().map(|b| if *b == b'\\' { b'/' } else { *b }).collect();
    let mut resolved: Vec<&[u8]> = Vec::new();
    for segment in path.split(|byte| *byte == b'/').skip(1) {
        match segment.split(|byte| *byte == b';').next().unwrap_or_default() {
            b"." => {}
            b".." => drop(resolved.pop()),
            _ => resolved.push(segment),
        }
    }
    allowed.is_empty()
        || allowed.iter().any(|allowed| {
            let allowed = allowed.trim_end_matches('/').split('/').skip(1);
            let mut resolved = resolved.iter();
            allowed.into_iter().all(|segment| resolved.next().is_some_and(|it| is(it, segment)))
        })
}

/// A segment that was allowed, perhaps with `\` and more behind it.
fn is(segment: &[u8], allowed: &str) -> bool {
    segment == allowed.as_bytes()
}
