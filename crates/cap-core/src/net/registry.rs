//! What the IANA registries say of addresses.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{begins_v4, begins_v6, embedded};

/// Whether `address` is set aside: not globally reachable by the IANA registries of special-purpose
/// addresses (RFC 6890, RFC 8190), a group (multicast), or, in IPv6, not of the space that is given
/// out (`2000::/3`). It is special, too, if it embeds an IPv4 address that is
/// (see [`crate::embedded_ipv4`]).
///
/// Addresses of 6to4 (RFC 7526) and Teredo always are: their registry does not say that they are
/// reachable. IPv4-mapped addresses and those of NAT64 (`64:ff9b::/96`) are what they embed.
#[must_use]
pub fn is_special_purpose(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_special_v4(address),
        IpAddr::V6(address) => is_special_v6(address) || embedded::all(address).any(is_special_v4),
    }
}

fn is_special_v4(address: Ipv4Addr) -> bool {
    let longest = V4
        .iter()
        .filter(|(network, length, _)| begins_v4(address, *network, *length))
        .max_by_key(|(_, length, _)| *length);
    longest.is_some_and(|(_, _, reach)| *reach == Reach::Special)
}

fn is_special_v6(address: Ipv6Addr) -> bool {
    let longest = V6
        .iter()
        .filter(|(network, length, _)| begins_v6(address, *network, *length))
        .max_by_key(|(_, length, _)| *length);
    longest.is_none_or(|(_, _, reach)| *reach == Reach::Special)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Global,
    Special,
}

/// IPv4: what is in none is global, and of several the longest counts. Global networks are listed
/// where they lie in a special one.
const V4: [(Ipv4Addr, u8, Reach); 17] = [
    // "This network", RFC 791 §3.2.
    (Ipv4Addr::new(0, 0, 0, 0), 8, Reach::Special),
    // Private use, RFC 1918.
    (Ipv4Addr::new(10, 0, 0, 0), 8, Reach::Special),
    // Shared address space, RFC 6598.
    (Ipv4Addr::new(100, 64, 0, 0), 10, Reach::Special),
    // Loopback, RFC 1122 §3.2.1.3.
    (Ipv4Addr::new(127, 0, 0, 0), 8, Reach::Special),
    // Link local, RFC 3927.
    (Ipv4Addr::new(169, 254, 0, 0), 16, Reach::Special),
    // Private use, RFC 1918.
    (Ipv4Addr::new(172, 16, 0, 0), 12, Reach::Special),
    // IETF protocol assignments, RFC 6890 §2.1; in it RFC 7335, RFC 7600, RFC 8880.
    (Ipv4Addr::new(192, 0, 0, 0), 24, Reach::Special),
    // Port Control Protocol anycast, RFC 7723.
    (Ipv4Addr::new(192, 0, 0, 9), 32, Reach::Global),
    // TURN anycast, RFC 8155.
    (Ipv4Addr::new(192, 0, 0, 10), 32, Reach::Global),
    // Documentation, RFC 5737.
    (Ipv4Addr::new(192, 0, 2, 0), 24, Reach::Special),
    // 6a44 relay anycast, RFC 6751.
    (Ipv4Addr::new(192, 88, 99, 2), 32, Reach::Special),
    // Private use, RFC 1918.
    (Ipv4Addr::new(192, 168, 0, 0), 16, Reach::Special),
    // Benchmarking, RFC 2544.
    (Ipv4Addr::new(198, 18, 0, 0), 15, Reach::Special),
    // Documentation, RFC 5737.
    (Ipv4Addr::new(198, 51, 100, 0), 24, Reach::Special),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Reach::Special),
    // Multicast, RFC 5771; in it MCAST-TEST-NET, RFC 6676.
    (Ipv4Addr::new(224, 0, 0, 0), 4, Reach::Special),
    // Reserved, RFC 1112 §4; in it limited broadcast, RFC 919 §7.
    (Ipv4Addr::new(240, 0, 0, 0), 4, Reach::Special),
];

/// IPv6: what is in none is special, and of several the longest counts. Special networks outside
/// the global ones (`::1`, `64:ff9b:1::/48`, `100::/64`, `5f00::/16`, `fc00::/7`, `fe80::/10`,
/// `ff00::/8`, …) need no entry.
const V6: [(Ipv6Addr, u8, Reach); 14] = [
    // IPv4-mapped, RFC 4291 §2.5.5.2: as what they embed.
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, Reach::Global),
    // NAT64, RFC 6052 §2.1: as what they embed.
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, Reach::Global),
    // Global unicast, RFC 4291 §2.4 and the registry of the IPv6 address space.
    (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3, Reach::Global),
    // IETF protocol assignments, RFC 2928; in it Teredo, RFC 4380, benchmarking, RFC 5180, and
    // ORCHID, RFC 4843.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Reach::Special),
    // Port Control Protocol anycast, RFC 7723.
    (Ipv6Addr::new(0x2001, 1, 0, 0, 0, 0, 0, 1), 128, Reach::Global),
    // TURN anycast, RFC 8155.
    (Ipv6Addr::new(0x2001, 1, 0, 0, 0, 0, 0, 2), 128, Reach::Global),
    // DNS-SD service registration anycast, RFC 9665.
    (Ipv6Addr::new(0x2001, 1, 0, 0, 0, 0, 0, 3), 128, Reach::Global),
    // AMT, RFC 7450.
    (Ipv6Addr::new(0x2001, 3, 0, 0, 0, 0, 0, 0), 32, Reach::Global),
    // AS112, RFC 7535.
    (Ipv6Addr::new(0x2001, 4, 0x112, 0, 0, 0, 0, 0), 48, Reach::Global),
    // ORCHIDv2, RFC 7343.
    (Ipv6Addr::new(0x2001, 0x20, 0, 0, 0, 0, 0, 0), 28, Reach::Global),
    // Drone remote identification, RFC 9374.
    (Ipv6Addr::new(0x2001, 0x30, 0, 0, 0, 0, 0, 0), 28, Reach::Global),
    // Documentation, RFC 3849, RFC 9637.
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Reach::Special),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Reach::Special),
    // 6to4, RFC 3056, RFC 7526: their registry does not call them reachable.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, Reach::Special),
];
