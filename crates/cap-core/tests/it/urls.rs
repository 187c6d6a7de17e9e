//! URLs, and patterns of URLs and hosts.

use std::net::{IpAddr, Ipv6Addr};

use cap_core::{DomainPattern, UrlError, UrlPattern, UrlTarget};
use proptest::prelude::*;

#[test]
fn a_url_is_parsed_once_and_normalised() {
    let longest = format!("https://{}:443/", "a".repeat(256));
    for (text, wanted) in [
        (longest.as_str(), longest.as_str()),
        ("https://a.example", "https://a.example:443/"),
        ("HTTPS://A.Example:443/x/../y?q#f", "https://a.example:443/y"),
        ("http://a.example.:8080/", "http://a.example:8080/"),
        ("https://b\u{fc}cher.example/", "https://xn--bcher-kva.example:443/"),
        ("http://0x7f.1/", "http://127.0.0.1:80/"),
        ("http://[0:0::1]/", "http://[::1]:80/"),
        ("https://a.example/%2e%2e/x", "https://a.example:443/x"),
        ("git://a.example/x", "git://a.example/x"),
        ("https://a.example:99999999", ""),
    ] {
        let parsed = UrlTarget::parse(text);
        assert_eq!(parsed.map_or(String::new(), |url| url.to_string()), wanted, "{text}");
    }
}

#[test]
fn what_two_parsers_could_read_differently_is_no_url() {
    let longest = format!("https://a.example/{}", "a".repeat(8192 - 18));
    assert!(UrlTarget::parse(&longest).is_ok());
    let long = format!("https://a.example/{}", "a".repeat(8193 - 18));
    for (text, error) in [
        ("", UrlError::Malformed),
        ("a.example", UrlError::Malformed),
        ("//a.example", UrlError::Malformed),
        ("https://", UrlError::Malformed),
        ("https://a b.example", UrlError::Character),
        ("https://a.example/\n", UrlError::Character),
        (" https://a.example", UrlError::Character),
        ("https:\\\\a.example", UrlError::Character),
        ("https://a.example\\@b.example", UrlError::Character),
        ("https://a.example/\u{a0}", UrlError::Character),
        ("file:///etc/passwd", UrlError::File),
        ("FILE://host/x", UrlError::File),
        ("https://me@a.example", UrlError::UserInfo),
        ("https://:x@a.example", UrlError::UserInfo),
        ("mailto:a@b.example", UrlError::Host),
        ("data:text/plain,x", UrlError::Host),
        ("foo:///x", UrlError::Host),
        ("http://./", UrlError::Host),
        ("http://0../", UrlError::Host),
        ("https://a.example../", UrlError::Host),
        ("git://evil.example%2f.a.example/", UrlError::Host),
        ("git://%61.example/", UrlError::Host),
        ("https://a..example/", UrlError::Host),
        ("https://a.example$b/", UrlError::Host),
        (&format!("https://{}/", "a".repeat(257)), UrlError::Host),
        (&long, UrlError::TooLong),
    ] {
        assert_eq!(UrlTarget::parse(text), Err(error), "{text}");
    }
}

#[test]
fn a_suffix_means_names_below_it_and_no_address() {
    let matches = |pattern: &str, url: &str| {
        pattern.parse::<DomainPattern>().unwrap().matches(&UrlTarget::parse(url).unwrap())
    };
    assert!(matches("*.a.example", "https://x.y.a.example"));
    for url in ["https://a.example", "https://xa.example", "https://a.example.b"] {
        assert!(!matches("*.a.example", url), "{url}");
    }
    assert!(matches("127.0.0.1", "http://127.0.0.1") && matches("[::1]", "http://[0:0::1]"));
    assert!(!matches("*.localhost", "http://x.localhost"));
    assert!(matches("x.localhost", "http://x.localhost"));
    assert!(matches("*.xlocalhost", "http://x.xlocalhost"));
    assert!(!matches("x.127.0.0.1.example", "http://127.0.0.1"));
    let within =
        |a: &str, b: &str| a.parse::<DomainPattern>().unwrap().is_within(&b.parse().unwrap());
    assert!(within("x.a.example", "*.a.example") && within("*.x.a.example", "*.a.example"));
    assert!(!within("x.localhost", "*.localhost") && within("*.x.localhost", "*.localhost"));
    assert!(!within("a.example", "*.a.example") && !within("*.a.example", "a.example"));
}

