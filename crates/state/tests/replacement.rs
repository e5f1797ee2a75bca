//! The journal written anew while others use it.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod support;

use authgate_state::Journal;
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};
use support::{LENGTH, folder, helper, helpers_folder, journal_of, open, read_whole, record};

#[test]
fn i113a_a_replacement_holds_what_it_was_given_and_what_came_since() {
    let folder = folder("replaced");
    let (mut one, mut other) = (open(&folder), open(&folder));
    one.append(&[record(1), record(2)]).unwrap();
    assert_eq!(read_whole(&mut one), [1, 2]);
    let replacement = one.replacement();
    other.append(&[record(3)]).unwrap();
    // What is left of a process that was killed half way is in nobody's way.
    fs::write(folder.join("ops.ended.new"), "left over").unwrap();
    assert!(replacement.write(&[record(2)]).unwrap());
    assert!(!folder.join("ops.ended.new").exists());
    assert_eq!(fs::metadata(journal_of(&folder)).unwrap().len(), 2 * LENGTH as u64);
    other.append(&[record(4)]).unwrap();
    for journal in [&mut one, &mut other] {
        assert_eq!(read_whole(journal), [2, 3, 4]);
    }
}

/// What an administrator has given it, such as a group that may read it.
#[test]
fn j133_a_replacement_keeps_mode_owner_and_attributes() {
    let folder = folder("j133_kept");
    let mut journal = open(&folder);
    journal.append(&[record(1)]).unwrap();
    read_whole(&mut journal);
    let path = journal_of(&folder);
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let attribute = xattr::set(&path, "user.x", b"kept");
    if is_root() {
        chown(&path, Some(1111), Some(2222)).unwrap();
    }
    let before = fs::metadata(&path).unwrap();
    assert!(journal.replacement().write(&[record(1)]).unwrap());
    let after = fs::metadata(&path).unwrap();
    assert_ne!(after.ino(), before.ino());
    let owner = |metadata: &fs::Metadata| (metadata.mode(), metadata.uid(), metadata.gid());
    assert_eq!(owner(&after), owner(&before));
    match attribute {
        Ok(()) => assert_eq!(xattr::get(&path, "user.x").unwrap().as_deref(), Some(&b"kept"[..])),
        Err(error) => eprintln!("skipped: the file system of the tests takes no user.x ({error})"),
    }
}

/// The workers may not give a file to a group that is not theirs, and theirs is another one than
/// the administrator's.
#[test]
fn j133_a_journal_whose_group_cannot_be_kept_is_for_the_workers_alone() {
    if !is_root() {
        return eprintln!("skipped: only root becomes another user");
    }
    let folder = folder("j133_closed");
    open(&folder).append(&[record(1)]).unwrap();
    for path in [folder.clone(), journal_of(&folder), folder.join("ops.lock")] {
        chown(path, Some(1234), Some(1234)).unwrap();
    }
    chown(journal_of(&folder), None, Some(2222)).unwrap();
    fs::set_permissions(journal_of(&folder), Permissions::from_mode(0o640)).unwrap();
    let status = helper("helper_replaces_the_journal", &folder).uid(1234).gid(1234).status();
    assert!(status.unwrap().success());
    let metadata = fs::metadata(journal_of(&folder)).unwrap();
    assert_eq!(metadata.mode() & 0o7777, 0o600);
    assert_eq!((metadata.uid(), metadata.gid()), (1234, 1234));
    assert_eq!(read_whole(&mut open(&folder)), [7]);
}

