//! The generated key.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod support;

use authgate_core::keyring::Keys;
use authgate_state::{generated_key, new_key};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::process::Stdio;
use std::sync::Barrier;
use std::thread;
use support::{folder, helper, helpers_folder};

#[test]
fn i113a_a_generated_key_is_a_keys_file_and_stays() {
    let folder = folder("key");
    fs::write(folder.join("key.new"), "left by a killed process").unwrap();
    let key = generated_key(&folder).unwrap();
    assert_eq!(Keys::parse(&key).unwrap().ids().count(), 1);
    assert_eq!(fs::read(folder.join("key")).unwrap(), *key);
    assert_eq!(*generated_key(&folder).unwrap(), *key);
    assert!(!folder.join("key.new").exists());
    assert_ne!(new_key().unwrap(), new_key().unwrap());
}

#[test]
fn i113a_processes_and_threads_at_once_get_one_key() {
    for round in 0..20 {
        let folder = folder("key_race");
        let barrier = Barrier::new(8);
        let keys: HashSet<_> = thread::scope(|scope| {
            let make = || {
                barrier.wait();
                generated_key(&folder).unwrap().to_vec()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(keys.len(), 1, "round {round}");
    }
    let folder = folder("key_race_of_processes");
    let start = || helper("helper_prints_the_key", &folder).stdout(Stdio::piped()).spawn().unwrap();
    let children: Vec<_> = (0..8).map(|_| start()).collect();
    for child in children {
        let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        assert!(output.contains(&fs::read_to_string(folder.join("key")).unwrap()), "{output}");
    }
}

#[test]
fn j135_whoever_never_gives_the_lock_back_holds_up_no_start() {
    let folder = folder("key_locked");
    let lock = File::create(folder.join("key.lock")).unwrap();
    lock.lock().unwrap();
    let error = generated_key(&folder).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
    let lock = folder.join("key.lock");
    let expected = format!(
        "flock() \"{}\" failed (another process has held the lock for 5 s)",
        lock.display()
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn helper_prints_the_key() {
    let Some(folder) = helpers_folder() else { return };
    println!("{}", str::from_utf8(&generated_key(&folder).unwrap()).unwrap());
}

#[test]
fn i113a_a_key_that_is_a_link_is_refused() {
    let folder = folder("key_link");
    fs::write(folder.join("other"), "secret").unwrap();
    symlink("other", folder.join("key")).unwrap();
    let error = generated_key(&folder).unwrap_err().to_string();
    let start = format!("open() \"{}\" failed (40: ", folder.join("key").display());
    assert!(error.starts_with(&start), "{error}");
}