#[test]
fn the_asterisk_means_every_url() {
    let every: UrlPattern = "*".parse().unwrap();
    for text in ["http://127.0.0.1", "http://[::1]/x", "git://localhost", "https://a.example:1/y"] {
        let url = UrlTarget::parse(text).unwrap();
        assert!(every.matches(&url), "{text}");
        let exact: UrlPattern = format!("{}://{}:9", url.scheme(), url.host()).parse().unwrap();
        assert!(exact.is_within(&every) && !every.is_within(&exact), "{text}");
    }
    assert!(every.is_within(&every));
}

/// The host, port and address that are decided on; `None` where the URL is refused.
fn decided(text: &str) -> Option<(String, Option<u16>, Option<String>)> {
    let url = UrlTarget::parse(text).ok()?;
    Some((url.host().into(), url.port(), url.address().map(|address| address.to_string())))
}

#[test]
fn an_address_is_one_however_it_is_written() {
    for (text, address) in [
        ("http://127.0.0.1/", "127.0.0.1"),
        ("http://127.0.0.1./", "127.0.0.1"),
        ("http://127.1/", "127.0.0.1"),
        ("http://127.0.1/", "127.0.0.1"),
        ("http://2130706433/", "127.0.0.1"),
        ("http://0x7f000001/", "127.0.0.1"),
        ("http://0X7F.0.0.0x1/", "127.0.0.1"),
        ("http://0177.0.0.01/", "127.0.0.1"),
        ("http://017700000001/", "127.0.0.1"),
        ("http://%31%32%37.0.0.1/", "127.0.0.1"),
        ("http://127%2e0%2E0%2e1/", "127.0.0.1"),
        ("http://\u{ff11}\u{ff12}\u{ff17}.0.0.1/", "127.0.0.1"),
        ("http://127\u{3002}0\u{ff0e}0\u{ff61}1/", "127.0.0.1"),
        ("http://\u{2460}\u{2461}\u{2466}.0.0.\u{2474}/", ""),
        ("http://\u{2460}\u{2461}\u{2466}.0.0.\u{2460}/", "127.0.0.1"),
        ("http://0/", "0.0.0.0"),
        ("http://0x/", "0.0.0.0"),
        ("http://[::1]/", "::1"),
        ("http://[0:0:0:0:0:0:0:1]/", "::1"),
        ("http://[::127.0.0.1]/", "::7f00:1"),
        ("http://[::ffff:127.0.0.1]/", "::ffff:127.0.0.1"),
        ("http://[::FFFF:7F00:1]/", "::ffff:127.0.0.1"),
        ("git://127.0.0.1/", "127.0.0.1"),
        ("git://[::1]/", "::1"),
        ("git://[::ffff:127.0.0.1]/", "::ffff:127.0.0.1"),
        ("http://256.0.0.1/", ""),
        ("http://1.2.3.4.5/", ""),
        ("http://0x100000000/", ""),
        ("http://1.2.3.09/", ""),
        ("http://a.1/", ""),
        ("http://a.0x7f/", ""),
        ("http://127.0.0.1../", ""),
        ("http://[::1%25lo]/", ""),
        ("http://[fe80::1%eth0]/", ""),
        ("http://[::1/", ""),
        ("http://[127.0.0.1]/", ""),
        ("http://[::127.1]/", ""),
        ("http://[::ffff:0177.0.0.1]/", ""),
        ("http://[1::2::3]/", ""),
        ("http://::1/", ""),
        // Where the scheme is not known, nobody rewrites what some take for an address.
        ("git://127.1/", ""),
        ("git://2130706433/", ""),
        ("git://0x7f000001/", ""),
        ("git://0x7f.a.0xFF/", ""),
        ("git://a.0x/", ""),
        ("git://0177.0.0.1/", ""),
        ("git://127.0.0.01/", ""),
        ("git://127.0.0.0x1/", ""),
        ("git://256.0.0.1/", ""),
        ("git://a.1/", ""),
        ("git://%31%32%37.0.0.1/", ""),
        ("git://\u{ff11}27.0.0.1/", ""),
    ] {
        let found = decided(text).map(|(_, _, address)| address.unwrap());
        assert_eq!(found.unwrap_or_default(), address, "{text}");
    }
    for name in ["http://a.0xg/", "http://1.2.3.4a/", "git://0x7f.example/", "git://x0x7f/"] {
        assert_eq!(decided(name).map(|(_, _, address)| address), Some(None), "{name}");
    }
}

