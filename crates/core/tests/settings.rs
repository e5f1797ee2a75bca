//! The directives of a realm: what each takes, and what it says of the rest.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

use authgate_core::settings::{Accept, Builder, DIRECTIVES, Renew, SessionTimes, Settings};
use proptest::prelude::*;

fn builder() -> Builder {
    Builder::new("ops").unwrap()
}

/// A directive as it stands in a configuration, with arguments cut at blanks.
fn give<'d>(builder: &mut Builder, directive: &'d str) -> Result<&'static str, String> {
    let mut words = directive.split(' ').map(|word| if word == "''" { "" } else { word });
    let name: &'d str = words.next().unwrap();
    let args: Vec<&str> = words.collect();
    builder.directive(name, &args).map_err(|error| error.to_string())
}

fn settings(directives: &[&str]) -> Settings {
    let mut builder = builder();
    for directive in directives {
        give(&mut builder, directive).unwrap_or_else(|error| panic!("{directive}: {error}"));
    }
    builder.finish().unwrap()
}

fn with(directive: &str) -> Settings {
    settings(&["users u", directive])
}

fn mistake(directive: &str) -> String {
    match give(&mut builder(), directive) {
        Ok(_) => panic!("{directive} is taken"),
        Err(error) => error,
    }
}

#[test]
fn the_smallest_realm_has_the_defaults() {
    let settings = settings(&["users /etc/nginx/authgate/users"]);
    assert_eq!(settings.name, "ops");
    assert_eq!(settings.users_file, "/etc/nginx/authgate/users");
    assert_eq!(settings.keys_file, None);
    assert_eq!(settings.path, "/authgate/");
    assert_eq!(settings.session, SessionTimes { idle: 3600, max: 43200, renew: Renew::Any });
    assert_eq!(settings.accept, Accept::CookieAndBearer);
    assert_eq!(settings.zone_size, 1024 * 1024);
    let checks = &settings.checks;
    assert_eq!((checks.pool.as_str(), checks.running, checks.waiting), ("default", 2, 64));
    assert!(!settings.allow_weak);
    assert_eq!(
        settings.cookie.set(true, "x", 9),
        "__Host-authgate=x; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=9"
    );
    assert_eq!(
        settings.cookie.set(false, "x", 9),
        "authgate=x; Path=/; HttpOnly; SameSite=Lax; Max-Age=9"
    );
}

#[test]
fn a_realm_needs_users() {
    let error = builder().finish().unwrap_err();
    assert_eq!(error.to_string(), "no \"users\" directive in realm \"ops\"");
}

#[test]
fn i100_each_directive_once_and_only_known_ones() {
    let mut builder = builder();
    for directive in [
        "users u",
        "keys k",
        "path /p/",
        "cookie c",
        "session idle=1h",
        "checks running=1",
        "zone 1m",
        "accept cookie",
        "allow_weak on",
    ] {
        let name = directive.split(' ').next().unwrap();
        assert_eq!(give(&mut builder, directive).as_deref(), Ok(name));
        let duplicate = format!("\"{name}\" directive is duplicate");
        assert_eq!(give(&mut builder, directive), Err(duplicate));
        assert!(DIRECTIVES.contains(&name));
    }
    for unknown in ["Users u", "user u", "authgate_users u", " x", ""] {
        assert!(mistake(unknown).starts_with("unknown directive \""), "{unknown}");
    }
}

#[test]
fn i100_the_number_of_arguments() {
    for name in DIRECTIVES {
        let count = format!("invalid number of arguments in \"{name}\" directive");
        assert_eq!(mistake(name), count);
    }
    for directive in ["users a b", "keys a b", "path /a/ /b/", "zone 1m 1m", "allow_weak on on"] {
        assert!(mistake(directive).starts_with("invalid number of arguments"), "{directive}");
    }
}

