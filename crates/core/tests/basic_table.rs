//! The credentials that held: who is answered from the table, and who checks.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]

use authgate_core::basic::{
    Answer, CLOCKS_DIFFER, Concluded, Digest, DigestKey, Moment, Slot, Table,
};
use authgate_core::limit::ABANDONED;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::LazyLock;

const TTL: u64 = 300;
/// Unix seconds, and milliseconds of the monotonic clock.
const NOW: Moment = Moment { unix: 1_800_000_000, monotonic: 5_000_000 };
/// As many as a set has.
const WAYS: u64 = 8;

fn slots(count: usize) -> Vec<Slot> {
    std::iter::repeat_with(Slot::default).take(count).collect()
}

fn table(slots: &[Slot]) -> Table<'_> {
    Table { slots, ttl: TTL }
}

fn digest(number: u64) -> Digest {
    static DIGESTS: LazyLock<Vec<Digest>> = LazyLock::new(|| {
        let key = DigestKey::new(&[7; 32]);
        (0..5000).map(|number| key.digest(&format!("user{number}"), b"secret", "hash")).collect()
    });
    *DIGESTS.get(number as usize).unwrap()
}

fn in_seconds(seconds: u64) -> Moment {
    Moment { unix: NOW.unix + seconds, monotonic: NOW.monotonic + 1000 * seconds }
}

fn in_ms(milliseconds: u64) -> Moment {
    Moment { monotonic: NOW.monotonic + milliseconds, ..NOW }
}

/// Checks a credential and says how it ended.
fn check(table: Table<'_>, number: u64, how: Concluded, now: Moment) {
    assert_eq!(table.ask(digest(number), None, now), Answer::Check, "{number}");
    table.conclude(digest(number), how, now);
}

#[test]
fn g80_the_first_checks_and_the_others_wait() {
    let slots = slots(64);
    let table = table(&slots);
    let alice = digest(1);
    assert!(!table.holds(alice, NOW.unix));
    assert_eq!(table.ask(alice, None, NOW), Answer::Check);
    for _ in 0..3 {
        assert_eq!(table.ask(alice, None, NOW), Answer::Wait);
        assert_eq!(table.ask(alice, Some(NOW.monotonic), NOW), Answer::Wait);
    }
    assert!(!table.holds(alice, NOW.unix), "what is being checked does not hold");
    assert_eq!(table.ask(digest(2), None, NOW), Answer::Check, "another credential");
    table.conclude(alice, Concluded::Verified, NOW);
    assert!(table.holds(alice, NOW.unix));
    assert!(!table.holds(digest(2), NOW.unix));
    assert_eq!(table.ask(alice, None, NOW), Answer::Holds);
    assert_eq!(table.ask(alice, Some(NOW.monotonic), NOW), Answer::Holds);
    assert_eq!(table.used(NOW.unix), 1);
}

#[test]
fn g79_what_held_is_checked_again_after_its_time() {
    let slots = slots(64);
    let table = table(&slots);
    check(table, 1, Concluded::Verified, NOW);
    for seconds in [0, 1, TTL - 1] {
        assert!(table.holds(digest(1), NOW.unix + seconds), "{seconds}");
        assert_eq!(table.ask(digest(1), None, in_seconds(seconds)), Answer::Holds, "{seconds}");
    }
    for seconds in [TTL, TTL + 1, u64::MAX - NOW.unix] {
        assert!(!table.holds(digest(1), NOW.unix + seconds), "{seconds}");
    }
    assert_eq!(table.ask(digest(1), None, in_seconds(TTL)), Answer::Check);
    assert_eq!(table.ask(digest(1), None, in_seconds(TTL)), Answer::Wait);
}

#[test]
fn g79_a_clock_that_steps_back_lengthens_nothing() {
    let slots = slots(64);
    let table = table(&slots);
    check(table, 1, Concluded::Verified, NOW);
    for back in [CLOCKS_DIFFER + 1, 3600, NOW.unix] {
        assert!(!table.holds(digest(1), NOW.unix - back), "{back}");
    }
    // And forth again.
    assert!(table.holds(digest(1), NOW.unix));
    // Who asks meanwhile checks, and what it finds counts from then.
    let back = Moment { unix: NOW.unix - 3600, ..NOW };
    check(table, 1, Concluded::Verified, back);
    assert!(table.holds(digest(1), back.unix + TTL - 1));
    assert!(!table.holds(digest(1), back.unix + TTL));
    assert!(!table.holds(digest(1), NOW.unix));
}

#[test]
fn g80_a_worker_whose_clock_is_behind_takes_what_another_has_just_checked() {
    let slots = slots(64);
    let table = table(&slots);
    check(table, 1, Concluded::Verified, NOW);
    // Each worker reads the clock once for all that has come: a second may begin in between.
    let behind = Moment { unix: NOW.unix - 1, ..NOW };
    assert!(table.holds(digest(1), behind.unix));
    assert_eq!(table.ask(digest(1), None, behind), Answer::Holds);
    assert_eq!(table.used(behind.unix), 1);
}

