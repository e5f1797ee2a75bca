//! API tokens with limits: what they allow, and that they are as hard to change as any token.
#![allow(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod cases;

use authgate_core::keyring::{KeyRing, Keys};
use authgate_core::token::{
    Claims, MAX_LENGTH, PayloadBuffer, Purpose, Scope, ScopeBuf, ScopeError, SessionId, TokenError,
    inspect,
};
use cases::cases;
use proptest::prelude::*;
use std::sync::LazyLock;

const NOW: u64 = 1_800_000_000;

fn ring() -> &'static KeyRing {
    static RING: LazyLock<KeyRing> =
        LazyLock::new(|| KeyRing::derive(&Keys::generated([1; 32]), "ops", b""));
    &RING
}

fn claims<'a>(user: &'a str, scope: Scope<'a>) -> Claims<'a> {
    let (session, end) = (SessionId([7; 16]), NOW + 3600);
    Claims { session, user, issued_at: NOW, expires_at: end, ends_at: end, epoch: 0, scope }
}

fn scope(methods: &[&str], paths: &[&str]) -> ScopeBuf {
    let mut scope = ScopeBuf::default();
    methods.iter().for_each(|method| scope.add_method(method).unwrap());
    paths.iter().for_each(|path| scope.add_path(path).unwrap());
    scope
}

fn limited() -> String {
    let scope = scope(&["GET", "HEAD"], &["/metrics", "/api/"]);
    ring().sign(Purpose::Api, &claims("prometheus", scope.as_scope())).unwrap()
}

fn verdict(purpose: Purpose, token: impl AsRef<[u8]>) -> Result<ScopeBuf, TokenError> {
    let mut buffer = PayloadBuffer::default();
    ring().verify(purpose, token.as_ref(), NOW, &mut buffer).map(|it| it.claims.scope.into())
}

fn allows(scope: &ScopeBuf, method: &str, path: &str) -> bool {
    scope.as_scope().allows(method.as_bytes(), path.as_bytes())
}

#[test]
fn no_limits_allow_everything() {
    for scope in [Scope::default(), ScopeBuf::default().as_scope()] {
        assert!(scope.is_unlimited());
        assert_eq!((scope.methods().count(), scope.paths().count()), (0, 0));
        for (method, path) in [("GET", "/"), ("get", "/a/../b"), ("", ""), ("X", "*")] {
            assert!(scope.allows(method.as_bytes(), path.as_bytes()), "{method} {path}");
        }
    }
}

#[test]
fn g85a_a_path_allows_itself_and_what_is_below() {
    for (limit, allowed, outside) in [
        (
            "/metrics",
            &["/metrics", "/metrics/", "/metrics/x", "/metrics/.x", "/%6detrics", "/metrics?/../x"]
                [..],
            &[
                "/",
                "",
                "*",
                "metrics",
                "/metricsx",
                "/metric",
                "/metrics.",
                "/METRICS",
                "/Metrics/x",
                "//metrics",
                "/x/metrics",
                "/metrics;x",
                "/metrics%2Fx",
                "/metrics%3Fx",
                "/metrics\0",
                "//metrics",
                "/metrics//x",
                " /metrics",
            ][..],
        ),
        (
            "/metrics/",
            &["/metrics/", "/metrics/x", "/metrics/x/y"],
            &["/metrics", "/metricsx", "/"],
        ),
        ("/", &["/", "/x", "/x/y", "/..x", "/x..", "/x/.git"], &["", "*", "x", "//", "/..."]),
        ("/a b/Zoë", &["/a b/Zoë", "/a%20b/Zo%C3%AB/x"], &["/a+b/Zoë", "/a b/Zo", "/a b/ZoË"]),
    ] {
        let scope = scope(&[], &[limit]);
        for path in allowed {
            assert!(allows(&scope, "GET", path), "{limit} {path}");
        }
        for path in outside {
            assert!(!allows(&scope, "GET", path), "{limit} {path}");
        }
    }
}

#[test]
fn g85a_a_path_with_a_dot_segment_is_below_nothing() {
    for rest in [
        "..",
        ".",
        "../",
        "./",
        "../x",
        "x/../../y",
        "..;/x",
        ".;",
        "..;a=b/x",
        "..\\x",
        "x\\..\\..\\y",
    ] {
        for limit in ["/metrics", "/metrics/", "/"] {
            let path = format!("/metrics/{rest}");
            assert!(!allows(&scope(&[], &[limit]), "GET", &path), "{limit} {path}");
            assert!(allows(&scope(&["GET"], &[]), "GET", &path), "{path}");
        }
    }
}

