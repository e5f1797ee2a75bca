//! The peers whose word is taken on the request that they ask about (`forwarded`).

use core::net::IpAddr;
use core::str::FromStr;
use ipnet::{IpNet, Ipv4Net};

/// Addresses, networks and unix sockets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peers {
    networks: Vec<IpNet>,
    unix: Unix,
}

/// Whether clients of unix sockets are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Unix {
    #[default]
    Out,
    In,
}

/// Not an address, a network or `unix:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid address or network")]
pub struct InvalidPeer;

impl Peers {
    /// Adds `ADDRESS`, `ADDRESS/LENGTH` or `unix:`.
    ///
    /// # Errors
    /// [`InvalidPeer`].
    pub fn add(&mut self, text: &str) -> Result<(), InvalidPeer> {
        if text == "unix:" {
            self.unix = Unix::In;
        } else {
            self.networks.push(network(text).ok_or(InvalidPeer)?);
        }
        Ok(())
    }

    /// Whether the peer is among them; `None`: it came over a unix socket. An IPv4-mapped IPv6
    /// address is the IPv4 address (RFC 4291, section 2.5.5.2).
    pub fn contains(&self, address: Option<IpAddr>) -> bool {
        match address.map(|address| address.to_canonical()) {
            None => self.unix == Unix::In,
            Some(address) => self.networks.iter().any(|network| network.contains(&address)),
        }
    }
}

fn network(text: &str) -> Option<IpNet> {
    // The address is read as one without a length is: the parser of networks takes leading zeros,
    // which others take for octal.
    let (address, length) = match text.split_once('/') {
        None => (text, None),
        Some((address, length)) => (address, Some(decimal(length)?)),
    };
    let address = IpAddr::from_str(address).ok()?;
    let network = length.map_or(Ok(address.into()), |length| IpNet::new(address, length));
    Some(canonical(network.ok()?).trunc())
}

/// A number as it is written only once.
fn decimal(text: &str) -> Option<u8> {
    text.parse().ok().filter(|number: &u8| number.to_string() == text)
}

/// IPv4-mapped networks are those of IPv4.
fn canonical(network: IpNet) -> IpNet {
    const MAPPED: u8 = 96;
    let v4 = |address| match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    };
    let length = network.prefix_len().checked_sub(MAPPED);
    match (network, length.zip(v4(network.addr().to_canonical()))) {
        (IpNet::V6(_), Some((length, address))) => {
            Ipv4Net::new(address, length).map_or(network, IpNet::V4)
        }
        _ => network,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(texts: &[&str]) -> Peers {
        let mut peers = Peers::default();
        for text in texts {
            peers.add(text).unwrap();
        }
        peers
    }

    fn has(peers: &Peers, address: &str) -> bool {
        peers.contains(Some(address.parse().unwrap()))
    }

    #[test]
    fn g85a_an_address_is_that_address_alone() {
        let peers = peers(&["192.0.2.7", "2001:db8::7"]);
        for (address, is_in) in [
            ("192.0.2.7", true),
            ("::ffff:192.0.2.7", true),
            ("::ffff:c000:207", true),
            ("192.0.2.8", false),
            ("::192.0.2.7", false),
            ("2001:db8::7", true),
            ("2001:db8::8", false),
        ] {
            assert_eq!(has(&peers, address), is_in, "{address}");
        }
        assert!(!peers.contains(None), "a unix socket");
    }

    #[test]
    fn g85a_networks() {
        for (network, address, is_in) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.7/24", "192.0.2.1", true),
            ("192.0.2.0/24", "::ffff:192.0.2.1", true),
            ("192.0.2.0/24", "192.0.3.1", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.1", false),
            ("::/0", "::ffff:192.0.2.1", false),
            ("::ffff:192.0.2.0/120", "192.0.2.9", true),
            ("::ffff:192.0.2.0/120", "192.0.3.9", false),
            ("::ffff:0:0/96", "192.0.2.9", true),
            ("::ffff:192.0.2.7", "192.0.2.7", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ] {
            assert_eq!(has(&peers(&[network]), address), is_in, "{network} {address}");
        }
    }

    #[test]
    fn g85a_unix_sockets_are_named_and_nobody_is_by_default() {
        assert!(peers(&["unix:"]).contains(None));
        assert!(!has(&peers(&["unix:"]), "127.0.0.1"));
        assert!(!Peers::default().contains(None));
        assert!(!has(&Peers::default(), "127.0.0.1"));
    }

    #[test]
    fn i100_what_is_no_peer() {
        for text in [
            "",
            "unix",
            "unix:/run/x",
            "UNIX:",
            "all",
            "localhost",
            "192.0.2",
            "192.0.2.07",
            "192.0.2.07/24",
            "00.0.0.0/0",
            "192.0.2.0/024",
            "192.0.2.7/33",
            "192.0.2.7/",
            "192.0.2.7/+8",
            "192.0.2.7/-1",
            "192.0.2.0/255.255.255.0",
            "::1/129",
            "[::1]",
            "::1%lo",
            "192.0.2.7:80",
            " 192.0.2.7",
            "::1/64/64",
        ] {
            assert_eq!(Peers::default().add(text), Err(InvalidPeer), "{text}");
        }
    }
}