#[test]
fn g79_a_shorter_time_after_a_reload_holds_at_once() {
    let slots = slots(64);
    check(table(&slots), 1, Concluded::Verified, NOW);
    let shorter = Table { slots: &slots, ttl: 10 };
    assert!(!shorter.holds(digest(1), NOW.unix));
    assert!(shorter.holds(digest(1), NOW.unix + TTL - 10), "for as long as it would keep it");
    assert!(!Table { slots: &slots, ttl: 0 }.holds(digest(1), NOW.unix));
}

#[test]
fn g79_with_a_time_of_zero_nothing_is_kept() {
    let slots = slots(64);
    let table = Table { slots: &slots, ttl: 0 };
    check(table, 1, Concluded::Verified, NOW);
    assert!(!table.holds(digest(1), NOW.unix));
    assert_eq!(table.ask(digest(1), None, NOW), Answer::Check);
    assert_eq!(table.used(NOW.unix), 0);
}

#[test]
fn g79_the_end_of_time_wraps_nowhere() {
    let slots = slots(64);
    let table = Table { slots: &slots, ttl: u64::MAX };
    let late = Moment { unix: u64::MAX, monotonic: u64::MAX };
    check(table, 1, Concluded::Verified, late);
    assert!(!table.holds(digest(1), u64::MAX), "not beyond what the table can write down");
    check(table, 2, Concluded::Failed, late);
    assert_eq!(table.ask(digest(3), None, late), Answer::Check);
    table.touch(digest(3), u64::MAX);
    assert!(!table.holds(digest(3), 0));
}

#[test]
fn g79_a_failure_is_told_to_those_that_waited_for_it_and_to_nobody_else() {
    let slots = slots(64);
    let table = table(&slots);
    assert_eq!(table.ask(digest(1), None, NOW), Answer::Check);
    table.conclude(digest(1), Concluded::Failed, in_ms(100));
    for since in [0, NOW.monotonic, NOW.monotonic + 100] {
        assert_eq!(table.ask(digest(1), Some(since), in_ms(150)), Answer::Fails, "{since}");
    }
    assert!(!table.holds(digest(1), NOW.unix));
    assert_eq!(table.ask(digest(1), Some(NOW.monotonic + 101), in_ms(150)), Answer::Check);
    // Now it is being checked again: who waited for the former check waits for this one.
    assert_eq!(table.ask(digest(1), Some(NOW.monotonic), in_ms(160)), Answer::Wait);
    table.conclude(digest(1), Concluded::Failed, in_ms(200));
    assert_eq!(table.ask(digest(1), None, in_ms(200)), Answer::Check, "never from the table");
    table.conclude(digest(1), Concluded::Verified, in_ms(250));
    assert_eq!(table.ask(digest(1), Some(NOW.monotonic), in_ms(260)), Answer::Holds);
}

#[test]
fn g80_what_was_not_checked_is_checked_by_the_next() {
    let slots = slots(64);
    let table = table(&slots);
    check(table, 1, Concluded::Dropped, NOW);
    assert!(!table.holds(digest(1), NOW.unix));
    assert_eq!(table.ask(digest(1), Some(NOW.monotonic), NOW), Answer::Check);
    assert_eq!(table.ask(digest(1), Some(NOW.monotonic), NOW), Answer::Wait);
}

#[test]
fn g80_a_check_of_which_nothing_is_heard_is_taken_over() {
    let slots = slots(64);
    let table = table(&slots);
    assert_eq!(table.ask(digest(1), None, NOW), Answer::Check);
    let waits = Some(NOW.monotonic);
    assert_eq!(table.ask(digest(1), waits, in_ms(ABANDONED - 1)), Answer::Wait);
    table.touch(digest(1), in_ms(ABANDONED - 1).monotonic);
    assert_eq!(table.ask(digest(1), waits, in_ms(2 * ABANDONED - 2)), Answer::Wait);
    assert_eq!(table.ask(digest(1), waits, in_ms(2 * ABANDONED - 1)), Answer::Check);
    assert_eq!(table.ask(digest(1), waits, in_ms(2 * ABANDONED - 1)), Answer::Wait);
    // What a clock of before a restart of the machine has written.
    assert_eq!(table.ask(digest(1), waits, Moment { monotonic: 1, ..NOW }), Answer::Check);
}

