//! Cookies, by the cases of group B: the names carry the case numbers.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod cases;
mod cookies_of;

use authgate_core::cookie::{
    CookieError, CookieSettings, GateCookies, MAX_VALUE, SameSite, Secure,
};
use cases::cases;
use proptest::prelude::*;

fn settings(domain: Option<&str>, same_site: SameSite, secure: Secure) -> CookieSettings {
    CookieSettings::new("authgate", domain, same_site, secure).unwrap()
}

fn cookies() -> CookieSettings {
    settings(None, SameSite::Lax, Secure::Auto)
}

fn all_of(settings: &CookieSettings) -> GateCookies {
    let mut all = GateCookies::default();
    all.add(settings);
    all
}

fn ours() -> GateCookies {
    all_of(&cookies())
}

fn candidates<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
    let found = cookies().candidates(false, &lines);
    found.map(|value| core::str::from_utf8(value).unwrap()).collect()
}

fn stripped(line: &str) -> String {
    let mut out = vec![0; line.len()];
    let length = cookies_of::strip(&ours(), line.as_bytes(), &mut out);
    String::from_utf8(out[..length].to_vec()).unwrap()
}

#[test]
fn b27_garbage_beside_the_token_hides_nothing() {
    assert_eq!(candidates(&["authgate=garbage; authgate=token"]), ["garbage", "token"]);
    assert_eq!(candidates(&["authgate=token; authgate=garbage"]), ["token", "garbage"]);
    assert_eq!(candidates(&["a=1; authgate=; b=2; authgate=token; c=3"]), ["", "token"]);
}

#[test]
fn b27_four_candidates_at_the_most() {
    let five = "authgate=1; authgate=2; authgate=3; authgate=4; authgate=5";
    assert_eq!(candidates(&[five]), ["1", "2", "3", "4"]);
    assert_eq!(candidates(&["authgate=1", five, five]), ["1", "1", "2", "3"]);
}

#[test]
fn b28_both_of_two_tokens_are_seen() {
    assert_eq!(candidates(&["authgate=alice; authgate=bob"]), ["alice", "bob"]);
}

#[test]
fn b29_lines_and_crumbs_are_one_header() {
    let crumbs = ["a=1", "authgate=x", "b=2", "authgate=y"];
    let line = crumbs.join("; ");
    assert_eq!(candidates(&crumbs), candidates(&[&line]));
    assert_eq!(candidates(&["a=1; authgate=x", "b=2; authgate=y"]), ["x", "y"]);
}

#[test]
fn b30_what_only_looks_like_our_cookie_is_not() {
    for line in [
        "AUTHGATE=x",
        "Authgate=x",
        "x=1, authgate=x",
        "\"authgate\"=x",
        "$Version=1; $authgate=x",
        "\\authgate=x",
        "x=1\\; xauthgate=x",
        "\u{2000}authgate=x",
        "\u{a0}authgate=x",
        "\x0bauthgate=x",
        "\x0cauthgate=x",
        "\rauthgate=x",
        "authgate =x",
        "authgate\x0b=x",
        "authgate-devices=x",
        "authgat=x",
        "authgate2=x",
        "__Host-authgate=x",
        "__host-authgate=x",
        "authgate-device=x",
    ] {
        assert_eq!(candidates(&[line]), [""; 0], "{line:?}");
    }
}

#[test]
fn b30_quotes_and_commas_belong_to_the_value() {
    assert_eq!(candidates(&["authgate=\"x\""]), ["\"x\""]);
    assert_eq!(candidates(&["x=\"1; authgate=x\""]), ["x\""]);
    assert_eq!(candidates(&["authgate=x, y=1"]), ["x, y=1"]);
    assert_eq!(candidates(&[" \t authgate=x=y=\t "]), ["x=y="]);
}

#[test]
fn b31_of_32_kib_of_cookies_four_are_looked_at() {
    let line = "authgate=x; ".repeat(32 * 1024 / 12);
    assert_eq!(candidates(&[&line]), ["x"; 4]);
    assert_eq!(stripped(&line), "");
}

#[test]
fn b32_degenerate_lines_hold_no_cookie() {
    for line in ["", "=", ";;=;", "&=", "authgate", " ", "\t;\t", ";", "==", "=authgate", "a;b"] {
        assert_eq!(candidates(&[line]), [""; 0], "{line:?}");
        assert!(!cookies_of::occur_in(&ours(), line.as_bytes()), "{line:?}");
        assert!(!ours().are_set_by(line.as_bytes()), "{line:?}");
    }
    assert_eq!(candidates(&[]), [""; 0]);
    assert_eq!(candidates(&["authgate="]), [""]);
}

