//! Processes killed while they write.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use support::{folder, helper, helpers_folder, open, read_whole, record};

const ROUNDS: u64 = 60;
const WRITERS: u64 = 2;

#[test]
fn i113a_what_was_answered_survives_every_kill() {
    let folder = folder("killed");
    let mut reader = open(&folder);
    let (mut answered, mut read) = (BTreeSet::new(), BTreeSet::new());
    let start = Instant::now();
    for round in 0..ROUNDS {
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| start_writer(&folder, round * WRITERS + writer)).collect();
        // Not two of them at the same moment, and not at the same one in each round.
        for (mut child, first) in writers {
            thread::sleep(Duration::from_micros(start.elapsed().as_micros() as u64 * 7919 % 9000));
            child.kill().unwrap();
            answered.insert(first.unwrap());
            answered.extend(answers_of(child));
            read.extend(read_whole(&mut reader));
        }
    }
    let anew: BTreeSet<_> = read_whole(&mut open(&folder)).into_iter().collect();
    assert!(answered.len() as u64 > ROUNDS * WRITERS * 2, "only {} answers", answered.len());
    assert_eq!(answered.difference(&anew).count(), 0);
    assert_eq!(answered.difference(&read).count(), 0);
}

/// A writer that has answered once.
fn start_writer(folder: &Path, writer: u64) -> (Child, Option<u64>) {
    let mut command = helper("helper_appends_until_it_is_killed", folder);
    command.env("AUTHGATE_TEST_WRITER", writer.to_string()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let first = first_answer(child.stdout.as_mut().unwrap());
    (child, first)
}

/// Byte by byte: the rest is for whoever reads after the kill.
fn first_answer(output: &mut ChildStdout) -> Option<u64> {
    let mut lines = BufReader::with_capacity(1, output).lines();
    lines.find_map(|line| answer(&format!("{}\n", line.unwrap())))
}

fn answers_of(mut child: Child) -> Vec<u64> {
    let output = BufReader::new(child.stdout.take().unwrap());
    let answers = output.lines().filter_map(|line| answer(&format!("{}\n", line.unwrap())));
    let answers = answers.collect();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    answers
}

fn answer(line: &str) -> Option<u64> {
    line.strip_prefix('#')?.strip_suffix(";\n")?.parse().ok()
}

#[test]
fn helper_appends_until_it_is_killed() {
    let Some(folder) = helpers_folder() else { return };
    let writer: u64 = std::env::var("AUTHGATE_TEST_WRITER").unwrap().parse().unwrap();
    let mut journal = open(&folder);
    let mut known = BTreeSet::new();
    let mut next = writer * 1_000_000;
    for turn in 0_u64.. {
        // Now one, now so many that the write takes a while.
        let count = [1, 400, 3][turn as usize % 3];
        let numbers: Vec<_> = (next..next + count).collect();
        let records: Vec<_> = numbers.iter().copied().map(record).collect();
        journal.append(&records).unwrap();
        next += count;
        let mut text = String::new();
        numbers.iter().for_each(|number| text.push_str(&format!("#{number};\n")));
        std::io::stdout().write_all(text.as_bytes()).unwrap();
        if turn % 5 == writer % 5 {
            known.extend(read_whole(&mut journal));
            let records: Vec<_> = known.iter().copied().map(record).collect();
            journal.replacement().write(&records).unwrap();
        }
    }
}