#[test]
fn i100_every_bad_value_is_named() {
    for (directive, bad) in [
        ("users ''", ""),
        ("keys ''", ""),
        ("cookie c domain", "domain"),
        ("cookie c domain=", "domain="),
        ("cookie c domain=a.example domain=a.example", "domain=a.example"),
        ("cookie c samesite=Lax", "samesite=Lax"),
        ("cookie c samesite=", "samesite="),
        ("cookie c samesite=lax samesite=strict", "samesite=strict"),
        ("cookie c secure=yes", "secure=yes"),
        ("cookie c secure=on secure=on", "secure=on"),
        ("cookie c path=/", "path=/"),
        ("cookie c d", "d"),
        ("session 1h", "1h"),
        ("session idle=", "idle="),
        ("session idle=0", "idle=0"),
        ("session max=0s", "max=0s"),
        ("session idle=1x", "idle=1x"),
        ("session idle=-1", "idle=-1"),
        ("session idle=+1", "idle=+1"),
        ("session idle=1h idle=2h", "idle=2h"),
        ("session max=1h max=1h", "max=1h"),
        ("session max=101y", "max=101y"),
        ("session Idle=1h", "Idle=1h"),
        ("session idle=1h ''", ""),
        ("checks pool=", "pool="),
        ("checks pool=a pool=a", "pool=a"),
        ("checks running=0", "running=0"),
        ("checks running=65", "running=65"),
        ("checks running=+2", "running=+2"),
        ("checks running=-1", "running=-1"),
        ("checks running=1 running=2", "running=2"),
        ("checks waiting=", "waiting="),
        ("checks waiting=65537", "waiting=65537"),
        ("checks waiting=99999999999999999999", "waiting=99999999999999999999"),
        ("checks waiting=1 waiting=1", "waiting=1"),
        ("checks waiting", "waiting"),
        ("checks threads=1", "threads=1"),
        ("zone ''", ""),
        ("zone x", "x"),
        ("zone 1g", "1g"),
        ("zone -1m", "-1m"),
        ("accept Cookie", "Cookie"),
        ("accept cookie cookie", "cookie"),
        ("accept bearer cookie bearer", "bearer"),
        ("accept ''", ""),
        ("allow_weak yes", "yes"),
        ("allow_weak ''", ""),
    ] {
        let name = directive.split(' ').next().unwrap();
        let expected = format!("invalid parameter \"{bad}\" in \"{name}\" directive");
        assert_eq!(mistake(directive), expected, "{directive}");
    }
}

#[test]
fn i100_mistakes_with_words_of_their_own() {
    for (directive, error) in [
        ("zone 63k", "zone size 64512 is too small: at least 64k is needed"),
        ("zone 0", "zone size 0 is too small: at least 64k is needed"),
        ("session idle=2h max=1h", "session idle time is longer than its max time"),
        ("session max=1h idle=61m", "session idle time is longer than its max time"),
        ("cookie ''", "invalid cookie name"),
        ("cookie a=b", "invalid cookie name"),
        ("cookie ä", "invalid cookie name"),
        (
            "cookie __Host-a",
            "cookie name must not have a \"__Host-\" or \"__Secure-\" prefix, it is added",
        ),
        ("cookie c domain=a..example", "invalid cookie domain"),
        ("cookie c domain=a;Path=/x", "invalid cookie domain"),
        ("cookie c samesite=none", "\"samesite=none\" requires \"secure=on\""),
        ("cookie c samesite=none secure=auto", "\"samesite=none\" requires \"secure=on\""),
    ] {
        assert_eq!(mistake(directive), error, "{directive}");
    }
}

#[test]
fn a_refused_directive_leaves_its_place_free() {
    let mut builder = builder();
    assert!(give(&mut builder, "zone 1k").is_err());
    assert!(give(&mut builder, "zone 1m").is_ok());
}

#[test]
fn the_realm_s_name() {
    for name in ["ops", "a", "A-1_b.c", &"x".repeat(64)] {
        assert!(Builder::new(name).is_ok(), "{name}");
    }
    for name in ["", " ", "a b", "a\"", "a\\", "ä", "a/b", "a\n", "a\r\nb", &"x".repeat(65)] {
        let error = Builder::new(name).unwrap_err().to_string();
        assert!(error.starts_with(&format!("invalid realm name \"{name}\"")), "{error}");
    }
}

#[test]
fn the_path() {
    let longest = format!("/{}/", "a".repeat(126));
    for path in ["/a/", "/authgate/", "/a/b.c/~d_e-f/", "/.well-known/", "/.../", &longest] {
        assert_eq!(with(&format!("path {path}")).path, path);
    }
    let too_long = format!("/{}/", "a".repeat(127));
    for path in [
        "/", "//", "a/", "/a", "a", "/a//", "//a/", "/a//b/", "/./", "/../", "/a/../", "/a/./b/",
        "/a%2f/", "/a?/", "/a#/", "/a;/", "/a\\/", "/a\"/", "/ä/", "/a:/", "/$uri/", &too_long,
    ] {
        assert!(mistake(&format!("path {path}")).starts_with("invalid path"), "{path}");
    }
    assert!(mistake("path ''").starts_with("invalid parameter"));
}

