//! A folder of its own for each test, and records that carry a number.

#![allow(dead_code, clippy::panic, clippy::unwrap_used, reason = "each test file uses some of it")]

use authgate_core::journal::Record;
use authgate_core::token::SessionId;
use authgate_state::{Journal, Read};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const REALM: &str = "ops";
pub(crate) const LENGTH: usize = 48;

/// An empty folder for the test of this name.
pub(crate) fn folder(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

pub(crate) fn journal_of(folder: &Path) -> PathBuf {
    folder.join("ops.ended")
}

pub(crate) fn open(folder: &Path) -> Journal {
    Journal::open(folder, REALM).unwrap()
}

pub(crate) fn record(number: u64) -> Record {
    Record::Token { id: SessionId(u128::from(number).to_be_bytes()), keep_until: number }
}

pub(crate) fn number(record: Record) -> u64 {
    match record {
        Record::Token { id, keep_until } if record == self::record(keep_until) => {
            u128::from_be_bytes(id.0).try_into().unwrap()
        }
        other => panic!("never written: {other:?}"),
    }
}

/// What has come, and the numbers.
pub(crate) fn read(journal: &mut Journal) -> (Read, Vec<u64>) {
    let mut numbers = Vec::new();
    let read = journal.read_new(|record| numbers.push(number(record))).unwrap();
    (read, numbers)
}

/// The numbers that have come, none of them damaged.
pub(crate) fn read_whole(journal: &mut Journal) -> Vec<u64> {
    let (read, numbers) = read(journal);
    assert_eq!(read, Read { records: numbers.len() as u64, damaged: 0 });
    numbers
}

/// This test binary, running nothing but the test of this name, which finds its folder in
/// `AUTHGATE_TEST_FOLDER` and is no test of its own.
pub(crate) fn helper(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture", "--quiet"]);
    command.env("AUTHGATE_TEST_FOLDER", folder);
    command
}

/// The folder, where this process is a helper.
pub(crate) fn helpers_folder() -> Option<PathBuf> {
    std::env::var_os("AUTHGATE_TEST_FOLDER").map(PathBuf::from)
}
