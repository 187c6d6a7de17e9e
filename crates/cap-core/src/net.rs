use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use crate::limits::MAX_NAME_BYTES;

mod embedded;
mod registry;

pub use self::embedded::embedded_ipv4;
pub use self::registry::is_special_purpose;

/// A network: the addresses that begin with the same bits (`10.0.0.0/8`, `2001:db8::/32`;
/// RFC 4632 §3.1, RFC 4291 §2.3). Bits after those are zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpNet {
    address: IpAddr,
    length: u8,
}

impl IpNet {
    /// Whether `address`, as it stands, is in the network: none of IPv4 is in one of IPv6, nor the
    /// other way round. What a list of networks admits, [`cidr_admits`] says.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => begins_v4(address, network, self.length),
            (IpAddr::V6(network), IpAddr::V6(address)) => begins_v6(address, network, self.length),
            _ => false,
        }
    }

    /// Whether every address of `self` is in `other`.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        other.length <= self.length && other.contains(self.address)
    }
}

impl FromStr for IpNet {
    type Err = NetError;

    fn from_str(text: &str) -> Result<Self, NetError> {
        let (address, length) = text.split_once('/').ok_or(NetError::Network)?;
        let address: IpAddr = address.parse().map_err(|_| NetError::Network)?;
        let length = decimal(length).and_then(|length| u8::try_from(length).ok());
        let length = length.ok_or(NetError::Network)?;
        let (bits, zeros) = match address {
            IpAddr::V4(address) => (32, u32::from(address).trailing_zeros()),
            IpAddr::V6(address) => (128, u128::from(address).trailing_zeros()),
        };
        let free = u8::checked_sub(bits, length).ok_or(NetError::Network)?;
        if zeros < u32::from(free) {
            return Err(NetError::HostBits);
        }
        Ok(Self { address, length })
    }
}

impl fmt::Display for IpNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl fmt::Debug for IpNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Ports from one to another, both included: `443` or `8000-8080`. Port 0 is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// Whether `port` is one of these.
    #[must_use]
    pub const fn contains(&self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }

    /// Whether every port of `self` is in `other`.
    #[must_use]
    pub const fn is_within(&self, other: &Self) -> bool {
        other.first <= self.first && self.last <= other.last
    }

    /// Whether no port is in both.
    pub(crate) const fn is_apart(&self, other: &Self) -> bool {
        self.last < other.first || other.last < self.first
    }
}

impl FromStr for PortRange {
    type Err = NetError;

    fn from_str(text: &str) -> Result<Self, NetError> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (port(first), port(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            _ => Err(NetError::Ports),
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl fmt::Debug for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no network, or no range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// Not `address/length`.
    #[error("a network is an address and the number of its fixed bits: `10.0.0.0/8`")]
    Network,
    /// Bits after the fixed ones are set.
    #[error("the address of a network is zero after its fixed bits: `10.0.0.0/8`")]
    HostBits,
    /// Not `port` or `from-to`.
    #[error("ports are integers from 1 to 65535, or `from-to` in ascending order")]
    Ports,
}

/// Whether a connection to `address` stays in `networks`: `address` is in one of them, or, if it
/// embeds an IPv4 address (see [`embedded_ipv4`]), that one is.
///
/// An address that embeds another counts as the embedded one alone: `::ffff:10.1.2.3` is in
/// `10.0.0.0/8`, and neither in `::/0` nor in `::ffff:0:0/96`. Where an address can be read as
/// embedding several, each of them must be in one of the networks.
#[must_use]
pub fn cidr_admits(networks: &[IpNet], address: IpAddr) -> bool {
    let admits = |address| networks.iter().any(|network| network.contains(address));
    let IpAddr::V6(v6) = address else {
        return admits(address);
    };
    // SECURITY: the raw address counts only where nothing is embedded, lest `::/0` admit a
    // translator's way to every IPv4 address.
    let mut embedded = embedded::all(v6).peekable();
    if embedded.peek().is_none() {
        return admits(address);
    }
    embedded.all(|address| admits(IpAddr::V4(address)))
}

/// An HTTP method (RFC 9110 §9.1: a token, §5.6.2) without lower-case letters.
pub(crate) fn is_method(text: &str) -> bool {
    let token = |byte: u8| {
        byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
    };
    !text.is_empty() && text.len() <= MAX_NAME_BYTES && text.bytes().all(token)
}

/// A port other than 0, in decimal digits without leading zeros.
pub(crate) fn port(text: &str) -> Option<u16> {
    decimal(text).filter(|port| *port != 0)
}

/// Decimal digits in the one form in which a number is written: no sign, no leading zeros.
fn decimal(text: &str) -> Option<u16> {
    let canonical = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| canonical)
}

const fn begins_v4(address: Ipv4Addr, network: Ipv4Addr, length: u8) -> bool {
    let differ = address.to_bits() ^ network.to_bits();
    differ.leading_zeros() >= length as u32
}

const fn begins_v6(address: Ipv6Addr, network: Ipv6Addr, length: u8) -> bool {
    let differ = address.to_bits() ^ network.to_bits();
    differ.leading_zeros() >= length as u32
}

#[cfg(feature = "serde")]
mod wire {
    use core::fmt;

    use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
    use serde::ser::{Serialize, Serializer};

    use super::{IpNet, PortRange};

    crate::tool::serialize_as_text!(IpNet);
    crate::id::deserialize_from_str!(IpNet);

    impl Serialize for PortRange {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if self.first == self.last {
                serializer.serialize_u16(self.first)
            } else {
                serializer.collect_str(self)
            }
        }
    }

    impl<'de> Deserialize<'de> for PortRange {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(Ports)
        }
    }

    struct Ports;

    impl Visitor<'_> for Ports {
        type Value = PortRange;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a port from 1 to 65535, or \"from-to\"")
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<PortRange, E> {
            match u16::try_from(number) {
                Ok(port) if port != 0 => Ok(PortRange { first: port, last: port }),
                _ => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
            }
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<PortRange, E> {
            let range = text.contains('-').then(|| text.parse().ok()).flatten();
            range.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PortRange;

    #[test]
    fn port_ranges_are_apart_where_they_share_no_port() {
        let ranges =
            || (1..6).flat_map(|first| (first..6).map(move |last| PortRange { first, last }));
        for (a, b) in ranges().flat_map(|a| ranges().map(move |b| (a, b))) {
            let shared = (0..7).any(|port| a.contains(port) && b.contains(port));
            assert_eq!(a.is_apart(&b), !shared, "{a} {b}");
        }
    }
}
