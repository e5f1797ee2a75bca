//! The records of ended sessions as they are kept in a file (`state DIR`) and handed from one
//! nginx to the next: fixed length, checksummed, in any order, any of them twice.

use crate::token::SessionId;
use siphasher::sip::SipHasher24;
use std::hash::Hasher as _;

/// The length of a record, in bytes.
pub const LENGTH: usize = 48;

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
