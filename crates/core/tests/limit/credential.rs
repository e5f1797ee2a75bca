//! F75, J121: what is known of a credential of one network, by form or Basic.

use super::*;
use authgate_core::limit::ABANDONED;
use std::collections::HashSet;

const HERE: &str = "192.0.2.7";

/// Sends a credential whose password is wrong; whether it was checked.
fn send(table: &mut Table, attempt: &Attempt<'_>, now: u64) -> bool {
    match table.reserve(attempt, now) {
        Decision::Granted(tried) => table.settle(tried, Settled::Failed, now),
        Decision::Fails => return false,
        other => panic!("{other:?} for {attempt:?} at {now}"),
    }
    true
}

/// The form with this password.
fn form<'a>(address: &str, user: &'a str, password: &str) -> Attempt<'a> {
    Attempt { by: By::Form { device: None }, ..basic(address, user, password) }
}

#[test]
fn f75_the_same_failing_credential_bans_nobody() {
    let mut table = Table::of(1024);
    for round in 0..1000 {
        send(&mut table, &basic(HERE, "alice", "old"), NOW + round);
    }
    // It has counted once: four more of the form ban the network.
    table.fail_times(3, &attempt(HERE, "bob"), NOW + 1000);
    assert!(table.lets_through(&attempt(HERE, "bob"), NOW + 1000));
    table.fail(&attempt(HERE, "bob"), NOW + 1000);
    let banned = limited(300, LimitReason::Network);
    assert_eq!(table.reserve(&basic(HERE, "alice", "old"), NOW + 1000), banned);
    assert_eq!(table.reserve(&attempt(HERE, "carol"), NOW + 1000), banned);
}

#[test]
fn j120_three_double_clicks_with_one_wrong_password_ban_nobody() {
    let mut table = Table::of(1024);
    for round in 0..6 {
        let checked = send(&mut table, &form(HERE, "alice", "typo"), NOW + round);
        assert_eq!(checked, round == 0, "{round}");
    }
    // The same by Basic is the same.
    assert!(!send(&mut table, &basic(HERE, "alice", "typo"), NOW + 10));
    table.fail_times(3, &attempt(HERE, "bob"), NOW + 20);
    assert!(table.lets_through(&attempt(HERE, "bob"), NOW + 20), "one failure and three");
}

#[test]
fn j121_wrong_credentials_over_and_over_are_checked_once_within_find() {
    let mut table = Table::of(1024);
    let mut checks = 0;
    // Ten a second for an hour, of four passwords.
    for tick in 0..36_000 {
        let password = format!("wrong{}", tick % 4);
        checks += u32::from(send(&mut table, &basic(HERE, "alice", &password), NOW + tick * 100));
    }
    assert!((4 * 30..=4 * 31).contains(&checks), "four in two minutes, not {checks}");
}

#[test]
fn f75_many_clients_of_one_network_with_it_at_once_are_one_check() {
    let mut table = Table::of(1024);
    let same = basic(HERE, "alice", "old");
    let Decision::Granted(tried) = table.reserve(&same, NOW) else {
        panic!("the first is granted")
    };
    for _ in 0..20 {
        assert_eq!(table.reserve(&same, NOW), Decision::Follow);
    }
    table.settle(tried, Settled::Failed, NOW);
    assert_eq!(table.reserve(&same, NOW), Decision::Fails);
    assert!(table.lets_through(&attempt(HERE, "bob"), NOW));
}

#[test]
fn f75_logins_by_the_form_at_once_are_each_checked_and_count_once() {
    let mut table = Table::of(1024);
    let typo = form(HERE, "alice", "typo");
    let granted: Vec<_> = (0..4)
        .map(|number| match table.reserve(&typo, NOW) {
            Decision::Granted(tried) => tried,
            other => panic!("{other:?} for number {number}"),
        })
        .collect();
    granted.into_iter().for_each(|tried| table.settle(tried, Settled::Failed, NOW));
    table.fail_times(3, &attempt(HERE, "bob"), NOW);
    assert!(table.lets_through(&attempt(HERE, "bob"), NOW), "one failure and three");
}

