//! Collections of URLs and addresses, through our own interface.

use std::net::{IpAddr, Ipv6Addr};

use cap_core::{
    AccessRequest, Addresses, Capability, DomainPattern, IpNet, Resource, ResourceType, UrlError,
    UrlRequest, UrlTarget, embedded_ipv4, is_special_purpose,
};
use cap_testkit::{shared, shared_jsonl};
use serde_json::{Value, json};

use crate::support::*;

fn parsed(case: &Value, text: &str) -> Result<UrlTarget, UrlError> {
    match case[text].as_str().zip(case["base"].as_str()) {
        Some((text, base)) => UrlTarget::parse(base)?.join(text),
        None => UrlTarget::parse(case[text].as_str().unwrap()),
    }
}

fn address(case: &Value) -> IpAddr {
    case["ip"].as_str().unwrap().parse().unwrap()
}

/// Whether a capability for public networks permits a connection there: by the resolver's answer,
/// and by the URL that names the address.
fn is_public(public: &Capability, address: IpAddr) -> bool {
    let resolved = UrlRequest {
        addresses: Addresses::Resolved(vec![address]),
        ..UrlRequest::lexical(UrlTarget::parse("https://a.example/").unwrap())
    };
    let named = match address {
        IpAddr::V4(address) => format!("https://{address}/"),
        IpAddr::V6(address) => format!("https://[{address}]/"),
    };
    let named = UrlRequest::lexical(UrlTarget::parse(&named).unwrap());
    assert_eq!(named.url.address(), Some(address));
    let verdicts = [resolved, named]
        .map(|request| permits(public, &AccessRequest::new(Resource::Url(request), READ)));
    assert_eq!(verdicts, [!is_special_purpose(address); 2], "{address}");
    verdicts[0]
}

fn public() -> Capability {
    grant(ResourceType::Url, "*", json!({}))
}