#[test]
fn the_cookie() {
    let set = |directive: &str| with(directive).cookie.set(true, "x", 9);
    for (directive, cookie) in [
        ("cookie c", "__Host-c=x; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=9"),
        ("cookie c secure=off", "c=x; Path=/; HttpOnly; SameSite=Lax; Max-Age=9"),
        (
            "cookie c samesite=strict secure=on",
            "__Host-c=x; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=9",
        ),
        (
            "cookie c secure=on samesite=none",
            "__Host-c=x; Path=/; Secure; HttpOnly; SameSite=None; Max-Age=9",
        ),
        (
            "cookie c domain=.a.example samesite=lax secure=auto",
            "c=x; Path=/; Domain=a.example; Secure; HttpOnly; SameSite=Lax; Max-Age=9",
        ),
    ] {
        assert_eq!(set(directive), cookie, "{directive}");
    }
}

#[test]
fn the_session_s_times() {
    for (directive, idle, max) in [
        ("session idle=30m", 1800, 43200),
        ("session max=30m", 1800, 1800),
        ("session max=1d", 3600, 86400),
        ("session idle=1d", 86400, 86400),
        ("session idle=1h30m max=1w2d", 5400, 777_600),
        ("session max=90 idle=90s", 90, 90),
        ("session idle=1 max=100y", 1, 3_153_600_000),
    ] {
        assert_eq!(
            with(directive).session,
            SessionTimes { idle, max, renew: Renew::Any },
            "{directive}"
        );
    }
}

#[test]
fn the_checks_the_zone_and_the_rest() {
    let checks = with("checks waiting=0 running=64 pool=slow").checks;
    assert_eq!((checks.pool.as_str(), checks.running, checks.waiting), ("slow", 64, 0));
    let checks = with("checks waiting=65536").checks;
    assert_eq!((checks.pool.as_str(), checks.running, checks.waiting), ("default", 2, 65536));

    for (zone, bytes) in [("64k", 65536), ("65536", 65536), ("2M", 2 << 20), ("64K", 65536)] {
        assert_eq!(with(&format!("zone {zone}")).zone_size, bytes);
    }
    for (directive, accept, cookie, bearer) in [
        ("accept cookie", Accept::Cookie, true, false),
        ("accept bearer", Accept::Bearer, false, true),
        ("accept cookie bearer", Accept::CookieAndBearer, true, true),
        ("accept bearer cookie", Accept::CookieAndBearer, true, true),
    ] {
        let accept_is = with(directive).accept;
        assert_eq!((accept_is, accept_is.cookie(), accept_is.bearer()), (accept, cookie, bearer));
    }
    assert!(with("allow_weak on").allow_weak && !with("allow_weak off").allow_weak);
    assert_eq!(with("keys /k").keys_file.as_deref(), Some("/k"));
}

const ALL: [&str; 9] = [
    "users u",
    "keys k",
    "path /p/",
    "cookie c domain=a.example secure=on",
    "session idle=1m max=1h",
    "checks pool=p running=3 waiting=4",
    "zone 2m",
    "accept bearer",
    "allow_weak on",
];

proptest! {
    #[test]
    fn in_any_order_it_is_the_same_realm(order in Just(ALL.to_vec()).prop_shuffle()) {
        prop_assert_eq!(format!("{:?}", settings(&order)), format!("{:?}", settings(&ALL)));
    }

    #[test]
    fn what_is_taken_holds_what_the_rest_relies_on(
        name in proptest::sample::select(DIRECTIVES.to_vec()),
        args in proptest::collection::vec(
            "\\PC{0,8}|/[a-z./]{0,6}/?|(idle|max)=[0-9]{1,9}[smhdwMy]?|(running|waiting|pool)=[0-9+]{0,6}|[0-9]{1,9}[kKmM]?|(cookie|bearer|on|off)",
            0..3,
        ),
    ) {
        let mut builder = builder();
        builder.directive("users", &["u"]).unwrap();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let taken = builder.directive(name, &args);
        prop_assert!(name != "users" || taken.is_err());
        let settings = builder.finish().unwrap();
        let path = settings.path.as_bytes();
        prop_assert!(path.len() > 2 && path.starts_with(b"/") && path.ends_with(b"/"));
        prop_assert!(!settings.path.contains("//") && path.is_ascii());
        let SessionTimes { idle, max, .. } = settings.session;
        prop_assert!(0 < idle && idle <= max && max <= 100 * 365 * 86400);
        prop_assert!((1..=64).contains(&settings.checks.running) && !settings.checks.pool.is_empty());
        prop_assert!(settings.checks.waiting <= 65536 && settings.zone_size >= 65536);
    }
}
