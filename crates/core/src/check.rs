//! A password check: what is asked, and what may come of it.

use crate::gate::Gate;
use crate::limit::{Attempt, By, Digest, DigestKey};
use crate::network::Network;
use crate::password::{Crypt, PasswordHash};
use crate::return_target::ReturnTarget;
use crate::token::SessionId;
use zeroize::Zeroizing;

/// A password check: all that is known of it, owned, since its request may end meanwhile.
pub struct Check {
    /// What was typed.
    pub username: String,
    /// What was typed, wiped when dropped; empty once the check has begun.
    pub password: Zeroizing<Vec<u8>>,
    /// The hash to check against: the user's, or one of the usual cost where there is no such user.
    pub hash: PasswordHash,
    /// Where it comes from.
    pub network: Network,
    /// By what the credential is known again.
    pub digest: Digest,
    /// Where it came from.
    pub(crate) asked: Asked,
    pub(crate) subject: Subject,
}

/// What another thread is given of a check: the password, wiped when this is dropped, and the hash.
pub struct Verification {
    password: Zeroizing<Vec<u8>>,
    hash: PasswordHash,
}

impl Verification {
    /// Checks the password. Takes as long as the hash's cost demands: never call it on an event loop.
    #[must_use]
    pub fn verify(&self, crypt: Crypt) -> bool {
        self.hash.verify(&self.password, crypt)
    }
}

/// Where a password came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The login form.
    Form {
        /// Where the login returns to.
        return_to: ReturnTarget,
        /// The device that the user has signed in on before.
        device: Option<SessionId>,
    },
    /// `Authorization: Basic`
    Basic,
}

/// Whose hash a check is against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The user's.
    User,
    /// Nobody's: the check only takes its time.
    Nobody,
}

/// The longest password, in bytes, that is worth a check.
pub(crate) const MAX_PASSWORD: usize = 1024;

impl Check {
    /// Whether the user is who he says, now that the password matches the hash or does not.
    pub fn succeeds(&self, matches: bool) -> bool {
        matches && self.subject == Subject::User
    }

    /// What a thread needs. From here on the check has no password.
    pub fn begin(&mut self) -> Verification {
        Verification { password: std::mem::take(&mut self.password), hash: self.hash.clone() }
    }

    /// The login, as far as it counts.
    pub fn attempt(&self) -> Attempt<'_> {
        let by = match self.asked {
            Asked::Form { device, .. } => By::Form { device },
            Asked::Basic => By::Basic,
        };
        Attempt { network: self.network, user: &self.username, digest: self.digest, by }
    }
}

impl Check {
    /// Where a login with the form returns to.
    pub(crate) fn return_to(&self) -> ReturnTarget {
        match &self.asked {
            Asked::Form { return_to, .. } => return_to.clone(),
            Asked::Basic => ReturnTarget::root(),
        }
    }

    /// The device that the user has signed in on before.
    pub fn device(&self) -> Option<SessionId> {
        match self.asked {
            Asked::Form { device, .. } => device,
            Asked::Basic => None,
        }
    }
}

impl Subject {
    /// By what a credential that is checked against this subject's hash is known again.
    pub(crate) fn digest(
        self,
        key: &DigestKey,
        username: &str,
        password: &[u8],
        hash: &PasswordHash,
    ) -> Digest {
        match self {
            Self::User => key.digest(username, password, hash.as_str()),
            Self::Nobody => key.digest_of_nobody(username, password, hash.as_str()),
        }
    }
}

impl<'a> Gate<'a> {
    /// The hash that a password is checked against: the user's, or where there is none, one that takes
    /// as long and matches nothing.
    pub(crate) fn hash_for(&self, username: &str) -> (Subject, &'a PasswordHash) {
        match self.active_user(username) {
            Some(user) => (Subject::User, &user.hash),
            None => (Subject::Nobody, self.users.usual_hash()),
        }
    }
}