#[test]
fn disguised_urls_reach_the_granted_host_or_nothing() {
    let base = UrlTarget::parse("https://a.example/").unwrap();
    let only = grant(
        ResourceType::Url,
        "*",
        json!({"allowed_domains": ["a.example"], "protocols": ["http", "https"]}),
    );
    let permitted = |text: &str| {
        let url = UrlTarget::parse(text).or_else(|_| base.join(text));
        url.is_ok_and(|url| {
            permits(&only, &AccessRequest::new(Resource::Url(UrlRequest::lexical(url)), READ))
        })
    };
    for good in ["https://a.example/x", "http://a.example:81/#@b.example", "/x", "x?u=//b.example"]
    {
        assert!(permitted(good), "{good}");
    }
    for bad in [
        "http://a.example@169.254.169.254/",
        "http://169.254.169.254@a.example/",
        "http://169.254.169.254#@a.example/",
        "http://169.254.169.254?@a.example/",
        "http://169.254.169.254/@a.example",
        "http://169.254.169.254\\@a.example/",
        "http://a.example:80@169.254.169.254/",
        "http://a.example%40169.254.169.254/",
        "http://a.example%2f.b.example/",
        "http://a.example.b.example/",
        "http://b.example/a.example",
        "http://a\texample/",
        "http://a.example\u{2044}b.example/",
        "//b.example",
        "///b.example",
        "/\\b.example",
        "http:b.example",
        "//a.example@b.example",
        "//a%2eexample@b.example",
        "javascript://a.example/%0aalert(1)",
        "gopher://a.example:70/",
        "data:text/html,a.example",
        "file://a.example/etc/passwd",
    ] {
        assert!(!permitted(bad), "{bad}");
    }
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_ssrf_urls_reach_the_granted_host_or_nothing() {
    let cases = shared_jsonl("corpora/ssrf-url/urls.jsonl");
    assert_eq!(cases.len(), 458);
    let (mut denied, mut allowed) = (0, 0);
    for case in &cases {
        let host = case["allowed_host"].as_str().unwrap();
        let patterns = json!({"urls": [format!("http://{host}"), format!("https://{host}")]});
        let names = json!({"allowed_domains": [host], "protocols": ["http", "https"]});
        let by_pattern = grant(ResourceType::Url, "*", patterns);
        let by_name = grant(ResourceType::Url, "*", names);
        let anything = grant(ResourceType::Any, "*", json!({}));
        let Ok(url) = parsed(case, "url") else {
            denied += 1;
            continue;
        };
        assert_eq!(case["has_userinfo"], false, "{case}");
        assert_eq!(case["whatwg_host"].as_str(), Some(url.host()), "{case}");
        assert_eq!(case["whatwg_scheme"].as_str(), Some(url.scheme()), "{case}");
        let request = AccessRequest::new(Resource::Url(UrlRequest::lexical(url)), READ);
        assert!(permits(&anything, &request));
        let permitted = permits(&by_name, &request);
        assert!(permitted || !permits(&by_pattern, &request), "{case}");
        assert!(!permitted || case["expect"] == "any", "{case}");
        (denied, allowed) = (denied + u32::from(!permitted), allowed + u32::from(permitted));
    }
    assert_eq!((denied, allowed), (429, 29));
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_addresses_are_special_where_two_oracles_agree() {
    let cases = shared_jsonl("corpora/ssrf-url/ip-global-oracle.jsonl");
    assert_eq!(cases.len(), 828);
    let public = public();
    let (mut stricter, nat64) = (0, "64:ff9b::/96".parse::<IpNet>().unwrap());
    for case in &cases {
        let (address, global) = (address(case), case["global"].as_bool().unwrap());
        let permitted = is_public(&public, address);
        assert!(global || !permitted, "{address}");
        if global && !permitted {
            // Both oracles take what nobody was given for global, site-local addresses (RFC 3879)
            // included, and do not look into NAT64.
            let IpAddr::V6(address) = address else { panic!("{address}") };
            assert_ne!(address.segments()[0] >> 13, 1, "{address} is global unicast");
            let hides = embedded_ipv4(address).is_some_and(|it| is_special_purpose(it.into()));
            assert!(hides || !nat64.contains(address.into()), "{address}");
            stricter += 1;
        }
    }
    assert_eq!(stricter, 25);
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_addresses_where_the_oracles_differ_are_ruled_by_the_registries() {
    let cases = shared_jsonl("corpora/ssrf-url/ip-oracle-disagreements.jsonl");
    assert_eq!(cases.len(), 197);
    let public = public();
    let mut mapped = [0, 0];
    for case in &cases {
        let permitted = is_public(&public, address(case));
        match address(case) {
            IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => {
                let embedded = address.to_ipv4_mapped().unwrap();
                assert_eq!(permitted, is_public(&public, embedded.into()), "{address}");
                mapped[usize::from(permitted)] += 1;
            }
            address => assert!(!permitted, "{address}"),
        }
    }
    // Mapped ones: denied, as they embed a multicast address, and permitted.
    assert_eq!(mapped, [2, 21]);
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_embedded_ipv4_addresses_are_found() {
    let cases = shared_jsonl("corpora/ssrf-url/ipv6-embedded-ipv4.jsonl");
    assert_eq!(cases.len(), 70);
    let public = public();
    let mut permitted = 0;
    for case in &cases {
        let address: Ipv6Addr = case["ip"].as_str().unwrap().parse().unwrap();
        let embedded = embedded_ipv4(address).map(|address| address.to_string());
        if address.is_unspecified() {
            assert_eq!(embedded, None);
        } else {
            assert_eq!(embedded.as_deref(), case["embedded"].as_str(), "{case}");
        }
        if is_public(&public, address.into()) {
            assert_eq!(case["expect"], "policy", "{case}");
            permitted += 1;
        }
    }
    // Mapped and NAT64, of three global addresses.
    assert_eq!(permitted, 6);
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_hosts_are_those_of_the_url_standard() {
    let text = std::fs::read_to_string(shared("corpora/wpt-url/urltestdata.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let cases: Vec<&Value> = cases.iter().filter(|case| case.is_object()).collect();
    assert_eq!(cases.len(), 819);
    let mut counts = std::collections::BTreeMap::<String, u32>::new();
    for case in cases {
        let word = match parsed(case, "input") {
            Ok(url) => {
                assert!(case.get("failure").is_none(), "{case}");
                let host = case["hostname"].as_str().unwrap();
                assert_eq!(url.host(), host.strip_suffix('.').unwrap_or(host), "{case}");
                assert_eq!(format!("{}:", url.scheme()), case["protocol"], "{case}");
                let port = case["port"].as_str().unwrap().parse().ok();
                assert_eq!(url.port(), port.or_else(|| known_port(url.scheme())), "{case}");
                let path = case["pathname"].as_str().unwrap();
                let port = url.port().map_or(String::new(), |port| format!(":{port}"));
                let whole = format!("{}://{}{port}{path}", url.scheme(), url.host());
                assert_eq!(url.to_string(), whole, "{case}");
                "equal".into()
            }
            Err(_) if case.get("failure").is_some() => "no URL".into(),
            Err(refused) => {
                assert!(is_refused_for(refused, case), "{refused:?}: {case}");
                format!("{refused:?}")
            }
        };
        *counts.entry(word).or_default() += 1;
    }
    let wanted = [
        ("Character", 63),
        ("File", 106),
        ("Host", 130),
        ("UserInfo", 28),
        ("equal", 220),
        ("no URL", 272),
    ];
    assert_eq!(counts, wanted.map(|(word, count)| (word.to_owned(), count)).into());
}

/// Why a URL of the standard is none of ours.
fn is_refused_for(refused: UrlError, case: &Value) -> bool {
    // Percent-encoded, no names, or with empty labels: what a resolver makes of them is open.
    const HOSTS: [&str; 12] = [
        "%",
        "%43%7C",
        "%C3%B1",
        "%C3%B1.test",
        "%E2%80%A0",
        "H%4fSt",
        "fa%C3%9F.ExAmPlE",
        "!\"$%&'()*+,-.;=_`{}~",
        "!\"$&'()*+,-.;=_`{}~",
        ".",
        "..",
        "foo.09..",
    ];
    let text = |name: &str| case[name].as_str().unwrap_or_default();
    let texts = [text("input"), text("base")];
    match refused {
        UrlError::Character => texts
            .iter()
            .any(|it| it.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\')),
        UrlError::File => text("protocol") == "file:" || text("base").starts_with("file:"),
        UrlError::UserInfo => {
            !text("username").is_empty() || texts.iter().any(|it| it.contains('@'))
        }
        // Of the URL, or of its base.
        UrlError::Host => {
            let base = text("base");
            text("hostname").is_empty()
                || HOSTS.contains(&text("hostname"))
                || (!base.is_empty() && UrlTarget::parse(base).is_err())
        }
        _ => false,
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

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_domains_are_in_their_ascii_form() {
    let text = std::fs::read_to_string(shared("corpora/wpt-url/toascii.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let cases: Vec<&Value> = cases.iter().filter(|case| case.is_object()).collect();
    assert_eq!(cases.len(), 87);
    // No Punycode, which the standard lets pass; empty labels; and names that no DNS can hold.
    let refused_here = [
        "x..xn--zca",
        "x..\u{df}",
        "xn--0.com",
        "xn--1ug.example",
        "xn--a",
        "xn--a-yoc",
        "xn--a.xn--zca",
        "xn--ls8h=",
        "xn--zn7c.com",
    ];
    let mut counts = [0; 3];
    for case in cases {
        let input = case["input"].as_str().unwrap();
        match UrlTarget::parse(&format!("https://{input}/x")) {
            Ok(url) => {
                let output = case["output"].as_str();
                let output = output.map(|host| host.strip_suffix('.').unwrap_or(host));
                assert_eq!(Some(url.host()), output, "{case}");
                assert!(url.host().parse::<DomainPattern>().unwrap().matches(&url), "{case}");
                counts[0] += 1;
            }
            Err(_) if case["output"].is_null() => counts[1] += 1,
            Err(refused) => {
                assert!(refused_here.contains(&input) || input.len() > 253, "{refused:?}: {case}");
                counts[2] += 1;
            }
        }
    }
    assert_eq!(counts, [57, 19, 11]);
}