#[test]
fn b33_a_value_over_1_kib_is_not_handed_on() {
    let (longest, longer) = ("x".repeat(MAX_VALUE), "x".repeat(MAX_VALUE + 1));
    assert_eq!(candidates(&[&format!("authgate={longest}")]), [longest]);
    assert_eq!(candidates(&[&format!("authgate={longer}; authgate=x")]), ["x"]);
    let line = format!("authgate={longer}; ").repeat(4) + "authgate=x";
    assert_eq!(candidates(&[&line]), [""; 0], "a value that is too long is a candidate too");
}

#[test]
fn b34_set_cookie_is_exact() {
    let cases = [
        (
            None,
            SameSite::Lax,
            Secure::Auto,
            true,
            "__Host-authgate=T; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=9",
        ),
        (
            None,
            SameSite::Lax,
            Secure::Auto,
            false,
            "authgate=T; Path=/; HttpOnly; SameSite=Lax; Max-Age=9",
        ),
        (
            None,
            SameSite::Strict,
            Secure::On,
            false,
            "__Host-authgate=T; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=9",
        ),
        (
            None,
            SameSite::Lax,
            Secure::Off,
            true,
            "authgate=T; Path=/; HttpOnly; SameSite=Lax; Max-Age=9",
        ),
        (
            Some("example.com"),
            SameSite::Lax,
            Secure::Auto,
            true,
            "authgate=T; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax; Max-Age=9",
        ),
        (
            Some(".example.com"),
            SameSite::None,
            Secure::On,
            false,
            "authgate=T; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=None; Max-Age=9",
        ),
        (
            Some("example.com"),
            SameSite::Lax,
            Secure::Auto,
            false,
            "authgate=T; Path=/; Domain=example.com; HttpOnly; SameSite=Lax; Max-Age=9",
        ),
    ];
    for (domain, same_site, secure, tls, expected) in cases {
        let settings = settings(domain, same_site, secure);
        let cleared = expected.replace("=T;", "=;").replace("Max-Age=9", "Max-Age=0");
        let device = expected.replacen("authgate=", "authgate-device=", 1);
        assert_eq!(settings.set(tls, "T", 9), expected);
        assert_eq!(settings.clear(tls), cleared);
        assert_eq!(settings.set_device(tls, "T", 9), device);
        assert!(ours().are_set_by(expected.as_bytes()) && ours().are_set_by(device.as_bytes()));
    }
}

#[test]
fn b34_only_the_name_that_would_be_written_is_read() {
    let line: &[u8] =
        b"authgate=plain; __Host-authgate=tls; authgate-device=p; __Host-authgate-device=t";
    let read = |settings: &CookieSettings, tls| -> Vec<_> {
        let session = settings.candidates(tls, &[line]);
        session.chain(settings.device_candidates(tls, &[line])).collect()
    };
    assert_eq!(read(&cookies(), true), [&b"tls"[..], b"t"]);
    assert_eq!(read(&cookies(), false), [&b"plain"[..], b"p"]);
    let behind_tls = settings(None, SameSite::Lax, Secure::On);
    assert_eq!(read(&behind_tls, false), [&b"tls"[..], b"t"]);
    let shared = settings(Some("example.com"), SameSite::Lax, Secure::Auto);
    assert_eq!(read(&shared, true), [&b"plain"[..], b"p"]);
    assert_eq!((cookies().name(true), cookies().name(false)), ("__Host-authgate", "authgate"));
}

#[test]
fn b35_our_cookies_are_taken_out_and_the_others_stay() {
    for (line, expected) in [
        ("a=1; authgate=x; b=2", "a=1; b=2"),
        ("authgate=x; a=1; b=2", "a=1; b=2"),
        ("a=1; b=2; authgate=x", "a=1; b=2"),
        ("authgate=x", ""),
        (" authgate=x ; ", ""),
        ("authgate=x; authgate=y;", ""),
        ("authgate=x; ; a=1", "a=1"),
        ("a=1;authgate=x;b=2", "a=1;b=2"),
        ("a=1;  b=2;authgate=x", "a=1;  b=2"),
        ("a=\"1, 2\"; authgate=x; b=\u{2603}", "a=\"1, 2\"; b=\u{2603}"),
        ("authgate-device=x; a=1; __Host-authgate=y; __Host-authgate-device=z", "a=1"),
        ("AUTHGATE=x; authgate=y; authgate2=z; authgate", "AUTHGATE=x; authgate2=z; authgate"),
        ("a=1; authgate=", "a=1"),
    ] {
        assert_eq!(stripped(line), expected, "{line:?}");
        assert!(cookies_of::occur_in(&ours(), line.as_bytes()), "{line:?}");
    }
}

