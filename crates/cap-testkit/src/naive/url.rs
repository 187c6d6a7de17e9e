//! URLs, by their text.

use std::net::IpAddr;

/// Whether a domain pattern means a host. An address or `localhost` is meant only by its own name.
pub(super) fn domain_means(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(suffix) => {
            let dotted = format!(".{suffix}");
            !is_local(host) && host.ends_with(&dotted) && host.len() > dotted.len()
        }
        None => pattern == host,
    }
}

/// Whether a URL pattern means a URL. `*` means every one.
pub(super) fn means(pattern: &str, url: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let (pattern, url) = (Parts::of(pattern), Parts::of(url));
    pattern.scheme == url.scheme
        && pattern.port == url.port
        && domain_means(pattern.host, url.host)
        && is_below(url.path, pattern.path.trim_end_matches('/'))
}

/// The port of a URL: the one that it says, or the usual one of its scheme.
pub(super) fn port(url: &str) -> Option<u64> {
    Parts::of(url).port.map(u64::from)
}

/// The address that a host is.
pub(super) fn address(host: &str) -> Option<IpAddr> {
    let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    v6.unwrap_or(host).parse().ok()
}

/// Whether no public server has this name: it has one label, or ends in one that is not given to
/// anybody (the registry of RFC 6761; RFC 6762 appendix G; `internal`: ICANN; `localdomain`).
pub(super) fn is_local_name(host: &str) -> bool {
    const NEVER_PUBLIC: [&str; 13] = [
        "alt",
        "corp",
        "home",
        "internal",
        "intranet",
        "invalid",
        "lan",
        "local",
        "localdomain",
        "localhost",
        "onion",
        "private",
        "test",
    ];
    let labels: Vec<&str> = host.trim_end_matches('.').split('.').collect();
    let local_arpa = ["home", "resolver", "service"].map(|name| [name, "arpa"]);
    labels.len() == 1
        || labels.last().is_some_and(|last| NEVER_PUBLIC.contains(last))
        || local_arpa.iter().any(|suffix| labels.ends_with(suffix))
}

fn is_local(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap();
    let is_number = last.chars().all(|c| c.is_ascii_digit()) || last.starts_with("0x");
    host.starts_with('[') || is_number || last == "localhost"
}

/// Below a folder that is named, nothing may be hidden from whoever decodes later.
fn is_below(path: &str, folder: &str) -> bool {
    if folder.is_empty() {
        return true;
    }
    let (path, folder): (Vec<_>, Vec<_>) = (path.split('/').collect(), folder.split('/').collect());
    let hides = |segment: &&str| {
        let lower = segment.to_lowercase();
        ["%2f", "%5c", "%2e", "%00"].iter().any(|code| lower.contains(code))
    };
    path.len() >= folder.len()
        && path[..folder.len()] == folder[..]
        && !path[folder.len()..].iter().any(hides)
}

struct Parts<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<u16>,
    path: &'a str,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let (scheme, rest) = text.split_once("://").unwrap();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let colon = authority.rfind(':').filter(|at| authority[*at..].find(']').is_none());
        let (host, port) = match colon {
            Some(at) => (&authority[..at], authority[at + 1..].parse().ok()),
            None => (authority, usual_port(scheme)),
        };
        Self { scheme, host, port, path }
    }
}

fn usual_port(scheme: &str) -> Option<u16> {
    let known = [("ftp", 21), ("http", 80), ("https", 443), ("ws", 80), ("wss", 443)];
    known.into_iter().find(|(name, _)| *name == scheme).map(|(_, port)| port)
}
