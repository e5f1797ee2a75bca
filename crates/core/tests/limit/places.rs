//! J120, J137: places, where a Basic credential held.

use super::*;
use authgate_core::limit::{Banned, REMEMBERED};
use std::collections::HashSet;

pub(super) const HOME: &str = "192.0.2.7";
pub(super) const ELSEWHERE: &str = "192.0.2.8";

/// A credential that holds is sent once and checked.
pub(super) fn holds_at(table: &mut Table, address: &str, user: &str, now: u64) {
    match table.reserve(&basic(address, user, "right"), now) {
        Decision::Granted(tried) => table.settle(tried, Settled::Succeeded, now),
        other => panic!("{other:?}"),
    }
}

/// A wrong credential is sent; what is answered at once.
pub(super) fn wrong(table: &mut Table, address: &str, password: &str, now: u64) -> Decision {
    let decision = table.reserve(&basic(address, "alice", password), now);
    if let Decision::Granted(tried) = decision {
        table.settle(tried, Settled::Failed, now);
    }
    decision
}

/// What a request with the right credential is answered, without a lock and with it.
fn right(table: &mut Table, address: &str, now: u64) -> Decision {
    let attempt = basic(address, "alice", "right");
    let decision = table.reserve(&attempt, now);
    let limiter = table.limiter_at(now);
    let place = limiter.places.place(attempt.network, "alice");
    assert_eq!(limiter.places.holds(place, attempt.digest), decision == Decision::Holds);
    decision
}

fn seconds(decision: &Decision) -> u32 {
    match decision {
        Decision::Limited(Limited { seconds, .. }) => *seconds,
        other => panic!("{other:?}"),
    }
}

#[test]
fn j120_what_held_is_taken_where_it_held_and_nowhere_else() {
    let mut table = Table::of(4096);
    holds_at(&mut table, HOME, "alice", NOW);
    assert_eq!(right(&mut table, HOME, NOW + TTL - 1), Decision::Holds);
    assert!(matches!(right(&mut table, ELSEWHERE, NOW), Decision::Granted(_)));
    for other in [basic(HOME, "bob", "right"), basic(HOME, "alice", "wrong")] {
        assert!(matches!(table.reserve(&other, NOW), Decision::Granted(_)), "{other:?}");
    }
    // The form does not make one, and has no use of it.
    let form = Attempt { by: By::Form { device: None }, ..basic(HOME, "alice", "right") };
    assert!(matches!(table.reserve(&form, NOW), Decision::Granted(_)));
}

#[test]
fn j120_during_a_ban_right_and_wrong_are_refused_alike_but_for_the_place() {
    let mut table = Table::of(4096);
    holds_at(&mut table, HOME, "alice", NOW);
    for address in [HOME, ELSEWHERE] {
        table.fail_times(5, &attempt(address, "bob"), NOW);
    }
    let banned = limited(300, LimitReason::Network);
    assert_eq!(right(&mut table, ELSEWHERE, NOW), banned);
    assert_eq!(wrong(&mut table, ELSEWHERE, "a guess", NOW), banned);
    assert_eq!(right(&mut table, HOME, NOW), Decision::Holds);
    assert_eq!(table.reserve(&basic(HOME, "bob", "right"), NOW), banned);
}

#[test]
fn j120_from_a_banned_network_a_guesser_learns_nothing() {
    let mut table = Table::of(4096);
    holds_at(&mut table, HOME, "alice", NOW);
    table.fail_times(5, &attempt(ELSEWHERE, "alice"), NOW);
    for guess in 0..1000 {
        assert_eq!(seconds(&wrong(&mut table, ELSEWHERE, &guess.to_string(), NOW)), 300);
        assert_eq!(seconds(&right(&mut table, ELSEWHERE, NOW)), 300);
    }
    assert_eq!(right(&mut table, HOME, NOW), Decision::Holds);
}

