//! A disk that is full.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod support;

use std::fs;
use std::process::Command;
use support::{LENGTH, folder, helper, helpers_folder, journal_of, open, read_whole, record};

/// A limit on the length of files stands for the full disk: a write is cut short, and the next one
/// fails wholly. Of the signal that comes with it, a full disk knows nothing.
#[test]
fn i113a_a_full_disk_fails_and_spoils_nothing() {
    let folder = folder("full");
    open(&folder).append(&[record(1)]).unwrap();
    let helper = helper("helper_appends_too_much", &folder);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "sh"]);
    shell.arg(helper.get_program()).args(helper.get_args());
    shell.env("AUTHGATE_TEST_FOLDER", &folder);
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(folder.join("done").exists());

    // What the failed write left is whole records, and later appends work.
    assert_eq!(fs::metadata(journal_of(&folder)).unwrap().len() % LENGTH as u64, 0);
    let mut journal = open(&folder);
    journal.append(&[record(200)]).unwrap();
    let numbers = read_whole(&mut journal);
    assert!(numbers.len() < 40 && numbers.starts_with(&[1, 2, 3]), "{numbers:?}");
    assert_eq!(numbers.last(), Some(&200));
}

#[test]
fn helper_appends_too_much() {
    let Some(folder) = helpers_folder() else { return };
    let mut journal = open(&folder);
    journal.append(&[record(2)]).unwrap();
    let many: Vec<_> = (3..100).map(record).collect();
    let error = journal.append(&many).unwrap_err().to_string();
    let path = journal_of(&folder);
    let start = format!("write() \"{}\" has written only ", path.display());
    assert!(error.starts_with(&start) && error.ends_with(" of 4656 bytes"), "{error}");
    assert!(fs::metadata(&path).unwrap().len() < 4656);
    assert!(!read_whole(&mut journal).contains(&99));
    journal.append(&many).unwrap_err();
    // Neither a replacement that finds no room is left behind, nor does it touch the journal.
    let before = fs::read(&path).unwrap();
    journal.replacement().write(&many).unwrap_err();
    assert!(!folder.join("ops.ended.new").exists());
    assert_eq!(fs::read(&path).unwrap(), before);
    fs::write(folder.join("done"), "").unwrap();
}