#[test]
fn a_method_allows_itself_alone() {
    let get = scope(&["GET"], &[]);
    for method in ["get", "Get", "HEAD", "POST", "GETX", "GE", "", "GET ", "OPTIONS"] {
        assert!(!allows(&get, method, "/"), "{method}");
    }
    assert!(allows(&get, "GET", "/"));
}

#[test]
fn limits_of_one_kind_are_alternatives_and_both_kinds_must_hold() {
    let scope = scope(&["GET", "HEAD"], &["/metrics", "/api/"]);
    for (method, path, expected) in [
        ("GET", "/metrics", true),
        ("HEAD", "/api/v1", true),
        ("POST", "/metrics", false),
        ("GET", "/api", false),
        ("POST", "/admin", false),
    ] {
        assert_eq!(allows(&scope, method, path), expected, "{method} {path}");
    }
}

#[test]
fn a_method_is_a_token() {
    for byte in 0..=127_u8 {
        let text = char::from(byte).to_string();
        // RFC 9110, section 5.6.2
        let is_token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let expected = if is_token { Ok(()) } else { Err(ScopeError::Method) };
        assert_eq!(ScopeBuf::default().add_method(&text), expected, "{text:?}");
    }
    let mut scope = ScopeBuf::default();
    for text in ["", "É", "GET HEAD", "GET,HEAD", "GET\r\n"] {
        assert_eq!(scope.add_method(text), Err(ScopeError::Method), "{text:?}");
    }
    assert_eq!(scope.add_method(&"X".repeat(256)), Err(ScopeError::TooLong));
    assert!(scope.as_scope().is_unlimited(), "what is refused leaves nothing");
    assert_eq!(scope.add_method(&"X".repeat(255)), Ok(()));
}

#[test]
fn a_limit_on_paths_is_a_plain_path() {
    let bad = [
        "",
        "metrics",
        "//",
        "/a//b",
        "/.",
        "/..",
        "/a/./b",
        "/a/../b",
        "/a/..",
        "/..;/a",
        "/a?b",
        "/a#b",
        "/a\\b",
        "/a%20b",
        "/a\nb",
        "/a\0",
        "/a\u{85}",
        "/\x7f",
        "*",
        "http://a/b",
        " /a",
        "/...",
        "/a/ /b",
        "/;/b",
        "/a\u{ff0f}b",
    ];
    for path in bad {
        assert_eq!(ScopeBuf::default().add_path(path), Err(ScopeError::Path), "{path:?}");
    }
    for path in ["/", "/a", "/a/", "/.well-known/x", "/a..b", "/a b", "/Zoë", "/a;b", "/a:b,c=d&e"]
    {
        assert_eq!(ScopeBuf::default().add_path(path), Ok(()), "{path:?}");
    }
    assert_eq!(
        ScopeBuf::default().add_path(&format!("/{}", "x".repeat(255))),
        Err(ScopeError::TooLong)
    );
}

#[test]
fn a_limit_stands_in_a_token_once() {
    let once = scope(&["GET"], &["/a", "/b"]);
    assert_eq!(scope(&["GET", "GET"], &["/a", "/b", "/a"]), once);
    assert_eq!(once.as_scope().paths().collect::<Vec<_>>(), ["/a", "/b"]);
    assert_eq!(once.as_scope().methods().collect::<Vec<_>>(), ["GET"]);
}

