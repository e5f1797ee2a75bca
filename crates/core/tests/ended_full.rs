//! A full table of ended sessions: coarser, one part of the users after another, never less.

mod support;

use authgate_core::ended::{KEPT_BEYOND_ISSUE, MADE_AHEAD};
use authgate_core::journal::{Record, UserTag};
use authgate_core::token::SessionId;
use support::table::{Table, part_of, spread as id};
use support::{MAX, NOW, ended};

fn token(id: SessionId) -> Record {
    Record::Token { id, keep_until: NOW + KEPT_BEYOND_ISSUE }
}

/// Users of so many different buckets.
fn users(table: &Table, count: usize) -> Vec<String> {
    let mut users: Vec<String> = Vec::new();
    for name in (0..).map(|number| format!("user{number}")) {
        if users.len() == count {
            break;
        }
        if users.iter().all(|user| table.bucket(user) != table.bucket(&name)) {
            users.push(name);
        }
    }
    users
}

#[test]
fn i112_a_full_table_becomes_coarser_and_forgets_nobody() {
    let table = Table::of(64, 4);
    for number in 0..1000 {
        let now = NOW + number;
        table.apply(ended(id(number), "alice", now + MAX), now);
        assert!((0..=number).all(|n| table.holds(id(n), "alice", NOW + n + MAX)), "{number}");
    }
    // Half of what it held was given up, not all: sessions near the last ones live on.
    assert!(!table.holds(id(5000), "alice", NOW + 999 + MAX));
    let earliest = table.ended().earliest("alice");
    assert!(earliest.issued_at == 0 && earliest.ends_at <= NOW + 999 + MAX);
}

#[test]
fn i112_who_signs_out_without_end_coarsens_only_the_own_bucket() {
    let table = Table::of(4000, 64);
    let innocents = users(&table, 8);
    let innocents = innocents.iter().filter(|name| table.bucket(name) != table.bucket("mallory"));
    let innocents: Vec<&String> = innocents.collect();
    for (number, name) in (0..).zip(&innocents) {
        table.apply(ended(id(number), name, NOW + MAX), NOW);
    }
    for number in 0..100_000 {
        let now = NOW + number / 10;
        table.apply(ended(id(1000 + number), "mallory", now + MAX), now);
    }
    assert!(!table.is_exact_for("mallory"));
    for (number, name) in (0..).zip(&innocents) {
        assert!(table.is_exact_for(name), "{name}");
        assert!(table.holds(id(number), name, NOW + MAX));
    }
    let usage = table.usage();
    assert_eq!((usage.coarsened, usage.capacity), (1, 3500));
    assert!(usage.sessions <= 3500 / 8 + innocents.len() as u64, "{usage:?}");
}

#[test]
fn i112_the_user_with_the_most_entries_goes_first() {
    let table = Table::of(64, 1024);
    let names = users(&table, 20);
    let end = |number: u64, name: &str| table.apply(ended(id(number), name, NOW + MAX), NOW);
    // 56 entries, at most 7 of a user: one has 6, the others 2 or 3.
    (0..6).for_each(|number| end(number, "many"));
    for number in 6..56 {
        end(number, names.get(number as usize % 20).unwrap());
    }
    assert!(names.iter().all(|name| table.is_exact_for(name)) && table.is_exact_for("many"));
    end(56, "last");
    assert!(!table.is_exact_for("many"));
    assert!((0..6).all(|number| table.holds(id(number), "many", NOW + MAX)));
    assert!(table.holds(id(56), "last", NOW + MAX));
    let others = names.iter().filter(|name| !table.is_exact_for(name)).count();
    assert!(others < 20, "not all at once");
}

#[test]
fn a_bucket_of_equal_ends_covers_them_all_and_starts_anew() {
    let table = Table::of(64, 16);
    for number in 0..8 {
        assert!(table.is_exact_for("alice"), "{number}");
        table.apply(ended(id(number), "alice", NOW + MAX), NOW);
    }
    assert_eq!(table.ended().earliest("alice").ends_at, NOW + MAX + 1);
    assert!(table.holds(id(99), "alice", NOW + MAX));
    assert!(!table.holds(id(99), "alice", NOW + MAX + 1));
    assert_eq!(table.usage().sessions, 0);
}

#[test]
fn a_table_without_slots_covers_what_it_is_told() {
    for slots in [0, 1] {
        let table = Table::of(slots, 4);
        table.apply(ended(id(1), "alice", NOW + MAX), NOW);
        assert!(table.holds(id(1), "alice", NOW + MAX) && table.holds(id(2), "alice", NOW + MAX));
        assert!(!table.holds(id(2), "alice", NOW + MAX + 1));
        assert_eq!(table.ended().earliest("alice").issued_at, 0, "not everyone");
        table.apply(token(id(3)), NOW);
        assert!(table.ended().api_token_has_ended(id(3), NOW + MADE_AHEAD));
    }
}