#[test]
fn j120_a_guesser_behind_the_scraper_s_address_stops_it_and_learns_no_more() {
    let mut table = Table::of(4096);
    holds_at(&mut table, HOME, "alice", NOW);
    table.fail_times(5, &attempt(HOME, "bob"), NOW);
    for guess in 0..4 {
        assert_eq!(right(&mut table, HOME, NOW), Decision::Holds, "{guess}");
        // Unhashed, and the same one counts once.
        for _ in 0..10 {
            let refused = wrong(&mut table, HOME, &guess.to_string(), NOW);
            assert_eq!(refused, limited(300, LimitReason::Network));
        }
    }
    assert_eq!(right(&mut table, HOME, NOW), Decision::Holds);
    let used_up = limited(300, LimitReason::Place);
    let refused = limited(300, LimitReason::Network);
    assert_eq!(wrong(&mut table, HOME, "the fifth", NOW), refused);
    assert_eq!(right(&mut table, HOME, NOW), used_up);
    assert_eq!(right(&mut table, HOME, NOW + LIMITS.ban - 1), limited(1, LimitReason::Place));
    // Nothing makes it longer.
    let _ = wrong(&mut table, HOME, "the sixth", NOW + LIMITS.ban - 1);
    assert!(matches!(right(&mut table, HOME, NOW + LIMITS.ban), Decision::Granted(_)));
}

#[test]
fn j120_a_place_whose_budget_is_used_up_is_the_name_s_alone() {
    let mut table = Table::of(4096);
    table.limits.retries = 100;
    holds_at(&mut table, HOME, "alice", NOW);
    holds_at(&mut table, HOME, "bob", NOW);
    holds_at(&mut table, ELSEWHERE, "alice", NOW);
    table.limits.retries = 3;
    for guess in 0..3 {
        let _ = wrong(&mut table, HOME, &guess.to_string(), NOW);
    }
    assert_eq!(seconds(&right(&mut table, HOME, NOW)), 300);
    assert_eq!(right(&mut table, ELSEWHERE, NOW), Decision::Holds);
    assert_eq!(table.reserve(&basic(HOME, "bob", "right"), NOW), Decision::Holds);
}

#[test]
fn j120_what_waits_for_a_decision_counts_at_the_place_all_the_same() {
    // Else those that wait would tell a right one, which does not, from the others.
    let mut table = Table::of(4096);
    holds_at(&mut table, HOME, "alice", NOW);
    let _pending: Vec<_> = (0..5).map(|_| table.grant(&attempt(HOME, "bob"), NOW)).collect();
    for guess in 0..4 {
        assert_eq!(wrong(&mut table, HOME, &guess.to_string(), NOW), Decision::Undecided);
        assert_eq!(wrong(&mut table, HOME, &guess.to_string(), NOW), Decision::Undecided);
        assert_eq!(right(&mut table, HOME, NOW), Decision::Holds, "{guess}");
    }
    assert_eq!(wrong(&mut table, HOME, "the fifth", NOW), Decision::Undecided);
    assert_eq!(right(&mut table, HOME, NOW), limited(300, LimitReason::Place));
}

#[test]
fn j120_an_old_password_counts_once_within_find_and_stops_nobody() {
    let mut table = Table::of(4096);
    holds_at(&mut table, HOME, "alice", NOW);
    for round in 0..3600 {
        let now = NOW + round * 1000;
        let _ = wrong(&mut table, HOME, "of last year", now);
        match right(&mut table, HOME, now) {
            Decision::Holds => {}
            Decision::Granted(tried) => table.settle(tried, Settled::Succeeded, now),
            other => panic!("{other:?} at {round}"),
        }
    }
}

#[test]
fn j120_what_is_stale_is_checked_anew_during_a_ban_out_of_nobody_s_budget() {
    let mut table = Table::of(4096);
    holds_at(&mut table, HOME, "alice", NOW);
    let stale = NOW + TTL;
    table.fail_times(5, &attempt(HOME, "bob"), stale);
    let right = basic(HOME, "alice", "right");
    let Decision::Granted(tried) = table.reserve(&right, stale) else { panic!("granted") };
    assert!(tried.is_certain(), "it can only hold");
    assert_eq!(table.reserve(&right, stale), Decision::Follow);
    table.settle(tried, Settled::Succeeded, stale);
    assert_eq!(table.reserve(&right, stale), Decision::Holds);
    assert_eq!(table.reserve(&right, stale + TTL - 1), Decision::Holds);
}

