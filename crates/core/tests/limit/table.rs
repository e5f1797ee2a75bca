//! The table: of whatever size, it keeps who is guilty and punishes nobody else.

use super::*;
use authgate_core::limit::Banned;

/// In the debug profile fewer, for the time it takes.
const FLOOD: u32 = if cfg!(debug_assertions) { 1_000_000 } else { 10_000_000 };

#[test]
fn a_counter_takes_32_bytes() {
    assert_eq!(size_of::<Slot>(), 32);
}

#[test]
fn f74_millions_flow_through_and_who_is_banned_or_near_it_stays() {
    let mut table = Table::of(4096);
    let (banned, near) = (attempt("192.0.2.7", "alice"), attempt("192.0.2.8", "bob"));
    table.limits.find = u64::MAX;
    table.limits.ban = u64::MAX;
    table.fail_times(5, &banned, NOW);
    table.fail_times(4, &near, NOW);
    for number in 0..FLOOD / 2 {
        // A network and a name each, both new: nobody of them ever has to wait.
        let user = number.to_string();
        table.fail(&from(number, &user), NOW + u64::from(number));
    }
    let now = NOW + u64::from(FLOOD);
    assert!(!table.lets_through(&banned, now));
    table.fail(&near, now);
    assert!(!table.lets_through(&near, now), "its four failures were still there");
    assert_eq!(table.limiter().bans(now).count(), 2);
    assert_eq!(table.limiter().used(), 4096);
}

#[test]
fn f74_a_table_of_bans_takes_newcomers_in() {
    let mut table = Table::of(64);
    for number in 0..1000 {
        let user = number.to_string();
        table.fail_times(5, &from(number, &user), NOW + u64::from(number));
        assert!(!table.lets_through(&from(number, &user), NOW + u64::from(number)), "{number}");
    }
    assert!(table.limiter().bans(NOW + 1000).count() > 48);
}

#[test]
fn f74_what_is_over_gives_way_first() {
    let mut table = Table::of(8);
    for number in 0..4 {
        table.fail_times(4, &from(number, &number.to_string()), NOW);
    }
    let now = NOW + LIMITS.find;
    table.fail(&from(9, "alice"), now);
    for number in 10..11 {
        table.fail(&from(number, &number.to_string()), now + u64::from(number));
    }
    table.fail_times(4, &from(9, "alice"), now + 20);
    assert!(!table.lets_through(&from(9, "alice"), now + 20), "its failure was kept");
}

#[test]
fn f74_of_bans_the_oldest_gives_way_however_many_failures_it_took() {
    let mut table = Table::of(8);
    table.limits.user_retries = 2;
    table.fail_times(5, &on_device(unix("alice"), 1), NOW);
    for number in 1..9 {
        assert_eq!(table.limiter().bans(NOW).count(), number);
        let now = NOW + number as u64;
        table.fail_times(2, &unix(&number.to_string()), now);
    }
    let limiter = table.limiter();
    assert!(limiter.bans(NOW).all(|ban| matches!(ban.subject, Banned::User(_))));
    table.fail_times(2, &unix("bob"), NOW + 9);
    assert!(!table.limiter().lift_user("1"));
    assert!((2..9).all(|number| table.limiter().lift_user(&number.to_string())));
}

#[test]
fn f74_a_network_that_differs_in_one_bit_is_not_banned() {
    let (v4, v6) = (0xC000_0207_u32, 0x2001_0DB8_0000_0007_u64);
    let of = |network| by_form(network, "alice");
    let mut table = Table::of(8);
    table.fail_times(5, &of(Network::V4(v4.to_be_bytes())), NOW);
    table.fail_times(5, &of(Network::V6(v6.to_be_bytes())), NOW);
    let v4s = (0..32).map(|bit| Network::V4((v4 ^ (1 << bit)).to_be_bytes()));
    let v6s = (0..64).map(|bit| Network::V6((v6 ^ (1 << bit)).to_be_bytes()));
    for network in v4s.chain(v6s) {
        assert!(table.lets_through(&of(network), NOW), "{network:?}");
    }
    assert_eq!(table.limiter().bans(NOW).count(), 2);
}

#[test]
fn a_failure_counts_though_its_counter_was_pushed_out() {
    let mut table = Table::of(8);
    let alice = attempt("192.0.2.7", "alice");
    let pending: Vec<_> = (0..5).map(|_| table.grant(&alice, NOW)).collect();
    for number in 0..8 {
        table.fail_times(5, &from(number, &number.to_string()), NOW);
    }
    assert!(!table.limiter().lift_network(alice.network), "it was pushed out");
    pending.into_iter().for_each(|one| table.settle(one, Settled::Failed, NOW));
    assert_eq!(table.reserve(&alice, NOW), limited(300, LimitReason::Network));
}

#[test]
fn a_success_of_what_was_pushed_out_takes_no_slot() {
    let mut table = Table::of(8);
    let own = table.grant(&attempt("192.0.2.7", "alice"), NOW);
    for number in 0..8 {
        table.fail_times(5, &from(number, &number.to_string()), NOW);
    }
    let bans = table.limiter().bans(NOW).count();
    for how in [Settled::Succeeded, Settled::Unchecked] {
        table.limiter().touch(&own, NOW);
        table.settle(own, how, NOW);
        assert!(!table.limiter().lift_network(at("192.0.2.7")));
        assert_eq!(table.limiter().bans(NOW).count(), bans);
    }
}

#[test]
fn f69_five_at_once_hold_in_a_table_of_any_size() {
    for slots in [2, 3, 7, 8, 9, 16, 100, 1000] {
        let mut table = Table::of(slots);
        let one = |n: usize| format!("user{n}");
        let granted = |table: &mut Table| {
            let reserve = |n: usize| table.reserve(&attempt("192.0.2.7", &one(n)), NOW);
            (0..100).map(reserve).filter(|it| matches!(it, Decision::Granted(_))).count()
        };
        assert_eq!(granted(&mut table), 5, "{slots}");
    }
}

#[test]
fn a_table_without_slots_grants_everything() {
    let mut table = Table::of(0);
    let alice = attempt("192.0.2.7", "alice");
    table.fail_times(100, &on_device(alice, 1), NOW);
    let one = table.grant(&alice, NOW);
    table.limiter().touch(&one, NOW);
    let limiter = table.limiter();
    assert_eq!((limiter.used(), limiter.bans(NOW).count()), (0, 0));
    assert!(!table.limiter().lift_network(alice.network));
    assert!(!table.limiter().lift_user("alice"));
}