#[test]
fn i112_without_buckets_it_is_everyone() {
    let table = Table::of(16, 0);
    for number in 0..100 {
        table.apply(ended(id(number), "alice", NOW + MAX), NOW);
    }
    for number in 0..100 {
        assert!(table.ended().session_has_ended(id(number), "alice", NOW, NOW + MAX), "{number}");
    }
    let table = Table::of(16, 0);
    table.apply(Record::Part { part: 0, of: 1, ends_until: NOW + MAX }, NOW);
    assert!(table.ended().session_has_ended(id(1), "alice", NOW, NOW + MAX));
}

#[test]
fn i112_everyone_only_when_what_operators_named_fills_the_table() {
    let table = Table::of(64, 16);
    table.apply(ended(id(1000), "alice", NOW + MAX), NOW);
    let from_ahead = NOW + MADE_AHEAD;
    for number in 0..56 {
        table.apply(token(id(number)), NOW);
        assert!(!table.ended().api_token_has_ended(id(2000), NOW), "{number}");
    }
    assert_eq!(table.ended().earliest("alice").ends_at, NOW + MAX + 1, "sessions first");
    table.apply(token(id(56)), NOW);
    for number in 0..=56 {
        assert!(table.ended().api_token_has_ended(id(number), from_ahead), "{number}");
        assert!(table.ended().session_has_ended(id(number), "bob", from_ahead, NOW + MAX));
    }
    assert!(table.holds(id(1000), "alice", NOW + MAX));
    assert_eq!(table.ended().earliest("bob").issued_at, from_ahead + 1);
    assert!(!table.ended().api_token_has_ended(id(2000), from_ahead + 1));
    assert_eq!(table.ended().entries(), 0);
}

#[test]
fn i112_everyone_a_second_time_within_a_second() {
    let table = Table::of(16, 4);
    for round in 0..3 {
        // What a sign-in makes now, and an operator ends at once.
        let issued_at = table.ended().earliest("alice").issued_at;
        table.ended().may_be_made_until(issued_at);
        for number in 0..15 {
            table.apply(token(id(100 * round + number)), NOW);
        }
        assert!(table.ended().session_has_ended(id(100 * round), "alice", issued_at, NOW + MAX));
    }
}

#[test]
fn i112_a_clock_that_stepped_back_forgets_no_token() {
    let table = Table::of(16, 4);
    table.apply(token(id(0)), NOW);
    for number in 1..20 {
        table.apply(token(id(number)), NOW - 3000);
    }
    assert!(table.ended().api_token_has_ended(id(0), NOW));
}

#[test]
fn i112_users_fill_the_table() {
    let table = Table::of(64, 16);
    for number in 0..1000_u64 {
        let (name, issued_until) = (format!("user{number}"), NOW + number % 7);
        table.apply(Record::User { user: UserTag::of(&name), issued_until }, NOW);
        assert!(table.ended().session_has_ended(id(1), &name, issued_until, NOW + MAX), "{number}");
    }
    assert!(table.ended().earliest("alice").issued_at > NOW);
}

#[test]
fn a26_a_part_applies_to_tables_with_other_parts() {
    let names: Vec<String> = (0..300).map(|number| format!("user{number}")).collect();
    for of in [1_u32, 2, 3, 5, 8, 1000, u32::MAX] {
        for buckets in [1, 2, 3, 7, 64] {
            let table = Table::of(64, buckets);
            let part = part_of("alice", u64::from(of)) as u32;
            table.apply(Record::Part { part, of, ends_until: NOW + MAX }, NOW);
            for name in names.iter().filter(|name| part_of(name, u64::from(of)) as u32 == part) {
                assert!(table.holds(id(1), name, NOW + MAX), "{name}");
            }
            assert!(table.holds(id(1), "alice", NOW + MAX));
            assert!(!table.holds(id(1), "alice", NOW + MAX + 1));
            let width = (buckets as u64).div_ceil(u64::from(of)) + 1;
            assert!(table.usage().coarsened <= width.min(buckets as u64), "{of} {buckets}");
        }
    }
}

#[test]
fn parts_that_nobody_can_be_in_end_nobody() {
    let table = Table::of(64, 16);
    for (part, of) in [(0, 0), (5, 5), (u32::MAX, 5), (1, u32::MAX)] {
        table.apply(Record::Part { part, of, ends_until: NOW + MAX }, NOW);
    }
    assert_eq!(table.usage().coarsened, 0);
}