#[test]
fn g80_to_touch_what_is_not_being_checked_changes_nothing() {
    let slots = slots(64);
    let table = table(&slots);
    table.touch(digest(1), NOW.monotonic);
    assert_eq!(table.ask(digest(1), None, NOW), Answer::Check);
    table.conclude(digest(1), Concluded::Failed, NOW);
    table.touch(digest(1), NOW.monotonic);
    assert_eq!(table.ask(digest(1), Some(NOW.monotonic), NOW), Answer::Fails);
    check(table, 2, Concluded::Verified, NOW);
    table.touch(digest(2), NOW.monotonic);
    assert!(table.holds(digest(2), NOW.unix));
}

#[test]
fn g79_a_full_set_pushes_out_what_is_spent_and_then_what_holds_shortest() {
    let slots = slots(WAYS as usize);
    let table = table(&slots);
    for number in 0..WAYS {
        check(table, number, Concluded::Verified, in_seconds(number * 10));
    }
    let now = in_seconds(WAYS * 10);
    check(table, 100, Concluded::Verified, now);
    assert!(!table.holds(digest(0), now.unix), "the first to end has gone");
    let held = (1..WAYS).filter(|number| table.holds(digest(*number), now.unix)).count();
    assert_eq!(held as u64, WAYS - 1);
    // After the time of two of them, those go first.
    let later = in_seconds(TTL + 20);
    assert!(!table.holds(digest(1), later.unix) && !table.holds(digest(2), later.unix));
    check(table, 101, Concluded::Verified, later);
    check(table, 102, Concluded::Verified, later);
    for number in [3, 4, 5, 6, 7, 100, 101, 102] {
        assert!(table.holds(digest(number), later.unix), "{number}");
    }
}

#[test]
fn g80_a_check_under_way_is_never_pushed_out() {
    let slots = slots(WAYS as usize);
    let table = table(&slots);
    for number in 0..WAYS {
        assert_eq!(table.ask(digest(number), None, NOW), Answer::Check);
    }
    // No room for another: it is checked without a place.
    for _ in 0..2 {
        assert_eq!(table.ask(digest(100), None, NOW), Answer::Check);
    }
    table.conclude(digest(100), Concluded::Verified, NOW);
    assert!(!table.holds(digest(100), NOW.unix));
    for number in 0..WAYS {
        assert_eq!(table.ask(digest(number), None, NOW), Answer::Wait, "{number}");
    }
    table.conclude(digest(3), Concluded::Verified, NOW);
    check(table, 101, Concluded::Verified, NOW);
    assert!(table.holds(digest(101), NOW.unix) && !table.holds(digest(3), NOW.unix));
    // Those of a worker that was killed are.
    for number in 200..200 + WAYS {
        check(table, number, Concluded::Verified, in_ms(ABANDONED));
    }
    assert_eq!(table.used(NOW.unix), WAYS);
}

#[test]
fn g80_a_failure_that_some_wait_for_is_not_pushed_out_while_there_is_room() {
    let slots = slots(WAYS as usize);
    let table = table(&slots);
    check(table, 0, Concluded::Failed, NOW);
    for number in 1..WAYS {
        assert_eq!(table.ask(digest(number), None, in_ms(10)), Answer::Check);
    }
    assert_eq!(table.ask(digest(0), Some(NOW.monotonic), in_ms(20)), Answer::Fails);
}

#[test]
fn g79_wrong_passwords_push_out_nothing_that_holds_as_long_as_they_come_one_by_one() {
    let slots = slots(WAYS as usize);
    let table = table(&slots);
    for number in 0..WAYS - 1 {
        check(table, number, Concluded::Verified, NOW);
    }
    for number in 1000..2000 {
        check(table, number, Concluded::Failed, in_ms(number));
    }
    assert_eq!(table.used(NOW.unix), WAYS - 1);
}

#[test]
fn g79_the_table_is_bounded_and_spread() {
    let slots = slots(1024);
    let table = table(&slots);
    for number in 0..5000 {
        check(table, number, Concluded::Verified, NOW);
        assert!(table.holds(digest(number), NOW.unix), "{number}");
    }
    assert!(table.used(NOW.unix) > 1000, "{}", table.used(NOW.unix));
    assert!(table.used(NOW.unix) <= 1024);
}