#[test]
fn a_name_is_one_however_it_is_written() {
    for (text, host) in [
        ("https://A.EXAMPLE/", "a.example"),
        ("https://a.example./", "a.example"),
        ("https://%61.example/", "a.example"),
        ("https://a%2eexample/", "a.example"),
        ("https://\u{ff41}.example/", "a.example"),
        ("https://a\u{3002}example/", "a.example"),
        ("https://a\u{ad}.example/", "a.example"),
        ("https://a\u{200b}.example/", "a.example"),
        ("https://fa\u{df}.example/", "xn--fa-hia.example"),
        ("https://XN--BCHER-KVA.example/", "xn--bcher-kva.example"),
        ("https://a_b.example/", "a_b.example"),
        ("https://a.example?@b.example/", "a.example"),
        ("https://a.example#@b.example/", "a.example"),
        ("https:a.example", "a.example"),
        ("https:///a.example", "a.example"),
        ("git://A.Example/", "a.example"),
        ("git://a.example./", "a.example"),
        ("https://%00a.example/", ""),
        ("https://a%25.example/", ""),
        ("https://a%20b.example/", ""),
        ("https://a%2fb.example/", ""),
        ("https://a%40b.example/", ""),
        ("https://a%3a80.example/", ""),
        ("https://xn--a.example/", ""),
        ("https://a\u{2024}example/", ""),
        ("https://*.example/", ""),
        ("git://b\u{fc}cher.example/", ""),
        ("git://a%2eexample/", ""),
        ("git://A.Example%00/", ""),
        ("git:a.example", ""),
        ("git:/a.example", ""),
    ] {
        assert_eq!(decided(text).map_or(String::new(), |(host, ..)| host), host, "{text}");
    }
}

#[test]
fn the_port_is_the_one_of_the_url_or_of_its_scheme() {
    for (text, wanted) in [
        ("https://a.example", Some(443)),
        ("wss://a.example", Some(443)),
        ("http://a.example", Some(80)),
        ("ws://a.example", Some(80)),
        ("ftp://a.example", Some(21)),
        ("http://a.example:", Some(80)),
        ("http://a.example:/x", Some(80)),
        ("http://a.example:80", Some(80)),
        ("http://a.example:00080", Some(80)),
        ("http://a.example:443", Some(443)),
        ("http://a.example:0", Some(0)),
        ("http://a.example:65535", Some(65535)),
        ("http://[::1]:8080/", Some(8080)),
        ("git://a.example:9418/", Some(9418)),
        ("git://a.example/", None),
        ("git://a.example:/", None),
    ] {
        assert_eq!(decided(text).unwrap().1, wanted, "{text}");
    }
    for bad in ["65536", "-1", "+80", "8o", "0x50", "\u{ff18}0", "80:80", "99999999999999999999"] {
        assert_eq!(decided(&format!("http://a.example:{bad}/")), None, "{bad}");
    }
}

