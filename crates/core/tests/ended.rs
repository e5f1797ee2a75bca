//! Ended sessions, API tokens and users: who is held, and who is not.
#![allow(clippy::indexing_slicing, reason = "a test stops where it is wrong")]

mod support;

use authgate_core::ended::{Earliest, KEPT_BEYOND_END, KEPT_BEYOND_ISSUE, Usage};
use authgate_core::journal::{Record, UserTag};
use authgate_core::token::SessionId;
use support::table::{Table, spread as id};
use support::{MAX, NOW, ended};

fn token(id: SessionId) -> Record {
    Record::Token { id, keep_until: NOW + KEPT_BEYOND_ISSUE }
}

fn user(name: &str, issued_until: u64) -> Record {
    Record::User { user: UserTag::of(name), issued_until }
}

#[test]
fn an_empty_table_holds_nobody() {
    for table in [Table::of(8, 4), Table::of(0, 0), Table::of(1, 1)] {
        assert!(!table.holds(id(1), "alice", NOW));
        assert!(!table.ended().session_has_ended(SessionId([0; 16]), "alice", 0, 0));
        assert!(!table.ended().api_token_has_ended(SessionId([0; 16]), 0));
        assert!(table.is_exact_for("alice"));
        assert_eq!(table.ended().records(NOW), []);
    }
}

#[test]
fn a23_an_ended_session_is_held_and_no_other() {
    let table = Table::of(1024, 1);
    for number in 0..100 {
        table.apply(ended(id(number), "alice", NOW + MAX), NOW);
    }
    assert!((0..100).all(|number| table.holds(id(number), "alice", NOW + MAX)));
    assert!((100..5000).all(|number| !table.holds(id(number), "alice", NOW + MAX)));
    assert!(table.is_exact_for("alice"));
}

#[test]
fn ids_that_differ_in_one_word_are_two_sessions() {
    let table = Table::of(64, 8);
    let (mut low, mut high) = ([7; 16], [7; 16]);
    (low[15], high[0]) = (8, 8);
    table.apply(ended(SessionId([7; 16]), "alice", NOW + MAX), NOW);
    assert!(!table.holds(SessionId(low), "alice", NOW + MAX));
    assert!(!table.holds(SessionId(high), "alice", NOW + MAX));
}

#[test]
fn what_is_ended_twice_takes_one_slot() {
    let table = Table::of(16, 8);
    for _ in 0..100 {
        table.apply(ended(id(1), "alice", NOW + MAX), NOW);
        table.apply(token(id(2)), NOW);
        table.apply(user("alice", NOW), NOW);
    }
    let once = Usage { capacity: 14, sessions: 1, tokens: 1, users: 1, coarsened: 0 };
    assert_eq!((table.usage(), table.ended().entries()), (once, 3));
}

#[test]
fn a_slot_is_used_again_long_after_the_end_of_its_session() {
    let table = Table::of(256, 1);
    for number in 0..10_000 {
        let now = NOW + number * 200;
        table.apply(ended(id(number), "alice", now + 100), now);
        assert!(table.holds(id(number), "alice", now + 100));
    }
    assert!(table.is_exact_for("alice"), "{} lived at once", KEPT_BEYOND_END / 200 + 1);
}

#[test]
fn a15_a_clock_that_steps_back_an_hour_revives_nobody() {
    let table = Table::of(64, 1);
    table.apply(ended(id(0), "alice", NOW), NOW - 10);
    for number in 1..200 {
        table.apply(ended(id(number), "bob", NOW + MAX), NOW + KEPT_BEYOND_END - 1);
    }
    assert!(table.holds(id(0), "alice", NOW));
}

#[test]
fn what_is_past_is_no_entry() {
    let table = Table::of(8, 8);
    table.apply(ended(id(1), "alice", NOW - KEPT_BEYOND_END), NOW);
    table.apply(ended(id(1), "alice", 0), 0);
    table.apply(Record::Token { id: id(1), keep_until: NOW - KEPT_BEYOND_END }, NOW);
    table.apply(user("alice", NOW - KEPT_BEYOND_ISSUE), NOW);
    assert_eq!(table.ended().entries(), 0);
    assert!(table.is_exact_for("alice"));
}

#[test]
fn times_at_the_end_of_time_hold() {
    let table = Table::of(64, 8);
    table.apply(ended(id(1), "alice", u64::MAX), NOW);
    table.apply(user("bob", u64::MAX), NOW);
    assert!(table.holds(id(1), "alice", u64::MAX) && !table.holds(id(2), "alice", u64::MAX));
    assert!(table.holds(id(2), "bob", u64::MAX));
    for number in 2..100 {
        table.apply(ended(id(number), "alice", u64::MAX), u64::MAX - KEPT_BEYOND_END);
        assert!(table.holds(id(number), "alice", u64::MAX));
    }
}

