//! argon2id and argon2i in the PHC string format.

use super::scheme::{Argon2Variant, MAX_ARGON2_LANES, check_memory};
use super::{HashError, Scheme};
use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, Version};
use subtle::ConstantTimeEq;

const MALFORMED: HashError = HashError::Malformed("argon2");

pub(super) fn parse(text: &str) -> Result<Scheme, HashError> {
    let hash = Hash::parse(text)?;
    let (memory, passes) = (hash.params.m_cost(), hash.params.t_cost());
    check_memory("argon2", u64::from(memory).checked_mul(1024), passes)?;
    let lanes = hash.params.p_cost();
    if lanes > MAX_ARGON2_LANES {
        return Err(HashError::Argon2Lanes(lanes));
    }
    Ok(Scheme::Argon2 { variant: hash.variant, memory, passes, lanes })
}

pub(super) fn verify(password: &[u8], text: &str) -> bool {
    Hash::parse(text).is_ok_and(|hash| hash.verify(password))
}

struct Hash {
    variant: Argon2Variant,
    version: Version,
    params: Params,
    salt: phc::Salt,
    expected: phc::Output,
}

impl Hash {
    fn parse(text: &str) -> Result<Self, HashError> {
        let hash = phc::PasswordHash::new(text).map_err(|_| MALFORMED)?;
        let params = Params::try_from(&hash).map_err(|_| MALFORMED)?;
        // a key id names a secret that we do not have
        if !params.keyid().is_empty() {
            return Err(HashError::Unsupported("argon2 with keyid"));
        }
        let variant = match hash.algorithm.as_str() {
            "argon2i" => Argon2Variant::I,
            "argon2id" => Argon2Variant::Id,
            _ => return Err(HashError::Unknown),
        };
        let version = match hash.version {
            Some(version) => Version::try_from(version).map_err(|_| MALFORMED)?,
            // hashes older than the field are of version 1.0
            None => Version::V0x10,
        };
        let salt = hash.salt.ok_or(MALFORMED)?;
        let expected = hash.hash.ok_or(MALFORMED)?;
        Ok(Self { variant, version, params, salt, expected })
    }

    fn verify(self, password: &[u8]) -> bool {
        let algorithm = match self.variant {
            Argon2Variant::I => Algorithm::Argon2i,
            Argon2Variant::Id => Algorithm::Argon2id,
        };
        let mut output = [0; phc::Output::MAX_LENGTH];
        let Some(output) = output.get_mut(..self.expected.len()) else { return false };
        let argon2 = Argon2::new(algorithm, self.version, self.params);
        let derived = argon2.hash_password_into(password, &self.salt, output).is_ok();
        derived & bool::from(output.ct_eq(self.expected.as_bytes()))
    }
}