#[test]
fn local_names_are_those_that_no_public_server_has() {
    for local in [
        "localhost",
        "localhost.",
        "LOCALHOST",
        "a.b.localhost",
        "ip6-localhost",
        "localhost.localdomain",
        "printer",
        "metadata",
        "metadata.google.internal",
        "nas.local",
        "x.home.arpa",
        "home.arpa",
        "router.lan",
        "a.corp",
        "a.home",
        "a.intranet",
        "a.private",
        "a.test",
        "a.invalid",
        "a.alt",
        "b.onion",
        "a.resolver.arpa",
        "a.service.arpa",
        "%6cocalhost",
        "\u{ff4c}ocalhost",
    ] {
        let url = UrlTarget::parse(&format!("https://{local}/")).unwrap();
        assert!(url.is_local_name(), "{local}");
    }
    for other in [
        "a.example",
        "example.com",
        "localhost.example",
        "xlocalhost.example",
        "a.xlocal",
        "a.xhome.arpa",
        "arpa.example",
        "1.0.0.127.in-addr.arpa",
        "local.a.example",
        "127.0.0.1",
        "[::1]",
    ] {
        let url = UrlTarget::parse(&format!("https://{other}/")).unwrap();
        assert!(!url.is_local_name(), "{other}");
    }
}

#[test]
fn a_redirect_is_parsed_as_strictly_as_its_start() {
    let start = UrlTarget::parse("https://a.example:8443/x/y?q").unwrap();
    for (location, wanted) in [
        ("z", "https://a.example:8443/x/z"),
        ("../..", "https://a.example:8443/"),
        ("/z?q", "https://a.example:8443/z"),
        ("?q", "https://a.example:8443/x/y"),
        ("", "https://a.example:8443/x/y"),
        ("//b.example", "https://b.example:443/"),
        ("https:z", "https://a.example:8443/x/z"),
        ("http:127.1", "http://127.0.0.1:80/"),
        ("http://0x7f.1/", "http://127.0.0.1:80/"),
        ("git://b.example/", "git://b.example/"),
    ] {
        let joined = start.join(location).map(|url| url.to_string());
        assert_eq!(joined.as_deref(), Ok(wanted), "{location}");
    }
    let long = "a/".repeat(4095);
    for (location, error) in [
        ("/\\b.example", UrlError::Character),
        ("/\tb", UrlError::Character),
        ("//me@b.example", UrlError::UserInfo),
        ("file:///etc/passwd", UrlError::File),
        ("javascript:x", UrlError::Host),
        ("git://127.1", UrlError::Host),
        ("//b.example:65536", UrlError::Malformed),
        // To the standard this is `//b.example`; the parser refuses it.
        ("////b.example", UrlError::Malformed),
        (&long, UrlError::TooLong),
    ] {
        assert_eq!(start.join(location), Err(error), "{location}");
    }
}

#[test]
fn a_domain_pattern_is_lower_case_ascii() {
    let longest = format!("*.{}", "a".repeat(254));
    let too_long = format!("*.{}", "a".repeat(255));
    for good in [
        "a.example",
        "*.a.example",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "[::ffff:7f00:1]",
        "[2001:db8:0:1:1:1:1:1]",
        "a_b-c.example",
        "0x7f.example",
        "127.0.0.1.example",
        &longest,
    ] {
        assert_eq!(good.parse::<DomainPattern>().unwrap().to_string(), good);
    }
    for bad in [
        "",
        "*",
        "*.",
        ".a",
        "a.",
        "a..b",
        "A.example",
        "b\u{fc}cher.example",
        "a.example:80",
        "a/b",
        "*.*.a",
        "a.*",
        "**.a",
        "*.[::1]",
        "*.127.0.0.1",
        "*.0.0.1",
        "*.1",
        "127.1",
        "127.0.0.01",
        "0x7f000001",
        "2130706433",
        "a.1",
        "a.0x1f",
        "[0::1]",
        "[::FFFF]",
        "[::ffff:127.0.0.1]",
        "[fe80::1%eth0]",
        "[127.0.0.1]",
        "[::1",
        "[]",
        "a b",
        "a%2eb",
        &too_long,
    ] {
        assert!(bad.parse::<DomainPattern>().is_err(), "{bad}");
    }
}

