//! Header lines of a response, where the gate adds its own.

use authgate_core::response::{Private, replaces};
use proptest::prelude::*;

/// The values of the `Cache-Control` lines that go out, in one line.
fn kept(lines: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut private = Private::default();
    let mut kept: Vec<_> = lines
        .iter()
        .filter(|(name, value)| private.keeps(name.as_bytes(), value.as_bytes()))
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    if let Some(missing) = private.missing() {
        kept.push(("Cache-Control".to_owned(), missing.to_owned()));
    }
    kept
}

fn controls(values: &[&str]) -> String {
    let lines: Vec<_> = values.iter().map(|value| ("Cache-Control", *value)).collect();
    let values: Vec<_> = kept(&lines).into_iter().map(|(_, value)| value).collect();
    values.join(" | ")
}

#[test]
fn h96_a_response_with_a_renewed_cookie_is_private() {
    for (said, goes_out) in [
        (&[][..], "private"),
        (&["private"], "private"),
        (&["no-store"], "no-store"),
        (&["Private"], "Private"),
        (&["NO-STORE, max-age=0"], "NO-STORE, max-age=0"),
        (&["max-age=86400"], "max-age=86400 | private"),
        (&["no-cache"], "no-cache | private"),
        (&["public"], "private"),
        (&["Public, max-age=86400"], "private"),
        (&["max-age=86400", "public"], "max-age=86400 | private"),
        (&["public", "private"], "private"),
        (&["private", "public"], "private"),
        (&["max-age=1, private , must-revalidate"], "max-age=1, private , must-revalidate"),
    ] {
        assert_eq!(controls(said), goes_out, "{said:?}");
    }
}

#[test]
fn h96_what_contradicts_itself_is_not_left_without_a_word() {
    assert_eq!(controls(&["public, private"]), "private");
    assert_eq!(controls(&["public, no-store"]), "no-store");
    assert_eq!(controls(&["public, no-store", "private"]), "private | no-store");
}

#[test]
fn h96_words_that_only_look_like_it() {
    for value in
        ["private=\"Set-Cookie\"", "x-private", "x=\"a, private, b\"", "privately", "no-storex"]
    {
        assert_eq!(controls(&[value]), format!("{value} | private"), "{value}");
    }
    assert_eq!(controls(&["x=\"public\", max-age=1"]), "x=\"public\", max-age=1 | private");
}

#[test]
fn h96_what_is_said_to_shared_caches_alone_goes() {
    for name in [
        "CDN-Cache-Control",
        "Cloudflare-CDN-Cache-Control",
        "Surrogate-Control",
        "Edge-Control",
        "X-Accel-Expires",
    ] {
        let private = ("Cache-Control".to_owned(), "private".to_owned());
        assert_eq!(kept(&[(name, "max-age=600")]), [private], "{name}");
    }
    let other = [("Content-Type", "public"), ("Expires", "x"), ("Cache-Status", "hit")];
    assert_eq!(kept(&other).len(), 4);
}

#[test]
fn h95_the_word_of_the_gate_on_caching_is_the_only_one() {
    let no_store = ("Cache-Control", "no-store");
    for name in
        ["cache-control", "Cache-Control", "Expires", "CDN-Cache-Control", "X-Accel-Expires"]
    {
        assert!(replaces(no_store, name.as_bytes(), b"x"), "{name}");
    }
    for name in ["Content-Type", "Set-Cookie", "ETag", "X-Cache-Control-Policy"] {
        assert!(!replaces(no_store, name.as_bytes(), b"x"), "{name}");
    }
}

#[test]
fn a_field_of_the_gate_stands_once_but_for_cookies_and_challenges() {
    assert!(replaces(("Location", "/a"), b"location", b"/b"));
    assert!(replaces(("X-Frame-Options", "DENY"), b"X-FRAME-OPTIONS", b"SAMEORIGIN"));
    assert!(!replaces(("Location", "/a"), b"Content-Location", b"/a"));
    assert!(!replaces(("Location", "/a"), b"Expires", b"x"));
    assert!(!replaces(("Set-Cookie", "a=1"), b"Set-Cookie", b"a=1"));
    let challenge = ("WWW-Authenticate", "Bearer realm=\"ops\"");
    assert!(!replaces(challenge, b"WWW-Authenticate", b"Basic realm=\"x\""));
    assert!(replaces(challenge, b"www-authenticate", b"Bearer realm=\"ops\""));
}

/// What a cache makes of it: RFC 9111, 5.2, in another way than the code's.
fn may_be_shared(lines: &[(String, String)]) -> bool {
    let values = lines.iter().filter(|(name, _)| name.eq_ignore_ascii_case("cache-control"));
    let all = values.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(",");
    let words: Vec<_> = all.split(',').map(|word| word.trim().to_lowercase()).collect();
    let has = |word: &str| words.iter().any(|it| it == word);
    let targeted = lines.iter().any(|(name, _)| name.to_lowercase().contains("cdn-cache-control"));
    targeted || has("public") || !(has("private") || has("no-store"))
}

proptest! {
    #[test]
    fn h96_no_shared_cache_may_keep_it_whatever_was_said(
        lines in prop::collection::vec((
            prop::sample::select(vec!["Cache-Control", "cache-control", "CDN-Cache-Control", "Vary"]),
            prop::collection::vec(prop::sample::select(vec![
                "public", "private", "no-store", "no-cache", "max-age=60", "s-maxage=60", "PUBLIC", "Private", "",
            ]), 0..4),
        ), 0..5),
    ) {
        let lines: Vec<_> = lines.iter().map(|(name, words)| (*name, words.join(", "))).collect();
        let lines: Vec<_> = lines.iter().map(|(name, value)| (*name, value.as_str())).collect();
        prop_assert!(!may_be_shared(&kept(&lines)), "{:?}", kept(&lines));
    }
}
