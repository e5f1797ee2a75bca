//! What takes a look inside: a reader overtaken by a writer, the edges of parts.

use super::bucket::{UserPrefix, overlapping};
use super::slot::{LAST_PREFIX, id_of_user};
use super::*;
use core::cell::Cell;

const NOW: u64 = 1_800_000_000;

/// Two sessions, a token and a user stand in one chain, the last two with the same id. A reader who
/// looks for the user is at the token when the sessions are spent, and the others move up.
#[test]
fn a23_a_reader_looks_again_when_an_entry_moves_behind_its_back() {
    let head = Head::default();
    let slots: [Slot; 16] = core::array::from_fn(|_| Slot::default());
    let ended = Ended { head: &head, slots: &slots, buckets: &[] };
    let (user, later) = (UserTag(7 << 60), NOW + 2 * KEPT_BEYOND_END);
    let id = |low: u128| SessionId((u128::from(user.0) << 64 | low).to_be_bytes());
    for record in [
        Record::Session { id: id(1), user, ends_at: NOW },
        Record::Session { id: id(2), user, ends_at: NOW },
        Record::Token { id: id(0), keep_until: later },
        Record::User { user, issued_until: NOW },
    ] {
        ended.apply(&record, NOW);
    }
    let looks = Cell::new(0);
    let found = ended.find(id_of_user(user), |slot| {
        if looks.replace(looks.get() + 1) == 0 {
            ended.reclaim(later);
        }
        slot.issued_until()
    });
    assert_eq!((found, looks.get(), ended.entries()), (Some(NOW), 3, 2));
}

#[test]
fn a26_a_part_is_in_the_buckets_of_its_first_and_its_last_user() {
    const END: u64 = 1 << 24;
    let place = |prefix: u64, of: u64| ((prefix * of) >> 24) as usize;
    for of in [1, 2, 3, 7, 1000, 4096, 65_537, END as u32 - 1] {
        for part in [0, 1, of / 2, of - 1].into_iter().filter(|part| *part < of) {
            let is_in = |prefix: &u64| place(*prefix, of.into()) == part as usize;
            let about = u64::from(part) * END / u64::from(of);
            let end = about + END / u64::from(of) + 3;
            let near = |at: u64| at.saturating_sub(3)..(at + 3).min(END);
            let (first, last) = (near(about).find(is_in), near(end - 3).rfind(is_in));
            let (first, last) = (first.unwrap(), last.unwrap());
            for buckets in [1, 2, 3, 64, 1000, 1_000_000] {
                let bucket = |prefix: u64| UserPrefix::of(UserTag(prefix << 40)).place(buckets);
                let expected = Some(bucket(first)..=bucket(last));
                assert_eq!(overlapping(part, of, buckets), expected, "{part} {of} {buckets}");
            }
        }
    }
    assert_eq!(UserPrefix::of(UserTag(u64::MAX)), UserPrefix(LAST_PREFIX));
}

fn table(slots: usize, buckets: usize) -> (Head, Vec<Slot>, Vec<Bucket>) {
    let slots = (0..slots).map(|_| Slot::default()).collect();
    (Head::default(), slots, (0..buckets).map(|_| Bucket::default()).collect())
}

/// A zone of 1 MiB, and all of 100,000 users other ones at once: all of their sessions end, with a
/// bounded number of steps; a new sign-in holds at once, and no API token ends.
#[test]
fn j123_a_hundred_thousand_changed_users_are_ended_in_parts() {
    let (head, slots, buckets) = table(21_845, 1024);
    let ended = Ended { head: &head, slots: &slots, buckets: &buckets };
    let names: Vec<_> = (0..100_000).map(|n| format!("user{n}")).collect();
    let tags: Vec<_> = names.iter().map(|name| UserTag::of(name)).collect();
    let records = ended.ends_of(&tags, NOW);
    assert!(records.len() <= NAMED_AT_ONCE);
    records.iter().for_each(|record| ended.apply(record, NOW));
    let id = SessionId([7; 16]);
    for name in &names {
        assert!(ended.session_has_ended(id, name, NOW, u64::MAX), "{name}");
        assert!(!ended.session_has_ended(id, name, NOW + 1, NOW + 60), "{name}");
    }
    assert!(!ended.api_token_has_ended(id, NOW));
    assert_eq!(ended.entries(), 0);
}

