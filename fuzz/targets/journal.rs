//! The records of what has ended, as bytes. The first byte tells: `x` as they are, else with the checksum of
//! every record made to hold.
#![no_main]

use authgate_core::journal::{LENGTH, Record, decode_all};
use libfuzzer_sys::fuzz_target;
use siphasher::sip::SipHasher24;
use std::hash::Hasher as _;

fuzz_target!(|data: &[u8]| {
    let Some((how, bytes)) = data.split_first() else { return };
    let bytes = if *how == b'x' { bytes.to_vec() } else { sealed(bytes) };
    let (records, damaged) = decode_all(&bytes);
    let whole = bytes.as_chunks::<LENGTH>().0;
    assert_eq!(records.len() + damaged, whole.len());
    // One encoding of a record, and nothing else is one.
    let mut found = records.iter();
    for bytes in whole {
        let record = Record::decode(bytes);
        assert_eq!(record.is_some(), is_record(bytes));
        if let Some(record) = record {
            assert_eq!(found.next(), Some(&record));
            assert_eq!(record.encode(), *bytes);
        }
    }
    // Damage takes away the record that it hits, and none other: no two seals differ in one bit.
    for at in [0, bytes.len() / 2, bytes.len().saturating_sub(1)] {
        let mut hurt = bytes.clone();
        let Some(byte) = hurt.get_mut(at).filter(|_| *how != b'x') else { continue };
        *byte ^= 1;
        let lost = whole.get(at / LENGTH).is_some_and(is_record);
        let (left, _) = decode_all(&hurt);
        assert_eq!(left.len() + usize::from(lost), records.len());
    }
    // What was written before a tear stays.
    for cut in [1, LENGTH - 1, LENGTH, LENGTH + 1] {
        let (left, _) = decode_all(&bytes[..bytes.len().saturating_sub(cut)]);
        assert!(records.starts_with(&left));
    }
});

fn checksum(fields: &[u8]) -> [u8; 8] {
    let mut hasher = SipHasher24::new_with_key(b"authgate journal");
    hasher.write(fields);
    hasher.finish().to_be_bytes()
}

fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for record in bytes.as_chunks_mut::<LENGTH>().0 {
        let sum = checksum(&record[..40]);
        record[40..].copy_from_slice(&sum);
    }
    bytes
}

/// The table at the head of crates/core/src/journal.rs.
fn is_record(bytes: &[u8; LENGTH]) -> bool {
    let number =
        |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let is_zero = |from: usize, to: usize| bytes[from..to].iter().all(|byte| *byte == 0);
    let fields = match bytes[1] {
        1 => true,
        2 => is_zero(24, 32),
        3 => is_zero(8, 24),
        4 | 6 => is_zero(8, 24) && number(24) < number(28),
        5 => is_zero(8, 32),
        _ => false,
    };
    bytes[0] == 1 && is_zero(2, 8) && fields && bytes[40..] == checksum(&bytes[..40])
}
