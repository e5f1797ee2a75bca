//! G79: readers take no lock, and see no credential hold that was never verified, whatever is written
//! in the same slots.

use authgate_core::basic::{Answer, Concluded, Digest, DigestKey, Moment, Slot, Table};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const NOW: Moment = Moment { unix: 1_800_000_000, monotonic: 5_000_000 };

fn digests(name: &str, count: usize) -> Vec<Digest> {
    let key = DigestKey::new(&[7; 32]);
    (0..count).map(|number| key.digest(&format!("{name}{number}"), b"x", "hash")).collect()
}

/// Gives `digest` a slot, and says how its check has ended.
fn check(table: Table<'_>, lock: &Mutex<()>, digest: Digest, how: Concluded) {
    let locked = || lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let guard = locked();
    let answer = table.ask(digest, None, NOW);
    drop(guard);
    if answer == Answer::Check {
        let guard = locked();
        table.conclude(digest, how, NOW);
        drop(guard);
    }
}

#[test]
fn g79_readers_see_nothing_hold_that_was_never_verified() {
    let slots: Vec<Slot> = std::iter::repeat_with(Slot::default).take(8).collect();
    let table = Table { slots: &slots, ttl: 300 };
    let (good, bad) = (digests("good", 24), digests("bad", 24));
    let (lock, over) = (Mutex::new(()), AtomicBool::new(false));
    let until = Instant::now() + Duration::from_secs(2);
    std::thread::scope(|scope| {
        for offset in 0..2 {
            let (good, bad, lock, over) = (&good, &bad, &lock, &over);
            scope.spawn(move || {
                while Instant::now() < until {
                    for (good, bad) in good.iter().skip(offset).zip(bad) {
                        check(table, lock, *good, Concluded::Verified);
                        check(table, lock, *bad, Concluded::Failed);
                        check(table, lock, *bad, Concluded::Dropped);
                    }
                }
                over.store(true, Ordering::Relaxed);
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                let mut held = 0_u64;
                while !over.load(Ordering::Relaxed) {
                    for digest in &bad {
                        assert!(!table.holds(*digest, NOW.unix), "{digest:?} was never verified");
                    }
                    held += good.iter().filter(|it| table.holds(**it, NOW.unix)).count() as u64;
                }
                assert!(held > 0, "those that were are seen");
            });
        }
    });
}

/// Beside a writer of other slots, what holds is seen to hold.
#[test]
fn g79_readers_miss_nothing_that_holds() {
    let slots: Vec<Slot> = std::iter::repeat_with(Slot::default).take(8).collect();
    let table = Table { slots: &slots, ttl: 300 };
    let (good, bad) = (digests("good", 6), digests("bad", 24));
    let (lock, over) = (Mutex::new(()), AtomicBool::new(false));
    for digest in &good {
        check(table, &lock, *digest, Concluded::Verified);
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..2_000 {
                for digest in &bad {
                    check(table, &lock, *digest, Concluded::Failed);
                }
            }
            over.store(true, Ordering::Relaxed);
        });
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for digest in &good {
                    assert!(table.holds(*digest, NOW.unix), "{digest:?} holds");
                }
            }
        });
    });
}
