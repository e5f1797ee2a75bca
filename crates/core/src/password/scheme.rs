//! The schemes and what they may cost.

use super::HashError;
use core::fmt;
use core::ops::RangeInclusive;

pub(super) const MIB: u64 = 1 << 20;
pub(super) const BCRYPT_COSTS: RangeInclusive<u32> = 4..=15;
pub(super) const MAX_PBKDF2_ITERATIONS: u32 = 5_000_000;
/// The lower bound is crypt(3)'s own.
pub(super) const SHA_CRYPT_ROUNDS: RangeInclusive<u64> = 1_000..=1_000_000;
/// Lanes run one after the other here; nobody's hash has more.
pub(super) const MAX_ARGON2_LANES: u32 = 64;
/// What one check of scrypt, argon2 or yescrypt may hold.
pub(super) const MAX_MEMORY: u64 = 256 * MIB;
/// What it may go through: a few seconds, as the upper ends of the other schemes.
pub(super) const MAX_WORK: u64 = 1024 * MIB;

/// A scheme with its cost. Equal schemes take equal time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `$2a$`, `$2b$`, `$2y$`
    Bcrypt {
        /// log₂ of the rounds.
        cost: u32,
    },
    /// Werkzeug's `pbkdf2:DIGEST:ITERATIONS$salt$hex`
    Pbkdf2 {
        /// The hash under HMAC.
        digest: Digest,
        /// The iterations.
        iterations: u32,
    },
    /// Werkzeug's `scrypt:N:r:p$salt$hex`
    Scrypt {
        /// log₂ of `N`.
        log_n: u8,
        /// The block size.
        r: u32,
        /// The parallelism.
        p: u32,
    },
    /// `$argon2id$` or `$argon2i$` (PHC string format)
    Argon2 {
        /// Which of the two.
        variant: Argon2Variant,
        /// KiB.
        memory: u32,
        /// Passes over the memory.
        passes: u32,
        /// Lanes.
        lanes: u32,
    },
    /// `$5$`
    Sha256Crypt {
        /// The rounds.
        rounds: u32,
    },
    /// `$6$`
    Sha512Crypt {
        /// The rounds.
        rounds: u32,
    },
    /// `$y$`
    Yescrypt {
        /// log₂ of `N`.
        log_n: u8,
        /// The block size.
        r: u32,
        /// The parallelism.
        p: u32,
    },
    /// `$apr1$` (weak)
    Apr1,
    /// `$1$` (weak)
    Md5Crypt,
    /// 13 characters of traditional crypt(3) (weak)
    Des,
    /// `{SHA}` (weak)
    Sha,
    /// `{SSHA}` (weak)
    SaltedSha,
    /// `{PLAIN}` (weak)
    Plain,
}

/// The hash under PBKDF2's HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Digest {
    /// SHA-1
    Sha1,
    /// SHA-256
    Sha256,
    /// SHA-512
    Sha512,
}

/// The argon2 variants that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Argon2Variant {
    /// argon2i
    I,
    /// argon2id
    Id,
}

impl Scheme {
    /// Its usual name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bcrypt { .. } => "bcrypt",
            Self::Pbkdf2 { .. } => "pbkdf2",
            Self::Scrypt { .. } => "scrypt",
            Self::Argon2 { variant: Argon2Variant::I, .. } => "argon2i",
            Self::Argon2 { variant: Argon2Variant::Id, .. } => "argon2id",
            Self::Sha256Crypt { .. } => "sha256-crypt",
            Self::Sha512Crypt { .. } => "sha512-crypt",
            Self::Yescrypt { .. } => "yescrypt",
            Self::Apr1 => "apr1",
            Self::Md5Crypt => "md5-crypt",
            Self::Des => "des",
            Self::Sha => "{SHA}",
            Self::SaltedSha => "{SSHA}",
            Self::Plain => "{PLAIN}",
        }
    }

    /// Whether it needs `allow_weak`.
    pub fn is_weak(&self) -> bool {
        matches!(
            self,
            Self::Apr1 | Self::Md5Crypt | Self::Des | Self::Sha | Self::SaltedSha | Self::Plain
        )
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Bcrypt { cost } => write!(f, " cost {cost}"),
            Self::Pbkdf2 { digest, iterations } => write!(f, " {digest} iterations {iterations}"),
            Self::Scrypt { log_n, r, p } | Self::Yescrypt { log_n, r, p } => {
                write!(f, " N={} r={r} p={p}", 1_u64 << log_n)
            }
            Self::Argon2 { memory, passes, lanes, .. } => {
                write!(f, " m={memory} t={passes} p={lanes}")
            }
            Self::Sha256Crypt { rounds } | Self::Sha512Crypt { rounds } => {
                write!(f, " rounds {rounds}")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        })
    }
}

/// Holds scrypt's and yescrypt's `N`, `r` and `p` to the bounds.
pub(super) fn check_blocks(name: &'static str, n: u64, r: u32, p: u32) -> Result<(), HashError> {
    let block = 128 * u64::from(r);
    check_memory(name, n.checked_mul(block), p)
}

/// Holds a memory size, in bytes, and the passes over it to the bounds.
pub(super) fn check_memory(
    name: &'static str,
    memory: Option<u64>,
    passes: u32,
) -> Result<(), HashError> {
    let memory = memory.filter(|memory| *memory <= MAX_MEMORY).ok_or(HashError::Memory(name))?;
    // no overflow: 2^28 times 2^32
    if memory * u64::from(passes) > MAX_WORK {
        return Err(HashError::Work(name));
    }
    Ok(())
}
