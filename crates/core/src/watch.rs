//! When to read a file again that someone may edit at any moment; or several, of which one alone
//! says nothing.
//!
//! A file is looked at a few times a second. It is read once it has been still for
//! [`STILL`], and again and again until it has been so for [`SETTLED`]: two edits within one tick
//! of the file system's clock leave the same marks.

use sha2::{Digest as _, Sha256};

/// How long, in milliseconds, a file has to be still before it is read.
pub const STILL: u64 = 200;
/// How long, in milliseconds, the same marks may hide a second edit.
pub const SETTLED: u64 = 1500;
/// How often, in milliseconds, the same complaint is made.
pub const REPEAT: u64 = 60_000;

/// The marks of a file: two that differ belong to different contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// The file system and the file's number in it.
    pub file: (u64, u64),
    /// Its length, in bytes.
    pub length: u64,
    /// When it was written to, in seconds and nanoseconds.
    pub modified: (i64, i64),
    /// When it or its rights changed, in seconds and nanoseconds.
    pub changed: (i64, i64),
}

/// What files hold, as far as two contents are told apart (SHA-256). All zero: of none.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of the contents of one file or of several. The lengths belong to it: bytes
    /// that move from one file to the next change it.
    pub fn of<'a>(contents: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut digest = Sha256::new();
        for content in contents {
            digest.update(content.len().to_le_bytes());
            digest.update(content);
        }
        Self(digest.finalize().into())
    }
}

/// A file that is watched, or several: `M` is the [`Marks`] of all of them.
#[derive(Debug, Clone)]
pub struct Watch<M> {
    /// `None`: one of them cannot be read.
    marks: Option<M>,
    since: u64,
    /// The marks of what was read last.
    read: Option<M>,
}

/// What to do now.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Nothing.
    Rest,
    /// Read the file.
    Read,
    /// Complain: it is not there or cannot be read.
    Gone,
}

impl<M: Copy + PartialEq> Watch<M> {
    /// Watches a file that has just been read with these marks. `now` in milliseconds of a
    /// monotonic clock, as everywhere here.
    pub fn new(marks: M, now: u64) -> Self {
        Self { marks: Some(marks), since: now, read: Some(marks) }
    }

    /// Takes what the file looks like now; `None` where it cannot be looked at.
    pub fn look(&mut self, marks: Option<M>, now: u64) -> Look {
        if marks != self.marks {
            (self.marks, self.since) = (marks, now);
            return Look::Rest;
        }
        let still = now.saturating_sub(self.since);
        match marks {
            _ if still < STILL => Look::Rest,
            None => Look::Gone,
            _ if marks == self.read && still >= SETTLED => Look::Rest,
            _ => Look::Read,
        }
    }

    /// Has the file read whatever it looks like.
    pub fn forget(&mut self, now: u64) {
        (self.read, self.since) = (None, now);
    }

    /// Says that the file has been read with these marks.
    pub fn has_read(&mut self, marks: M) {
        self.read = Some(marks);
    }
}

/// What has been complained of last, over all workers. All zero: nothing.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Complaint {
    what: u64,
    at: u64,
}

impl Complaint {
    /// Whether to complain of this now: once, and of what lasts once a minute.
    pub fn is_due(&mut self, what: u64, lasts: bool, now: u64) -> bool {
        // 0 is nothing.
        let what = what.max(1);
        if what == self.what && !(lasts && now.saturating_sub(self.at) >= REPEAT) {
            return false;
        }
        *self = Self { what, at: now };
        true
    }

    /// Whether what has been complained of still holds.
    pub fn stands(&self) -> bool {
        self.what != 0
    }

