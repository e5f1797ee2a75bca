//! What the directives of a realm say of what they do not take.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod support;

use authgate_core::settings::{DIRECTIVES, SettingsWarning};
use support::directives::{builder, give, mistake};

#[test]
fn i100_each_directive_once_and_only_known_ones() {
    let mut builder = builder();
    for directive in [
        "users u",
        "groups g",
        "keys k",
        "state s",
        "path /p/",
        "login_url https://login.example.com/authgate/login",
        "return_hosts a.example",
        "forwarded ::1",
        "cookie c",
        "session idle=1h",
        "limit off",
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
    for directive in [
        "users a b",
        "groups a b",
        "keys a b",
        "state a b",
        "path /a/ /b/",
        "login_url http://a.example/ http://b.example/",
        "zone 1m 1m",
        "allow_weak on on",
    ] {
        assert!(mistake(directive).starts_with("invalid number of arguments"), "{directive}");
    }
}

#[test]
fn i100_every_bad_value_is_named() {
    for (directive, bad) in [
        ("users ''", ""),
        ("groups ''", ""),
        ("keys ''", ""),
        ("state ''", ""),
        ("login_url ''", ""),
        ("forwarded localhost", "localhost"),
        ("forwarded 192.0.2.7 all", "all"),
        ("forwarded 192.0.2.0/33", "192.0.2.0/33"),
        ("forwarded ''", ""),
        ("forwarded unix:/run/x", "unix:/run/x"),
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
        ("session renew=", "renew="),
        ("session renew=all", "renew=all"),
        ("session renew=Any", "renew=Any"),
        ("session renew=any renew=any", "renew=any"),
        ("session idle=1h renew", "renew"),
        ("session idle=1h ''", ""),
        ("limit on", "on"),
        ("limit Off", "Off"),
        ("limit ''", ""),
        ("limit off retries=5", "off"),
        ("limit retries=5 off", "off"),
        ("limit off off", "off"),
        ("limit retries", "retries"),
        ("limit retries=", "retries="),
        ("limit retries=0", "retries=0"),
        ("limit retries=100001", "retries=100001"),
        ("limit retries=4294967297", "retries=4294967297"),
        ("limit retries=+5", "retries=+5"),
        ("limit retries=5 retries=6", "retries=6"),
        ("limit user_retries=0", "user_retries=0"),
        ("limit user_retries=100001", "user_retries=100001"),
        ("limit user_retries=-1", "user_retries=-1"),
        ("limit user_retries=1 user_retries=1", "user_retries=1"),
        ("limit find=0", "find=0"),
        ("limit find=", "find="),
        ("limit find=2x", "find=2x"),
        ("limit find=1m find=1m", "find=1m"),
        ("limit ban=0s", "ban=0s"),
        ("limit ban=101y", "ban=101y"),
        ("limit ban=1m ban=2m", "ban=2m"),
        ("limit Retries=5", "Retries=5"),
        ("limit tries=5", "tries=5"),
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

/// What has ended is remembered for as long as anything can hold.
#[test]
fn j124_no_session_lasts_longer_than_a_year() {
    let mistaken = "session max time is too long: what has ended is remembered for a year, use at most \"max=365d\"";
    for long in ["max=366d", "max=365d1s", "max=1y1s", "max=100y", "idle=366d", "idle=2y max=2y"] {
        assert_eq!(mistake(&format!("session {long}")), mistaken, "{long}");
    }
    for year in
        ["session max=365d", "session max=1y", "session idle=365d", "session idle=1y max=1y"]
    {
        assert_eq!(give(&mut builder(), year).as_deref(), Ok("session"), "{year}");
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
fn i100_hosts_to_return_to() {
    for bad in [
        "",
        ".",
        "*",
        "*.",
        "**.a.example",
        "a.*",
        "*.a.*",
        "a..example",
        "a.example.",
        "-a_b",
        "a.example:443",
        "https://a.example",
        "a.example/",
        "~a",
        "caf\u{e9}.example",
        "1.2.3",
        "127.1",
        "0x7f.1",
        "a.0x7f",
        ".1",
        "*.2",
        "[::1]",
        "::1",
        "192.0.2.07",
        "a b",
    ] {
        let error =
            format!("invalid host name or wildcard \"{bad}\" in \"return_hosts\" directive");
        let given = builder().directive("return_hosts", &["a.example", bad]);
        assert_eq!(given.map_err(|error| error.to_string()), Err(error));
    }
}

#[test]
fn i100_the_login_page_of_another_server() {
    for bad in [
        "/authgate/login",
        "login.example.com/authgate/login",
        "//login.example.com/authgate/login",
        "https:/login.example.com/authgate/login",
        "HTTPS://login.example.com/authgate/login",
        "ftp://login.example.com/authgate/login",
        "https://login.example.com",
        "https:///authgate/login",
        "https://login.example.com:/authgate/login",
        "https://login.example.com:99999/authgate/login",
        "https://alice@login.example.com/authgate/login",
        "https://alice:x@login.example.com/authgate/login",
        "https://login.example.com/authgate/login?x",
        "https://login.example.com/authgate/login#x",
        "https://login.example.com/authgate/login\"",
        "https://login.example.com/authgate/../login",
        "https://login.example.com//login",
        "https://login.example.com\\/login",
        "https://login.example.com/log in",
        "https://login example.com/login",
        "https://login.example.com/$login\n",
    ] {
        let error = builder().directive("login_url", &[bad]).unwrap_err().to_string();
        let told =
            format!("invalid URL \"{bad}\" in \"login_url\" directive: it must be an absolute");
        assert!(error.starts_with(&told), "{error}");
    }
    for good in [
        "https://login.example.com/authgate/login",
        "http://127.0.0.1:8080/authgate/login",
        "https://[::1]:8443/login",
        "https://login.example.com/",
    ] {
        assert!(builder().directive("login_url", &[good]).is_ok(), "{good}");
    }
}

#[test]
fn i100_a_login_elsewhere_needs_keys_and_a_domain() {
    let login = "login_url https://login.example.com/authgate/login";
    let finish = |directives: &[&str]| {
        let mut builder = builder();
        for directive in directives {
            give(&mut builder, directive).unwrap();
        }
        builder.finish().map(drop).map_err(|error| error.to_string())
    };
    let (keys, domain) = ("keys k", "cookie c domain=example.com");
    for (directives, missing) in [
        (&[login, "users u", domain][..], "\"keys\""),
        (&["users u", keys, login], "\"cookie\" with \"domain=\""),
        (&["users u", login, keys, "cookie c"], "\"cookie\" with \"domain=\""),
        (&["users u", login], "\"keys\" and \"cookie\" with \"domain=\""),
    ] {
        let error = format!("\"login_url\" requires {missing} in realm \"ops\"");
        assert_eq!(finish(directives), Err(error), "{directives:?}");
    }
    assert_eq!(finish(&[login, "users u", domain, keys]), Ok(()));
    assert_eq!(finish(&["users u", "return_hosts a.example"]), Ok(()), "a login server");
}

#[test]
fn j138_hosts_that_the_cookie_does_not_go_to() {
    let finish = |domain: &str, host: &str| {
        let mut builder = builder();
        let hosts = format!("return_hosts app.example.com {host}");
        for directive in ["users u", &format!("cookie c domain={domain}"), &hosts] {
            give(&mut builder, directive).unwrap();
        }
        let settings =
            builder.finish().map_err(|mistake| (mistake.to_string(), mistake.directive()));
        settings.map(|settings| assert_eq!(settings.warnings().count(), 0))
    };
    for host in [
        "example.com",
        "a.example.com",
        "A.B.Example.COM",
        ".example.com",
        "*.example.com",
        "*.a.example.com",
        ".a.example.com",
    ] {
        assert_eq!(finish("example.com", host), Ok(()), "{host}");
        assert_eq!(finish(".Example.com", host), Ok(()), "{host}");
    }
    for host in [
        "example.org",
        "com",
        "anexample.com",
        "example.com.evil.test",
        "*.com",
        ".com",
        "*.example.org",
        "localhost",
        "192.0.2.7",
    ] {
        let (mistake, directive) = finish("example.com", host).unwrap_err();
        let start = format!(
            "host \"{host}\" in \"return_hosts\" is outside of the cookie's \"domain=example.com\": no session"
        );
        assert!(mistake.starts_with(&start), "{mistake}");
        assert_eq!(directive, Some("return_hosts"));
    }
    // The domain of an address is that address alone.
    let mut builder = builder();
    for directive in ["users u", "cookie c domain=192.0.2.7", "return_hosts 192.0.2.7"] {
        give(&mut builder, directive).unwrap();
    }
    assert!(builder.finish().is_ok());
}

#[test]
fn j138_a_login_page_that_cannot_set_the_cookie() {
    for (url, host) in [
        ("https://login.example.org/authgate/login", "login.example.org"),
        ("https://com:8443/authgate/login", "com"),
        ("https://192.0.2.7:8443/authgate/login", "192.0.2.7"),
        ("https://[::1]:8443/authgate/login", "[::1]"),
    ] {
        let mut builder = builder();
        let login = format!("login_url {url}");
        for directive in ["users u", "keys k", "cookie c domain=example.com", &login] {
            give(&mut builder, directive).unwrap();
        }
        let mistake = builder.finish().unwrap_err();
        let start = format!(
            "host \"{host}\" in \"login_url\" is outside of the cookie's \"domain=example.com\": no session"
        );
        assert!(mistake.to_string().starts_with(&start), "{mistake}");
        assert_eq!(mistake.directive(), Some("login_url"));
    }
}

#[test]
fn j138_without_a_domain_there_is_a_warning() {
    for (directives, warned) in [
        (&["users u", "return_hosts app.example.com *.example.net"][..], Some("app.example.com")),
        (&["users u", "cookie c", "return_hosts .example.com"], Some(".example.com")),
        (&["users u", "return_hosts 192.0.2.7"], Some("192.0.2.7")),
        (&["users u", "cookie c domain=example.com", "return_hosts *.example.com"], None),
        (&["users u", "cookie c"], None),
    ] {
        let mut builder = builder();
        for directive in directives {
            give(&mut builder, directive).unwrap();
        }
        let warnings: Vec<_> = builder.finish().unwrap().warnings().collect();
        let named = |warning: &SettingsWarning| {
            assert_eq!(warning.directive(), "return_hosts");
            let text = warning.to_string();
            text.split("is sent back to \"").nth(1).unwrap().split('"').next().unwrap().to_owned()
        };
        let named: Vec<_> = warnings.iter().map(named).collect();
        assert_eq!(named, Vec::from_iter(warned), "{directives:?}");
    }
}

#[test]
fn a_refused_directive_leaves_its_place_free() {
    let mut builder = builder();
    assert!(give(&mut builder, "zone 1k").is_err());
    assert!(give(&mut builder, "zone 1m").is_ok());
}

#[test]
fn a_realm_needs_users() {
    let error = builder().finish().unwrap_err();
    assert_eq!(error.to_string(), "no \"users\" directive in realm \"ops\"");
}
