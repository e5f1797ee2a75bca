//! Names of hosts and peers. Lines: a pattern; a host; `host[:port]`; a network; an address.
#![no_main]

use authgate_core::hosts::{HostAndPort, HostPattern, Hosts};
use authgate_core::network::Network;
use authgate_core::peers::Peers;
use authgate_fuzz::cut;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use libfuzzer_sys::fuzz_target;
use url::{Host, Url};

fuzz_target!(|data: &[u8]| {
    let Ok(_) = core::str::from_utf8(data) else { return };
    let text = |bytes| core::str::from_utf8(bytes).expect("a part of a text");
    let (pattern, rest) = cut(data);
    let (host, rest) = cut(rest);
    let (authority, rest) = cut(rest);
    let (network, address) = cut(rest);
    patterns(text(pattern), text(host));
    host_and_port(text(authority));
    peers(text(network), text(address));
    networks(text(address));
});

fn patterns(pattern: &str, host: &str) {
    let written = HostPattern::parse(pattern).ok();
    let of_server = HostPattern::of_server(pattern);
    assert!(written.is_none() || written == of_server);
    assert!(of_server.is_none() || is_pattern(pattern), "{pattern:?}");
    let Some(of_server) = of_server else { return };
    let hosts = Hosts::from_iter([of_server]);
    assert_eq!(hosts.allow(host), is_host(host) && matches(pattern, host), "{pattern:?} {host:?}");
    assert_eq!(hosts.allow(&host.to_ascii_uppercase()), hosts.allow(host));
    assert!(!Hosts::NONE.allow(host));
}

/// As nginx documents `server_name`, label by label.
fn matches(pattern: &str, host: &str) -> bool {
    let (pattern, host) = (pattern.to_ascii_lowercase(), host.to_ascii_lowercase());
    let [wanted, labels] = [&*pattern, &*host].map(|name| name.split('.').collect::<Vec<_>>());
    match wanted[..] {
        [] => false,
        ["*", ref domain @ ..] => labels.len() > domain.len() && labels.ends_with(domain),
        ["", ref domain @ ..] => labels.ends_with(domain),
        [ref beginning @ .., "*"] => {
            labels.len() > beginning.len() && labels.starts_with(beginning)
        }
        _ => labels == wanted,
    }
}

fn is_pattern(text: &str) -> bool {
    let name = text.strip_prefix("*.").or(text.strip_prefix('.')).or(text.strip_suffix(".*"));
    is_labels(name.unwrap_or(text))
}

fn is_labels(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// A name, or an address of four numbers, that a browser reads as it stands.
fn is_host(host: &str) -> bool {
    let Ok(url) = Url::parse(&format!("https://{host}/")) else {
        // Browsers refuse names that only claim to be Punycode; here they are names.
        return is_labels(host)
            && host.to_ascii_lowercase().contains("xn--")
            && !ends_in_number(host);
    };
    let is_plain = is_labels(host) && url.host_str() == Some(&*host.to_ascii_lowercase());
    match url.host() {
        Some(Host::Domain(_)) => {
            is_labels(host) && (is_plain || host.to_ascii_lowercase().contains("xn--"))
        }
        Some(Host::Ipv4(_)) => is_plain,
        _ => false,
    }
}

fn ends_in_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let hexadecimal = last.strip_prefix("0x").unwrap_or("x");
    last.chars().all(|c| c.is_ascii_digit()) || hexadecimal.chars().all(|c| c.is_ascii_hexdigit())
}

fn host_and_port(text: &str) {
    let (read, plain) = (HostAndPort::read(text), HostAndPort::read_plain(text));
    assert!(plain.is_none() || plain == read);
    let Some(read) = read else { return };
    assert_eq!(read.text, text);
    assert!(text.starts_with(read.host));
    assert!(!read.host.contains(['@', '/', '\\', '?', '#', ' ']), "{text:?}");
    let port = &text[read.host.len()..];
    assert_eq!(port.strip_prefix(':').map(|port| port.parse().ok()), read.port.map(Some));
    assert_eq!(plain.is_some(), is_host(read.host), "{text:?}");
    let Ok(url) = Url::parse(&format!("https://{text}/")) else { return };
    assert_eq!((url.username(), url.password(), url.path()), ("", None, "/"), "{text:?}");
    assert_eq!(url.port_or_known_default(), read.port.or(Some(443)), "{text:?}");
    if plain.is_some() && !text.to_ascii_lowercase().contains("xn--") {
        assert_eq!(url.host_str(), Some(&*read.host.to_ascii_lowercase()));
    }
}

/// All addresses as IPv6, IPv4 among them where it is mapped (RFC 4291, section 2.5.5.2).
fn mapped(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn peers(network: &str, address: &str) {
    let mut peers = Peers::default();
    let taken = peers.add(network).is_ok();
    assert_eq!(peers.contains(None), network == "unix:");
    let address: Result<IpAddr, _> = address.parse();
    let (base, length) = network.split_once('/').unwrap_or((network, ""));
    let base: Result<IpAddr, _> = base.parse();
    let (Ok(address), Ok(base)) = (address, base.clone()) else {
        return assert!(!taken || network == "unix:" || base.is_ok(), "{network:?}");
    };
    let longest = if base.is_ipv4() { 32 } else { 128 };
    let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    let length = if network.contains('/') {
        length.parse().ok().filter(|_| is_number)
    } else {
        Some(longest)
    };
    let length: Option<u32> = length.filter(|length| *length <= longest);
    assert!(!taken || length.is_some(), "{network:?}");
    let Some(length) = length.filter(|_| taken) else { return };
    let length = if base.is_ipv4() { length + 96 } else { length };
    let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
    let both = [mapped(address), mapped(base)].map(|address| address & mask);
    // A network of IPv6 that is wider than all of IPv4 does not take IPv4 in.
    let of_other = address.to_canonical().is_ipv4() && (base.is_ipv6() && length < 96);
    assert_eq!(
        peers.contains(Some(address)),
        both[0] == both[1] && !of_other,
        "{network} {address}"
    );
}

fn networks(text: &str) {
    let read: Result<Network, _> = text.parse();
    if let Ok(network) = read {
        assert_eq!(network.to_string().parse(), Ok(network), "{text:?}");
    }
    let Ok(address) = text.parse::<IpAddr>() else { return };
    assert_eq!(read, Ok(Network::of(Some(address))));
    let expected = match address.to_canonical() {
        IpAddr::V4(address) => Ipv4Addr::to_string(&address),
        IpAddr::V6(address) => {
            format!("{}/64", Ipv6Addr::from_bits(address.to_bits() >> 64 << 64))
        }
    };
    assert_eq!(Network::of(Some(address)).to_string(), expected);
}