#[test]
fn b35_all_forms_are_taken_out_whatever_the_connection() {
    for settings in [
        cookies(),
        settings(None, SameSite::Lax, Secure::On),
        settings(None, SameSite::Lax, Secure::Off),
        settings(Some("example.com"), SameSite::Lax, Secure::Auto),
    ] {
        let ours = all_of(&settings);
        for name in ["authgate", "__Host-authgate", "authgate-device", "__Host-authgate-device"] {
            let line = format!("{name}=x");
            assert!(cookies_of::occur_in(&ours, line.as_bytes()), "{name}");
            assert_eq!(cookies_of::strip(&ours, line.as_bytes(), &mut [0; 64]), 0, "{name}");
            assert!(ours.are_set_by(line.as_bytes()), "{name}");
        }
    }
}

#[test]
fn b35_what_is_kept_begins_with_a_cookie() {
    for line in [";; ;a=1; authgate=x", "; authgate=x;;a=1", " ;authgate=x; ;a=1;authgate=y"] {
        assert_eq!(stripped(line), "a=1", "{line:?}");
    }
    assert_eq!(stripped(";a=1;; b=2;authgate=x;;"), "a=1;; b=2;;");
}

#[test]
fn b35_too_little_room_gives_nothing_rather_than_half_a_cookie() {
    assert_eq!(cookies_of::strip(&ours(), b"a=1; authgate=x; b=2", &mut [0; 5]), 0);
}

#[test]
fn b36_an_upstream_that_sets_our_cookie_is_seen() {
    for set_cookie in [
        "authgate=x; Path=/",
        " \tauthgate \t= x",
        "authgate=",
        "__Host-authgate=x; Secure; Path=/",
        "authgate-device=x",
        "=authgate=x; Path=/",
        " = authgate=x",
    ] {
        assert!(ours().are_set_by(set_cookie.as_bytes()), "{set_cookie:?}");
    }
    for set_cookie in ["a=authgate=x", "a=1; authgate=x", "Authgate=x", "authgate", "authgates=x"] {
        assert!(!ours().are_set_by(set_cookie.as_bytes()), "{set_cookie:?}");
    }
}

#[test]
fn names_that_cannot_stand_in_a_cookie_are_refused() {
    let error = |name| CookieSettings::new(name, None, SameSite::Lax, Secure::Auto).unwrap_err();
    for name in ["", "a b", "a=b", "a;b", "a,b", "\"a\"", "é", "a\r\nb", "a\t", "a/b", "(a)"] {
        assert_eq!(error(name), CookieError::InvalidName, "{name:?}");
    }
    for name in ["__Host-a", "__Secure-a", "__host-a", "__SECURE-a", "__Host-"] {
        assert_eq!(error(name), CookieError::PrefixInName, "{name:?}");
    }
}

#[test]
fn domains_that_cannot_stand_in_a_cookie_are_refused() {
    let new = |domain| CookieSettings::new("a", Some(domain), SameSite::Lax, Secure::Auto);
    let (label, name) = ("a".repeat(64), "a.".repeat(127) + "a");
    for domain in [
        "",
        ".",
        "..a",
        "a..b",
        "a.",
        "-a.b",
        "a-",
        &label,
        &name,
        "a;b",
        "a b",
        "é.example",
        "a/b",
    ] {
        assert_eq!(new(domain).unwrap_err(), CookieError::InvalidDomain, "{domain:?}");
    }
    for domain in ["example.com", ".example.com", "a", "x-1.example", "127.0.0.1"] {
        assert!(new(domain).is_ok(), "{domain:?}");
    }
}

#[test]
fn a_domain_is_known_to_be_there() {
    let settings = |domain| settings(domain, SameSite::Lax, Secure::Auto);
    assert_eq!(settings(Some(".example.com")).domain(), Some("example.com"));
    assert_eq!(settings(None).domain(), None);
}