    /// All is well again.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(number: i64) -> Marks {
        Marks { file: (1, 2), length: 3, modified: (number, 0), changed: (number, 0) }
    }

    /// The times, every 250 ms from 0 to 5 s, at which a file is read that changes at these times.
    fn reads(changes: &[u64]) -> Vec<u64> {
        let mut watch = Watch::new(marks(0), 0);
        let mut times = Vec::new();
        for now in (0..5000).step_by(250) {
            let seen = marks(changes.iter().filter(|time| **time <= now).count() as i64);
            if watch.look(Some(seen), now) == Look::Read {
                watch.has_read(seen);
                times.push(now);
            }
        }
        times
    }

    #[test]
    fn a22_an_edit_is_read_within_a_second() {
        for change in 2000..2300 {
            let first = reads(&[change]).into_iter().find(|time| *time >= change).unwrap();
            assert!(first < change + 600, "{change}: {first}");
        }
    }

    #[test]
    fn a_settled_file_is_left_alone() {
        assert_eq!(reads(&[]).last(), Some(&1250));
        assert_eq!(reads(&[2000]).last(), Some(&3250));
    }

    #[test]
    fn a_file_that_moves_is_not_read() {
        let changes: Vec<_> = (2000..4000).step_by(100).collect();
        assert!(reads(&changes).iter().all(|time| *time < 2000 || *time >= 4000));
    }

    #[test]
    fn i113_edits_that_leave_the_same_marks_are_read_again() {
        // The second edit comes after the first has been read.
        let times = reads(&[2000]);
        assert!(times.iter().filter(|time| **time > 2600).count() >= 2, "{times:?}");
    }

    #[test]
    fn a22_a_file_that_is_forgotten_is_read_again() {
        let mut watch = Watch::new(marks(0), 0);
        assert_eq!(watch.look(Some(marks(0)), 10_000), Look::Rest);
        watch.forget(10_000);
        assert_eq!(watch.look(Some(marks(0)), 10_100), Look::Rest);
        assert_eq!(watch.look(Some(marks(0)), 10_250), Look::Read);
    }

    #[test]
    fn i113_a_file_that_goes_and_comes_back_is_read() {
        let mut watch = Watch::new(marks(0), 0);
        assert_eq!(watch.look(None, 10_000), Look::Rest);
        assert_eq!(watch.look(None, 10_250), Look::Gone);
        assert_eq!(watch.look(Some(marks(0)), 10_500), Look::Rest);
        assert_eq!(watch.look(Some(marks(0)), 10_750), Look::Read);
    }

    #[test]
    fn a22_two_files_are_read_together_once_both_are_still() {
        let mut watch = Watch::new((marks(0), marks(0)), 0);
        assert_eq!(watch.look(Some((marks(0), marks(0))), 10_000), Look::Rest);
        assert_eq!(watch.look(Some((marks(1), marks(0))), 10_250), Look::Rest);
        assert_eq!(watch.look(Some((marks(1), marks(1))), 10_500), Look::Rest);
        assert_eq!(watch.look(Some((marks(1), marks(1))), 10_750), Look::Read);
    }

    #[test]
    fn a22_a_fingerprint_has_the_borders_between_files() {
        let of = |contents: &[&[u8]]| Fingerprint::of(contents.iter().copied());
        let all = [
            of(&[]),
            of(&[b""]),
            of(&[b"", b""]),
            of(&[b"ab"]),
            of(&[b"ab", b""]),
            of(&[b"a", b"b"]),
            of(&[b"", b"ab"]),
            of(&[b"b", b"a"]),
        ];
        for (n, one) in all.iter().enumerate() {
            assert_eq!(all.iter().filter(|other| *other == one).count(), 1, "{n}");
            assert_ne!(*one, Fingerprint::default());
        }
        assert_eq!(of(&[b"a", b"b"]), of(&[b"a", b"b"]));
    }

    #[test]
    fn i113_one_line_for_one_mistake_and_one_a_minute_for_what_lasts() {
        let mut complaint = Complaint::default();
        let due = |complaint: &mut Complaint, what, lasts, now| complaint.is_due(what, lasts, now);
        assert!(due(&mut complaint, 7, false, 1000));
        assert!(!due(&mut complaint, 7, false, 100_000));
        assert!(due(&mut complaint, 8, true, 100_000));
        assert!(!due(&mut complaint, 8, true, 159_999));
        assert!(due(&mut complaint, 8, true, 160_000));
        assert!(complaint.stands());
        complaint.clear();
        assert!(!complaint.stands());
        assert!(due(&mut complaint, 8, true, 160_001));
        assert!(due(&mut complaint, 0, false, 160_002));
        assert!(!due(&mut complaint, 0, false, 160_003));
    }
}
