//! IPv4 addresses inside IPv6 addresses.

use core::net::{Ipv4Addr, Ipv6Addr};

/// The IPv4 address that an IPv6 address embeds, and to which a connection may thus go.
///
/// | form | where | source |
/// |---|---|---|
/// | IPv4-mapped | `::ffff:a.b.c.d` | RFC 4291 §2.5.5.2 |
/// | IPv4-translated | `::ffff:0:a.b.c.d` | RFC 2765 §2.1 |
/// | IPv4-compatible | `::a.b.c.d`, save `::` and `::1` | RFC 4291 §2.5.5.1 |
/// | NAT64 | `64:ff9b::a.b.c.d`, and the end of `64:ff9b:1::/48` | RFC 6052 §2.1, RFC 8215 |
/// | 6to4 | the 32 bits after `2002::/16` | RFC 3056 §2 |
/// | Teredo | the client, at the end and inverted, of `2001::/32` | RFC 4380 §4 |
/// | ISATAP | after `0:5efe` or `200:5efe` in any prefix | RFC 5214 §6.1 |
///
/// Some embed more than one: Teredo its server, too; an ISATAP address may lie in a 6to4 prefix;
/// in `64:ff9b:1::/48` only the translator knows where the address stands. This function then gives
/// the first by the table; [`crate::is_special_purpose`] and [`crate::cidr_admits`] judge all.
#[must_use]
pub fn embedded_ipv4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    all(address).next()
}

/// Every IPv4 address that this may be read to embed, without an allocation.
pub(super) fn all(address: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    by_prefix(address).into_iter().chain([isatap(address)]).flatten()
}

fn by_prefix(address: Ipv6Addr) -> [Option<Ipv4Addr>; 4] {
    let at = |first: usize| octets(address, [first, first + 1, first + 2, first + 3]);
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => [None; 4],
        [0, 0, 0, 0, 0, 0 | 0xffff, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0x64, 0xff9b, 0, 0, 0, 0, ..]
        | [0x64, 0xff9b, 1, 0, 0, 0, ..] => [at(12), None, None, None],
        // SECURITY: within this prefix a translator may use any length of RFC 6052 §2.2. Where
        // the bits before the end are not zero, each of these readings counts.
        [0x64, 0xff9b, 1, ..] => [
            at(12),
            octets(address, [6, 7, 9, 10]),
            octets(address, [7, 9, 10, 11]),
            octets(address, [9, 10, 11, 12]),
        ],
        [0x2002, ..] => [at(2), None, None, None],
        [0x2001, 0, ..] => [at(12).map(inverted), at(4), None, None],
        _ => [None; 4],
    }
}

fn isatap(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => octets(address, [12, 13, 14, 15]),
        _ => None,
    }
}

fn octets(address: Ipv6Addr, at: [usize; 4]) -> Option<Ipv4Addr> {
    let octets = address.octets();
    let [a, b, c, d] = at.map(|index| octets.get(index).copied());
    Some(Ipv4Addr::new(a?, b?, c?, d?))
}

const fn inverted(address: Ipv4Addr) -> Ipv4Addr {
    Ipv4Addr::from_bits(!address.to_bits())
}