#[test]
fn samesite_none_wants_secure() {
    let new = |secure| CookieSettings::new("a", None, SameSite::None, secure);
    assert_eq!(new(Secure::Auto).unwrap_err(), CookieError::InsecureSameSiteNone);
    assert_eq!(new(Secure::Off).unwrap_err(), CookieError::InsecureSameSiteNone);
    assert!(new(Secure::On).is_ok());
}

#[test]
fn a_name_may_not_be_the_device_cookie_of_another_realm() {
    let named = |name| CookieSettings::new(name, None, SameSite::Lax, Secure::Auto).unwrap();
    assert!(named("a").collides_with(&named("a")));
    assert!(named("a").collides_with(&named("a-device")));
    assert!(named("a-device").collides_with(&named("a")));
    assert!(!named("a").collides_with(&named("b")));
}

/// Cookies as a browser sends them, some of them ours.
fn any_cookie() -> impl Strategy<Value = String> {
    prop_oneof![
        "(authgate|__Host-authgate|authgate-device|__Host-authgate-device)=[!-:<-~]{0,8}",
        "[!-:<>-~]{0,6}=[!-:<-~ ,\u{e9}]{0,8}[!-:<-~]",
        "(authgate|a|[!-:<>-~]{1,8})",
    ]
}

proptest! {
    #![proptest_config(cases(100_000))]

    #[test]
    fn b35_exactly_our_cookies_are_taken_out(
        pairs in proptest::collection::vec(any_cookie(), 1..8)
    ) {
        let others: Vec<_> =
            pairs.iter().filter(|pair| !cookies_of::occur_in(&ours(), pair.as_bytes())).cloned().collect();
        let line = pairs.join("; ");
        prop_assert_eq!(cookies_of::occur_in(&ours(), line.as_bytes()), others.len() < pairs.len());
        prop_assert_eq!(stripped(&line), others.join("; "));
    }

    #[test]
    fn b27_b29_the_first_four_of_our_name_are_read_in_order(
        lines in proptest::collection::vec(proptest::collection::vec(any_cookie(), 1..5), 0..4),
        tls in any::<bool>(),
    ) {
        let ours = if tls { "__Host-authgate=" } else { "authgate=" };
        let values = lines.iter().flatten().filter_map(|pair| pair.strip_prefix(ours));
        let expected: Vec<_> = values.take(4).map(str::as_bytes).collect();
        for separator in [";", "; ", "\t;\t "] {
            let lines: Vec<_> = lines.iter().map(|pairs| pairs.join(separator)).collect();
            let lines: Vec<_> = lines.iter().map(String::as_bytes).collect();
            let seen: Vec<_> = cookies().candidates(tls, &lines).collect();
            prop_assert_eq!(seen, &*expected);
        }
    }

    #[test]
    fn b36_what_a_browser_would_store_as_ours_is_seen(
        name in "[ \t]{0,2}(authgate|__Host-authgate-device|authgate[0-9]|[!-:<>-~]{0,4})[ \t]{0,2}",
        value in "[ \t]{0,2}((__Host-authgate|authgate|a)=?)?[!-:<-~]{0,6}[ \t]{0,2}",
        attributes in "(; ?[A-Za-z-]{1,8}(=[a-z0-9/]{1,8})?){0,3}",
    ) {
        let [name, value] = [name, value].map(|text| text.trim_matches([' ', '\t']).to_owned());
        // What it would send back (RFC 6265bis, section 5.8.3).
        let sent = if name.is_empty() { value.clone() } else { format!("{name}={value}") };
        for set in [format!("{name}={value}{attributes}"), format!(" {name} =\t{value} {attributes}")] {
            prop_assert_eq!(ours().are_set_by(set.as_bytes()), cookies_of::occur_in(&ours(), sent.as_bytes()));
        }
    }

    #[test]
    fn b32_no_line_breaks_the_parser(
        lines in proptest::collection::vec(
            proptest::collection::vec(
                prop_oneof![4 => Just(b';'), 4 => Just(b'='), 2 => Just(b' '), 1 => any::<u8>()],
                0..40,
            )
            .prop_map(|noise| [&noise[..], b"authgate=x"].concat()),
            0..6,
        )
    ) {
        let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        prop_assert!(cookies().candidates(false, &lines).count() <= 4);
        for line in lines {
            let mut out = vec![0; line.len()];
            let length = cookies_of::strip(&ours(), line, &mut out);
            prop_assert!(!cookies_of::occur_in(&ours(), &out[..length]));
            prop_assert_eq!(cookies().candidates(false, &[&out[..length]]).count(), 0);
            let _ = ours().are_set_by(line);
        }
    }
}
