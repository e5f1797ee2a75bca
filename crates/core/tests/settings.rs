//! The directives of a realm: what each takes, and what it says of the rest.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod support;

use authgate_core::limit::Limits;
use authgate_core::settings::{Accept, Builder, DIRECTIVES, Renew, SessionTimes};
use proptest::prelude::*;
use support::directives::{builder, mistake, settings, with};

#[test]
fn the_smallest_realm_has_the_defaults() {
    let settings = settings(&["users /etc/nginx/authgate/users"]);
    assert_eq!(settings.name, "ops");
    assert_eq!(settings.users_file, "/etc/nginx/authgate/users");
    let others = (settings.groups_file, settings.keys_file, settings.state_dir);
    assert_eq!(others, (None, None, None));
    let limits = Limits { retries: 5, find: 120_000, ban: 300_000, user_retries: 50 };
    assert_eq!(settings.limits, Some(limits), "on unless switched off");
    assert_eq!(settings.path, "/authgate/");
    assert_eq!(settings.session, SessionTimes { idle: 3600, max: 43200, renew: Renew::Any });
    assert_eq!(settings.accept, Accept::COOKIE.and(Accept::BEARER));
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
        ("session idle=1 max=1y", 1, 31_536_000),
    ] {
        assert_eq!(
            with(directive).session,
            SessionTimes { idle, max, renew: Renew::Any },
            "{directive}"
        );
    }
}

#[test]
fn what_renews_a_session() {
    let of = |directive: &str| with(directive).session;
    let default = SessionTimes { idle: 3600, max: 43200, renew: Renew::Any };
    assert_eq!(of("session renew=any"), default);
    assert_eq!(
        of("session renew=navigation"),
        SessionTimes { renew: Renew::Navigation, ..default }
    );
    let all = SessionTimes { idle: 60, max: 120, renew: Renew::Navigation };
    assert_eq!(of("session renew=navigation max=2m idle=1m"), all);
}

#[test]
fn the_limits() {
    let default = Limits { retries: 5, find: 120_000, ban: 300_000, user_retries: 50 };
    for (directive, limits) in [
        ("limit retries=1", Limits { retries: 1, ..default }),
        ("limit find=1h30m", Limits { find: 5_400_000, ..default }),
        ("limit ban=10", Limits { ban: 10_000, ..default }),
        ("limit user_retries=100000", Limits { user_retries: 100_000, ..default }),
        (
            "limit user_retries=7 ban=100y find=1s retries=100000",
            Limits { retries: 100_000, find: 1000, ban: 3_153_600_000_000, user_retries: 7 },
        ),
    ] {
        assert_eq!(with(directive).limits, Some(limits), "{directive}");
    }
    assert_eq!(with("limit off").limits, None);
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
        ("accept cookie", Accept::COOKIE, true, false),
        ("accept bearer", Accept::BEARER, false, true),
        ("accept cookie bearer", Accept::COOKIE.and(Accept::BEARER), true, true),
        ("accept bearer cookie", Accept::COOKIE.and(Accept::BEARER), true, true),
    ] {
        let accept_is = with(directive).accept;
        assert_eq!((accept_is, accept_is.cookie(), accept_is.bearer()), (accept, cookie, bearer));
    }
    assert!(with("allow_weak on").allow_weak && !with("allow_weak off").allow_weak);
    assert_eq!(with("groups /g").groups_file.as_deref(), Some("/g"));
    assert_eq!(with("keys /k").keys_file.as_deref(), Some("/k"));
    assert_eq!(with("state /s").state_dir.as_deref(), Some("/s"));
}

const ALL: [&str; 12] = [
    "users u",
    "groups g",
    "keys k",
    "state s",
    "path /p/",
    "cookie c domain=a.example secure=on",
    "session idle=1m max=1h renew=navigation",
    "limit retries=3 find=1h ban=1d user_retries=9",
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
            "\\PC{0,8}|/[a-z./]{0,6}/?|(idle|max|find|ban)=[0-9]{1,9}[smhdwMy]?|(running|waiting|pool|retries|user_retries)=[0-9+]{0,6}|[0-9]{1,9}[kKmM]?|(cookie|bearer|on|off)",
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
        prop_assert!(0 < idle && idle <= max && max <= 365 * 86400);
        let max_time = 100 * 365 * 86_400_000;
        if let Some(Limits { retries, find, ban, user_retries }) = settings.limits {
            prop_assert!([retries, user_retries].iter().all(|n| (1..=100_000).contains(n)));
            prop_assert!([find, ban].iter().all(|time| (1000..=max_time).contains(time)));
        }
        prop_assert!((1..=64).contains(&settings.checks.running) && !settings.checks.pool.is_empty());
        prop_assert!(settings.checks.waiting <= 65536 && settings.zone_size >= 65536);
    }
}

#[test]
fn one_login_for_many_hosts() {
    let settings = settings(&[
        "users u",
        "keys k",
        "cookie c domain=example.com",
        "login_url https://login.example.com:8443/authgate/login",
        "return_hosts app.example.com .tools.example.com",
    ]);
    let login = settings.login_url.unwrap();
    assert_eq!(login.as_str(), "https://login.example.com:8443/authgate/login");
    assert_eq!(login.origin(), "https://login.example.com:8443");
    for (host, listed) in
        [("app.example.com", true), ("a.tools.example.com", true), ("login.example.com", false)]
    {
        assert_eq!(settings.return_hosts.allow(host), listed, "{host}");
    }
    let smallest = with("zone 1m");
    assert_eq!(smallest.login_url, None);
    assert!(!smallest.return_hosts.allow("app.example.com"));
}

#[test]
fn g85a_the_proxies_that_are_believed() {
    let peer = |text: &str| Some(text.parse().unwrap());
    let settings = with("forwarded 192.0.2.7 2001:db8::/32 unix:");
    for (address, believed) in [
        (peer("192.0.2.7"), true),
        (peer("::ffff:192.0.2.7"), true),
        (peer("192.0.2.8"), false),
        (peer("2001:db8::1"), true),
        (None, true),
    ] {
        assert_eq!(settings.forwarded.contains(address), believed, "{address:?}");
        assert!(!with("zone 1m").forwarded.contains(address), "nobody by default");
    }
}
