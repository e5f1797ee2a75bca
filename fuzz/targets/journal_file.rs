//! The journal's file, with any content: what is read, and that nothing which is there gets lost when
//! someone appends or makes it anew. The first byte is how often to append between two readings.
#![no_main]

use authgate_core::journal::{LENGTH, Record, UserTag, decode_all};
use authgate_core::token::SessionId;
use authgate_state::{Journal, Read};
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("authgate-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    folder
});

fuzz_target!(|data: &[u8]| {
    let Some((times, content)) = data.split_first() else { return };
    let path = FOLDER.join("ops.ended");
    fs::write(&path, content).expect("a file");
    let (there, damaged) = decode_all(content);
    let mut journal = Journal::open_existing(&FOLDER, "ops").expect("a journal");
    let mut reader = Journal::open(&FOLDER, "ops").expect("a journal");
    let (seen, read) = all_new(&mut reader);
    assert_eq!(seen, there);
    assert_eq!(read, Read { records: there.len() as u64, damaged: damaged as u64 });

    // Whole records stay where they are, a piece at the end goes.
    let added: Vec<Record> = (0..times % 4).map(record).collect();
    journal.append(&added).expect("room");
    let expected = [whole(content), &encoded(&added)].concat();
    assert_eq!(fs::read(&path).expect("the file"), expected);
    assert_eq!(all_new(&mut reader).0, added);
    assert_eq!(all_new(&mut reader).0, []);
    assert_eq!(journal.records().expect("a length"), (expected.len() / LENGTH) as u64);

    // Made anew by who has read all.
    let (mut seen, _) = all_new(&mut journal);
    assert_eq!(seen, [there, added].concat());
    seen.dedup();
    assert!(journal.replacement().write(&seen).expect("a new file"));
    assert_eq!(fs::read(&path).expect("the file"), encoded(&seen));
    assert_eq!(all_new(&mut reader).0, seen);
});

fn all_new(journal: &mut Journal) -> (Vec<Record>, Read) {
    let mut records = Vec::new();
    let read = journal.read_new(|record| records.push(record)).expect("a file to read");
    (records, read)
}

fn whole(content: &[u8]) -> &[u8] {
    &content[..content.len() - content.len() % LENGTH]
}

fn encoded(records: &[Record]) -> Vec<u8> {
    records.iter().flat_map(Record::encode).collect()
}

fn record(number: u8) -> Record {
    let (id, user) = (SessionId([number; 16]), UserTag(number.into()));
    Record::Session { id, user, ends_at: number.into() }
}
