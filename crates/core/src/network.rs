//! The network that a client belongs to, as far as limits and queues tell clients apart.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// An IPv4 address, an IPv6 /64 network, or all clients of unix sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// An IPv4 address; an IPv4-mapped IPv6 address is the same (RFC 4291, section 2.5.5.2).
    V4([u8; 4]),
    /// The first 64 bits of an IPv6 address: what one subscriber has at the least.
    V6([u8; 8]),
    /// No address.
    Unix,
}

impl Network {
    /// The network of an address; `None` on a unix socket.
    pub fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Self::Unix,
            Some(IpAddr::V4(address)) => Self::V4(address.octets()),
            Some(IpAddr::V6(address)) => {
                let octets = address.octets();
                Self::V6(*octets.first_chunk().unwrap_or(&[0; 8]))
            }
        }
    }
}

impl Network {
    /// As integers: its kind, 1 to 3, and its address. No two networks have the same.
    pub(crate) fn words(self) -> (u8, u64) {
        match self {
            Self::V4(address) => (V4, u32::from_be_bytes(address).into()),
            Self::V6(prefix) => (V6, u64::from_be_bytes(prefix)),
            Self::Unix => (UNIX, 0),
        }
    }

    /// The network that has these words.
    pub(crate) fn from_words(kind: u8, address: u64) -> Option<Self> {
        match kind {
            V4 => Some(Self::V4((address as u32).to_be_bytes())),
            V6 => Some(Self::V6(address.to_be_bytes())),
            UNIX => Some(Self::Unix),
            _ => None,
        }
    }
}

const V4: u8 = 1;
const V6: u8 = 2;
const UNIX: u8 = 3;

/// As nginx writes it: an address, an IPv6 network with its length, or `unix:`.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::V4(octets) => Ipv4Addr::from(octets).fmt(f),
            Self::V6(prefix) => {
                let network = u128::from(u64::from_be_bytes(prefix)) << 64;
                write!(f, "{}/64", Ipv6Addr::from_bits(network))
            }
            Self::Unix => f.write_str("unix:"),
        }
    }
}

/// Not a network: anything but an address, an IPv6 network of length 64 and `unix:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid network")]
pub struct InvalidNetwork;

/// Reads what `Display` writes, and any address of a network for the network.
impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, is_v6_network) = match text.strip_suffix("/64") {
            Some(address) => (address, true),
            None if text == "unix:" => return Ok(Self::Unix),
            None => (text, false),
        };
        match Self::of(Some(address.parse().map_err(|_| InvalidNetwork)?)) {
            Self::V4(_) if is_v6_network => Err(InvalidNetwork),
            network => Ok(network),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_read_as_it_is_written() {
        for (text, written) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8::", "2001:db8::/64"),
            ("2001:db8::1:2:3:4", "2001:db8::/64"),
            ("2001:db8:0:1::/64", "2001:db8:0:1::/64"),
            ("2001:db8::7/64", "2001:db8::/64"),
            ("::", "::/64"),
            ("unix:", "unix:"),
        ] {
            let network: Network = text.parse().unwrap();
            assert_eq!(network.to_string(), written, "{text}");
            assert_eq!(written.parse(), Ok(network));
        }
        for bad in
            ["", "/64", "192.0.2.7/64", "192.0.2.0/24", "2001:db8::/63", "::/64/64", "::1%1", "x"]
        {
            assert_eq!(bad.parse::<Network>(), Err(InvalidNetwork), "{bad}");
        }
        assert!("::ffff:192.0.2.7/64".parse::<Network>().is_err());
    }

    fn network(text: &str) -> Network {
        Network::of(Some(text.parse().unwrap()))
    }

    #[test]
    fn addresses_of_a_slash_64_are_one_network() {
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.7"), network("192.0.2.7"));
        assert_ne!(network("192.0.2.7"), network("192.0.2.8"));
        assert_ne!(Network::of(None), network("0.0.0.0"));
    }
}
