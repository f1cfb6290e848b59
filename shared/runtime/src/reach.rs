//! Which addresses may be reached where a tenant chooses whom to call: those out on the internet, and those in networks that the
//! operators allow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

/// The loopback address that a host is written for; none for any other host.
pub(crate) fn this_machine(host: &str) -> Option<IpAddr> {
    match host {
        "localhost" | "127.0.0.1" => Some(Ipv4Addr::LOCALHOST.into()),
        "[::1]" => Some(Ipv6Addr::LOCALHOST.into()),
        _ => None,
    }
}

/// Whether a name is this machine's by its form.
pub(crate) fn is_local_name(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host == "localhost" || host.ends_with(".localhost")
}

/// Of the addresses that a name leads to, those that may be connected to; a local name leads to this machine alone.
pub(crate) fn judge(found: &[SocketAddr], local: bool, allowed: &[IpNet]) -> Vec<SocketAddr> {
    let fits = |address: IpAddr| {
        if local {
            address.is_loopback()
        } else {
            may_reach(address, allowed)
        }
    };
    found
        .iter()
        .filter(|address| fits(address.ip()))
        .copied()
        .collect()
}

/// Whether an address is out on the internet, or in a network that was allowed.
pub(crate) fn may_reach(address: IpAddr, allowed: &[IpNet]) -> bool {
    let address = address.to_canonical();
    let public = match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    };
    public || allowed.iter().any(|net| net.contains(&address))
}

/// By the registry of special addresses (RFC 6890 and its successors); the last is a cloud's metadata service.
fn is_public_v4(address: Ipv4Addr) -> bool {
    const INSIDE: [(Ipv4Addr, u8); 16] = [
        (Ipv4Addr::new(0, 0, 0, 0), 8),
        (Ipv4Addr::new(10, 0, 0, 0), 8),
        (Ipv4Addr::new(100, 64, 0, 0), 10),
        (Ipv4Addr::new(127, 0, 0, 0), 8),
        (Ipv4Addr::new(169, 254, 0, 0), 16),
        (Ipv4Addr::new(172, 16, 0, 0), 12),
        (Ipv4Addr::new(192, 0, 0, 0), 24),
        (Ipv4Addr::new(192, 0, 2, 0), 24),
        (Ipv4Addr::new(192, 88, 99, 0), 24),
        (Ipv4Addr::new(192, 168, 0, 0), 16),
        (Ipv4Addr::new(198, 18, 0, 0), 15),
        (Ipv4Addr::new(198, 51, 100, 0), 24),
        (Ipv4Addr::new(203, 0, 113, 0), 24),
        (Ipv4Addr::new(224, 0, 0, 0), 4),
        (Ipv4Addr::new(240, 0, 0, 0), 4),
        (Ipv4Addr::new(168, 63, 129, 16), 32),
    ];
    let bits = address.to_bits();
    let within = |(net, length): &(Ipv4Addr, u8)| (bits ^ net.to_bits()) >> (32 - u32::from(*length)) == 0;
    !INSIDE.iter().any(within)
}

/// Global unicast, but for what is set apart in it and what carries an IPv4 address (6to4, Teredo).
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x2001, second, ..] if second < 0x0200 || second == 0x0db8 => false,
        [0x2002, ..] | [0x3fff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_names_addresses_only_those_that_may_be_reached_are_kept() {
        let address = |text: &str| -> SocketAddr { text.parse().unwrap() };
        let (inside, outside) = (address("10.0.0.1:0"), address("93.184.215.14:0"));
        let (this, metadata) = (address("127.0.0.1:0"), address("[fd00:ec2::254]:0"));
        let all = [inside, outside, this, metadata];
        assert_eq!(judge(&all, false, &[]), [outside]);
        assert_eq!(judge(&all, true, &[]), [this]);
        assert_eq!(
            judge(&all, false, &["10.0.0.0/8".parse().unwrap()]),
            [inside, outside]
        );
        assert!(judge(&[inside, this], false, &[]).is_empty());
    }
}
