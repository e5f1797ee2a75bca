//! Tries: reserved before a check, settled after it.

use super::*;
use authgate_core::limit::ABANDONED;

const HERE: &str = "192.0.2.7";

/// Reserves until it is refused; how often it was granted, and the refusal.
fn granted(table: &mut Table, times: usize) -> (Vec<Reservation>, Decision) {
    let mut reservations = Vec::new();
    for number in 0..times {
        match table.reserve(&attempt(HERE, &format!("user{number}")), NOW) {
            Decision::Granted(reservation) => reservations.push(reservation),
            refusal => return (reservations, refusal),
        }
    }
    panic!("{times} were granted")
}

#[test]
fn f69_of_a_hundred_at_once_five_are_granted_and_the_rest_wait_for_a_decision() {
    let mut table = Table::of(1024);
    let (reservations, refusal) = granted(&mut table, 100);
    assert_eq!(reservations.len(), 5);
    assert_eq!(refusal, Decision::Undecided);
    for (number, reservation) in reservations.into_iter().enumerate() {
        assert_eq!(table.reserve(&attempt(HERE, "alice"), NOW), Decision::Undecided, "{number}");
        table.settle(reservation, Settled::Failed, NOW);
    }
    let refusal = table.reserve(&attempt(HERE, "alice"), NOW);
    assert_eq!(refusal, limited(300, LimitReason::Network));
}

#[test]
fn f69_a_hundred_that_come_as_others_fail_have_five_checks_in_all() {
    let mut table = Table::of(1024);
    let mut under_way = Vec::new();
    let mut checks = 0;
    for number in 0..100 {
        if let Decision::Granted(reservation) = table.reserve(&attempt(HERE, "alice"), NOW + number)
        {
            checks += 1;
            under_way.push(reservation);
        }
        if number % 3 == 0
            && let Some(reservation) = under_way.pop()
        {
            table.settle(reservation, Settled::Failed, NOW + number);
        }
    }
    assert_eq!(checks, 5);
}

#[test]
fn f69_a_correct_login_waits_and_gets_in_when_others_are_decided_for_it() {
    let mut table = Table::of(1024);
    for how in [Settled::Succeeded, Settled::Unchecked] {
        let (mut reservations, _) = granted(&mut table, 100);
        table.settle(reservations.pop().unwrap(), how, NOW);
        let mine = table.grant(&attempt(HERE, "alice"), NOW);
        assert_eq!(table.reserve(&attempt(HERE, "alice"), NOW), Decision::Undecided);
        reservations.push(mine);
        reservations.into_iter().for_each(|one| table.settle(one, how, NOW));
    }
    assert_eq!(table.limiter().used(), 0);
}

#[test]
fn f69_a_name_has_so_many_tries_over_all_networks() {
    let mut table = Table::of(4096);
    let reservations: Vec<_> = (0..50).map(|n| table.grant(&from(n, "alice"), NOW)).collect();
    assert_eq!(table.reserve(&from(50, "alice"), NOW), Decision::Undecided);
    assert!(table.lets_through(&from(50, "bob"), NOW));
    reservations.into_iter().for_each(|one| table.settle(one, Settled::Failed, NOW));
    assert_eq!(table.reserve(&from(50, "alice"), NOW), limited(300, LimitReason::User));
}

#[test]
fn what_is_undecided_reserves_nothing() {
    let mut table = Table::of(1024);
    table.limits.user_retries = 1;
    let first = table.grant(&attempt(HERE, "alice"), NOW);
    for _ in 0..20 {
        assert_eq!(table.reserve(&attempt("192.0.2.8", "alice"), NOW), Decision::Undecided);
    }
    assert!(table.lets_through(&attempt("192.0.2.8", "bob"), NOW));
    table.settle(first, Settled::Unchecked, NOW);
    assert_eq!(table.limiter().used(), 0);
}

#[test]
fn a_success_takes_no_failure_back() {
    let mut table = Table::of(1024);
    table.fail_times(4, &attempt(HERE, "alice"), NOW);
    let own = table.grant(&attempt(HERE, "mallory"), NOW);
    table.settle(own, Settled::Succeeded, NOW);
    table.fail(&attempt(HERE, "alice"), NOW);
    let refusal = table.reserve(&attempt(HERE, "alice"), NOW);
    assert_eq!(refusal, limited(300, LimitReason::Network));
}

#[test]
fn i105_tries_of_a_killed_worker_are_given_back() {
    let mut table = Table::of(1024);
    let (reservations, _) = granted(&mut table, 100);
    assert_eq!(reservations.len(), 5);
    assert_eq!(table.reserve(&attempt(HERE, "a"), NOW + ABANDONED - 1), Decision::Undecided);
    assert!(table.lets_through(&attempt(HERE, "a"), NOW + ABANDONED));
    assert_eq!(granted(&mut table, 100).0.len(), 5);
}

#[test]
fn a_try_that_is_touched_is_not_abandoned() {
    let mut table = Table::of(1024);
    let (reservations, _) = granted(&mut table, 100);
    for second in 1..60 {
        let now = NOW + second * 1000;
        table.limiter().touch(&reservations[0], now);
        assert_eq!(table.reserve(&attempt(HERE, "alice"), now), Decision::Undecided);
    }
    assert!(table.lets_through(&attempt(HERE, "alice"), NOW + 59_000 + ABANDONED));
}

#[test]
fn an_abandoned_try_that_fails_after_all_counts() {
    let mut table = Table::of(1024);
    let late = table.grant(&attempt(HERE, "alice"), NOW);
    let now = NOW + 10 * ABANDONED;
    table.fail_times(4, &attempt(HERE, "alice"), now);
    table.settle(late, Settled::Failed, now);
    assert_eq!(table.reserve(&attempt(HERE, "a"), now), limited(300, LimitReason::Network));
}

#[test]
fn limits_that_a_reload_lowers_leave_nobody_undecided_for_ever() {
    let mut table = Table::of(1024);
    table.fail_times(4, &attempt(HERE, "alice"), NOW);
    for retries in [3, 0] {
        table.limits.retries = retries;
        assert!(table.lets_through(&attempt(HERE, "alice"), NOW));
    }
    table.fail(&attempt(HERE, "alice"), NOW);
    assert_eq!(table.reserve(&attempt(HERE, "a"), NOW), limited(300, LimitReason::Network));
}
