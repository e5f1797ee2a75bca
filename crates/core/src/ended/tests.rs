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
