//! Ended sessions: whatever happens to the table, no ended session comes back.
#![allow(clippy::indexing_slicing, reason = "a test stops where it is wrong")]

use authgate_core::ended::{Ended, Head, KEPT_BEYOND_END, Slot};
use authgate_core::token::SessionId;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

const NOW: u64 = 1_800_000_000;
const MAX: u64 = 43_200;

struct Table {
    head: Head,
    slots: Vec<Slot>,
}

impl Table {
    fn of(slots: usize) -> Self {
        let slots = core::iter::repeat_with(Slot::default).take(slots).collect();
        Self { head: Head::default(), slots }
    }

    fn ended(&self) -> Ended<'_> {
        Ended { head: &self.head, slots: &self.slots, buckets: &[] }
    }

    fn is_exact(&self) -> bool {
        self.ended().earliest_new_end() == 1
    }
}

/// Random enough for the table: ids spread over the slots.
fn id(number: u64) -> SessionId {
    let spread = u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    SessionId(spread.to_be_bytes())
}

#[test]
fn an_empty_table_holds_nobody() {
    let table = Table::of(8);
    assert!(!table.ended().contains(id(1), NOW));
    assert!(!table.ended().contains(SessionId([0; 16]), 1));
}

#[test]
fn an_ended_session_is_held_and_no_other() {
    let table = Table::of(1024);
    for number in 0..500 {
        table.ended().insert(id(number), NOW + MAX, NOW);
    }
    assert!((0..500).all(|number| table.ended().contains(id(number), NOW + MAX)));
    assert!((500..5000).all(|number| !table.ended().contains(id(number), NOW + MAX)));
    assert!(table.is_exact());
}

#[test]
fn ids_that_differ_in_one_word_are_two_sessions() {
    let table = Table::of(64);
    let (mut low, mut high) = ([7; 16], [7; 16]);
    (low[15], high[0]) = (8, 8);
    table.ended().insert(SessionId([7; 16]), NOW + MAX, NOW);
    assert!(!table.ended().contains(SessionId(low), NOW + MAX));
    assert!(!table.ended().contains(SessionId(high), NOW + MAX));
}

#[test]
fn ending_a_session_twice_takes_one_slot() {
    let table = Table::of(8);
    for _ in 0..100 {
        table.ended().insert(id(1), NOW + MAX, NOW);
    }
    assert!(table.is_exact());
}

#[test]
fn a_slot_is_used_again_long_after_the_end_of_its_session() {
    let table = Table::of(64);
    for number in 0..10_000 {
        let now = NOW + number * 200;
        table.ended().insert(id(number), now + 100, now);
        assert!(table.ended().contains(id(number), now + 100));
    }
    assert!(table.is_exact(), "at most {} were alive at once", KEPT_BEYOND_END / 200 + 1);
}

#[test]
fn a15_a_clock_that_steps_back_an_hour_revives_nobody() {
    let table = Table::of(64);
    table.ended().insert(id(0), NOW, NOW - 10);
    for number in 1..40 {
        table.ended().insert(id(number), NOW + MAX, NOW + KEPT_BEYOND_END - 1);
    }
    assert!(table.ended().contains(id(0), NOW));
}

#[test]
fn i112_a_full_table_becomes_coarser_and_forgets_nobody() {
    let table = Table::of(64);
    for number in 0..1000 {
        let now = NOW + number;
        table.ended().insert(id(number), now + MAX, now);
        let all = 0..=number;
        assert!(all.clone().all(|n| table.ended().contains(id(n), NOW + n + MAX)), "{number}");
    }
    assert!(!table.is_exact());
    // Half of what it held was given up, not all: sessions near the last ones live on.
    assert!(!table.ended().contains(id(5000), NOW + 999 + MAX));
    assert!(table.ended().earliest_new_end() <= NOW + 999 + MAX);
}

#[test]
fn a_table_of_equal_ends_covers_them_all_and_starts_anew() {
    let table = Table::of(16);
    for number in 0..15 {
        table.ended().insert(id(number), NOW + MAX, NOW);
    }
    assert_eq!(table.ended().earliest_new_end(), NOW + MAX + 1);
    assert!(table.ended().contains(id(99), NOW + MAX));
    assert!(!table.ended().contains(id(99), NOW + MAX + 1));
}

#[test]
fn a_table_without_slots_covers_everyone() {
    for slots in [0, 1] {
        let table = Table::of(slots);
        table.ended().insert(id(1), NOW + MAX, NOW);
        assert!(table.ended().contains(id(1), NOW + MAX));
        assert!(table.ended().contains(id(2), NOW + MAX));
        assert!(!table.ended().contains(id(2), NOW + MAX + 1));
    }
}

#[test]
fn a_session_without_a_future_is_no_entry() {
    let table = Table::of(8);
    table.ended().insert(id(1), 0, NOW);
    assert!(!table.ended().contains(id(2), NOW));
    assert!(table.is_exact());
    table.ended().insert(id(1), u64::MAX, NOW);
    assert!(table.ended().contains(id(1), u64::MAX));
}

#[test]
fn readers_beside_a_writer_miss_nobody() {
    const SESSIONS: u64 = 20_000;
    let (table, written) = (Table::of(256), AtomicU64::new(0));
    let end = |number: u64| NOW + MAX + number / 8;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..SESSIONS {
                table.ended().insert(id(number), end(number), NOW + number / 8);
                written.store(number + 1, Ordering::Release);
            }
        });
        scope.spawn(|| {
            let mut seen = 0;
            while seen < SESSIONS {
                seen = written.load(Ordering::Acquire);
                for number in seen.saturating_sub(300)..seen {
                    assert!(table.ended().contains(id(number), end(number)), "{number}");
                }
            }
        });
    });
}

#[derive(Debug, Clone)]
enum Step {
    End { session: u64, in_seconds: u64 },
    Wait { seconds: u64 },
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        // Few session numbers, so that one is ended again; ids in few places, so that chains meet.
        8 => (0_u64..200, 1..MAX).prop_map(|(session, in_seconds)| Step::End { session, in_seconds }),
        1 => (0..2 * MAX).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// Ids that crowd in four places of the table.
fn crowded(number: u64) -> SessionId {
    let mut bytes = [0; 16];
    bytes[0] = (number as u8 & 3) << 6;
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    SessionId(bytes)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(1_000), ..ProptestConfig::default() })]

    #[test]
    fn no_ended_session_comes_back(
        slots in prop_oneof![0_usize..10, Just(16), Just(33), Just(100)],
        steps in proptest::collection::vec(any_step(), 0..200),
        spread in any::<bool>(),
    ) {
        let id = if spread { id } else { crowded };
        let table = Table::of(slots);
        let (mut model, mut now) = (HashMap::new(), NOW);
        for step in steps {
            match step {
                Step::Wait { seconds } => now += seconds,
                Step::End { session, in_seconds } => {
                    // A session's absolute end never moves.
                    let end = *model.entry(session).or_insert(now + in_seconds);
                    table.ended().insert(id(session), end, now);
                }
            }
            for (&session, &end) in model.iter().filter(|&(_, &end)| now < end + KEPT_BEYOND_END) {
                prop_assert!(table.ended().contains(id(session), end));
            }
            let alive = table.ended().earliest_new_end();
            for session in 200..220 {
                prop_assert!(!table.ended().contains(id(session), alive), "innocent");
            }
        }
    }
}

/// `PROPTEST_CASES`, where it asks for more than we do.
fn cases(default: u32) -> u32 {
    ProptestConfig::default().cases.max(default)
}
