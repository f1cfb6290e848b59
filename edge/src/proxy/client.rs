//! Whose address a request comes from: the connection's, or, where that is a trusted proxy's, the one that it tells.
//!
//! Without trusted proxies, what a client writes into `x-forwarded-for` means nothing.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address. Each proxy adds whom it saw at the right end of `x-forwarded-for`, so that the list is read
/// from there: the first address that is no trusted proxy's is the client's, and whatever stands left of it was
/// written by somebody who is not trusted. An entry that is no address ends the walk at the one before.
pub fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_proxy = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut client = peer;
    if !is_proxy(client) {
        return client;
    }
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    for told in lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')) {
        let Some(address) = read(told) else { break };
        client = address;
        if !is_proxy(client) {
            break;
        }
    }
    client
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn read(entry: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(entry.trim_ascii()).ok()?;
    let bracketed = || {
        text.strip_prefix('[')?
            .strip_suffix(']')?
            .parse::<std::net::Ipv6Addr>()
            .ok()
    };
    let address = text
        .parse()
        .or_else(|_| text.parse().map(|socket: SocketAddr| socket.ip()));
    address
        .ok()
        .or_else(|| bracketed().map(IpAddr::V6))
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn client(peer: &str, forwarded: &[&'static str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn without_trusted_proxies_what_a_client_writes_means_nothing() {
        assert_eq!(client("10.0.0.1", &["192.0.2.1"], &[]), "10.0.0.1");
        assert_eq!(client("192.0.2.9", &["192.0.2.1"], &["10.0.0.0/8"]), "192.0.2.9");
    }

    #[test]
    fn the_rightmost_address_that_is_no_trusted_proxys_is_the_clients() {
        let trusted = &["10.0.0.0/8", "fd00::/8"];
        for (forwarded, expected) in [
            (&["192.0.2.1"][..], "192.0.2.1"),
            (&["192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            (&["192.0.2.1", "10.0.0.2,fd00::7"], "192.0.2.1"),
            // Whoever is behind the edge's own proxies alone is one of them.
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            (&[], "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.1", forwarded, trusted), expected, "{forwarded:?}");
        }
    }

    #[test]
    fn what_a_client_claims_left_of_its_own_address_is_not_believed() {
        let trusted = &["10.0.0.0/8"];
        for spoofed in [
            "127.0.0.1, 192.0.2.1",
            "10.0.0.9, 192.0.2.1",
            "nonsense, 192.0.2.1",
            ",,192.0.2.1",
        ] {
            assert_eq!(client("10.0.0.1", &[spoofed], trusted), "192.0.2.1", "{spoofed}");
        }
        assert_eq!(
            client("10.0.0.1", &["127.0.0.1", "192.0.2.1, 10.0.0.2"], trusted),
            "192.0.2.1"
        );
    }

    #[test]
    fn an_entry_that_is_no_address_ends_the_walk_at_the_last_good_one() {
        let trusted = &["10.0.0.0/8"];
        for (forwarded, expected) in [
            ("192.0.2.1, unknown, 10.0.0.2", "10.0.0.2"),
            ("192.0.2.1, , 10.0.0.2", "10.0.0.2"),
            ("192.0.2.1, 10.0.0.300", "10.0.0.1"),
            ("192.0.2.1, \u{e9}", "10.0.0.1"),
            ("", "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.1", &[forwarded], trusted), expected, "{forwarded}");
        }
    }

    #[test]
    fn ports_and_brackets_are_tolerated_and_mapped_addresses_are_those_they_map() {
        let trusted = &["10.0.0.0/8"];
        for (forwarded, expected) in [
            ("192.0.2.1:4711", "192.0.2.1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("192.0.2.1, ::ffff:10.0.0.2", "192.0.2.1"),
            ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
        ] {
            assert_eq!(client("10.0.0.1", &[forwarded], trusted), expected, "{forwarded}");
        }
    }
}