#[test]
fn j120_a_new_password_is_taken_where_the_old_one_held() {
    let mut table = Table::of(4096);
    holds_at(&mut table, HOME, "alice", NOW);
    let new = basic(HOME, "alice", "the new one");
    let Decision::Granted(tried) = table.reserve(&new, NOW) else { panic!("granted") };
    assert!(!tried.is_certain(), "it may fail");
    table.settle(tried, Settled::Succeeded, NOW);
    assert_eq!(table.reserve(&new, NOW), Decision::Holds);
    assert!(matches!(right(&mut table, HOME, NOW), Decision::Granted(_)), "the old one is wrong");
}

#[test]
fn j120_a_place_is_one_for_a_day() {
    assert_eq!(REMEMBERED, 86_400_000);
    let mut table = Table::of(4096);
    holds_at(&mut table, HOME, "alice", NOW);
    for (later, is_place) in [(REMEMBERED - 1, true), (REMEMBERED, false)] {
        let now = NOW + later;
        table.fail_times(5, &attempt(HOME, "bob"), now);
        match right(&mut table, HOME, now) {
            Decision::Granted(tried) if is_place => table.settle(tried, Settled::Unchecked, now),
            decision => {
                assert!(!is_place, "{later}");
                assert_eq!(decision, limited(300, LimitReason::Network));
            }
        }
        assert!(table.limiter_at(now).lift_network(at(HOME)));
    }
}

#[test]
fn j137_a_name_that_is_banned_by_networks_all_around_is_let_in_from_its_place() {
    let mut table = Table::of(4096);
    let home = "2001:db8:0:ff::1";
    holds_at(&mut table, home, "alice", NOW);
    // Four guesses from each /64 of a /48: none of the networks is banned.
    for network in 0..13 {
        let network = format!("2001:db8:0:{network:x}::1");
        for guess in 0..4 {
            let _ = wrong(&mut table, &network, &guess.to_string(), NOW);
        }
    }
    let banned = limited(300, LimitReason::User);
    assert_eq!(right(&mut table, "2001:db8:0:fe::1", NOW), banned);
    assert_eq!(right(&mut table, home, NOW), Decision::Holds);
    assert!(matches!(right(&mut table, home, NOW + TTL), Decision::Granted(_)), "checked anew");
}

#[test]
fn j120_failures_push_no_place_out() {
    let mut table = Table::of(64);
    holds_at(&mut table, HOME, "alice", NOW);
    for number in 0..10_000 {
        let password = number.to_string();
        let guess = Attempt { network: network(number), ..basic(HOME, "alice", &password) };
        if let Decision::Granted(tried) = table.reserve(&guess, NOW) {
            table.settle(tried, Settled::Failed, NOW);
        }
    }
    assert_eq!(right(&mut table, HOME, NOW), Decision::Holds);
}

#[test]
fn j120_of_a_full_set_the_place_gives_way_that_held_longest_ago() {
    // One set of eight.
    let mut table = Table::of(64);
    let name = |number: u64| format!("user{number}");
    for number in 0..9 {
        holds_at(&mut table, HOME, &name(number), NOW + number);
    }
    let holds = |number: &u64| {
        let user = name(*number);
        let attempt = basic(HOME, &user, "right");
        let limiter = table.limiter_at(NOW + 9);
        limiter.places.holds(limiter.places.place(attempt.network, &user), attempt.digest)
    };
    assert_eq!((0..9).filter(holds).collect::<Vec<_>>(), (1..9).collect::<Vec<_>>());
    assert_eq!(table.limiter_at(NOW + 9).places.used(), 8);
}

#[test]
fn j120_a_slot_that_is_given_on_has_the_time_of_the_last() {
    // One set of eight, all of them the same age. The bits of the times have nothing in common.
    let mut table = Table::of(64);
    let (first, later) = ((1 << 21) - 1, 1 << 21);
    (0..8).for_each(|number| holds_at(&mut table, HOME, &format!("user{number}"), first));
    let home = "2001:db8::1";
    holds_at(&mut table, home, "alice", later);
    assert_eq!(right(&mut table, home, later + TTL - 1), Decision::Holds);
    assert!(matches!(right(&mut table, home, later + TTL), Decision::Granted(_)));
}

