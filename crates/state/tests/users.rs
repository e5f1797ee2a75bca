//! What is remembered of the users.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod support;

use authgate_state::{remember_users, remembered_users};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, symlink};
use support::{REALM, folder, open};

const LONGEST: u64 = 100;

#[test]
fn j123_what_is_remembered_is_read_and_replaced_in_one_step() {
    let folder = folder("users");
    drop(open(&folder));
    assert_eq!(remembered_users(&folder, REALM, LONGEST).unwrap(), None);
    fs::write(folder.join("ops.users.new"), "left by a killed process").unwrap();
    for (old, new) in [(None, "one"), (Some("one"), "other")] {
        remember_users(&folder, REALM, LONGEST, |found| {
            assert_eq!(found, old.map(str::as_bytes));
            Ok(Some(new.into()))
        })
        .unwrap();
        assert_eq!(remembered_users(&folder, REALM, LONGEST).unwrap(), Some(new.into()));
        assert!(!folder.join("ops.users.new").exists());
    }
    let metadata = fs::metadata(folder.join("ops.users")).unwrap();
    assert_eq!(metadata.mode() & 0o777, 0o600);
    remember_users(&folder, REALM, LONGEST, |_| Ok(None)).unwrap();
    assert_eq!(fs::metadata(folder.join("ops.users")).unwrap().ino(), metadata.ino());
}

#[test]
fn j123_nothing_is_remembered_where_there_is_no_journal() {
    let folder = folder("users_without_journal");
    let error = remember_users(&folder, REALM, LONGEST, |_| Ok(Some("one".into()))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(!folder.join("ops.users").exists());
}

#[test]
fn j123_links_and_long_files_are_not_read() {
    let folder = folder("users_links");
    fs::write(folder.join("elsewhere"), "x").unwrap();
    symlink("elsewhere", folder.join("ops.users")).unwrap();
    remembered_users(&folder, REALM, LONGEST).unwrap_err();
    fs::remove_file(folder.join("ops.users")).unwrap();
    fs::write(folder.join("ops.users"), [0; LONGEST as usize + 1]).unwrap();
    let error = remembered_users(&folder, REALM, LONGEST).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}

#[test]
fn j135_a_lock_that_another_holds_is_not_waited_for() {
    let folder = folder("locked");
    let mut journal = open(&folder);
    let record = support::record(1);
    let lock = fs::File::open(folder.join("ops.lock")).unwrap();
    lock.lock().unwrap();
    let error = journal.append_at_once(&[record]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert_eq!(journal.records().unwrap(), 0);
    // A thread waits, but not for ever.
    let error = journal.replacement().write(&[record]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    // Reading needs none.
    assert_eq!(journal.read_new(|_| ()).unwrap().records, 0);
    lock.unlock().unwrap();
    journal.append_at_once(&[record]).unwrap();
    assert_eq!(journal.records().unwrap(), 1);
}
