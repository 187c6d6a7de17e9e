//! URLs, and patterns of URLs and hosts.

use cap_core::{DomainPattern, UrlError, UrlPattern, UrlTarget};
use proptest::prelude::*;

#[test]
fn a_url_is_parsed_once_and_normalised() {
    for (text, wanted) in [
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
    let long = format!("https://a.example/{}", "a".repeat(8192));
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
    assert!(!matches("*.0.0.1", "http://127.0.0.1") && matches("127.0.0.1", "http://127.0.0.1"));
    assert!(!matches("*.localhost", "http://x.localhost"));
    assert!(matches("x.localhost", "http://x.localhost"));
    assert!(!matches("*.1", "git://127.1"));
    let within =
        |a: &str, b: &str| a.parse::<DomainPattern>().unwrap().is_within(&b.parse().unwrap());
    assert!(within("x.a.example", "*.a.example") && within("*.x.a.example", "*.a.example"));
    assert!(!within("127.0.0.1", "*.0.0.1") && !within("x.localhost", "*.localhost"));
    assert!(!within("a.example", "*.a.example") && !within("*.a.example", "a.example"));
    // Where the parser does not know the scheme, an address stays as it was written.
    let every: UrlPattern = "*".parse().unwrap();
    for text in ["git://0x7f000001", "git://2130706433", "git://127.0.0.0x1", "git://localhost"] {
        assert!(!every.matches(&UrlTarget::parse(text).unwrap()), "{text}");
    }
    assert!(every.matches(&UrlTarget::parse("git://a.example").unwrap()));
}

#[test]
fn a_domain_pattern_is_lower_case_ascii() {
    for good in ["a.example", "*.a.example", "localhost", "127.0.0.1", "[::1]", "a_b-c.example"] {
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
        "[::1",
        "[]",
        "a b",
        "a%2eb",
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
        "https://me@a.example",
        "https://a.example/a b",
        "https://a.example/\u{fc}",
        "1https://a.example",
        "://a.example",
    ] {
        assert!(bad.parse::<UrlPattern>().is_err(), "{bad}");
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
}

fn url_pattern() -> impl Strategy<Value = String> {
    let specific = "(https|http)://(\\*\\.)?(a\\.example|x\\.a\\.example|example|localhost|1)(:8080)?(/(a|b)){0,2}";
    prop_oneof![1 => Just("*".to_owned()), 6 => specific]
}
