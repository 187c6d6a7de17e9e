//! IP addresses, as strings of bits.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use cap_core::{Addresses, UrlRequest};
use serde_json::Value;

use super::{list, text, url};

/// Whether every address of the request is known and in one of the networks.
pub(super) fn all_are_in(networks: &Value, request: &UrlRequest) -> bool {
    let literal = url::address(request.url.host());
    let known = match &request.addresses {
        Addresses::Unknown => literal.is_some(),
        Addresses::Resolved(addresses) => !addresses.is_empty(),
    };
    known && all(request).iter().all(|address| is_in(networks, *address))
}

/// Whether no address of the request is special, nor its host a name that no public server has.
pub(super) fn all_are_public(request: &UrlRequest) -> bool {
    let host = request.url.host();
    let local = url::address(host).is_none() && url::is_local_name(host);
    let nowhere = request.addresses == Addresses::Resolved(Vec::new());
    !nowhere && !local && all(request).iter().all(|address| is_globally_reachable(*address))
}

/// Whether an address is in one of these networks: as it is, or, if it embeds others, all of those.
pub(super) fn is_in(networks: &Value, address: IpAddr) -> bool {
    let is_in_one = |bits: &String| {
        list(networks).iter().any(|network| bits.starts_with(&prefix(text(network))))
    };
    let bits = bits(address);
    match embedded(&bits) {
        none if none.is_empty() => is_in_one(&bits),
        some => some.iter().all(is_in_one),
    }
}

/// The address of the host, and those that were resolved.
fn all(request: &UrlRequest) -> Vec<IpAddr> {
    let resolved = match &request.addresses {
        Addresses::Unknown => &Vec::new(),
        Addresses::Resolved(addresses) => addresses,
    };
    url::address(request.url.host()).into_iter().chain(resolved.iter().copied()).collect()
}

/// The IANA special-purpose registries for IPv4 and IPv6 (RFC 6890 and its updates), those of
/// multicast, and the one of IPv6 address space, of which only `2000::/3` is given out. What is
/// not in here is reachable; the longest that fits says so or not. Mapped addresses and those of
/// NAT64 are left to what they embed.
const REGISTRIES: &str = "
    0.0.0.0/8 no
    10.0.0.0/8 no
    100.64.0.0/10 no
    127.0.0.0/8 no
    169.254.0.0/16 no
    172.16.0.0/12 no
    192.0.0.0/24 no
    192.0.0.9/32 yes
    192.0.0.10/32 yes
    192.0.2.0/24 no
    192.168.0.0/16 no
    198.18.0.0/15 no
    198.51.100.0/24 no
    203.0.113.0/24 no
    224.0.0.0/4 no
    240.0.0.0/4 no
    ::/0 no
    ::ffff:0:0/96 yes
    64:ff9b::/96 yes
    2000::/3 yes
    2001::/23 no
    2001:1::1/128 yes
    2001:1::2/128 yes
    2001:1::3/128 yes
    2001:3::/32 yes
    2001:4:112::/48 yes
    2001:20::/28 yes
    2001:30::/28 yes
    2001:db8::/32 no
    2002::/16 no
    3fff::/20 no
";

fn is_globally_reachable(address: IpAddr) -> bool {
    let bits = bits(address);
    is_given_out(&bits) && embedded(&bits).iter().all(|bits| is_given_out(bits))
}

fn is_given_out(bits: &str) -> bool {
    static ENTRIES: LazyLock<Vec<(String, bool)>> = LazyLock::new(|| {
        let entries = REGISTRIES.lines().filter_map(|line| line.trim().split_once(' '));
        entries.map(|(network, reachable)| (prefix(network), reachable == "yes")).collect()
    });
    ENTRIES
        .iter()
        .filter(|(prefix, _)| bits.starts_with(prefix.as_str()))
        .max_by_key(|(prefix, _)| prefix.len())
        .is_none_or(|(_, reachable)| *reachable)
}

/// Every IPv4 address that an IPv6 address embeds, or could: mapped (RFC 4291 §2.5.5.2),
/// compatible (§2.5.5.1), translated (RFC 2765 §2.1), NAT64 (RFC 6052 §2.2; in the local prefix of
/// RFC 8215 behind 48, 56, 64 or 96 bits), 6to4 (RFC 3056 §2), Teredo (RFC 4380 §4: the server,
/// and the client inverted), ISATAP (RFC 5214 §6.1).
fn embedded(bits: &str) -> Vec<String> {
    let begins = |network| bits.starts_with(&prefix(network));
    let at = |from: usize, to: usize| bits.get(1 + from..1 + to).unwrap_or_default();
    let mut all = Vec::new();
    let unspecified_or_loopback = begins("::/128") || begins("::1/128");
    let at_the_end = ["::ffff:0:0/96", "::ffff:0:0:0/96", "::/96", "64:ff9b::/96"];
    if !unspecified_or_loopback && at_the_end.into_iter().any(begins) {
        all.push(at(96, 128).to_owned());
    }
    if begins("64:ff9b:1::/96") {
        all.push(at(96, 128).to_owned());
    } else if begins("64:ff9b:1::/48") {
        // The bits from 64 to 72 belong to no address.
        all.push(format!("{}{}", at(48, 64), at(72, 88)));
        all.push(format!("{}{}", at(56, 64), at(72, 96)));
        all.push(at(72, 104).to_owned());
        all.push(at(96, 128).to_owned());
    }
    if begins("2002::/16") {
        all.push(at(16, 48).to_owned());
    }
    if begins("2001::/32") {
        all.push(at(32, 64).to_owned());
        all.push(at(96, 128).chars().map(|bit| if bit == '0' { '1' } else { '0' }).collect());
    }
    let isatap = ["::5efe:0:0", "::200:5efe:0:0"].map(|id| prefix(&format!("{id}/96")));
    if isatap.iter().any(|id| !at(64, 96).is_empty() && id.ends_with(at(64, 96))) {
        all.push(at(96, 128).to_owned());
    }
    all.into_iter().map(|address| format!("4{address}")).collect()
}

/// The version, and every bit.
fn bits(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("4{:032b}", u32::from(address)),
        IpAddr::V6(address) => format!("6{:0128b}", u128::from(address)),
    }
}

/// The version, and the bits that every address of the network has.
fn prefix(network: &str) -> String {
    let (address, length) = network.split_once('/').unwrap();
    let length: usize = length.parse().unwrap();
    let v4 = address.parse::<Ipv4Addr>().map(IpAddr::from);
    let address = v4.or_else(|_| address.parse::<Ipv6Addr>().map(IpAddr::from)).unwrap();
    bits(address)[..=length].to_owned()
}
