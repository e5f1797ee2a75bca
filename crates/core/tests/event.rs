//! The log lines: stable, and one line whatever was typed.

use authgate_core::event::{Escaped, Event, Level, LoginMethod, Reason};
use authgate_core::gate::Cause;
use authgate_core::limit::LimitReason;
use authgate_core::status::Status;
use proptest::prelude::*;

fn user() -> String {
    "bob".into()
}

fn realm() -> String {
    "ops".into()
}

#[test]
fn every_line_to_the_letter() {
    let failed = |reason| Event::LoginFailed {
        user: user(),
        method: LoginMethod::Form,
        reason,
        realm: realm(),
    };
    let limited = |reason| Event::LoginLimited {
        user: user(),
        method: LoginMethod::Form,
        reason,
        realm: realm(),
        is_first: true,
    };
    let refused = |reason| Event::TokenRefused { reason, realm: realm() };
    for (event, level, line) in [
        (
            Event::LoginOk { user: user(), method: LoginMethod::Form, realm: realm() },
            Level::Info,
            r#"login ok, user "bob", realm "ops""#,
        ),
        (
            failed(Reason::BadPassword),
            Level::Error,
            r#"login failed, user "bob", reason "bad_password", realm "ops""#,
        ),
        (
            failed(Reason::UnknownUser),
            Level::Error,
            r#"login failed, user "bob", reason "unknown_user", realm "ops""#,
        ),
        (
            limited(LimitReason::Network),
            Level::Error,
            r#"login limited, user "bob", reason "network", realm "ops""#,
        ),
        (
            limited(LimitReason::User),
            Level::Error,
            r#"login limited, user "bob", reason "user", realm "ops""#,
        ),
        (
            limited(LimitReason::Place),
            Level::Error,
            r#"login limited, user "bob", reason "place", realm "ops""#,
        ),
        (
            Event::LoginBusy { user: user(), method: LoginMethod::Form, realm: realm() },
            Level::Warn,
            r#"login busy, user "bob", realm "ops""#,
        ),
        (
            Event::Logout { user: user(), realm: realm() },
            Level::Info,
            r#"logout, user "bob", realm "ops""#,
        ),
        (refused(Cause::Expired), Level::Info, r#"token refused, reason "expired", realm "ops""#),
        (
            refused(Cause::PasswordChanged),
            Level::Info,
            r#"token refused, reason "password_changed", realm "ops""#,
        ),
        (
            Event::WouldRefuse { reason: Status::Missing, realm: realm() },
            Level::Warn,
            r#"dry run: would refuse, reason "missing", realm "ops""#,
        ),
    ] {
        assert_eq!((event.to_string().as_str(), event.level()), (line, level));
    }
}

#[test]
fn each_event_has_its_status() {
    let failed = |reason| Event::LoginFailed {
        user: user(),
        method: LoginMethod::Form,
        reason,
        realm: realm(),
    };
    for (event, status) in [
        (Event::LoginOk { user: user(), method: LoginMethod::Form, realm: realm() }, "ok"),
        (failed(Reason::BadPassword), "bad_password"),
        (failed(Reason::UnknownUser), "unknown_user"),
        (
            Event::LoginLimited {
                user: user(),
                method: LoginMethod::Form,
                reason: LimitReason::User,
                realm: realm(),
                is_first: true,
            },
            "limited",
        ),
        (Event::LoginBusy { user: user(), method: LoginMethod::Form, realm: realm() }, "busy"),
        (Event::Logout { user: user(), realm: realm() }, "ok"),
        (Event::Forbidden { user: user(), realm: realm() }, "forbidden"),
        (Event::TokenRefused { reason: Cause::Revoked, realm: realm() }, "revoked"),
        (Event::TokenRefused { reason: Cause::UnknownKey, realm: realm() }, "unknown_key"),
        (Event::WouldRefuse { reason: Status::Expired, realm: realm() }, "expired"),
    ] {
        assert_eq!(event.status().as_str(), status, "{event}");
    }
}

#[test]
fn i116_every_name_in_a_line_is_escaped() {
    let user = String::from("\"\n, client: 1.2.3.4");
    let escaped = r#"user "\x22\x0A, client: 1.2.3.4","#;
    for event in [
        Event::LoginOk { user: user.clone(), method: LoginMethod::Form, realm: realm() },
        Event::LoginFailed {
            user: user.clone(),
            method: LoginMethod::Form,
            reason: Reason::BadPassword,
            realm: realm(),
        },
        Event::LoginLimited {
            user: user.clone(),
            method: LoginMethod::Form,
            reason: LimitReason::User,
            realm: realm(),
            is_first: true,
        },
        Event::LoginBusy { user: user.clone(), method: LoginMethod::Form, realm: realm() },
        Event::Logout { user, realm: realm() },
    ] {
        assert!(event.to_string().contains(escaped), "{event}");
    }
}

#[test]
fn i116_a_name_is_cut_after_64_bytes() {
    let of = |length: usize| Escaped(&"a".repeat(length)).to_string();
    assert_eq!(of(64), "a".repeat(64));
    assert_eq!(of(65), format!("{}...", "a".repeat(64)));
    assert_eq!(of(0), "");
}

proptest! {
    #[test]
    fn i116_any_name_is_plain_ascii_and_can_be_read_back(name in "\\PC{0,30}|[\\x00-\\xff]{0,80}|.{0,80}") {
        let escaped = Escaped(&name).to_string();
        prop_assert!(escaped.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"'));
        let (shown, is_cut) = match escaped.strip_suffix("...") {
            Some(shown) if name.len() > 64 => (shown, true),
            _ => (escaped.as_str(), false),
        };
        prop_assert_eq!(is_cut, name.len() > 64);
        let mut pieces = shown.split("\\x");
        let mut read = pieces.next().unwrap_or_default().as_bytes().to_vec();
        for piece in pieces {
            let (code, rest) = piece.split_at(2);
            read.push(u8::from_str_radix(code, 16)?);
            read.extend(rest.as_bytes());
        }
        prop_assert!(name.as_bytes().starts_with(&read));
        prop_assert!(read.len() <= 64 && (is_cut || read.len() == name.len()));
        prop_assert!(!is_cut || read.len() > 60, "cut at a character");
    }
}

#[test]
fn j136_of_refusals_the_log_has_the_first_alone() {
    let limited = |is_first| {
        let (user, method, reason) = (user(), LoginMethod::Basic, LimitReason::Network);
        Event::LoginLimited { user, method, reason, realm: realm(), is_first }
    };
    assert!(limited(true).is_logged());
    assert!(!limited(false).is_logged());
    assert!(Event::Logout { user: user(), realm: realm() }.is_logged());
}
