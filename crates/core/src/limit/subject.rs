//! What a counter counts for.

use crate::network::Network;

/// What a counter counts for. Names and devices are known by their hash alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A network.
    Network(Network),
    /// A user name: see [`Limiter::user_key`](super::Limiter::user_key).
    User(u64),
    /// A known device.
    Device(u64),
    /// A credential from one network: whether it is being checked, and whether it is known to fail.
    Credential(u64),
    /// A network of whose refusals the log has a line.
    Told(u64),
}

/// Of user names, in their hash as well. Those of networks are 1 to 3.
pub(super) const USER: u8 = 4;
/// Of devices, in their hash as well.
pub(super) const DEVICE: u8 = 5;
/// Of credentials, in their hash as well.
pub(super) const CREDENTIAL: u8 = 6;
/// Of networks that were told of, in their hash as well.
pub(super) const TOLD: u8 = 7;
/// Of places, in their hash: they have a table of their own.
pub(super) const PLACE: u8 = 8;

impl Subject {
    /// As integers: its kind, which is never 0, and its key. No two subjects have the same.
    pub(super) fn words(self) -> (u8, u64) {
        match self {
            Self::Network(network) => network.words(),
            Self::User(hash) => (USER, hash),
            Self::Device(hash) => (DEVICE, hash),
            Self::Credential(hash) => (CREDENTIAL, hash),
            Self::Told(hash) => (TOLD, hash),
        }
    }

    /// The subject that has these words.
    pub(super) fn from_words(kind: u8, key: u64) -> Option<Self> {
        Some(match kind {
            USER => Self::User(key),
            DEVICE => Self::Device(key),
            CREDENTIAL => Self::Credential(key),
            TOLD => Self::Told(key),
            kind => Self::Network(Network::from_words(kind, key)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_subject_give_it_back() {
        let networks = [
            Network::V4([192, 0, 2, 7]),
            Network::V6([0x20, 1, 13, 184, 0, 0, 0, 9]),
            Network::Unix,
        ];
        let subjects = networks.into_iter().map(Subject::Network);
        for subject in subjects.chain(
            [Subject::User, Subject::Device, Subject::Credential, Subject::Told].map(|of| of(7)),
        ) {
            let (kind, key) = subject.words();
            assert_ne!(kind, 0);
            assert_eq!(Subject::from_words(kind, key), Some(subject));
        }
        assert_eq!(Subject::from_words(0, 0), None);
    }
}
