//! bcrypt. The crate cuts passwords at 72 bytes and takes `$2x$`; we do neither.

use super::scheme::BCRYPT_COSTS;
use super::{HashError, Scheme};
use bcrypt::HashParts;

const MAX_PASSWORD: usize = 72;

pub(super) fn parse(text: &str) -> Result<Scheme, HashError> {
    let parts: HashParts = text.parse().map_err(|_| HashError::Malformed("bcrypt"))?;
    let cost = parts.get_cost();
    if !BCRYPT_COSTS.contains(&cost) {
        return Err(HashError::BcryptCost(cost));
    }
    Ok(Scheme::Bcrypt { cost })
}

pub(super) fn verify(password: &[u8], text: &str) -> bool {
    let refused = password.len() > MAX_PASSWORD || password.contains(&0);
    // a refused password takes the same time
    let checked = if refused { b"" } else { password };
    let matches = bcrypt::verify(checked, text).unwrap_or(false);
    matches & !refused
}