#[test]
fn a1_every_flipped_bit_of_a_limited_token_is_refused() {
    let token = limited().into_bytes();
    assert!(verdict(Purpose::Api, &token).is_ok());
    for bit in 0..token.len() * 8 {
        let mut flipped = token.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(verdict(Purpose::Api, &flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn a2_every_truncation_and_extension_of_a_limited_token_is_refused() {
    let token = limited();
    let (signed, mac) = token.rsplit_once('.').unwrap();
    for length in 0..token.len() {
        assert!(verdict(Purpose::Api, &token.as_bytes()[..length]).is_err(), "first {length}");
    }
    for length in 0..signed.len() {
        let start = signed.get(..length).unwrap();
        assert!(verdict(Purpose::Api, format!("{start}.{mac}")).is_err(), "{start}");
    }
    for more in ["A", "AA", "AgEv", "AQNHRVQ", ".", "=", " "] {
        assert!(verdict(Purpose::Api, format!("{token}{more}")).is_err(), "{more}");
        assert!(verdict(Purpose::Api, format!("{signed}{more}.{mac}")).is_err(), "{more}");
    }
}

#[test]
fn a10_a_token_with_limits_is_an_api_token_alone() {
    let token = limited();
    for purpose in [Purpose::Session, Purpose::Device] {
        assert_eq!(verdict(purpose, &token), Err(TokenError::BadSignature), "{purpose:?}");
        let scope = scope(&[], &["/metrics"]);
        let claims = claims("alice", scope.as_scope());
        assert_eq!(ring().sign(purpose, &claims), None, "{purpose:?}");
        assert!(ring().sign(purpose, &Claims { scope: Scope::default(), ..claims }).is_some());
    }
}

#[test]
fn a_token_is_signed_up_to_its_longest() {
    let keys = Keys::parse(b"k MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").unwrap();
    let ring = KeyRing::derive(&keys, "ops", b"");
    let (user, mut longest) = ("u".repeat(64), 0);
    for length in 1..=255 {
        let path = format!("/{}", "x".repeat(length - 1));
        let scope = scope(&[], &[&path, "/a"]);
        let claims = claims(&user, scope.as_scope());
        let Some(token) = ring.sign(Purpose::Api, &claims) else { continue };
        assert!(token.len() <= MAX_LENGTH, "{length}");
        let mut buffer = PayloadBuffer::default();
        let verified = ring.verify(Purpose::Api, token.as_bytes(), NOW, &mut buffer).unwrap();
        assert_eq!(verified.claims, claims);
        assert_eq!(longest, length - 1, "none is signed that is longer than one that is not");
        longest = length;
    }
    // Of 347 bytes of payload 53 and the name stand before the limits; 4 are the limit "/a", 2 the
    // head of the other.
    assert_eq!(longest, 347 - 53 - 64 - 4 - 2);
}

fn any_scope() -> impl Strategy<Value = ScopeBuf> {
    let method = "[!#-'*+.^_`|~0-9A-Za-z-]{1,12}".prop_map(|text| (true, text));
    let path = "(/[a-z][a-z .;:é]{0,6}){1,4}/?".prop_map(|text| (false, text));
    prop::collection::vec(prop_oneof![method, path], 0..12).prop_map(|limits| {
        let mut scope = ScopeBuf::default();
        for (is_method, text) in limits {
            let added = if is_method { scope.add_method(&text) } else { scope.add_path(&text) };
            added.unwrap();
        }
        scope
    })
}

proptest! {
    #![proptest_config(cases(100_000))]

    #[test]
    fn every_limited_token_is_read_back(scope in any_scope(), user in "\\PC{1,32}") {
        let claims = claims(&user, scope.as_scope());
        let signed = ring().sign(Purpose::Api, &claims);
        // v1. KID . PAYLOAD . MAC, where a kind and a length stand before each limit
        let limits = claims.scope.methods().chain(claims.scope.paths()).map(|it| it.len() + 2);
        let payload = (53 + user.len() + limits.sum::<usize>()) * 4;
        let length = 3 + 8 + 1 + payload.div_ceil(3) + 1 + 43;
        prop_assert_eq!(signed.is_some(), length <= MAX_LENGTH);
        if let Some(token) = signed {
            prop_assert_eq!(token.len(), length);
            prop_assert_eq!(&inspect(token.as_bytes()).unwrap().scope, &scope);
            let mut buffer = PayloadBuffer::default();
            let verified = ring().verify(Purpose::Api, token.as_bytes(), NOW, &mut buffer).unwrap();
            prop_assert_eq!(verified.claims, claims);
        }
    }

    #[test]
    fn what_is_allowed_is_a_path_or_below_it(scope in any_scope(), path in "(/[a-c.;]{0,3}){0,3}") {
        let limits: Vec<_> = scope.as_scope().paths().collect();
        let below = limits.iter().any(|limit| {
            path == *limit || path.starts_with(&format!("{}/", limit.trim_end_matches('/')))
        });
        if !limits.is_empty() && scope.as_scope().methods().count() == 0 && !below {
            prop_assert!(!allows(&scope, "GET", &path));
        }
    }

    #[test]
    fn a1_every_edited_limited_token_is_refused(
        at in any::<prop::sample::Index>(),
        removed in 0_usize..4,
        added in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let token = limited().into_bytes();
        let start = at.index(token.len());
        let mut edited = token.clone();
        edited.splice(start..(start + removed).min(token.len()), added);
        prop_assert_eq!(verdict(Purpose::Api, &edited).is_ok(), edited == token);
    }
}
