//! The network that a client belongs to, as far as limits and queues tell clients apart.

use core::net::IpAddr;

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

#[cfg(test)]
mod tests {
    use super::*;

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
