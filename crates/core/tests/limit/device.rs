//! Known devices: F73.

use super::*;

const HOME: &str = "192.0.2.7";

#[test]
fn f73_who_exhausts_a_name_from_everywhere_does_not_lock_its_owner_out() {
    let mut table = Table::of(4096);
    table.exhaust("alice", NOW);
    let alice = attempt(HOME, "alice");
    assert_eq!(table.reserve(&alice, NOW), limited(300, LimitReason::User));
    table.fail_times(4, &on_device(alice, 1), NOW);
    assert!(table.lets_through(&on_device(alice, 1), NOW));
}

#[test]
fn f73_a_try_of_an_unknown_device_under_way_does_not_hold_a_known_one_up() {
    let mut table = Table::of(4096);
    let _pending: Vec<_> = (0..50).map(|n| table.grant(&from(n, "alice"), NOW)).collect();
    let alice = attempt(HOME, "alice");
    assert_eq!(table.reserve(&alice, NOW), Decision::Undecided);
    assert!(table.lets_through(&on_device(alice, 1), NOW));
}

#[test]
fn f73_a_device_has_a_budget_of_its_own() {
    let mut table = Table::of(4096);
    table.exhaust("alice", NOW);
    // From a network each, so that the device alone is what counts.
    (100..105).for_each(|n| table.fail(&on_device(from(n, "alice"), 1), NOW + 1000));
    let alice = from(200, "alice");
    assert_eq!(table.reserve(&on_device(alice, 1), NOW + 1000), limited(299, LimitReason::User));
    assert!(table.lets_through(&on_device(alice, 2), NOW + 1000), "another device");
    assert!(table.lets_through(&on_device(alice, 1), NOW + 300_000), "the name's ban is over");
}

#[test]
fn f73_a_banned_device_is_like_any_other() {
    let mut table = Table::of(4096);
    (0..5).for_each(|n| table.fail(&on_device(from(n, "alice"), 1), NOW));
    // Its failures did not count for the name; from now on they do.
    for n in 5..55 {
        assert!(table.lets_through(&from(200, "alice"), NOW), "{n}");
        table.fail(&on_device(from(n, "alice"), 1), NOW);
    }
    assert_eq!(table.reserve(&from(200, "alice"), NOW), limited(300, LimitReason::User));
}

#[test]
fn f73_a_try_is_settled_where_it_was_reserved() {
    let mut table = Table::of(4096);
    let tries: Vec<_> = (0..5).map(|n| table.grant(&on_device(from(n, "alice"), 1), NOW)).collect();
    let refusal = table.reserve(&on_device(from(9, "alice"), 1), NOW);
    assert_eq!(refusal, Decision::Undecided, "a device with tries under way is not banned");
    tries.into_iter().for_each(|one| table.settle(one, Settled::Failed, NOW));
    // The device is banned; the name has no failure and no try.
    let _tries: Vec<_> =
        (100..150).map(|n| table.grant(&on_device(from(n, "alice"), 1), NOW)).collect();
    assert_eq!(table.reserve(&from(9, "alice"), NOW), Decision::Undecided);
}

#[test]
fn f73_a_device_is_no_way_round_the_ban_of_its_network() {
    let mut table = Table::of(4096);
    table.fail_times(5, &attempt(HOME, "bob"), NOW);
    let refusal = table.reserve(&on_device(attempt(HOME, "alice"), 1), NOW);
    assert_eq!(refusal, limited(300, LimitReason::Network));
}

#[test]
fn a_device_and_a_name_of_equal_bytes_are_two() {
    let mut table = Table::of(4096);
    let same = "\u{1}".repeat(16);
    (0..5).for_each(|n| table.fail(&on_device(from(n, "alice"), 1), NOW));
    assert!(table.lets_through(&from(9, &same), NOW));
    assert_eq!(table.limiter().bans(NOW).count(), 1);
}
