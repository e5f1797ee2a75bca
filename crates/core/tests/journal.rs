//! The records of ended sessions, byte for byte.
#![allow(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod cases;
mod support;

use authgate_core::journal::{LENGTH, Record, UserTag, decode_all, is_sparse};
use authgate_core::token::SessionId;
use cases::cases;
use proptest::prelude::*;

const ID: SessionId = SessionId(*b"0123456789abcdef");

// By another implementation of SipHash-2-4.
const CHECKSUM: [u8; 8] = [0x9E, 0xED, 0xC9, 0xA9, 0xAE, 0xE5, 0xB3, 0x0E];
const ALICE: u64 = 0x7621_1B47_297F_A5EF;

fn samples() -> [Record; 6] {
    [
        Record::Session { id: ID, user: UserTag(0x0102_0304_0506_0708), ends_at: 1_800_000_000 },
        Record::Token { id: ID, keep_until: 1_800_000_000 },
        Record::User { user: UserTag(0x0102_0304_0506_0708), issued_until: 1_800_000_000 },
        Record::Part { part: 2, of: 3, ends_until: 1_800_000_000 },
        Record::Everyone { issued_until: 1_800_000_000 },
        Record::Users { part: 2, of: 3, issued_until: 1_800_000_000 },
    ]
}

fn any_record() -> impl Strategy<Value = Record> {
    let id = any::<[u8; 16]>().prop_map(SessionId);
    let user = any::<u64>().prop_map(UserTag);
    prop_oneof![
        (id.clone(), user.clone(), any::<u64>()).prop_map(|(id, user, ends_at)| Record::Session {
            id,
            user,
            ends_at
        }),
        (id, any::<u64>()).prop_map(|(id, keep_until)| Record::Token { id, keep_until }),
        (user, any::<u64>()).prop_map(|(user, issued_until)| Record::User { user, issued_until }),
        (1..=u32::MAX, any::<u32>(), any::<u64>())
            .prop_map(|(of, part, ends_until)| Record::Part { part: part % of, of, ends_until }),
        any::<u64>().prop_map(|issued_until| Record::Everyone { issued_until }),
        (1..=u32::MAX, any::<u32>(), any::<u64>()).prop_map(|(of, part, issued_until)| {
            Record::Users { part: part % of, of, issued_until }
        }),
    ]
}

/// The bytes with their checksum made to hold.
fn sealed(bytes: [u8; LENGTH]) -> [u8; LENGTH] {
    use std::hash::Hasher as _;
    let (fields, _) = bytes.split_at(40);
    let mut hasher = siphasher::sip::SipHasher24::new_with_key(b"authgate journal");
    hasher.write(fields);
    let sealed = [fields, &hasher.finish().to_be_bytes()].concat();
    sealed.try_into().unwrap()
}

#[test]
fn the_layout_is_fixed() {
    let [session, _, _, part, _, users] = samples().map(|record| record.encode());
    let expected = [
        &[1, 1, 0, 0, 0, 0, 0, 0],
        &b"0123456789abcdef"[..],
        &[1, 2, 3, 4, 5, 6, 7, 8],
        &1_800_000_000_u64.to_be_bytes(),
        &CHECKSUM,
    ];
    assert_eq!(session[..], expected.concat());
    assert_eq!(part[24..32], [0, 0, 0, 2, 0, 0, 0, 3]);
    assert_eq!(users[24..32], [0, 0, 0, 2, 0, 0, 0, 3]);
    assert_eq!(samples().map(|record| record.encode()[1]), [1, 2, 3, 4, 5, 6]);
    assert!(samples().iter().all(|record| sealed(record.encode()) == record.encode()));
}

#[test]
fn the_tag_of_a_user_is_fixed() {
    assert_eq!(UserTag::of("alice"), UserTag(ALICE));
}

#[test]
fn every_single_bit_flipped_is_refused() {
    for record in samples() {
        for bit in 0..LENGTH * 8 {
            let mut bytes = record.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Record::decode(&bytes), None, "{record:?} {bit}");
        }
    }
}

#[test]
fn nothing_else_is_a_record_whatever_its_checksum() {
    let [session, token, user, part, everyone, users] = samples().map(|record| record.encode());
    let cases = [
        (session, 0, 0),
        (session, 0, 2),
        (session, 1, 0),
        (session, 1, 6),
        (session, 1, 7),
        (session, 2, 1),
        (session, 7, 1),
        (token, 24, 1),
        (token, 31, 1),
        (user, 8, 1),
        (user, 23, 1),
        (part, 8, 1),
        (part, 27, 3),
        (part, 31, 2),
        (part, 31, 0),
        (everyone, 8, 1),
        (everyone, 31, 1),
        (users, 8, 1),
        (users, 27, 3),
        (users, 31, 2),
    ];
    for (mut bytes, place, value) in cases {
        bytes[place] = value;
        assert_eq!(Record::decode(&sealed(bytes)), None, "{bytes:?} {place}");
    }
    assert_eq!(Record::decode(&sealed([0; LENGTH])), None);
    assert_eq!(Record::decode(&[0; LENGTH]), None);
}

#[test]
fn i113a_damaged_records_are_skipped_and_a_trailing_part_is_left_out() {
    let [a, b, c, ..] = samples();
    let mut bytes = [a, b, c].map(|record| record.encode()).concat();
    assert_eq!(decode_all(&bytes), (vec![a, b, c], 0));
    bytes[LENGTH + 30] ^= 1;
    assert_eq!(decode_all(&bytes), (vec![a, c], 1));
    for cut in 1..=LENGTH {
        assert_eq!(decode_all(&bytes[..3 * LENGTH - cut]), (vec![a], 1), "{cut}");
    }
    assert_eq!(decode_all(&[]), (vec![], 0));
}

#[test]
fn i113a_a_journal_is_written_anew_where_that_halves_it() {
    for (records, needed, sparse) in [
        (0, 0, false),
        (1000, 0, false),
        (1001, 0, true),
        (1001, 499, true),
        (1001, 500, false),
        (10_000, 4999, true),
        (10_000, 5000, false),
        (10_000, 20_000, false),
        (u64::MAX, u64::MAX, false),
    ] {
        assert_eq!(is_sparse(records, needed), sparse, "{records} {needed}");
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn what_is_written_is_read(record in any_record()) {
        prop_assert_eq!(Record::decode(&record.encode()), Some(record));
    }

    #[test]
    fn bytes_have_one_reading(bytes in any::<[u8; 40]>(), kind in 0..7_u8, plain in any::<bool>()) {
        let mut whole = [0; LENGTH];
        whole[..40].copy_from_slice(&bytes);
        whole[..8].copy_from_slice(&[1, kind, 0, 0, 0, 0, 0, 0]);
        if plain {
            whole[8..24].fill(0);
        }
        let whole = sealed(whole);
        if let Some(record) = Record::decode(&whole) {
            prop_assert_eq!(record.encode(), whole);
        }
    }
}