#[test]
fn a23_what_an_operator_names_is_held_as_session_and_as_api_token() {
    let table = Table::of(64, 8);
    table.apply(token(id(1)), NOW);
    assert!(
        table.holds(id(1), "alice", NOW + MAX) && table.ended().api_token_has_ended(id(1), NOW)
    );
    assert!(!table.holds(id(2), "alice", NOW + MAX));
    assert!(!table.ended().api_token_has_ended(id(2), NOW));
}

#[test]
fn a23_all_sessions_of_one_user() {
    let table = Table::of(64, 1);
    table.apply(user("alice", NOW), NOW);
    let holds =
        |name, issued_at| table.ended().session_has_ended(id(1), name, issued_at, NOW + MAX);
    assert!(holds("alice", NOW) && holds("alice", NOW - 1000));
    assert!(!holds("alice", NOW + 1) && !holds("bob", NOW));
    assert!(!table.ended().api_token_has_ended(id(1), NOW));
    assert_eq!(table.ended().earliest("alice"), Earliest { issued_at: NOW + 1, ends_at: 0 });
    assert!(table.is_exact_for("bob"));
}

#[test]
fn a_later_cut_off_counts_and_an_earlier_one_does_not() {
    let table = Table::of(64, 1);
    for issued_until in [NOW, NOW + 9, NOW - 9] {
        table.apply(user("alice", issued_until), NOW);
    }
    assert_eq!(table.ended().earliest("alice").issued_at, NOW + 10);
}

#[test]
fn everyone() {
    let table = Table::of(64, 8);
    table.apply(Record::Everyone { issued_until: NOW }, NOW);
    table.apply(Record::Everyone { issued_until: NOW - 5 }, NOW);
    for (issued_at, has_ended) in [(NOW - 1, true), (NOW, true), (NOW + 1, false)] {
        assert_eq!(table.ended().api_token_has_ended(id(1), issued_at), has_ended);
        let session = table.ended().session_has_ended(id(1), "alice", issued_at, NOW + MAX);
        assert_eq!(session, has_ended);
    }
    assert_eq!(table.ended().earliest("alice").issued_at, NOW + 1);
}

#[test]
fn a_token_s_name_that_is_also_a_user_s_tag_ends_nothing_of_the_user() {
    let table = Table::of(64, 8);
    let UserTag(tag) = UserTag::of("alice");
    let like_user = SessionId((u128::from(tag) << 64).to_be_bytes());
    table.apply(token(like_user), NOW);
    assert!(!table.ended().session_has_ended(id(1), "alice", NOW, NOW + MAX));
    table.apply(user("bob", NOW), NOW);
    table.apply(user("alice", NOW), NOW);
    assert!(table.ended().session_has_ended(id(1), "alice", NOW, NOW + MAX));
}

#[test]
fn a26_records_say_all_and_leave_out_what_is_spent() {
    let table = Table::of(64, 8);
    let part = Record::Part { part: 3, of: 8, ends_until: NOW + 7 };
    let everyone = Record::Everyone { issued_until: NOW - 100 };
    let alice = UserTag(UserTag::of("alice").0 >> 40 << 40);
    let session = Record::Session { id: id(1), user: alice, ends_at: NOW + MAX };
    let expected = [session, token(id(2)), user("alice", NOW), part, everyone];
    expected.iter().for_each(|record| table.apply(*record, NOW));
    let says = |record: &Record, now| table.ended().records(now).contains(record);
    assert_eq!(table.ended().records(NOW).len(), expected.len());
    assert!(expected.iter().all(|record| says(record, NOW)));
    let spent_after = [
        (session, MAX + KEPT_BEYOND_END),
        (part, 7 + KEPT_BEYOND_END),
        (user("alice", NOW), KEPT_BEYOND_ISSUE),
        (everyone, KEPT_BEYOND_ISSUE - 100),
        (token(id(2)), KEPT_BEYOND_ISSUE + KEPT_BEYOND_END),
    ];
    for (record, seconds) in spent_after {
        assert_eq!(says(&record, NOW + seconds), false, "{record:?}");
    }
}

#[test]
fn what_is_written_down_is_there_until_its_last_second() {
    for (record, seconds) in [
        (ended(id(1), "alice", NOW), KEPT_BEYOND_END),
        (Record::Token { id: id(1), keep_until: NOW }, KEPT_BEYOND_END),
        (user("alice", NOW), KEPT_BEYOND_ISSUE),
        (Record::Part { part: 0, of: 8, ends_until: NOW }, KEPT_BEYOND_END),
        (Record::Everyone { issued_until: NOW }, KEPT_BEYOND_ISSUE),
    ] {
        let table = Table::of(64, 8);
        table.apply(record, NOW);
        assert_eq!(table.ended().records(NOW + seconds - 1).len(), 1, "{record:?}");
        assert_eq!(table.ended().records(NOW + seconds), [], "{record:?}");
    }
}
