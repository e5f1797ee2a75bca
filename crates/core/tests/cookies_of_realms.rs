//! J119: the cookies of all realms of a server at once, which read a line once however many there are.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod cases;
mod cookies_of;

use authgate_core::cookie::{CookieSettings, GateCookies, SameSite, Secure};
use cases::cases;
use proptest::prelude::*;

const REALMS: [&str; 8] = [
    "b",
    "authgate",
    "a",
    "dev",
    "ops",
    "sid",
    "authgatf",
    "longer-than-63-bytes-\
     longer-than-63-bytes-longer-than-63-bytes-longer-than-63-bytes-longer-than-63-bytes",
];

fn settings(name: &str) -> CookieSettings {
    CookieSettings::new(name, None, SameSite::Lax, Secure::Auto).unwrap()
}

fn of(realms: &[&str]) -> GateCookies {
    let mut cookies = GateCookies::default();
    realms.iter().for_each(|name| cookies.add(&settings(name)));
    cookies
}

fn stripped(cookies: &GateCookies, line: &str) -> String {
    let mut out = vec![0; line.len()];
    let length = cookies_of::strip(cookies, line.as_bytes(), &mut out);
    String::from_utf8(out[..length].to_vec()).unwrap()
}

#[test]
fn j119_no_realm_has_no_cookies() {
    let none = GateCookies::default();
    for line in ["", "=x", "authgate=x", "a=1; =; b"] {
        assert!(
            !cookies_of::occur_in(&none, line.as_bytes()) && !none.are_set_by(line.as_bytes()),
            "{line}"
        );
        assert_eq!(stripped(&none, line), line);
    }
}

#[test]
fn j119_a_realm_that_is_added_twice_is_there_once() {
    let cookies = of(&["ops", "dev", "ops"]);
    assert_eq!(stripped(&cookies, "ops=1; x=2; dev=3; ops-device=4"), "x=2");
}

#[test]
fn j119_all_names_of_all_realms_are_found_in_whatever_order_they_were_added() {
    let mut reversed = REALMS;
    reversed.reverse();
    for cookies in [of(&REALMS), of(&reversed)] {
        for realm in REALMS {
            for name in [realm.into(), format!("{realm}-device")] {
                for ours in [name.clone(), format!("__Host-{name}")] {
                    assert!(
                        cookies_of::occur_in(&cookies, format!("{ours}=x").as_bytes()),
                        "{ours}"
                    );
                    assert!(cookies.are_set_by(format!("{ours}=x").as_bytes()), "{ours}");
                }
                for other in [format!("{name}x"), format!("x{name}"), format!("__Secure-{name}")] {
                    assert!(
                        !cookies_of::occur_in(&cookies, format!("{other}=x").as_bytes()),
                        "{other}"
                    );
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn j119_all_at_once_leave_what_one_after_the_other_leave(
        realms in proptest::sample::subsequence(&REALMS[..], 0..8),
        pairs in proptest::collection::vec(
            prop_oneof![
                "(__Host-)?(b|a|authgate|authgatf|dev|ops|sid)(-device)?[ \t]?=[a-z=]{0,4}",
                "[ \t]{0,2}[a-z=]{0,3}",
            ],
            0..10,
        ),
        separator in prop_oneof![Just(";"), Just("; "), Just(" ;\t")],
    ) {
        let line = pairs.join(separator);
        let each = realms.iter().fold(line.clone(), |left, name| {
            let one = of(&[name]);
            if cookies_of::occur_in(&one, left.as_bytes()) { stripped(&one, &left) } else { left }
        });
        let all = of(&realms);
        prop_assert_eq!(cookies_of::occur_in(&all, line.as_bytes()), each != line);
        if each != line {
            prop_assert_eq!(stripped(&all, &line), each);
        }
    }
}