#[test]
fn f75_a_credential_is_its_name_its_password_and_the_stored_hash() {
    let key = DigestKey::new(&[7; 32]);
    let parts = [
        ("alice", "right", "hash"),
        ("alicer", "ight", "hash"),
        ("alic", "eright", "hash"),
        ("alice", "righthash", ""),
        ("alice", "right", "hasi"),
        ("", "aliceright", "hash"),
    ];
    let of_user = parts.map(|(user, password, hash)| key.digest(user, password.as_bytes(), hash));
    let of_nobody =
        parts.map(|(user, password, hash)| key.digest_of_nobody(user, password.as_bytes(), hash));
    let all: HashSet<Digest> = of_user.into_iter().chain(of_nobody).collect();
    assert_eq!(all.len(), 2 * parts.len(), "no two are the same, nor that of nobody");
    assert_ne!(DigestKey::new(&[8; 32]).digest("alice", b"right", "hash"), of_user[0]);
}

#[test]
fn g80_what_was_not_checked_is_checked_by_the_next() {
    let mut table = Table::of(1024);
    let same = basic(HERE, "alice", "old");
    let Decision::Granted(tried) = table.reserve(&same, NOW) else { panic!("granted") };
    table.settle(tried, Settled::Unchecked, NOW);
    assert!(send(&mut table, &same, NOW));
}

#[test]
fn g80_a_check_of_which_nothing_is_heard_is_taken_over() {
    let mut table = Table::of(1024);
    let same = basic(HERE, "alice", "right");
    let Decision::Granted(tried) = table.reserve(&same, NOW) else { panic!("granted") };
    let later = NOW + ABANDONED - 1;
    assert_eq!(table.reserve(&same, later), Decision::Follow);
    table.limiter().touch(&tried, later);
    assert_eq!(table.reserve(&same, later + ABANDONED - 1), Decision::Follow);
    assert!(matches!(table.reserve(&same, later + ABANDONED), Decision::Granted(_)));
}

#[test]
fn f75_another_password_counts_again() {
    let mut table = Table::of(1024);
    for password in ["a", "b", "c", "d", "e"] {
        for _ in 0..3 {
            assert!(table.lets_through(&attempt(HERE, "bob"), NOW), "{password}");
            send(&mut table, &basic(HERE, "alice", password), NOW);
            if password == "e" {
                break;
            }
        }
    }
    let banned = limited(300, LimitReason::Network);
    assert_eq!(table.reserve(&attempt(HERE, "bob"), NOW), banned);
}

#[test]
fn f75_from_another_network_it_is_checked_and_counts_again() {
    let mut table = Table::of(4096);
    let limits = table.limits;
    for number in 0..limits.user_retries {
        let other = Attempt { network: network(number), ..basic("192.0.2.1", "alice", "old") };
        assert!(send(&mut table, &other, NOW), "no network learns from another");
        if number + 1 < limits.user_retries {
            assert!(!send(&mut table, &other, NOW));
        }
    }
    let banned = limited(300, LimitReason::User);
    assert_eq!(table.reserve(&attempt(HERE, "alice"), NOW), banned, "each has counted, once");
    assert!(table.lets_through(&attempt(HERE, "bob"), NOW));
}

#[test]
fn f75_of_one_slash_64_it_counts_once() {
    let mut table = Table::of(4096);
    for number in 0..100 {
        send(&mut table, &basic(&format!("2001:db8::{number:x}"), "alice", "old"), NOW);
    }
    assert!(table.lets_through(&attempt("2001:db8::1", "alice"), NOW));
}

#[test]
fn f75_after_find_it_counts_again_and_alone_never_bans() {
    let mut table = Table::of(1024);
    let same = basic(HERE, "alice", "old");
    // Every ten seconds for an hour, as a scraper does.
    for seconds in (0..3600).step_by(10) {
        send(&mut table, &same, NOW + seconds * 1000);
    }
    let last = NOW + 3600 * 1000;
    table.fail_times(3, &attempt(HERE, "bob"), last);
    assert!(table.lets_through(&attempt(HERE, "bob"), last), "at most one of the last `find`");
}

