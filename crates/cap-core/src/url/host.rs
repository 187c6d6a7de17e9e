//! The hosts of URLs, as texts: names in their ASCII form and addresses.

use core::net::{IpAddr, Ipv6Addr};

use crate::limits::MAX_NAME_BYTES;

/// A lower-case name in its ASCII form without empty labels, or an address in the form that the
/// WHATWG URL standard writes (IPv6 in brackets).
///
/// SECURITY: `127.1`, `0x7f000001` and `2130706433` are names to one reader and addresses to
/// another; they are neither here. Where the parser knows the scheme, it has rewritten them.
pub(super) fn is_host(text: &str) -> bool {
    match address(text) {
        Some(IpAddr::V4(_)) => true,
        Some(IpAddr::V6(address)) => is_written(text, address),
        None => text.len() <= MAX_NAME_BYTES && is_name(text) && !ends_in_number(text),
    }
}

/// The address that a host is (RFC 3986 §3.2.2).
pub(super) fn address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inner) => inner.parse().map(IpAddr::V6).ok(),
        None => host.parse().map(IpAddr::V4).ok(),
    }
}

/// Whether no public server has this name: it has a single label, or ends in what is not given to
/// anybody there.
pub(super) fn is_local_name(host: &str) -> bool {
    !host.contains('.') || NEVER_PUBLIC.iter().any(|suffix| is_at_or_below(host, suffix))
}

/// Whether `host` is a name below `suffix`.
pub(super) fn is_name_below(host: &str, suffix: &str) -> bool {
    host.strip_suffix(suffix).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

/// Whether `host` is `localhost` or below it: every machine is that to itself (RFC 6761 §6.3).
pub(super) fn is_localhost(host: &str) -> bool {
    is_at_or_below(host, "localhost")
}

/// Names of the registry of special-use domain names (RFC 6761) that no public name server answers
/// for, and those that private networks have always used. `example` is left out: it is nobody's,
/// neither here nor there.
const NEVER_PUBLIC: [&str; 16] = [
    "alt",           // RFC 9476
    "corp",          // RFC 6762 appendix G
    "home",          // RFC 6762 appendix G
    "home.arpa",     // RFC 8375
    "internal",      // ICANN, SAC113
    "intranet",      // RFC 6762 appendix G
    "invalid",       // RFC 6761 §6.4
    "lan",           // RFC 6762 appendix G
    "local",         // RFC 6762
    "localdomain",   // the hosts file of many systems
    "localhost",     // RFC 6761 §6.3
    "onion",         // RFC 7686
    "private",       // RFC 6762 appendix G
    "resolver.arpa", // RFC 9462
    "service.arpa",  // RFC 9665
    "test",          // RFC 6761 §6.2
];

fn is_at_or_below(host: &str, suffix: &str) -> bool {
    host == suffix || is_name_below(host, suffix)
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_')
    };
    text.bytes().all(plain) && !text.split('.').any(str::is_empty)
}

/// The «ends in a number» of the WHATWG URL standard, §3.5: some readers take such a host for an
/// IPv4 address.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    last.bytes().all(|byte| byte.is_ascii_digit())
        || last
            .strip_prefix("0x")
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether a host is `address` as the WHATWG URL standard writes it, §3.5: as RFC 5952, without
/// its mixed notation.
fn is_written(host: &str, address: Ipv6Addr) -> bool {
    let written = match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => alloc::format!("[::ffff:{high:x}:{low:x}]"),
        _ => alloc::format!("[{address}]"),
    };
    host == written
}
