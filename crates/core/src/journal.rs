//! The records of ended sessions as they are kept in a file (`state DIR`) and handed from one
//! nginx to the next: fixed length, checksummed, in any order, any of them twice.

use crate::token::SessionId;
use siphasher::sip::SipHasher24;
use std::hash::Hasher as _;

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
}

/// The length of a record, in bytes.
pub const LENGTH: usize = 48;

impl Record {
    /// Its bytes.
    pub fn encode(&self) -> [u8; LENGTH] {
        let (kind, id, a, b) = match *self {
            Self::Session { id, user, ends_at } => (1_u64, id.0, user.0, ends_at),
            Self::Token { id, keep_until } => (2, id.0, keep_until, 0),
            Self::User { user, issued_until } => (3, [0; 16], user.0, issued_until),
            Self::Part { part, of, ends_until } => {
                (4, [0; 16], u64::from(part) << 32 | u64::from(of), ends_until)
            }
            Self::Everyone { issued_until } => (5, [0; 16], issued_until, 0),
        };
        let mut bytes = [0; LENGTH];
        let fields = [&kind.to_le_bytes()[..], &id, &a.to_le_bytes(), &b.to_le_bytes()].concat();
        let sum = checksum(&fields).to_le_bytes();
        for (byte, value) in bytes.iter_mut().zip(fields.iter().chain(&sum)) {
            *byte = *value;
        }
        bytes
    }

    /// What the bytes say; `None` where they are damaged.
    pub fn decode(bytes: &[u8; LENGTH]) -> Option<Self> {
        let (fields, sum) = bytes.split_last_chunk::<8>()?;
        if checksum(fields) != u64::from_le_bytes(*sum) {
            return None;
        }
        let (kind, rest) = fields.split_first_chunk::<8>()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (a, rest) = rest.split_first_chunk::<8>()?;
        let (id, a) = (SessionId(*id), u64::from_le_bytes(*a));
        let b = u64::from_le_bytes(*rest.first_chunk::<8>()?);
        Some(match u64::from_le_bytes(*kind) {
            1 => Self::Session { id, user: UserTag(a), ends_at: b },
            2 => Self::Token { id, keep_until: a },
            3 => Self::User { user: UserTag(a), issued_until: b },
            4 => Self::Part { part: (a >> 32) as u32, of: a as u32, ends_until: b },
            5 => Self::Everyone { issued_until: a },
            _ => return None,
        })
    }
}

fn checksum(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write(bytes);
    hasher.finish()
}
