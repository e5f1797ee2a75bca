//! The gate, whatever cookies and times come.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

mod cases;
mod support;

use authgate_core::token::{Claims, Purpose, SessionId};
use cases::cases;
use proptest::prelude::*;
use support::*;

/// What may stand in a cookie of our name.
#[derive(Debug, Clone, Copy)]
enum Sort {
    Garbage,
    Expired,
    Ended,
    Alice { age: u64 },
    Bob,
}

fn any_sort() -> impl Strategy<Value = Sort> {
    prop_oneof![
        Just(Sort::Garbage),
        Just(Sort::Expired),
        Just(Sort::Ended),
        (0_u64..3000).prop_map(|age| Sort::Alice { age }),
        (0_u64..3000).prop_map(|age| Sort::Alice { age }),
        Just(Sort::Bob),
    ]
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn b27_b28_the_newest_cookie_of_one_user_counts(
        sorts in proptest::collection::vec(any_sort(), 0..7),
        in_one_line in any::<bool>(),
    ) {
        let realm = realm();
        let ended = SessionId([9; 16]);
        realm.ended().apply(&support::ended(ended, "alice", NOW + MAX), NOW);
        let alice = realm.claims("alice");
        let token = |sort: &Sort| match *sort {
            Sort::Garbage => "garbage".into(),
            Sort::Expired => realm.sign(Purpose::Session, &Claims { expires_at: NOW, ..alice.clone() }),
            Sort::Ended => realm.sign(Purpose::Session, &Claims { session: ended, ..alice.clone() }),
            Sort::Alice { age } => realm.sign(Purpose::Session, &Claims { issued_at: NOW - age, ..alice.clone() }),
            Sort::Bob => realm.session("bob"),
        };
        let tokens: Vec<String> = sorts.iter().map(token).collect();
        let request = if in_one_line && !tokens.is_empty() {
            get("/").cookie(&tokens.join("; authgate="))
        } else {
            tokens.iter().fold(get("/"), |request, token| request.cookie(token))
        };

        let seen = sorts.iter().take(4);
        let newest = seen.clone().filter_map(|sort| match sort {
            Sort::Alice { age } => Some(NOW - age),
            _ => None,
        }).max();
        let bob = seen.clone().any(|sort| matches!(sort, Sort::Bob));
        match (newest, bob) {
            (Some(issued_at), false) => {
                let identity = realm.admitted(&request, NOW);
                prop_assert_eq!((identity.user(), session_of(&identity).issued_at), ("alice", issued_at));
            }
            (None, true) => prop_assert_eq!(realm.says(&request, NOW), "ok bob"),
            (Some(_), true) => prop_assert_eq!(realm.says(&request, NOW), "malformed"),
            (None, false) => {
                let first = seen.clone().next().map_or("missing", |sort| match sort {
                    Sort::Expired => "expired",
                    Sort::Ended => "revoked",
                    _ => "malformed",
                });
                prop_assert_eq!(realm.says(&request, NOW), first);
            }
        }
    }

    #[test]
    fn a11_to_a14_exactly_the_times_that_hold_admit(
        issued in 0_u64..400, expires in 0_u64..400, ends in 0_u64..400, now in 0_u64..400,
    ) {
        let realm = realm();
        let [issued_at, expires_at, ends_at] = [issued, expires, ends].map(|time| NOW + time);
        let claims = Claims { issued_at, expires_at, ends_at, ..realm.claims("alice") };
        let request = get("/").cookie(&realm.sign(Purpose::Session, &claims));
        let holds = issued <= now + 60 && now < expires && expires <= ends;
        prop_assert_eq!(realm.says(&request, NOW + now) == "ok alice", holds);
    }
}
