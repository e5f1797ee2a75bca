//! The records of ended sessions as they are kept in a file (`state DIR`) and handed from one
//! nginx to the next: fixed length, checksummed, in the order in which they were written, any
//! of them twice.
//!
//! A record is 48 bytes, all numbers big-endian:
//!
//! | Bytes | | Session | Token | User | Part | Everyone | Users |
//! | --- | --- | --- | --- | --- | --- | --- | --- |
//! | 0 | version | 1 | 1 | 1 | 1 | 1 | 1 |
//! | 1 | kind | 1 | 2 | 3 | 4 | 5 | 6 |
//! | 2–7 | reserved | 0 | 0 | 0 | 0 | 0 | 0 |
//! | 8–23 | id | session | token | 0 | 0 | 0 | 0 |
//! | 24–31 | who | user's tag | 0 | user's tag | part, of how many (4 bytes each) | 0 | part, of how many |
//! | 32–39 | time | `ends_at` | `keep_until` | `issued_until` | `ends_until` | `issued_until` | `issued_until` |
//! | 40–47 | checksum | | | | | | |
//!
//! The checksum is SipHash-2-4 of the bytes before it, with the key `authgate journal`. It finds
//! damage, not forgery: who may write the file may end whatever there is.

use crate::token::SessionId;
use siphasher::sip::SipHasher24;
use std::hash::Hasher as _;

/// How far ahead, in seconds, an operator's word about a user reaches: whoever has not read it yet
/// may still renew a token meanwhile.
pub const MARGIN: u64 = 2;

/// Who has not read the journal for so long, in milliseconds, renews nothing.
pub const STALE: u64 = 1500;

const _: () = assert!(STALE < MARGIN * 1000, "what is renewed unread is still ended");

/// Whether a journal of so many records is to be written anew, when so many would do.
pub fn is_sparse(records: u64, needed: u64) -> bool {
    const SHORT: u64 = 1000;
    records > SHORT && records / 2 > needed
}

/// A user as ended sessions know one: a hash of the name, the same everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserTag(pub u64);

impl UserTag {
    /// The tag of a name. Not secret and not keyed: names come from the users file, not from
    /// visitors.
    pub fn of(name: &str) -> Self {
        let mut hasher = SipHasher24::new();
        hasher.write(name.as_bytes());
        Self(hasher.finish())
    }
}

/// Something that has ended before its time. Times in Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// A session: until its absolute end.
    Session {
        /// The session.
        id: SessionId,
        /// Whose it was. The top 24 bits count.
        user: UserTag,
        /// Its absolute end.
        ends_at: u64,
    },
    /// A session or an API token that an operator named, whose end is not known.
    Token {
        /// The session or the API token.
        id: SessionId,
        /// How long that has to be remembered.
        keep_until: u64,
    },
    /// All sessions of a user: every token made until then.
    User {
        /// The user.
        user: UserTag,
        /// When the last of them was made.
        issued_until: u64,
    },
    /// All sessions of a part of the users with an absolute end until then: part `part` of `of`
    /// equal parts of the user tags.
    Part {
        /// Which part, from 0.
        part: u32,
        /// Of how many.
        of: u32,
        /// The last absolute end.
        ends_until: u64,
    },
    /// Every token of every purpose made until then.
    Everyone {
        /// When the last of them was made.
        issued_until: u64,
    },
    /// All sessions of a part of the users: every token made until then. Parts as in [`Self::Part`].
    Users {
        /// Which part, from 0.
        part: u32,
        /// Of how many.
        of: u32,
        /// When the last of them was made.
        issued_until: u64,
    },
}

/// The length of a record, in bytes.
pub const LENGTH: usize = 48;

const VERSION: u8 = 1;
const KEY: &[u8; 16] = b"authgate journal";

impl Record {
    /// Its bytes.
    pub fn encode(&self) -> [u8; LENGTH] {
        let (kind, id, who, time) = match *self {
            Self::Session { id, user, ends_at } => (1, id, user.0, ends_at),
            Self::Token { id, keep_until } => (2, id, 0, keep_until),
            Self::User { user, issued_until } => (3, NO_ID, user.0, issued_until),
            Self::Part { part, of, ends_until } => (4, NO_ID, pair(part, of), ends_until),
            Self::Everyone { issued_until } => (5, NO_ID, 0, issued_until),
            Self::Users { part, of, issued_until } => (6, NO_ID, pair(part, of), issued_until),
        };
        let head = u64::from_be_bytes([VERSION, kind, 0, 0, 0, 0, 0, 0]);
        let id = u128::from_be_bytes(id.0);
        let words = [head, (id >> 64) as u64, id as u64, who, time];
        let mut bytes = [0; LENGTH];
        let all = words.into_iter().chain([checksum(&words)]);
        for (place, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(all) {
            *place = word.to_be_bytes();
        }
        bytes
    }

    /// What the bytes say; `None` where they are not the one encoding of a record.
    pub fn decode(bytes: &[u8; LENGTH]) -> Option<Self> {
        let [head, high, low, who, time, _checksum] = bytes.as_chunks::<8>().0 else { return None };
        let [_version, kind, ..] = *head;
        let [[high, low], [who, time]] =
            [[high, low], [who, time]].map(|pair| pair.map(|word| u64::from_be_bytes(*word)));
        let id = SessionId((u128::from(high) << 64 | u128::from(low)).to_be_bytes());
        let record = match kind {
            1 => Self::Session { id, user: UserTag(who), ends_at: time },
            2 => Self::Token { id, keep_until: time },
            3 => Self::User { user: UserTag(who), issued_until: time },
            4 => Self::Part { part: (who >> 32) as u32, of: who as u32, ends_until: time },
            5 => Self::Everyone { issued_until: time },
            6 => Self::Users { part: (who >> 32) as u32, of: who as u32, issued_until: time },
            _ => return None,
        };
        // Compares what was not looked at: version, reserved bytes, checksum.
        (record.is_possible() && record.encode() == *bytes).then_some(record)
    }

    fn is_possible(&self) -> bool {
        match self {
            Self::Part { part, of, .. } | Self::Users { part, of, .. } => part < of,
            _ => true,
        }
    }
}

/// The records of a file, and how many of them are damaged. What is short of a whole record at the
/// end is left out: someone is about to write it.
pub fn decode_all(bytes: &[u8]) -> (Vec<Record>, usize) {
    let all = bytes.as_chunks::<LENGTH>().0;
    let records: Vec<_> = all.iter().filter_map(Record::decode).collect();
    let damaged = all.len() - records.len();
    (records, damaged)
}

fn pair(part: u32, of: u32) -> u64 {
    u64::from(part) << 32 | u64::from(of)
}

const NO_ID: SessionId = SessionId([0; 16]);

fn checksum(words: &[u64]) -> u64 {
    let mut hasher = SipHasher24::new_with_key(KEY);
    words.iter().for_each(|word| hasher.write(&word.to_be_bytes()));
    hasher.finish()
}
