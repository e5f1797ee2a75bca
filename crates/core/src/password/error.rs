use super::scheme::{
    BCRYPT_COSTS, MAX_ARGON2_LANES, MAX_MEMORY, MAX_PBKDF2_ITERATIONS, MAX_WORK, MIB,
    SHA_CRYPT_ROUNDS,
};

/// Why a stored hash is not taken. Never carries any of it but its scheme and cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// No known scheme.
    #[error("unknown hash")]
    Unknown,
    /// Longer than [`super::MAX_HASH_LENGTH`].
    #[error("hash is too long")]
    TooLong,
    /// A known scheme in a form that nothing can be checked against.
    #[error("malformed {0} hash")]
    Malformed(&'static str),
    /// A known scheme that is not taken, whatever is configured.
    #[error("hash \"{0}\" is not supported")]
    Unsupported(&'static str),
    /// A scheme that needs `allow_weak`.
    #[error("weak hash \"{0}\" (see allow_weak)")]
    Weak(&'static str),
    /// bcrypt's cost.
    #[error("bcrypt cost {0} is out of range {min}-{max}", min = BCRYPT_COSTS.start(), max = BCRYPT_COSTS.end())]
    BcryptCost(u32),
    /// Werkzeug's default has changed over the years, so that a count left out says nothing.
    #[error("pbkdf2 hash has no iteration count")]
    NoPbkdf2Iterations,
    /// PBKDF2's iterations.
    #[error("pbkdf2 iterations {0} are out of range 1-{MAX_PBKDF2_ITERATIONS}")]
    Pbkdf2Iterations(u64),
    /// The rounds of SHA-256-crypt or SHA-512-crypt.
    #[error("sha-crypt rounds {0} are out of range {min}-{max}", min = SHA_CRYPT_ROUNDS.start(), max = SHA_CRYPT_ROUNDS.end())]
    ShaCryptRounds(u64),
    /// argon2's parallelism.
    #[error("argon2 lanes {0} are out of range 1-{MAX_ARGON2_LANES}")]
    Argon2Lanes(u32),
    /// The memory of scrypt, argon2 or yescrypt.
    #[error("{0} memory is over {mib} MiB", mib = MAX_MEMORY / MIB)]
    Memory(&'static str),
    /// The memory of scrypt, argon2 or yescrypt times the passes over it.
    #[error("{0} memory times passes is over {mib} MiB", mib = MAX_WORK / MIB)]
    Work(&'static str),
}
