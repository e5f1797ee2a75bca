//! F75: a credential that comes with each request counts once, from one network.

use super::*;
use authgate_core::basic::{Digest, DigestKey};

const HERE: &str = "192.0.2.7";

fn digest(password: &str) -> Digest {
    DigestKey::new(&[7; 32]).digest("alice", password.as_bytes(), "hash")
}

fn basic<'a>(address: &str, user: &'a str, password: &str) -> Attempt<'a> {
    Attempt { credential: Some(digest(password)), ..attempt(address, user) }
}

#[test]
fn f75_the_same_failing_credential_bans_nobody() {
    let mut table = Table::of(1024);
    for round in 0..1000 {
        table.fail(&basic(HERE, "alice", "old"), NOW + round);
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
fn f75_many_clients_of_one_network_with_it_at_once_count_once() {
    let mut table = Table::of(1024);
    let same = basic(HERE, "alice", "old");
    for _ in 0..20 {
        let granted: Vec<_> = (0..4).map(|_| table.grant(&same, NOW)).collect();
        for reservation in granted {
            table.settle(reservation, Settled::Failed, NOW);
        }
    }
    assert!(table.lets_through(&attempt(HERE, "bob"), NOW));
}

#[test]
fn f75_another_password_counts_again() {
    let mut table = Table::of(1024);
    for password in ["a", "b", "c", "d", "e"] {
        for _ in 0..3 {
            assert!(table.lets_through(&attempt(HERE, "bob"), NOW), "{password}");
            if let Decision::Granted(tried) = table.reserve(&basic(HERE, "alice", password), NOW) {
                table.settle(tried, Settled::Failed, NOW);
            }
            if password == "e" {
                break;
            }
        }
    }
    let banned = limited(300, LimitReason::Network);
    assert_eq!(table.reserve(&attempt(HERE, "bob"), NOW), banned);
}

#[test]
fn f75_from_another_network_it_counts_again() {
    let mut table = Table::of(4096);
    let limits = table.limits;
    for number in 0..limits.user_retries {
        let other = Attempt { credential: Some(digest("old")), ..from(number, "alice") };
        table.fail(&other, NOW);
        if number + 1 < limits.user_retries {
            table.fail(&other, NOW);
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
        table.fail(&basic(&format!("2001:db8::{number:x}"), "alice", "old"), NOW);
    }
    assert!(table.lets_through(&attempt("2001:db8::1", "alice"), NOW));
}

#[test]
fn f75_after_find_it_counts_again_and_alone_never_bans() {
    let mut table = Table::of(1024);
    let same = basic(HERE, "alice", "old");
    // Every ten seconds for an hour, as a scraper does.
    for seconds in (0..3600).step_by(10) {
        table.fail(&same, NOW + seconds * 1000);
    }
    let last = NOW + 3600 * 1000;
    table.fail_times(3, &attempt(HERE, "bob"), last);
    assert!(table.lets_through(&attempt(HERE, "bob"), last), "at most one of the last `find`");
}

#[test]
fn f75_after_find_it_counts_beside_others() {
    let mut table = Table::of(1024);
    let same = basic(HERE, "alice", "old");
    table.fail(&same, NOW);
    let later = NOW + LIMITS.find;
    table.fail_times(4, &attempt(HERE, "bob"), later);
    table.fail(&same, later);
    assert_eq!(table.reserve(&same, later), limited(300, LimitReason::Network));
}

#[test]
fn f75_a_success_counts_for_nothing_and_forgives_nothing() {
    let mut table = Table::of(1024);
    table.fail_times(4, &attempt(HERE, "bob"), NOW);
    for _ in 0..100 {
        let tried = table.grant(&basic(HERE, "alice", "right"), NOW);
        table.settle(tried, Settled::Succeeded, NOW);
        let tried = table.grant(&basic(HERE, "alice", "right"), NOW);
        table.settle(tried, Settled::Unchecked, NOW);
    }
    // What has not failed before counts at its first failure.
    table.fail(&basic(HERE, "alice", "right"), NOW);
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
            Decision::Limited(limited) => panic!("{limited:?}"),
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
fn f69_a_failing_credential_that_counts_no_more_leaves_no_try_behind() {
    let mut table = Table::of(1024);
    table.fail_times(4, &attempt(HERE, "bob"), NOW);
    let same = Attempt { credential: Some(digest("old")), ..attempt("192.0.2.8", "alice") };
    table.fail(&same, NOW);
    for _ in 0..10 {
        table.fail(&same, NOW);
        // With a try left behind, the last one that may fail would wait for it.
        table.lets_through(&attempt("192.0.2.8", "carol"), NOW);
    }
    table.fail_times(3, &attempt("192.0.2.8", "dave"), NOW);
    assert!(table.lets_through(&attempt("192.0.2.8", "erin"), NOW));
}

#[test]
fn f74_credentials_push_out_neither_bans_nor_networks_near_to_one() {
    let mut table = Table::of(8);
    table.fail_times(5, &attempt(HERE, "alice"), NOW);
    table.fail_times(3, &attempt("192.0.2.8", "bob"), NOW);
    for number in 0..200 {
        let attempt = Attempt { credential: Some(digest(&number.to_string())), ..unix("carol") };
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
