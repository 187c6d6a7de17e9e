//! What must hold of every URL, URL pattern and domain pattern that is read.

use cap_core::{
    AccessRequest, Addresses, DomainPattern, Operation, Operations, Resource, UrlPattern,
    UrlRequest, UrlTarget,
};
use serde_json::json;

use super::capability::constrained;
use crate::naive;
use crate::strategy::granted_at;

/// A URL is what the `url` crate says that it is, and is read again as itself.
pub(super) fn is_read_once(text: &str) -> Option<UrlTarget> {
    let target = UrlTarget::parse(text).ok()?;
    let written = target.to_string();
    assert_eq!(UrlTarget::parse(&written).as_ref(), Ok(&target), "{text:?}");
    for text in [text, &written] {
        let url = url::Url::parse(text).unwrap();
        // One name has one form here: without the dot of the root, and in lower case also under a
        // scheme that the URL Standard does not know (RFC 4343).
        let host = url.host_str().unwrap();
        let host = host.strip_suffix('.').unwrap_or(host);
        let host = if url.is_special() { host.to_owned() } else { host.to_ascii_lowercase() };
        assert_eq!(host, target.host(), "{text:?}");
        assert_eq!(url.scheme(), target.scheme(), "{text:?}");
        assert_eq!(url.port_or_known_default(), target.port(), "{text:?}");
        let address = match url.host() {
            Some(url::Host::Ipv4(address)) => Some(address.into()),
            Some(url::Host::Ipv6(address)) => Some(address.into()),
            // A scheme that the URL Standard does not know leaves its host as it is.
            _ => target.host().parse().ok(),
        };
        assert_eq!(address, target.address(), "{text:?}");
        assert_ne!(url.scheme(), "file", "{text:?}");
    }
    Some(target)
}

/// A pattern is written as it is read, and means what the model says.
pub(super) fn pattern_means(text: &str, target: &UrlTarget) -> Option<UrlPattern> {
    let pattern: UrlPattern = text.parse().ok()?;
    let written = pattern.to_string();
    assert_eq!(written.parse().as_ref(), Ok(&pattern), "{text:?}");
    assert!(pattern.is_within(&pattern) && pattern.is_within(&"*".parse().unwrap()), "{text:?}");
    let meant = naive::url_means(&written, &target.to_string());
    assert_eq!(pattern.matches(target), meant, "{text:?} {target}");
    Some(pattern)
}

/// What is within means no more.
pub(super) fn is_included(lower: &UrlPattern, upper: &UrlPattern, target: &UrlTarget) {
    if lower.is_within(upper) {
        assert!(!lower.matches(target) || upper.matches(target), "{lower} {upper} {target}");
    }
}

/// A pattern is written as it is read, and means what the model says.
pub(super) fn domain_means(text: &str, target: &UrlTarget) {
    let Ok(pattern) = text.parse::<DomainPattern>() else { return };
    assert_eq!(pattern.to_string().parse().as_ref(), Ok(&pattern), "{text:?}");
    let meant = naive::domain_means(&pattern.to_string(), target.host());
    assert_eq!(pattern.matches(target), meant, "{text:?} {target}");
}

/// Ports, private networks and networks are judged as the model judges them.
pub(super) fn is_judged_as_the_model_judges(target: &UrlTarget, resolved: &[std::net::IpAddr]) {
    let sets = [
        json!({"private_networks": false}),
        json!({"ports": [443, "8000-9000", "1-79"]}),
        json!({"cidr": ["10.0.0.0/8", "93.184.216.0/24", "2600::/8", "::/8"]}),
    ];
    let mut all = vec![Addresses::Unknown];
    all.extend((!resolved.is_empty()).then(|| Addresses::Resolved(resolved.to_vec())));
    for set in sets {
        let (capability, wire) = constrained(&set).unwrap();
        for addresses in &all {
            let request =
                UrlRequest { url: target.clone(), method: None, addresses: addresses.clone() };
            let read = Operations::NONE.with(Operation::Read);
            let request = AccessRequest::new(Resource::Url(request), read);
            let meant = naive::permits(&wire, &request, granted_at());
            let decision = capability.permits(&request, granted_at());
            assert_eq!(decision.is_allow(), meant, "{set} {request:?}\n{decision:?}");
        }
    }
}
