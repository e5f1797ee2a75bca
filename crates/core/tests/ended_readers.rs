//! Ended sessions are read without a lock, whatever a writer is about.

mod support;

use authgate_core::ended::{KEPT_BEYOND_ISSUE, MADE_AHEAD};
use authgate_core::journal::{Record, UserTag};
use std::sync::atomic::{AtomicU64, Ordering};
use support::table::{Table, spread as id};
use support::{MAX, NOW, ended};

/// Writes one after the other; a reader looks at the last ones again and again.
fn beside_a_writer(
    count: u64,
    last: u64,
    write: impl Fn(u64) + Sync,
    is_held: impl Fn(u64) -> bool + Sync,
) {
    let written = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..count {
                write(number);
                written.store(number + 1, Ordering::Release);
            }
        });
        scope.spawn(|| {
            let mut seen = 0;
            while seen < count {
                seen = written.load(Ordering::Acquire);
                for number in seen.saturating_sub(last)..seen {
                    assert!(is_held(number), "{number}");
                }
            }
        });
    });
}

#[test]
fn a23_readers_beside_a_writer_miss_no_session() {
    let table = Table::of(256, 16);
    let user = |number: u64| ["alice", "bob", "carol", "dave"][number as usize % 4];
    let end = |number: u64| NOW + MAX + number / 8;
    beside_a_writer(
        20_000,
        300,
        |number| table.apply(ended(id(number), user(number), end(number)), NOW + number / 8),
        |number| table.holds(id(number), user(number), end(number)),
    );
    assert!(table.usage().coarsened > 0);
}

#[test]
fn a23_readers_beside_a_writer_miss_nothing_that_an_operator_ended() {
    let table = Table::of(256, 16);
    let name = |number: u64| format!("user{}", number / 2);
    let time = |number: u64| NOW + number / 8;
    let record = |number: u64| match number % 2 {
        0 => Record::Token { id: id(number), keep_until: time(number) + KEPT_BEYOND_ISSUE },
        _ => Record::User { user: UserTag::of(&name(number)), issued_until: time(number) },
    };
    let is_held = |number: u64| match number % 2 {
        0 => table.ended().api_token_has_ended(id(number), time(number)),
        _ => table.ended().session_has_ended(id(0), &name(number), time(number), NOW + MAX),
    };
    beside_a_writer(10_000, 300, |number| table.apply(record(number), time(number)), is_held);
    assert!(table.ended().earliest("alice").issued_at > NOW);
}

#[test]
fn i112_readers_beside_a_writer_who_ends_everyone_miss_no_token() {
    let table = Table::of(4, 1);
    let time = |number: u64| NOW + number;
    beside_a_writer(
        100_000,
        3,
        |number| {
            let keep_until = NOW + KEPT_BEYOND_ISSUE;
            table.apply(Record::Token { id: id(number), keep_until }, time(number));
        },
        |number| table.ended().api_token_has_ended(id(number), time(number) + MADE_AHEAD),
    );
}
