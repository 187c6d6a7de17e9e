//! Patterns of hosts and of URLs.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use super::host::{address, is_host, is_localhost, is_name_below};
use super::{UrlError, UrlTarget, is_scheme};
use crate::limits::{MAX_NAME_BYTES, MAX_URL_BYTES};
use crate::net;

/// Which hosts are meant: one, exactly, or every name below a suffix (`*.example.org`, which does
/// not mean `example.org` itself). Names below `localhost` are meant only where they are named
/// exactly.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainPattern(String);

impl DomainPattern {
    /// Whether the host of `url` is meant.
    #[must_use]
    pub fn matches(&self, url: &UrlTarget) -> bool {
        match self.suffix() {
            Some(suffix) => is_name_below(&url.host, suffix) && !is_localhost(&url.host),
            None => url.host == self.0,
        }
    }

    /// Whether everything that `self` means, `other` means too.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self == other
            || other.suffix().is_some_and(|suffix| match self.suffix() {
                Some(mine) => is_name_below(mine, suffix),
                None => is_name_below(&self.0, suffix) && !is_localhost(&self.0),
            })
    }

    // INVARIANT: a suffix is a name, so that no address ends in it.
    fn suffix(&self) -> Option<&str> {
        self.0.strip_prefix("*.")
    }
}

impl FromStr for DomainPattern {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let name = text.strip_prefix("*.").unwrap_or(text);
        let good = is_host(name) && (name == text || address(name).is_none());
        if !good || text.len() > MAX_NAME_BYTES {
            return Err(UrlError::Domain);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for DomainPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DomainPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Which URLs are meant: `scheme://host[:port][/path]` with everything below the path, the host
/// exact or `*.suffix`, the port the scheme's own where none is named; or every URL (`*`), whatever
/// its host is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UrlPattern(Option<Specific>);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Specific {
    scheme: String,
    host: DomainPattern,
    port: Option<u16>,
    path: String,
}

impl UrlPattern {
    /// Whether `url` is meant.
    #[must_use]
    pub fn matches(&self, url: &UrlTarget) -> bool {
        self.0.as_ref().is_none_or(|pattern| {
            pattern.scheme == url.scheme
                && pattern.host.matches(url)
                && pattern.port == url.port
                && is_below(&url.path, &pattern.path)
        })
    }

    /// Whether everything that `self` means, `other` means too.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(mine), Some(theirs)) => {
                mine.scheme == theirs.scheme
                    && mine.host.is_within(&theirs.host)
                    && mine.port == theirs.port
                    && is_below(&mine.path, &theirs.path)
            }
        }
    }

    /// Whether no URL is meant by both, as far as that is seen in the texts alone.
    pub(crate) fn is_apart(&self, other: &Self) -> bool {
        let (Some(mine), Some(theirs)) = (&self.0, &other.0) else {
            return false;
        };
        mine.scheme != theirs.scheme
            || mine.port != theirs.port
            || (!mine.host.is_within(&theirs.host) && !theirs.host.is_within(&mine.host))
            || (!is_below(&mine.path, &theirs.path) && !is_below(&theirs.path, &mine.path))
    }
}

/// Whether the path of a URL lies at or below `folder` (without a trailing slash), by segment.
fn is_below(path: &str, folder: &str) -> bool {
    let Some(rest) = path.strip_prefix(folder) else {
        return false;
    };
    // SECURITY: below a named folder, a separator that somebody may decode later is refused.
    folder.is_empty() || ((rest.is_empty() || rest.starts_with('/')) && !hides_a_separator(rest))
}

fn hides_a_separator(path: &str) -> bool {
    const CODES: [&[u8]; 4] = [b"%2f", b"%5c", b"%2e", b"%00"];
    let is_code = |code: &[u8]| CODES.iter().any(|other| code.eq_ignore_ascii_case(other));
    path.as_bytes().windows(3).any(is_code)
}

