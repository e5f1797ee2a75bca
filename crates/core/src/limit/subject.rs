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
    /// A credential from one network, which is never banned.
    Credential(u64),
}

const V4: u8 = 1;
const V6: u8 = 2;
const UNIX: u8 = 3;
/// Of user names, in their hash as well.
pub(super) const USER: u8 = 4;
/// Of devices, in their hash as well.
pub(super) const DEVICE: u8 = 5;
/// Of credentials, in their hash as well.
pub(super) const CREDENTIAL: u8 = 6;

impl Subject {
    /// As integers: its kind, which is never 0, and its key. No two subjects have the same.
    pub(super) fn words(self) -> (u8, u64) {
        match self {
            Self::Network(Network::V4(address)) => (V4, u32::from_be_bytes(address).into()),
            Self::Network(Network::V6(address)) => (V6, u64::from_be_bytes(address)),
            Self::Network(Network::Unix) => (UNIX, 0),
            Self::User(hash) => (USER, hash),
            Self::Device(hash) => (DEVICE, hash),
            Self::Credential(hash) => (CREDENTIAL, hash),
        }
    }

    /// The subject that has these words.
    pub(super) fn from_words(kind: u8, key: u64) -> Option<Self> {
        Some(match kind {
            V4 => Self::Network(Network::V4((key as u32).to_be_bytes())),
            V6 => Self::Network(Network::V6(key.to_be_bytes())),
            UNIX => Self::Network(Network::Unix),
            USER => Self::User(key),
            DEVICE => Self::Device(key),
            CREDENTIAL => Self::Credential(key),
            _ => return None,
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
        for subject in
            subjects.chain([Subject::User(7), Subject::Device(7), Subject::Credential(7)])
        {
            let (kind, key) = subject.words();
            assert_ne!(kind, 0);
            assert_eq!(Subject::from_words(kind, key), Some(subject));
        }
        assert_eq!(Subject::from_words(0, 0), None);
    }
}