#[test]
fn f75_after_find_it_counts_beside_others() {
    let mut table = Table::of(1024);
    let same = basic(HERE, "alice", "old");
    send(&mut table, &same, NOW);
    let later = NOW + LIMITS.find;
    table.fail_times(4, &attempt(HERE, "bob"), later);
    send(&mut table, &same, later);
    assert_eq!(table.reserve(&same, later), limited(300, LimitReason::Network));
}

#[test]
fn f75_a_success_counts_for_nothing_and_forgives_nothing() {
    let mut table = Table::of(1024);
    table.fail_times(4, &attempt(HERE, "bob"), NOW);
    for _ in 0..100 {
        let right = form(HERE, "alice", "right");
        let Decision::Granted(tried) = table.reserve(&right, NOW) else { panic!("granted") };
        table.settle(tried, Settled::Succeeded, NOW);
        let Decision::Granted(tried) = table.reserve(&right, NOW) else { panic!("granted") };
        table.settle(tried, Settled::Unchecked, NOW);
    }
    // What has not failed before counts at its first failure.
    send(&mut table, &form(HERE, "alice", "right"), NOW);
    assert_eq!(table.reserve(&attempt(HERE, "bob"), NOW), limited(300, LimitReason::Network));
}

#[test]
fn f69_basic_tries_under_way_are_bounded_like_the_form_s() {
    let mut table = Table::of(1024);
    let passwords: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    let granted: Vec<_> = passwords
        .iter()
        .map(|password| table.reserve(&basic(HERE, "alice", password), NOW))
        .filter_map(|decision| match decision {
            Decision::Granted(reservation) => Some(reservation),
            Decision::Undecided => None,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(granted.len(), 5);
    for reservation in granted {
        table.settle(reservation, Settled::Failed, NOW);
    }
    let banned = limited(300, LimitReason::Network);
    assert_eq!(table.reserve(&basic(HERE, "alice", "right"), NOW), banned);
}

#[test]
fn f74_credentials_push_out_neither_bans_nor_networks_near_to_one() {
    let mut table = Table::of(8);
    table.fail_times(5, &attempt(HERE, "alice"), NOW);
    table.fail_times(3, &attempt("192.0.2.8", "bob"), NOW);
    for number in 0..200 {
        let password = number.to_string();
        let attempt = Attempt { network: Network::Unix, ..basic(HERE, "carol", &password) };
        if let Decision::Granted(tried) = table.reserve(&attempt, NOW) {
            table.settle(tried, Settled::Failed, NOW);
        }
    }
    assert_eq!(table.reserve(&attempt(HERE, "dave"), NOW), limited(300, LimitReason::Network));
    table.fail_times(2, &attempt("192.0.2.8", "erin"), NOW);
    let banned = limited(300, LimitReason::Network);
    assert_eq!(table.reserve(&attempt("192.0.2.8", "frank"), NOW), banned);
}

#[test]
fn a_table_without_slots_grants_all() {
    let mut table = Table::of(0);
    for _ in 0..20 {
        table.fail(&basic(HERE, "alice", "old"), NOW);
    }
    // One slot: the network, the name and the credential have to share it.
    let mut table = Table::of(1);
    for _ in 0..20 {
        if let Decision::Granted(tried) = table.reserve(&basic(HERE, "alice", "old"), NOW) {
            table.settle(tried, Settled::Failed, NOW);
        }
    }
}

#[test]
fn j121_with_limit_off_a_credential_that_fails_is_checked_once_and_nobody_is_banned() {
    let mut table = Table::of(1024);
    let mut checks = 0;
    for number in 0..1000 {
        let password = format!("wrong{}", number % 100);
        let attempt = basic(HERE, "alice", &password);
        let mut limiter = table.limiter();
        (limiter.limits, limiter.places.limits) = (None, None);
        match limiter.reserve(&attempt, NOW) {
            Decision::Granted(tried) => {
                checks += 1;
                limiter.settle(tried, Settled::Failed, NOW);
            }
            Decision::Fails => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(checks, 100);
    assert_eq!(table.limiter().bans(NOW).count(), 0);
}