#[test]
fn g79_a_table_without_slots_has_everyone_check() {
    for count in [0, 1, 3, 7] {
        let slots = slots(count);
        let table = table(&slots);
        for number in 0..20 {
            check(table, number, Concluded::Verified, NOW);
            assert_eq!(table.holds(digest(number), NOW.unix), count > 0, "{count}");
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Known {
    Verified { at: u64 },
    Claimed { heard: u64 },
    Failed { at: u64 },
}

/// The same with room for everyone.
#[derive(Default)]
struct Model(HashMap<u64, Known>);

impl Model {
    fn holds(&self, number: u64, now: u64) -> bool {
        let holds = |at| (at - CLOCKS_DIFFER..at + TTL).contains(&now);
        matches!(self.0.get(&number), Some(&Known::Verified { at }) if holds(at))
    }

    fn ask(&mut self, number: u64, since: Option<u64>, now: Moment) -> Answer {
        if self.holds(number, now.unix) {
            return Answer::Holds;
        }
        match self.0.get(&number) {
            Some(Known::Claimed { heard }) if heard.abs_diff(now.monotonic) < ABANDONED => {
                return Answer::Wait;
            }
            Some(Known::Failed { at }) if since.is_some_and(|since| since <= *at) => {
                return Answer::Fails;
            }
            _ => {}
        }
        self.0.insert(number, Known::Claimed { heard: now.monotonic });
        Answer::Check
    }

    fn touch(&mut self, number: u64, now: u64) {
        if let Some(Known::Claimed { heard }) = self.0.get_mut(&number) {
            *heard = now;
        }
    }

    fn conclude(&mut self, number: u64, how: Concluded, now: Moment) {
        match how {
            Concluded::Verified => {
                self.0.insert(number, Known::Verified { at: now.unix });
            }
            Concluded::Failed => {
                let failed = Known::Failed { at: now.monotonic };
                self.0.entry(number).and_modify(|known| *known = failed);
            }
            Concluded::Dropped => {
                self.0.remove(&number);
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Ask(u64, Option<u64>),
    Touch(u64),
    Conclude(u64, Concluded),
    Pass(u64),
    /// The clock of Unix seconds steps.
    Set(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let number = 0..WAYS;
    let how =
        prop_oneof![Just(Concluded::Verified), Just(Concluded::Failed), Just(Concluded::Dropped)];
    prop_oneof![
        4 => (number.clone(), proptest::option::of(0u64..4000)).prop_map(|(n, ago)| Step::Ask(n, ago)),
        1 => number.clone().prop_map(Step::Touch),
        3 => (number, how).prop_map(|(n, how)| Step::Conclude(n, how)),
        2 => prop_oneof![0u64..3000, 0..2 * 1000 * TTL].prop_map(Step::Pass),
        1 => prop_oneof![-400i64..400, -4i64..4].prop_map(Step::Set),
    ]
}

proptest! {
    /// As many credentials as a set has slots: nothing has to be pushed out.
    #[test]
    fn g79_g80_a_set_with_room_says_what_the_model_says(
        steps in proptest::collection::vec(step(), 1..200),
    ) {
        let slots = slots(WAYS as usize);
        let (table, mut model, mut now) = (table(&slots), Model::default(), NOW);
        for step in steps {
            match step {
                Step::Ask(number, ago) => {
                    let since = ago.map(|ago| now.monotonic - ago);
                    let said = table.ask(digest(number), since, now);
                    prop_assert_eq!(said, model.ask(number, since, now), "{:?}", step);
                }
                Step::Touch(number) => {
                    table.touch(digest(number), now.monotonic);
                    model.touch(number, now.monotonic);
                }
                Step::Conclude(number, how) => {
                    table.conclude(digest(number), how, now);
                    model.conclude(number, how, now);
                }
                Step::Pass(milliseconds) => {
                    now.monotonic += milliseconds;
                    now.unix += milliseconds / 1000;
                }
                Step::Set(seconds) => now.unix = now.unix.saturating_add_signed(seconds),
            }
            for number in 0..WAYS {
                let held = table.holds(digest(number), now.unix);
                prop_assert_eq!(held, model.holds(number, now.unix), "{} {:?}", number, step);
            }
        }
    }

    /// However full: nothing holds that the model does not know to hold.
    #[test]
    fn g79_a_full_table_forgets_and_invents_nothing(
        steps in proptest::collection::vec((0u64..30, step()), 1..300),
        count in 0usize..20,
    ) {
        let slots = slots(count);
        let (table, mut now) = (table(&slots), NOW);
        let mut verified: HashMap<u64, u64> = HashMap::new();
        for (number, step) in steps {
            match step {
                Step::Ask(_, ago) => {
                    let _ = table.ask(digest(number), ago.map(|ago| now.monotonic - ago), now);
                }
                Step::Touch(_) => table.touch(digest(number), now.monotonic),
                Step::Conclude(_, how) => {
                    table.conclude(digest(number), how, now);
                    if how == Concluded::Verified {
                        verified.insert(number, now.unix);
                    }
                }
                Step::Pass(milliseconds) => {
                    now.monotonic += milliseconds;
                    now.unix += milliseconds / 1000;
                }
                Step::Set(seconds) => now.unix = now.unix.saturating_add_signed(seconds),
            }
            for number in 0..30 {
                if table.holds(digest(number), now.unix) {
                    let at = verified.get(&number).copied();
                    let holds = |at| (at - CLOCKS_DIFFER..at + TTL).contains(&now.unix);
                    prop_assert!(at.is_some_and(holds));
                }
            }
            prop_assert!(table.used(now.unix) <= count as u64);
        }
    }
}
