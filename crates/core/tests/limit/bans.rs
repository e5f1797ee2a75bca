//! Bans: of whom, how long, and how they end.

use super::*;
use authgate_core::limit::{Ban, Banned};

const HERE: &str = "192.0.2.7";
static ALICE: LazyLock<Attempt<'static>> = LazyLock::new(|| attempt(HERE, "alice"));

#[test]
fn five_failures_ban_a_network_and_no_other() {
    let mut table = Table::of(1024);
    for user in ["alice", "bob", "carol", "dave"] {
        table.fail(&attempt(HERE, user), NOW);
        assert!(table.lets_through(&ALICE, NOW));
    }
    table.fail(&attempt(HERE, "erin"), NOW);
    assert_eq!(table.reserve(&ALICE, NOW), limited(300, LimitReason::Network));
    assert!(table.lets_through(&attempt("192.0.2.8", "alice"), NOW));
}

#[test]
fn f70_a_thousand_addresses_of_one_slash_64_are_one_network() {
    let mut table = Table::of(4096);
    let checks = (0..1000)
        .map(|number| format!("2001:db8::{number:x}:{number:x}"))
        .filter(|address| match table.reserve(&attempt(address, address), NOW) {
            Decision::Granted(reservation) => {
                table.settle(reservation, Settled::Failed, NOW);
                true
            }
            _ => false,
        })
        .count();
    assert_eq!(checks, 5);
    assert!(table.lets_through(&attempt("2001:db8:0:1::1", "alice"), NOW));
}

#[test]
fn f70_an_ipv4_mapped_address_is_the_ipv4_address() {
    let mut table = Table::of(64);
    table.fail_times(3, &attempt("::ffff:192.0.2.7", "alice"), NOW);
    table.fail_times(2, &ALICE, NOW);
    assert_eq!(table.reserve(&ALICE, NOW), limited(300, LimitReason::Network));
}

#[test]
fn networks_of_equal_bits_are_two() {
    let mut table = Table::of(64);
    table.fail_times(5, &attempt("0.0.0.7", "alice"), NOW);
    assert!(table.lets_through(&attempt("0:0:0:7::1", "alice"), NOW));
    assert!(table.lets_through(&attempt("7.0.0.0", "alice"), NOW));
}

#[test]
fn f72_the_name_is_exactly_what_was_typed() {
    let mut table = Table::of(4096);
    table.exhaust("jos\u{e9}", NOW);
    assert_eq!(table.reserve(&from(99, "jos\u{e9}"), NOW), limited(300, LimitReason::User));
    let others = ["Jos\u{e9}", "jose\u{301}", "jos\u{e9} ", " jos\u{e9}", "jos\u{e9}\0", "jos", ""];
    for other in others {
        assert!(table.lets_through(&from(99, other), NOW), "{other:?}");
    }
}

#[test]
fn f76_unknown_names_are_limited_as_known_ones() {
    // The limiter knows no users: any bytes are a name.
    for user in ["alice", "", "no such user", "x\r\ny", &"a".repeat(8192)] {
        let mut table = Table::of(4096);
        table.exhaust(user, NOW);
        assert_eq!(table.reserve(&from(99, user), NOW), limited(300, LimitReason::User));
    }
}

#[test]
fn f77_clients_of_unix_sockets_are_not_one_network() {
    let mut table = Table::of(4096);
    for number in 0..200 {
        table.fail(&unix(&format!("user{number}")), NOW);
    }
    table.fail_times(50, &unix("alice"), NOW);
    assert_eq!(table.reserve(&unix("alice"), NOW), limited(300, LimitReason::User));
    assert!(table.lets_through(&unix("bob"), NOW));
    assert!(!table.limiter().lift_network(Network::Unix));
}

#[test]
fn failures_count_for_as_long_as_find_from_the_first_on() {
    for (later, banned) in [(LIMITS.find - 1, true), (LIMITS.find, false)] {
        let mut table = Table::of(64);
        table.fail(&ALICE, NOW);
        table.fail_times(3, &ALICE, NOW + LIMITS.find - 1);
        table.fail(&ALICE, NOW + later);
        assert_eq!(!table.lets_through(&ALICE, NOW + later), banned, "{later}");
    }
}

#[test]
fn a_new_series_begins_with_its_own_first_failure() {
    let mut table = Table::of(64);
    table.fail_times(4, &ALICE, NOW);
    let second = NOW + LIMITS.find + 60_000;
    table.fail_times(4, &ALICE, second);
    assert!(table.lets_through(&ALICE, second));
    table.fail(&ALICE, second + LIMITS.find - 1);
    assert!(!table.lets_through(&ALICE, second + LIMITS.find - 1));
}

#[test]
fn retry_after_is_true_and_no_login_lengthens_a_ban() {
    let mut table = Table::of(64);
    table.fail_times(5, &ALICE, NOW);
    let end = NOW + LIMITS.ban;
    for (left, seconds) in [(300_000, 300), (299_999, 300), (299_000, 299), (1000, 1), (1, 1)] {
        let decision = table.reserve(&ALICE, end - left);
        assert_eq!(decision, limited(seconds, LimitReason::Network), "{left}");
    }
    assert!(table.lets_through(&ALICE, end));
}

#[test]
fn after_a_ban_everything_starts_from_zero() {
    let mut table = Table::of(64);
    for round in 0..3 {
        let now = NOW + round * LIMITS.ban;
        table.fail_times(4, &ALICE, now);
        assert!(table.lets_through(&ALICE, now));
        table.fail(&ALICE, now);
        assert!(!table.lets_through(&ALICE, now));
    }
}

