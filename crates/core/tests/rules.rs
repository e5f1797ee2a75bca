//! `authgate_require`: what it takes, and whom it lets in.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

use authgate_core::rules::{Rule, Rules};
use proptest::prelude::*;

fn rule(directive: &str) -> Rule {
    Rule::parse(&directive.split(' ').collect::<Vec<_>>()).unwrap()
}

fn groups(names: &[&str]) -> Vec<Box<str>> {
    names.iter().copied().map(Box::from).collect()
}

#[test]
fn users_and_groups_of_one_directive_are_alternatives() {
    let rule = rule("user=alice,bob group=sre,ops");
    for (user, of, allowed) in [
        ("alice", &[][..], true),
        ("bob", &["dev"], true),
        ("carol", &["dev", "ops"], true),
        ("carol", &["dev"], false),
        ("carol", &[], false),
        ("sre", &[], false),
        ("carol", &["alice"], false),
    ] {
        assert_eq!(rule.allows(user, &groups(of)), allowed, "{user} {of:?}");
    }
}

#[test]
fn names_are_compared_exactly() {
    let rule = rule("user=alice group=sre");
    for user in ["Alice", "alic", "alice ", "alicea", "alice,", "", "ALICE", "alice\0"] {
        assert!(!rule.allows(user, &[]), "{user:?}");
    }
    for group in ["SRE", "sr", "srex", " sre", "sre,ops", ""] {
        assert!(!rule.allows("bob", &groups(&[group])), "{group:?}");
    }
}

#[test]
fn several_directives_must_all_hold() {
    let rules = Rules(vec![rule("group=sre"), rule("user=alice group=night")]);
    assert!(rules.allows("alice", &groups(&["sre"])));
    assert!(rules.allows("bob", &groups(&["night", "sre"])));
    assert!(!rules.allows("bob", &groups(&["sre"])));
    assert!(!rules.allows("alice", &groups(&["night"])));
    assert!(Rules::default().allows("anyone", &[]), "no directive asks for nothing more");
}

#[test]
fn names_may_be_anything_that_files_may_name() {
    let longest = "é".repeat(64);
    let rule = Rule::parse(&[&format!("user=a b,x=y,{longest}"), "group=on call,ä=ö"]).unwrap();
    for user in ["a b", "x=y", &longest] {
        assert!(rule.allows(user, &[]), "{user}");
    }
    for group in ["on call", "ä=ö"] {
        assert!(rule.allows("u", &groups(&[group])), "{group}");
    }
}

#[test]
fn i100_every_bad_parameter_is_named() {
    let count = "invalid number of arguments in \"authgate_require\" directive";
    assert_eq!(Rule::parse(&[]).unwrap_err().to_string(), count);
    let long = format!("user={}", "x".repeat(129));
    for (args, bad) in [
        (&["user="][..], "user="),
        (&["group="], "group="),
        (&["user"], "user"),
        (&["alice"], "alice"),
        (&[""], ""),
        (&["=a"], "=a"),
        (&["User=a"], "User=a"),
        (&["users=a"], "users=a"),
        (&[" user=a"], " user=a"),
        (&["group=x", "nobody"], "nobody"),
        (&["user=a,"], "user=a,"),
        (&["user=,a"], "user=,a"),
        (&["user=a,,b"], "user=a,,b"),
        (&["user=a,b,a"], "user=a,b,a"),
        (&["user=a", "user=b"], "user=b"),
        (&["group=x", "user=a", "group=x"], "group=x"),
        (&["user=a\tb"], "user=a\tb"),
        (&["user=a\u{7f}"], "user=a\u{7f}"),
        (&["group=x, y"], "group=x, y"),
        (&["group= x"], "group= x"),
        (&["group=x\0"], "group=x\0"),
        (&[&long], &long),
    ] {
        let expected = format!("invalid parameter \"{bad}\" in \"authgate_require\" directive");
        assert_eq!(Rule::parse(args).unwrap_err().to_string(), expected, "{args:?}");
    }
}

/// Names that are easily taken for one another, in few letters so that they meet.
const NAME: &str = "[aAbé= ]{1,2}x";

fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::hash_set(NAME, 0..4).prop_map(|names| {
        let trimmed: std::collections::HashSet<_> =
            names.iter().map(|name| name.trim().to_owned()).collect();
        trimmed.into_iter().collect()
    })
}

/// What the directive says, read off its own text.
fn naive(args: &[String], user: &str, of: &[Box<str>]) -> bool {
    let lists = |key: &str| -> Vec<String> {
        let values = args.iter().filter_map(|arg| arg.strip_prefix(key));
        values.flat_map(|list| list.split(',').map(str::to_owned)).collect()
    };
    let named = lists("user=").contains(&user.to_owned());
    named || lists("group=").iter().any(|name| of.iter().any(|group| group.as_ref() == name))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn rules_say_what_a_naive_model_says(
        lists in prop::collection::vec((names(), names(), any::<bool>()), 0..3),
        user in NAME,
        of in names(),
    ) {
        let of: Vec<Box<str>> = of.into_iter().map(Box::from).collect();
        let (mut rules, mut expected) = (Vec::new(), true);
        for (users, groups, swap) in lists {
            let mut args: Vec<String> = [("user=", &users), ("group=", &groups)]
                .into_iter()
                .filter(|(_, list)| !list.is_empty())
                .map(|(key, list)| format!("{key}{}", list.join(",")))
                .collect();
            if swap {
                args.reverse();
            }
            let parsed = Rule::parse(&args.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(parsed.is_err(), args.is_empty());
            expected &= args.is_empty() || naive(&args, user.trim(), &of);
            rules.extend(parsed);
        }
        prop_assert_eq!(Rules(rules).allows(user.trim(), &of), expected);
    }

    /// Whatever is taken names somebody, and never lets in who is not named letter by letter.
    #[test]
    fn whatever_is_taken_allows_those_named_alone(
        args in prop::collection::vec("(user|group|x)?=?[a-c,= ]{0,5}", 0..3),
        user in "[a-c= ]{1,3}",
    ) {
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        if let Ok(rule) = Rule::parse(&words) {
            prop_assert!(!args.is_empty());
            prop_assert_eq!(rule.allows(&user, &[]), naive(&args, &user, &[]));
        }
    }
}
