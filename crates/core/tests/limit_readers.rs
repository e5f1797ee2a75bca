//! G79: readers take no lock, and see no credential hold that never held, whatever is written in the
//! same slots.

#![allow(clippy::panic, reason = "a test stops where it is wrong")]

use authgate_core::limit::{Attempt, By, Decision, Digest, DigestKey, Limiter, PlaceSlot, Places};
use authgate_core::limit::{Settled, Slot};
use authgate_core::network::Network;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const NOW: u64 = 5_000_000;
const HOME: Network = Network::V4([192, 0, 2, 7]);

/// Users and what they send.
type Credentials = Vec<(String, Digest)>;

fn credentials(name: &str, count: usize, password: &[u8]) -> Credentials {
    let key = DigestKey::new(&[7; 32]);
    let users = (0..count).map(|number| format!("{name}{number}"));
    users.map(|user| (user.clone(), key.digest(&user, password, "hash"))).collect()
}

fn slots(count: usize) -> Vec<PlaceSlot> {
    std::iter::repeat_with(PlaceSlot::default).take(count).collect()
}

fn places(slots: &[PlaceSlot]) -> Places<'_> {
    Places { slots, key: &[7; 16], ttl: 300_000, limits: None, now: NOW }
}

fn holds(places: Places<'_>, (user, digest): &(String, Digest)) -> bool {
    places.holds(places.place(HOME, user), *digest)
}

/// Sends a credential, which is checked and holds or not.
fn check(places: Places<'_>, lock: &Mutex<Vec<Slot>>, credential: &(String, Digest), how: Settled) {
    let mut slots = lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (user, digest) = (&*credential.0, credential.1);
    let mut limiter = Limiter { limits: None, key: places.key, slots: &mut slots, places };
    let attempt = Attempt { network: HOME, user, digest, by: By::Basic };
    if let Decision::Granted(tried) = limiter.reserve(&attempt, NOW) {
        limiter.settle(tried, how, NOW);
    }
}

#[test]
fn g79_readers_see_nothing_hold_that_never_held() {
    let slots = slots(8);
    let places = places(&slots);
    // Of the same names as well: what held there before is another credential of the same place.
    let good = credentials("user", 24, b"right");
    let bad = credentials("user", 24, b"wrong");
    let (lock, over) = (Mutex::new(vec![Slot::default(); 1024]), AtomicBool::new(false));
    let until = Instant::now() + Duration::from_secs(2);
    std::thread::scope(|scope| {
        for offset in 0..2 {
            let (good, bad, lock, over) = (&good, &bad, &lock, &over);
            scope.spawn(move || {
                while Instant::now() < until {
                    for (good, bad) in good.iter().skip(offset).zip(bad) {
                        check(places, lock, good, Settled::Succeeded);
                        check(places, lock, bad, Settled::Failed);
                    }
                }
                over.store(true, Ordering::Relaxed);
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                let mut held = 0_u64;
                while !over.load(Ordering::Relaxed) {
                    for one in &bad {
                        assert!(!holds(places, one), "{one:?} never held");
                    }
                    held += good.iter().filter(|one| holds(places, one)).count() as u64;
                }
                assert!(held > 0, "those that did are seen");
            });
        }
    });
}

/// Beside a writer of counters and of other places, what holds is seen to hold.
#[test]
fn g79_readers_miss_nothing_that_holds() {
    let slots = slots(8);
    let places = places(&slots);
    let (good, bad) = (credentials("good", 6, b"right"), credentials("bad", 24, b"wrong"));
    let (lock, over) = (Mutex::new(vec![Slot::default(); 1024]), AtomicBool::new(false));
    for one in &good {
        check(places, &lock, one, Settled::Succeeded);
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..2_000 {
                for one in &bad {
                    check(places, &lock, one, Settled::Failed);
                }
            }
            over.store(true, Ordering::Relaxed);
        });
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for one in &good {
                    assert!(holds(places, one), "{one:?} holds");
                }
            }
        });
    });
}
