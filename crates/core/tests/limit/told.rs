//! J136: of what is refused, the log has a line a network within `find`.

use super::places::{ELSEWHERE, HOME, holds_at, wrong};
use super::*;

#[test]
fn j136_of_what_a_network_is_refused_one_line_is_written_within_find() {
    let mut table = Table::of(4096);
    let mut lines = Vec::new();
    table.exhaust("alice", NOW);
    table.fail_times(5, &attempt(HOME, "bob"), NOW);
    for second in 0..300 {
        for user in ["alice", "bob", "carol"] {
            let now = NOW + second * 1000;
            let decision = table.limiter_at(now).reserve(&attempt(HOME, user), now);
            let Decision::Limited(limited) = decision else { panic!("{decision:?}") };
            if limited.is_first {
                lines.push(second);
            }
        }
    }
    assert_eq!(lines, [0, 120, 240]);
    // Another network has a line of its own.
    let decision = table.limiter_at(NOW).reserve(&attempt(ELSEWHERE, "alice"), NOW);
    assert!(matches!(decision, Decision::Limited(Limited { is_first: true, .. })));
}

#[test]
fn j136_of_what_a_place_is_refused_too() {
    let mut table = Table::of(4096);
    holds_at(&mut table, HOME, "alice", NOW);
    let _pending: Vec<_> = (0..5).map(|_| table.grant(&attempt(HOME, "carol"), NOW)).collect();
    for guess in 0..5 {
        let _ = wrong(&mut table, HOME, &guess.to_string(), NOW);
    }
    let lines = [0, 1, LIMITS.find - 1, LIMITS.find].map(|later| {
        let now = NOW + later;
        let decision = table.limiter_at(now).reserve(&basic(HOME, "alice", "right"), now);
        let Decision::Limited(limited) = decision else { panic!("{decision:?}") };
        assert_eq!(limited.reason, LimitReason::Place);
        limited.is_first
    });
    assert_eq!(lines, [true, false, false, true]);
}

#[test]
fn j136_a_line_pushes_out_no_other_while_there_is_room() {
    // One set of eight: a network, a name and a credential take three.
    let mut table = Table::of(8);
    table.limits.user_retries = 1;
    table.fail(&from(1, "alice"), NOW);
    for is_first in [true, false, false] {
        for number in 2..7 {
            let decision = table.limiter().reserve(&from(number, "alice"), NOW);
            let Decision::Limited(limited) = decision else { panic!("{decision:?}") };
            assert_eq!(limited.is_first, is_first, "{number}");
        }
    }
}

#[test]
fn j136_a_line_pushes_out_no_failure() {
    let mut table = Table::of(64);
    table.limits.user_retries = 8;
    for number in 0..8 {
        table.fail(&from(number, "alice"), NOW);
    }
    let used = table.limiter().used();
    for number in 1000..100_000 {
        let decision = table.reserve(&from(number, "alice"), NOW + 1);
        assert!(matches!(decision, Decision::Limited(_)), "{decision:?}");
    }
    assert_eq!(table.limiter().used(), used);
    assert!((0..8).all(|number| table.limiter().lift_network(network(number))));
}