#[test]
fn j120_places_stand_all_over_the_table() {
    let mut table = Table::of(4096);
    let name = |number: u32| format!("user{number}");
    (0..128).for_each(|number| holds_at(&mut table, HOME, &name(number), NOW));
    let limiter = table.limiter();
    let all = (0..128).map(name).filter(|user| {
        limiter.places.holds(limiter.places.place(at(HOME), user), digest(user, "right"))
    });
    assert_eq!(all.count(), 128, "of 512, in sets of eight");
}

#[test]
fn j120_an_operator_sees_a_place_that_is_used_up_and_lifts_it() {
    let (alice, home) = ("alice", at(HOME));
    for lift in [
        (|limiter: &mut Limiter<'_>| limiter.lift_user("alice")) as fn(&mut Limiter<'_>) -> bool,
        |limiter| limiter.lift_network(Network::V4([192, 0, 2, 7])),
    ] {
        let mut table = Table::of(4096);
        holds_at(&mut table, HOME, alice, NOW);
        holds_at(&mut table, ELSEWHERE, "bob", NOW);
        let _pending: Vec<_> = (0..5).map(|_| table.grant(&attempt(HOME, "carol"), NOW)).collect();
        for guess in 0..5 {
            let _ = wrong(&mut table, HOME, &guess.to_string(), NOW);
        }
        let mut limiter = table.limiter_at(NOW);
        let bans: Vec<_> = limiter.bans(NOW).map(|ban| (ban.subject, ban.seconds)).collect();
        assert_eq!(bans, [(Banned::Place(home, limiter.place_key(home, alice)), 300)]);
        assert!(!limiter.lift_user("bob") && !limiter.lift_network(at(ELSEWHERE)));
        assert!(lift(&mut limiter));
        assert_eq!(limiter.bans(NOW).count(), 0);
        assert_eq!(right(&mut table, HOME, NOW), Decision::Holds);
    }
}

#[test]
fn j120_an_operator_lifts_a_name_with_its_places_at_once() {
    let mut table = Table::of(4096);
    table.limits.user_retries = 3;
    holds_at(&mut table, HOME, "alice", NOW);
    for number in 0..3 {
        table.fail(&from(number, "alice"), NOW);
    }
    for guess in 0..5 {
        let _ = wrong(&mut table, HOME, &guess.to_string(), NOW);
    }
    assert_eq!(table.limiter().bans(NOW).count(), 2);
    assert!(table.limiter().lift_user("alice"), "the name and the place");
    assert_eq!(table.limiter().bans(NOW).count(), 0);
    assert!(!table.limiter().lift_user("alice"), "nothing is left");

    table.fail_times(2, &attempt(HOME, "bob"), NOW);
    let _ = wrong(&mut table, HOME, "a guess", NOW);
    assert!(table.limiter().lift_network(at(HOME)), "the network and the place");
}

#[test]
fn j120_networks_of_equal_bits_have_two_places() {
    let mut table = Table::of(4096);
    let limiter = table.limiter();
    let tag = |network| limiter.places.place(network, "alice").tag();
    let networks = [
        Network::V4([0, 0, 0, 7]),
        Network::V6([0, 0, 0, 0, 0, 0, 0, 7]),
        Network::V4([0; 4]),
        Network::V6([0; 8]),
        Network::Unix,
    ];
    let tags: HashSet<u64> = networks.into_iter().map(tag).collect();
    assert_eq!(tags.len(), networks.len());
}

#[test]
fn j120_with_limit_off_a_place_is_a_cache_and_nobody_is_stopped() {
    let mut table = Table::of(4096);
    holds_at(&mut table, HOME, "alice", NOW);
    let mut limiter = table.limiter_at(NOW);
    (limiter.limits, limiter.places.limits) = (None, None);
    for guess in 0..100 {
        let password = guess.to_string();
        match limiter.reserve(&basic(HOME, "alice", &password), NOW) {
            Decision::Granted(tried) => limiter.settle(tried, Settled::Failed, NOW),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(limiter.reserve(&basic(HOME, "alice", "right"), NOW), Decision::Holds);
}