impl FromStr for UrlPattern {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if text == "*" {
            return Ok(Self(None));
        }
        if text.len() > MAX_URL_BYTES {
            return Err(UrlError::TooLong);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Pattern)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.trim_end_matches('/');
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, Some(net::port(port).ok_or(UrlError::Pattern)?))
            }
            _ => (authority, known_port(scheme)),
        };
        if !is_scheme(scheme) || !is_plain_path(path) {
            return Err(UrlError::Pattern);
        }
        let path = if path.is_empty() { String::new() } else { alloc::format!("/{path}") };
        Ok(Self(Some(Specific { scheme: scheme.into(), host: host.parse()?, port, path })))
    }
}

fn known_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        "ftp" => Some(21),
        _ => None,
    }
}

fn is_plain_path(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !"%\\?#*".contains(c);
    path.chars().all(plain) && !path.split('/').any(|segment| matches!(segment, "." | ".."))
}

impl fmt::Display for UrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(pattern) = &self.0 else {
            return f.write_str("*");
        };
        write!(f, "{}://{}", pattern.scheme, pattern.host)?;
        if let Some(port) = pattern.port.filter(|_| pattern.port != known_port(&pattern.scheme)) {
            write!(f, ":{port}")?;
        }
        f.write_str(&pattern.path)
    }
}

impl fmt::Debug for UrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(feature = "serde")]
crate::tool::serialize_as_text!(DomainPattern, UrlPattern);
#[cfg(feature = "serde")]
crate::id::deserialize_from_str!(DomainPattern, UrlPattern);

#[cfg(all(test, feature = "url"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails panics")]

    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::*;

    const HOSTS: [&str; 7] = [
        "a.example",
        "x.a.example",
        "y.x.a.example",
        "localhost",
        "x.localhost",
        "127.0.0.1",
        "[::1]",
    ];

    fn patterns() -> impl Iterator<Item = UrlPattern> {
        let hosts = HOSTS.into_iter().chain(["*.a.example", "*.x.a.example", "*.localhost"]);
        let specific = hosts.flat_map(|host| {
            ["http://H", "https://H", "http://H:443", "http://H/a", "http://H/a/b", "http://H/ab"]
                .map(|text| text.replace('H', host))
        });
        specific.chain(["*".into()]).map(|text| text.parse().unwrap())
    }

    #[test]
    fn patterns_are_apart_where_no_url_is_meant_by_both() {
        let urls: Vec<UrlTarget> = HOSTS
            .into_iter()
            .flat_map(|host| {
                [
                    "http://H",
                    "https://H",
                    "http://H:443",
                    "http://H/a",
                    "http://H/a/b",
                    "http://H/ab",
                ]
                .map(|text| UrlTarget::parse(&text.replace('H', host)).unwrap())
            })
            .collect();
        let patterns: Vec<UrlPattern> = patterns().collect();
        let mut apart = 0;
        for (a, b) in patterns.iter().flat_map(|a| patterns.iter().map(move |b| (a, b))) {
            let shared = urls.iter().any(|url| a.matches(url) && b.matches(url));
            // `*.localhost` means nothing, and is not seen to be apart from itself.
            let nothing = [a, b].iter().any(|it| it.to_string().contains("*.localhost"));
            assert!(!(a.is_apart(b) && shared), "{a} {b}");
            assert!(a.is_apart(b) || shared || nothing, "{a} {b}");
            apart += u32::from(a.is_apart(b));
        }
        assert!(apart > 0);
    }

    #[test]
    fn an_encoded_separator_is_seen_below_a_named_folder_only() {
        for hidden in ["%2f", "%2F", "%5c", "%5C", "%2e", "%2E", "%00"] {
            assert!(!is_below(&alloc::format!("/a/x{hidden}"), "/a"), "{hidden}");
            assert!(!is_below(&alloc::format!("/a/{hidden}x/y"), "/a"), "{hidden}");
            assert!(is_below(&alloc::format!("/a/x{hidden}"), ""), "{hidden}");
        }
        for path in ["/a", "/a/", "/a/%41", "/a/2f", "/a/%", "/a/%2", "/a/%20f"] {
            assert!(is_below(path, "/a"), "{path}");
        }
        assert!(!is_below("/ab", "/a") && !is_below("/", "/a") && !is_below("/b/a", "/a"));
    }
}
