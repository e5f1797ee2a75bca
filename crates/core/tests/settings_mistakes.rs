//! What the directives of a realm say of what they do not take.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod support;

use authgate_core::settings::DIRECTIVES;
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
fn a_realm_needs_users() {
    let error = builder().finish().unwrap_err();
    assert_eq!(error.to_string(), "no \"users\" directive in realm \"ops\"");
}
