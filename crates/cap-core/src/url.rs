use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use crate::limits::{MAX_NAME_BYTES, MAX_URL_BYTES};

/// A URL as it is decided on: parsed once, by the WHATWG rules, without user-info.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UrlTarget {
    scheme: String,
    host: String,
    port: Option<u16>,
    path: String,
}

impl UrlTarget {
    /// Parses `text` with the `url` crate.
    ///
    /// # Errors
    /// When the text is too long or no URL, names a file or no plain host, or bears user-info.
    #[cfg(feature = "url")]
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.len() > MAX_URL_BYTES {
            return Err(UrlError::TooLong);
        }
        // SECURITY: the WHATWG parser drops these, another parser may not.
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(UrlError::Character);
        }
        let url = ::url::Url::parse(text).map_err(|_| UrlError::Malformed)?;
        if url.scheme() == "file" {
            return Err(UrlError::File);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::UserInfo);
        }
        let host = url.host_str().unwrap_or_default();
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        // SECURITY: the host of a scheme that the parser does not know is opaque to it, and may be
        // percent-encoded; whoever connects may decode it.
        if !is_plain_host(&host) {
            return Err(UrlError::Host);
        }
        Ok(Self {
            scheme: url.scheme().into(),
            host,
            port: url.port_or_known_default(),
            path: url.path().into(),
        })
    }

    /// The scheme, lower-case, without a colon.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The host: a name in its ASCII form, or an address (IPv6 in brackets).
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether the host is an address, or a name that every machine resolves to itself: such a
    /// host is meant only where it is named exactly.
    fn is_local_or_literal(&self) -> bool {
        let last = self.host.rsplit('.').next().unwrap_or_default();
        self.host.starts_with('[')
            || last == "localhost"
            || last.bytes().all(|byte| byte.is_ascii_digit())
            || last.starts_with("0x")
    }
}

impl fmt::Display for UrlTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.path)
    }
}

/// Why a text is no URL, or no pattern of URLs or domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Over 8 KiB.
    #[error("the URL is longer than 8192 bytes")]
    TooLong,
    /// Blank, control character or backslash.
    #[error("blanks, control characters and backslashes are not allowed in a URL")]
    Character,
    /// The parser refuses it.
    #[error("not a URL by the WHATWG rules")]
    Malformed,
    /// `file:`.
    #[error("`file:` URLs are ruled as paths, never as URLs")]
    File,
    /// `user:password@`.
    #[error("user-info is not allowed in a URL")]
    UserInfo,
    /// No host, or none that is a name or an address.
    #[error("the URL names no host, or one with characters that no name has")]
    Host,
    /// Not `scheme://host[:port][/path]`, `scheme://*.suffix…` or `*`.
    #[error(
        "a URL pattern is `*` or `scheme://host[:port][/path]`, the host in ASCII, perhaps `*.suffix`"
    )]
    Pattern,
    /// Not a domain in its ASCII form.
    #[error("a domain is a lower-case ASCII name, an address, or `*.suffix`")]
    Domain,
}

/// Which hosts are meant: one, exactly, or every name below a suffix (`*.example.org`, which does
/// not mean `example.org` itself).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainPattern(String);

impl DomainPattern {
    /// Whether the host of `url` is meant.
    #[must_use]
    pub fn matches(&self, url: &UrlTarget) -> bool {
        match self.suffix() {
            Some(suffix) => !url.is_local_or_literal() && ends_below(&url.host, suffix),
            None => url.host == self.0,
        }
    }

    /// Whether everything that `self` means, `other` means too.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self == other
            || other.suffix().is_some_and(|suffix| match self.suffix() {
                Some(mine) => ends_below(mine, suffix),
                None => ends_below(&self.0, suffix) && !self.is_literal(),
            })
    }

    fn suffix(&self) -> Option<&str> {
        self.0.strip_prefix("*.")
    }

    fn is_literal(&self) -> bool {
        let host = UrlTarget {
            scheme: String::new(),
            host: self.0.clone(),
            port: None,
            path: String::new(),
        };
        host.is_local_or_literal()
    }
}

/// Whether `host` is a name below `suffix`.
fn ends_below(host: &str, suffix: &str) -> bool {
    host.strip_suffix(suffix).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

/// A name in its ASCII form without empty labels, or an address (IPv6 in brackets).
fn is_plain_host(host: &str) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_')
    };
    let address = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bracketed {
        Some(inner) => !inner.is_empty() && inner.bytes().all(address),
        None => host.bytes().all(plain) && !host.split('.').any(str::is_empty),
    }
}

impl FromStr for DomainPattern {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let name = text.strip_prefix("*.").unwrap_or(text);
        let exact = name == text;
        let good = is_plain_host(name) && (exact || !name.starts_with('['));
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
/// exact or `*.suffix`, the port the scheme's own where none is named; or every URL (`*`), save
/// those of an address or of `localhost`, which must be named.
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
        let Some(pattern) = &self.0 else {
            return !url.is_local_or_literal();
        };
        pattern.scheme == url.scheme
            && pattern.host.matches(url)
            && pattern.port == url.port
            && is_below(&url.path, &pattern.path)
    }

    /// Whether everything that `self` means, `other` means too.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(mine), None) => !mine.host.is_literal(),
            (None, other) => other.is_none(),
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
            return !self.is_within(other) && !other.is_within(self);
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
    let lower = rest.to_ascii_lowercase();
    let hidden = ["%2f", "%5c", "%2e", "%00"].iter().any(|code| lower.contains(code));
    folder.is_empty() || ((rest.is_empty() || rest.starts_with('/')) && !hidden)
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
                (host, Some(port.parse().map_err(|_| UrlError::Pattern)?))
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

/// RFC 3986 §3.1, lower-case; `file` is no scheme of a URL here.
pub(crate) fn is_scheme(text: &str) -> bool {
    let rest =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    text.len() <= 32
        && text != "file"
        && text.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
        && text.bytes().all(rest)
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