/// So many users end one after the other, as edits come: what has no room ends with its neighbours,
/// and leaves room for sessions.
#[test]
fn j123_users_who_end_one_by_one_do_not_fill_the_table() {
    let (head, slots, buckets) = table(1000, 64);
    let ended = Ended { head: &head, slots: &slots, buckets: &buckets };
    let names: Vec<_> = (0..5000).map(|n| format!("user{n}")).collect();
    for name in &names {
        let records = ended.ends_of(&[UserTag::of(name)], NOW);
        records.iter().for_each(|record| ended.apply(record, NOW));
    }
    let id = SessionId([7; 16]);
    assert!(names.iter().all(|name| ended.session_has_ended(id, name, NOW, u64::MAX)));
    assert!(ended.entries() <= ended.limit() / 2, "{}", ended.entries());
    assert!(!ended.api_token_has_ended(id, NOW));
    let reread = table(1000, 64);
    let reread = Ended { head: &reread.0, slots: &reread.1, buckets: &reread.2 };
    ended.records(NOW).iter().for_each(|record| reread.apply(record, NOW));
    assert!(names.iter().all(|name| reread.session_has_ended(id, name, NOW, u64::MAX)));
}

#[test]
fn j123_the_end_of_all_takes_what_was_put_off_and_no_api_token() {
    let (head, slots, buckets) = table(100, 4);
    let ended = Ended { head: &head, slots: &slots, buckets: &buckets };
    let (bob, id) = (UserTag::of("bob"), SessionId([7; 16]));
    ended.apply(&Record::User { user: bob, issued_until: NOW + 3 }, NOW);
    for made in [NOW + 4, NOW + 5] {
        assert_eq!(ended.earliest("bob").issued_at, made);
        ended.apply(&ended.end_of_all(NOW), NOW);
        for user in ["alice", "bob"] {
            assert!(ended.session_has_ended(id, user, made, u64::MAX), "{user}");
        }
    }
    assert!(!ended.api_token_has_ended(id, NOW));
}

#[test]
fn j123_what_was_put_off_ends_too_and_is_never_dated_too_far_ahead() {
    let (head, slots, buckets) = table(100, 4);
    let ended = Ended { head: &head, slots: &slots, buckets: &buckets };
    for n in 0..200 {
        let made = ended.earliest("bob").issued_at.max(NOW);
        assert!(made <= NOW + MAX_SKEW, "{n}");
        let records = ended.ends_of(&[UserTag::of("bob")], NOW);
        records.iter().for_each(|record| ended.apply(record, NOW));
        let is_ahead = made == NOW + MAX_SKEW;
        assert!(
            is_ahead || ended.session_has_ended(SessionId([7; 16]), "bob", made, u64::MAX),
            "{n}"
        );
    }
}

#[test]
fn clocks_may_differ_by_half_of_what_is_believed() {
    assert_eq!((MADE_AHEAD, MAX_SKEW), (30, 60));
}

/// Else each look would go through all that has ended.
#[test]
fn a23_entries_stand_all_over_the_table() {
    let head = Head::default();
    let slots: [Slot; 1024] = core::array::from_fn(|_| Slot::default());
    let ended = Ended { head: &head, slots: &slots, buckets: &[] };
    let spread = 1 << 54;
    let homes = (0..1024).map(|number| ended.home([number * spread, 0]));
    assert_eq!(homes.collect::<std::collections::HashSet<_>>().len(), 1024);
}
