use alloc::string::String;
use core::fmt;
use core::net::IpAddr;

#[cfg(feature = "url")]
use crate::limits::MAX_URL_BYTES;

mod host;
mod pattern;

pub use self::pattern::{DomainPattern, UrlPattern};

/// A URL as it is decided on: parsed once, by the rules of the WHATWG URL standard, without
/// user-info.
///
/// The host is the one of that standard, without the dot that may end a name. Of schemes that the
/// standard does not know (`git:`), hosts that are percent-encoded, or that some readers take for
/// an address and some for a name (`0x7f.1`), are refused.
///
/// # Where the connection goes
/// A name says nothing of the address behind it. Resolve it once, put all answers into the request,
/// and connect to one of these, never to the name again: a second look-up may answer otherwise (DNS
/// rebinding). A redirect is another request, from the beginning.
#[cfg_attr(all(feature = "url", feature = "serde"), doc = "```")]
#[cfg_attr(not(all(feature = "url", feature = "serde")), doc = "```ignore")]
/// use std::net::IpAddr;
///
/// use cap_core::*;
/// use chrono::{DateTime, Utc};
///
/// # struct Resolver;
/// # impl Resolver {
/// #     fn look_up(&self, host: &str) -> Vec<IpAddr> {
/// #         match host {
/// #             "a.example" => vec!["93.184.215.14".parse().unwrap()],
/// #             _ => vec!["93.184.215.15".parse().unwrap(), "169.254.169.254".parse().unwrap()],
/// #         }
/// #     }
/// # }
/// # /// Connects to this address, asks for this URL, and returns where it was redirected.
/// # fn get(address: IpAddr, _url: &UrlTarget) -> Option<String> {
/// #     assert!(!is_special_purpose(address));
/// #     Some("//b.example/".into())
/// # }
/// fn fetch(
///     capability: &Capability,
///     resolver: &Resolver,
///     mut url: UrlTarget,
///     now: DateTime<Utc>,
/// ) -> Result<(), String> {
///     for _redirect in 0..5 {
///         // An address needs no look-up; a name gets one, and never another.
///         let addresses =
///             url.address().map_or_else(|| resolver.look_up(url.host()), |literal| vec![literal]);
///         let request = UrlRequest {
///             url: url.clone(),
///             method: Some("GET".into()),
///             addresses: Addresses::Resolved(addresses.clone()),
///         };
///         let read = Operations::NONE.with(Operation::Read);
///         let decision = capability.permits(&AccessRequest::new(Resource::Url(request), read), now);
///         if let Some(denial) = decision.denial() {
///             return Err(denial.code().to_string());
///         }
///         let checked = addresses.first().ok_or("nowhere to go")?;
///         match get(*checked, &url) {
///             Some(location) => url = url.join(&location).map_err(|error| error.to_string())?,
///             None => return Ok(()),
///         }
///     }
///     Err("too many redirects".into())
/// }
///
/// let now: DateTime<Utc> = "2026-11-21T12:00:00Z".parse().unwrap();
/// let capability = Capability::grant(
///     CapabilityId::new([1; 10], now),
///     RootGrant {
///         principal: "agent".parse().unwrap(),
///         resource_type: ResourceType::Url,
///         resource: "*".into(),
///         operations: Operations::NONE.with(Operation::Read),
///         constraints: Constraints::default(),
///         expires_at: None,
///     },
///     now,
/// )
/// .unwrap();
/// // The first host is public; it redirects to one that has an address which is not.
/// let start = UrlTarget::parse("https://a.example/").unwrap();
/// let refused = fetch(&capability, &Resolver, start, now);
/// assert_eq!(refused.unwrap_err(), "address-private");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UrlTarget {
    scheme: String,
    host: String,
    address: Option<IpAddr>,
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
        check_text(text)?;
        Self::checked(&::url::Url::parse(text).map_err(|_| UrlError::Malformed)?)
    }

    /// The URL that a reference means here, such as the `Location` of a redirect (RFC 9110 §10.2.2):
    /// one relative to this URL, or one of its own. The query of this URL counts for nothing.
    ///
    /// # Errors
    /// As [`UrlTarget::parse`].
    #[cfg(feature = "url")]
    pub fn join(&self, reference: &str) -> Result<Self, UrlError> {
        check_text(reference)?;
        let base = ::url::Url::parse(&alloc::string::ToString::to_string(self));
        let joined = base.and_then(|base| base.join(reference));
        Self::checked(&joined.map_err(|_| UrlError::Malformed)?)
    }

    #[cfg(feature = "url")]
    fn checked(url: &::url::Url) -> Result<Self, UrlError> {
        if url.as_str().len() > MAX_URL_BYTES {
            return Err(UrlError::TooLong);
        }
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
        if !host::is_host(&host) {
            return Err(UrlError::Host);
        }
        Ok(Self {
            scheme: url.scheme().into(),
            address: host::address(&host),
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

    /// The address, where the host is one itself.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The port: the one that the URL says, or the known one of its scheme (`http`, `https`, `ws`,
    /// `wss`, `ftp`).
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether the host is a name that is not public: `localhost` or another of a single label, or
    /// one under a suffix that is nobody's on the Internet, such as `.local`, `.internal`,
    /// `.home.arpa` or `.onion` (RFC 6761 and its registry, RFC 6762 appendix G).
    #[must_use]
    pub fn is_local_name(&self) -> bool {
        self.address.is_none() && host::is_local_name(&self.host)
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
    /// No host, or one that is not surely a name or an address.
    #[error("the URL names no host, or one that is neither a plain name nor a plain address")]
    Host,
    /// Not `scheme://host[:port][/path]`, `scheme://*.suffix…` or `*`.
    #[error(
        "a URL pattern is `*` or `scheme://host[:port][/path]`, the host in ASCII, perhaps `*.suffix`"
    )]
    Pattern,
    /// Not a domain in its ASCII form.
    #[error(
        "a domain is a lower-case ASCII name, an address as URLs write it (`10.0.0.1`, `[::1]`), or `*.suffix` of a name"
    )]
    Domain,
}

#[cfg(feature = "url")]
fn check_text(text: &str) -> Result<(), UrlError> {
    if text.len() > MAX_URL_BYTES {
        return Err(UrlError::TooLong);
    }
    // SECURITY: the WHATWG parser drops these, another parser may not.
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err(UrlError::Character);
    }
    Ok(())
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