#[test]
fn a_url_pattern_is_written_as_it_is_read() {
    for (text, wanted) in [
        ("*", "*"),
        ("https://a.example", "https://a.example"),
        ("https://a.example:443/", "https://a.example"),
        ("http://*.a.example:8080/x/y/", "http://*.a.example:8080/x/y"),
        ("http://[::1]:80", "http://[::1]"),
        ("http://[::1]", "http://[::1]"),
        ("git://a.example/x", "git://a.example/x"),
        ("ftp://a.example:21", "ftp://a.example"),
        ("ws://a.example:80/x", "ws://a.example/x"),
        ("wss://a.example:443", "wss://a.example"),
    ] {
        let pattern: UrlPattern = text.parse().unwrap();
        assert_eq!(pattern.to_string(), wanted);
        assert_eq!(wanted.parse(), Ok(pattern));
    }
    for bad in [
        "",
        "a.example",
        "https:/a.example",
        "https://",
        "https://A.example",
        "file:///x",
        "Https://a.example",
        "https://a.example/..",
        "https://a.example/./x",
        "https://a.example/%41",
        "https://a.example/?q",
        "https://a.example/*",
        "https://a.example:99999",
        "https://a.example:",
        "https://a.example:0",
        "https://a.example:+80",
        "https://a.example:080",
        "https://a.example:65536",
        "https://me@a.example",
        "https://a.example/a b",
        "https://a.example/\u{fc}",
        "1https://a.example",
        "://a.example",
    ] {
        assert!(bad.parse::<UrlPattern>().is_err(), "{bad}");
    }
    let of_bytes = |bytes: usize| format!("https://a.example/{}", "a".repeat(bytes - 18));
    assert!(of_bytes(8192).parse::<UrlPattern>().is_ok());
    for bytes in [8193, 9000] {
        assert_eq!(of_bytes(bytes).parse::<UrlPattern>(), Err(UrlError::TooLong));
    }
}

proptest! {
    #[test]
    fn url_and_domain_patterns_order_by_meaning(
        a in url_pattern(),
        b in url_pattern(),
        url in "(https|http)://(a\\.example|x\\.a\\.example|example|localhost|1\\.1|127\\.0\\.0\\.1)(:8080)?(/(a|b|%2e)){0,3}",
    ) {
        let url = UrlTarget::parse(&url).unwrap();
        let (a, b): (UrlPattern, UrlPattern) = (a.parse().unwrap(), b.parse().unwrap());
        prop_assert!(!(a.is_within(&b) && a.matches(&url)) || b.matches(&url), "{} {} {}", a, b, url);
        prop_assert_eq!(a.is_within(&b) && b.is_within(&a), a == b);
        prop_assert_eq!(a.to_string().parse(), Ok(a));
    }

    #[test]
    fn any_text_is_a_url_with_a_plain_host_or_none(
        text in "(https?|git|ws):/{1,3}[a-z0-9.%:@\\[\\]\\-]{0,12}(/|\\.\\.|%2f|a){0,4}|\\PC{0,20}",
    ) {
        if let Ok(url) = UrlTarget::parse(&text) {
            prop_assert!(!url.host().is_empty() && !url.host().contains(['%', '@', '/', '*']));
            let exact: DomainPattern = url.host().parse().unwrap();
            prop_assert!(exact.matches(&url));
            let shown = UrlTarget::parse(&url.to_string());
            prop_assert_eq!(shown, Ok(url));
        }
    }

    #[test]
    fn every_address_is_a_host_that_its_own_pattern_means(address: IpAddr, low: u16) {
        let mapped = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, low, low);
        let sparse = Ipv6Addr::new(low, 0, 0, low, 0, 0, 0, low);
        for address in [address, mapped.into(), sparse.into()] {
            let host = match address {
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => format!("[{address}]"),
            };
            for scheme in ["https", "git"] {
                let url = UrlTarget::parse(&format!("{scheme}://{host}/")).unwrap();
                prop_assert_eq!(url.address(), Some(address));
                prop_assert!(!url.is_local_name());
                let exact: DomainPattern = url.host().parse().unwrap();
                prop_assert!(exact.matches(&url));
            }
        }
    }
}

fn url_pattern() -> impl Strategy<Value = String> {
    let specific = "(https|http)://(\\*\\.)?(a\\.example|x\\.a\\.example|example|localhost|x)(:8080)?(/(a|b)){0,2}";
    prop_oneof![1 => Just("*".to_owned()), 6 => specific]
}
