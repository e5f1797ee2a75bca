//! The journal: what is appended is read, whatever else is in the file.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod support;

use authgate_state::{Journal, Read};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, symlink};
use support::{LENGTH, folder, journal_of, open, read, read_whole, record};

#[test]
fn i113a_a_record_is_read_once_and_by_all() {
    let folder = folder("once");
    let (mut one, mut other) = (open(&folder), open(&folder));
    one.append(&[record(1), record(2)]).unwrap();
    other.append(&[record(3)]).unwrap();
    for journal in [&mut one, &mut other] {
        assert_eq!(read_whole(journal), [1, 2, 3]);
        assert!(read_whole(journal).is_empty());
    }
    other.append(&[]).unwrap();
    other.append(&[record(4)]).unwrap();
    assert_eq!(read_whole(&mut one), [4]);
    assert_eq!(one.records().unwrap(), 4);
    one.file().sync_data().unwrap();
    assert_eq!(read_whole(&mut Journal::open_existing(&folder, "ops").unwrap()), [1, 2, 3, 4]);
}

#[test]
fn i113a_the_files_are_for_the_owner_of_the_folder_alone() {
    let folder = folder("owner");
    if fs::metadata(&folder).unwrap().uid() == 0 {
        // Root can give the folder away, and must then give away what it makes there.
        std::os::unix::fs::chown(&folder, Some(65534), Some(65534)).unwrap();
    }
    let owner = fs::metadata(&folder).unwrap().uid();
    open(&folder).replacement().write(&[record(1)]).unwrap();
    authgate_state::generated_key(&folder).unwrap();
    for name in ["ops.ended", "ops.lock", "key", "key.lock"] {
        let metadata = fs::metadata(folder.join(name)).unwrap();
        assert_eq!((metadata.uid(), metadata.mode() & 0o7777), (owner, 0o600), "{name}");
    }
}

#[test]
fn i113a_a_torn_record_is_not_read_and_gives_way() {
    let folder = folder("torn");
    let (mut reader, mut writer) = (open(&folder), open(&folder));
    for torn in 1..LENGTH {
        let bytes = record(0).encode();
        let mut file = OpenOptions::new().append(true).open(journal_of(&folder)).unwrap();
        file.write_all(&bytes[..torn]).unwrap();
        assert!(read_whole(&mut reader).is_empty());
        writer.append(&[record(torn as u64)]).unwrap();
        assert_eq!(read_whole(&mut reader), [torn as u64]);
    }
    let all: Vec<_> = (1..LENGTH as u64).collect();
    assert_eq!(read_whole(&mut open(&folder)), all);
}

#[test]
fn i113a_every_flipped_bit_costs_its_record_alone() {
    let folder = folder("bits");
    open(&folder).append(&[record(1), record(2), record(3)]).unwrap();
    let whole = fs::read(journal_of(&folder)).unwrap();
    for bit in 0..LENGTH * 8 {
        let mut damaged = whole.clone();
        damaged[LENGTH + bit / 8] ^= 1 << (bit % 8);
        fs::write(journal_of(&folder), damaged).unwrap();
        let expected = (Read { records: 2, damaged: 1 }, vec![1, 3]);
        assert_eq!(read(&mut open(&folder)), expected, "bit {bit}");
    }
}

#[test]
fn i113a_a_journal_cut_short_by_someone_is_noticed_once() {
    let folder = folder("cut");
    let (mut reader, mut writer) = (open(&folder), open(&folder));
    writer.append(&[record(1), record(2)]).unwrap();
    assert_eq!(read_whole(&mut reader), [1, 2]);
    fs::write(journal_of(&folder), &record(1).encode()[..]).unwrap();
    let error = reader.read_new(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let text = format!("\"{}\" is shorter than before", journal_of(&folder).display());
    assert_eq!(error.to_string(), text);
    writer.append(&[record(3)]).unwrap();
    assert_eq!(read_whole(&mut reader), [1, 3]);
}

#[test]
fn i113a_a_removed_journal_is_an_error_until_it_is_written_anew() {
    let folder = folder("removed");
    let (mut one, mut other) = (open(&folder), open(&folder));
    one.append(&[record(1)]).unwrap();
    assert_eq!(read_whole(&mut one), [1]);
    // Appended by another and not read before the file goes.
    other.append(&[record(2)]).unwrap();
    fs::remove_file(journal_of(&folder)).unwrap();
    let error = one.read_new(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(one.append(&[record(9)]).unwrap_err().kind(), ErrorKind::NotFound);
    let missing = Journal::open_existing(&folder, "ops").unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(one.replacement().write(&[record(1)]).unwrap());
    assert_eq!(read_whole(&mut other), [1, 2]);
    other.append(&[record(3)]).unwrap();
    assert_eq!(read_whole(&mut one), [1, 2, 3]);
}

#[test]
fn i113a_an_emptied_folder_does_not_split_the_lock() {
    let folder = folder("emptied");
    let mut one = open(&folder);
    fs::remove_file(folder.join("ops.lock")).unwrap();
    let mut other = open(&folder);
    one.append(&[record(1)]).unwrap();
    other.append(&[record(2)]).unwrap();
    assert_eq!(read_whole(&mut one), [1, 2]);
    // Both locks are the file that has the name: who holds it keeps the older process out, too.
    let lock = fs::File::open(folder.join("ops.lock")).unwrap();
    lock.lock().unwrap();
    let error = one.append_at_once(&[record(3)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
    assert_eq!(read_whole(&mut other).len(), 2);
    let waiting = std::thread::spawn(move || one.append(&[record(3)]));
    lock.unlock().unwrap();
    waiting.join().unwrap().unwrap();
    assert_eq!(read_whole(&mut other), [3]);
}

#[test]
fn i113a_links_that_someone_planted_are_refused() {
    let folder = folder("links");
    let victim = folder.join("victim");
    fs::write(&victim, "untouched").unwrap();
    for name in ["ops.ended", "ops.lock"] {
        symlink(&victim, folder.join(name)).unwrap();
        let error = Journal::open(&folder, "ops").unwrap_err().to_string();
        let path = folder.join(name);
        let text = format!("open() \"{}\" failed (40: ", path.display());
        assert!(error.starts_with(&text), "{error}");
        fs::remove_file(&path).unwrap();
        fs::hard_link(&victim, &path).unwrap();
        let error = Journal::open(&folder, "ops").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        fs::remove_file(path).unwrap();
    }
    symlink(&victim, folder.join("ops.ended.new")).unwrap();
    assert!(open(&folder).replacement().write(&[record(1)]).is_err());
    assert_eq!(fs::read(&victim).unwrap(), b"untouched");
}

#[test]
fn i113a_an_unusable_folder_is_named_as_nginx_does() {
    let folder = folder("unusable").join("none");
    let error = Journal::open(&folder, "ops").unwrap_err().to_string();
    let path = journal_of(&folder);
    let text = format!("open() \"{}\" failed (2: No such file or directory)", path.display());
    assert_eq!(error, text);
}