#[test]
fn of_two_bans_the_longer_wait_is_told() {
    let mut table = Table::of(4096);
    table.exhaust("alice", NOW);
    table.fail_times(5, &attempt(HERE, "bob"), NOW + 10_000);
    let decision = table.reserve(&ALICE, NOW + 20_000);
    assert_eq!(decision, limited(290, LimitReason::Network));

    let mut table = Table::of(4096);
    table.fail_times(5, &attempt(HERE, "bob"), NOW);
    table.exhaust("alice", NOW + 10_000);
    let decision = table.reserve(&ALICE, NOW + 20_000);
    assert_eq!(decision, limited(290, LimitReason::User));

    let mut table = Table::of(4096);
    table.exhaust("alice", NOW);
    table.fail_times(5, &attempt(HERE, "bob"), NOW);
    assert_eq!(table.reserve(&ALICE, NOW), limited(300, LimitReason::Network));
}

#[test]
fn bans_are_listed_while_they_are_in_force() {
    let mut table = Table::of(4096);
    let v6 = at("2001:db8::1");
    table.fail_times(5, &attempt("2001:db8::2", "bob"), NOW);
    table.exhaust("alice", NOW + 1000);
    table.fail_times(4, &attempt(HERE, "bob"), NOW);
    let limiter = table.limiter();
    let alice = Ban { subject: Banned::User(limiter.user_key("alice")), seconds: 299 };
    let network = Ban { subject: Banned::Network(v6), seconds: 298 };
    let mut bans: Vec<_> = limiter.bans(NOW + 2000).collect();
    bans.sort_by_key(|ban| ban.seconds);
    assert_eq!(bans, [network, alice]);
    assert_eq!(limiter.bans(NOW + LIMITS.ban).collect::<Vec<_>>(), [Ban { seconds: 1, ..alice }]);
    assert_eq!(limiter.bans(NOW + LIMITS.ban + 1000).count(), 0);
    // The fifty of alice and their name, two networks and bob, and what each of them tried.
    assert_eq!(limiter.used(), 54 + 59);
}

#[test]
fn what_is_lifted_starts_from_zero() {
    let mut table = Table::of(4096);
    table.fail_times(5, &attempt(HERE, "bob"), NOW);
    table.exhaust("alice", NOW);
    assert!(table.limiter().lift_network(at(HERE)));
    assert_eq!(table.reserve(&ALICE, NOW), limited(300, LimitReason::User));
    assert!(table.limiter().lift_user("alice"));
    table.fail_times(4, &ALICE, NOW);
    assert!(table.lets_through(&ALICE, NOW));
    assert!(table.limiter().lift_network(at(HERE)), "failures alone are forgotten, too");
    table.fail_times(4, &ALICE, NOW);
    assert!(table.lets_through(&ALICE, NOW));
}

#[test]
fn lifting_what_has_no_counter_says_so() {
    let mut table = Table::of(64);
    assert!(!table.limiter().lift_network(at(HERE)));
    assert!(!table.limiter().lift_user("alice"));
    table.fail_times(5, &ALICE, NOW);
    assert!(table.limiter().lift_network(at(HERE)));
    assert!(!table.limiter().lift_network(at(HERE)));
}

#[test]
fn lifting_keeps_the_tries_under_way() {
    let mut table = Table::of(64);
    let reservations: Vec<_> = (0..5).map(|_| table.grant(&ALICE, NOW)).collect();
    assert!(table.limiter().lift_network(at(HERE)));
    assert_eq!(table.reserve(&ALICE, NOW), Decision::Undecided);
    reservations.into_iter().for_each(|one| table.settle(one, Settled::Failed, NOW));
    assert_eq!(table.reserve(&ALICE, NOW), limited(300, LimitReason::Network));
}

#[test]
fn a_clock_a_little_behind_another_worker_s_sees_the_ban() {
    let mut table = Table::of(64);
    table.fail_times(5, &ALICE, NOW);
    assert_eq!(table.reserve(&ALICE, NOW - 20), limited(301, LimitReason::Network));
    assert!(table.lets_through(&ALICE, NOW + LIMITS.ban));
}

#[test]
fn a_clock_ahead_by_as_long_as_failures_count_is_still_believed() {
    let mut table = Table::of(64);
    table.fail_times(4, &ALICE, NOW + LIMITS.find);
    assert!(table.lets_through(&ALICE, NOW));
    table.fail(&ALICE, NOW + LIMITS.find);
    assert!(!table.lets_through(&ALICE, NOW + LIMITS.find), "four failures and one");
}

#[test]
fn a_clock_that_falls_back_bans_nobody_for_ever() {
    for (then, now) in [(u64::MAX, 0), (u64::MAX, NOW), (NOW, 0), (u64::MAX / 2, NOW)] {
        let mut table = Table::of(64);
        table.fail_times(5, &ALICE, then);
        assert_eq!(table.reserve(&ALICE, now), limited(300, LimitReason::Network));
        assert!(table.lets_through(&ALICE, now + LIMITS.ban), "{then} {now}");
    }
}

#[test]
fn a_clock_that_falls_back_leaves_no_try_reserved_for_ever() {
    let mut table = Table::of(64);
    let _abandoned: Vec<_> = (0..5).map(|_| table.grant(&ALICE, u64::MAX)).collect();
    assert_eq!(table.reserve(&ALICE, NOW), Decision::Undecided);
    assert!(table.lets_through(&ALICE, NOW + 2000));
}

#[test]
fn a_clock_that_jumps_forward_ends_everything() {
    let mut table = Table::of(64);
    table.fail_times(5, &ALICE, NOW);
    assert!(table.lets_through(&ALICE, u64::MAX));
}