#[test]
fn helper_replaces_the_journal() {
    let Some(folder) = helpers_folder() else { return };
    let mut journal = open(&folder);
    read_whole(&mut journal);
    assert!(journal.replacement().write(&[record(7)]).unwrap());
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

#[test]
fn i113a_of_two_replacements_the_second_gives_up() {
    let folder = folder("two");
    let (mut one, mut other) = (open(&folder), open(&folder));
    one.append(&[record(1), record(2)]).unwrap();
    read_whole(&mut one);
    read_whole(&mut other);
    let (first, second) = (one.replacement(), other.replacement());
    assert!(first.write(&[record(1)]).unwrap());
    assert!(!second.write(&[]).unwrap());
    assert_eq!(read_whole(&mut other), [1]);
    // While another process is writing one, too.
    let rival = fs::File::create(folder.join("ops.ended.new")).unwrap();
    rival.lock().unwrap();
    assert!(!one.replacement().write(&[]).unwrap());
    assert!(folder.join("ops.ended.new").exists());
}

#[test]
fn i113a_who_gives_up_takes_nothing_from_who_comes_next() {
    let folder = folder("giving_up");
    let mut journal = open(&folder);
    journal.append(&[record(1)]).unwrap();
    let outdated: Vec<_> = (0..3).map(|_| open(&folder)).collect();
    read_whole(&mut journal);
    assert!(journal.replacement().write(&[record(1)]).unwrap());
    thread::scope(|scope| {
        let give_up = |old: &Journal| {
            (0..20_000).for_each(|_| assert!(!old.replacement().write(&[]).unwrap()));
        };
        let threads: Vec<_> =
            outdated.iter().map(|old| scope.spawn(move || give_up(old))).collect();
        while !threads.iter().all(|thread| thread.is_finished()) {
            journal.replacement().write(&[record(1)]).unwrap();
            read_whole(&mut journal);
        }
    });
    assert_eq!(read_whole(&mut open(&folder)), [1]);
}

#[test]
fn i113a_a_torn_record_does_not_hold_up_a_replacement() {
    let folder = folder("torn_replaced");
    let mut journal = open(&folder);
    journal.append(&[record(1)]).unwrap();
    let mut bytes = fs::read(journal_of(&folder)).unwrap();
    bytes.extend(&record(2).encode()[..20]);
    fs::write(journal_of(&folder), bytes).unwrap();
    assert!(journal.replacement().write(&[]).unwrap());
    assert_eq!(read_whole(&mut journal), [1]);
}

const WRITERS: u64 = 3;
const EACH: u64 = 3000;
/// After so many, a writer waits for a replacement: it comes only when for a moment nobody writes.
const AT_ONCE: u64 = 300;

#[test]
fn i113a_nothing_is_lost_while_it_is_replaced_again_and_again() {
    let folder = folder("again");
    open(&folder);
    let (replaced, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut everything = BTreeSet::new();
    thread::scope(|scope| {
        let (folder, replaced, done) = (&folder, &replaced, &done);
        for _ in 0..2 {
            scope.spawn(|| replace_until(folder, replaced, done));
        }
        let reader = scope.spawn(|| read_until(folder, done));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| scope.spawn(move || append(folder, writer, replaced)))
            .collect();
        // A writer that has panicked must not leave the others running.
        let written = writers.into_iter().all(|writer| writer.join().is_ok());
        done.store(true, Relaxed);
        assert!(written);
        everything = reader.join().unwrap();
    });
    let all: BTreeSet<_> = (0..WRITERS * EACH).collect();
    assert_eq!(everything, all);
    assert_eq!(read_whole(&mut open(&folder)).into_iter().collect::<BTreeSet<_>>(), all);
}

fn append(folder: &Path, writer: u64, replaced: &AtomicU64) {
    let mut journal = open(folder);
    for number in (writer * EACH..(writer + 1) * EACH).step_by(3) {
        journal.append(&[record(number), record(number + 1), record(number + 2)]).unwrap();
        if number % AT_ONCE == 0 {
            wait_for_more(replaced);
        }
    }
}

fn wait_for_more(replaced: &AtomicU64) {
    let before = replaced.load(Relaxed);
    let deadline = Instant::now() + Duration::from_secs(20);
    while replaced.load(Relaxed) == before {
        assert!(Instant::now() < deadline, "no replacement succeeds");
        thread::yield_now();
    }
}

fn read_until(folder: &Path, done: &AtomicBool) -> BTreeSet<u64> {
    let mut journal = open(folder);
    let mut all = BTreeSet::new();
    while !done.load(Relaxed) {
        all.extend(read_whole(&mut journal));
    }
    all.extend(read_whole(&mut journal));
    all
}

fn replace_until(folder: &Path, replaced: &AtomicU64, done: &AtomicBool) {
    let mut journal = open(folder);
    let mut known = BTreeSet::new();
    while !done.load(Relaxed) {
        known.extend(read_whole(&mut journal));
        let records: Vec<_> = known.iter().copied().map(record).collect();
        if journal.replacement().write(&records).unwrap() {
            replaced.fetch_add(1, Relaxed);
        }
    }
}
