//! Requests for URLs, and what constrains them.

use std::net::IpAddr;

use cap_core::{Addresses, UrlRequest, UrlTarget};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

pub(super) const DOMAINS: [&str; 7] =
    ["a.example", "b.a.example", "*.example", "*.a.example", "localhost", "127.0.0.1", "[::1]"];
pub(super) const URLS: [&str; 8] = [
    "*",
    "*",
    "https://a.example",
    "https://a.example/a",
    "https://*.example",
    "https://*.a.example/a/b",
    "http://127.0.0.1:8080",
    "ws://*.example/b",
];
pub(super) const NETWORKS: [&str; 12] = [
    "0.0.0.0/0",
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "127.0.0.0/8",
    "93.184.216.34/32",
    "::/0",
    "::/0",
    "::1/128",
    "2002::/16",
    "2606:4700::/32",
    "64:ff9b::/96",
];
pub(super) const METHODS: [&str; 5] = ["GET", "GET", "POST", "DELETE", "M-SEARCH"];

/// Ports and ranges of them.
pub(super) fn ports() -> impl Strategy<Value = Value> {
    let one = select(vec![
        json!(80),
        json!(443),
        json!(443),
        json!(8080),
        json!(65535),
        json!("1-65535"),
        json!("1-442"),
        json!("81-443"),
        json!("8000-9000"),
        json!("8080-8081"),
    ]);
    vec(one, 1..=4).prop_map(Value::Array)
}

/// Some of the constraints that speak of URLs.
pub fn url_constraints() -> impl Strategy<Value = Value> {
    let some = |values: &'static [&'static str]| vec(select(values), 1..=4).prop_map(Value::from);
    let networks = prop_oneof![some(&NETWORKS), Just(json!(["0.0.0.0/0", "::/0"]))];
    (
        weighted(0.2, some(&DOMAINS)),
        weighted(0.3, networks),
        weighted(0.2, some(&METHODS)),
        weighted(0.3, ports()),
        weighted(0.5, any::<bool>()),
        weighted(0.3, some(&URLS)),
    )
        .prop_map(|(domains, networks, methods, ports, private, urls)| {
            let members = [
                ("allowed_domains", domains),
                ("cidr", networks),
                ("methods", methods),
                ("ports", ports),
                ("private_networks", private.map(Value::from)),
                ("urls", urls),
            ];
            let present = |(name, value): (&str, Option<Value>)| Some((name.to_owned(), value?));
            Value::Object(members.into_iter().filter_map(present).collect())
        })
}

/// A request for a URL, with its method and where its host is, as far as that is known.
pub fn url_request() -> impl Strategy<Value = UrlRequest> {
    let method = prop_oneof![
        1 => Just(None),
        5 => select(&["GET", "GET", "GET", "POST", "DELETE", "get"][..]).prop_map(Some),
    ];
    (url(), method, addresses()).prop_map(|(url, method, addresses)| UrlRequest {
        url,
        method: method.map(str::to_owned),
        addresses,
    })
}

/// A URL over a small alphabet.
pub fn url() -> impl Strategy<Value = UrlTarget> {
    let scheme = select(&["https", "https", "https", "http", "ws"][..]);
    let host = prop_oneof![
        7 => select(&["a.example", "b.a.example", "c.example"][..]),
        1 => select(&[
            "example", "localhost", "a.localhost", "printer", "nas.local", "x.home.arpa",
            "db.internal", "b.onion",
        ][..]),
        2 => select(&[
            "127.0.0.1", "[::1]", "10.1.2.3", "93.184.216.34", "[2606:4700::1]",
            "[::ffff:10.1.2.3]", "[64:ff9b::8.8.8.8]",
        ][..]),
    ];
    let port = select(&["", "", "", "", ":80", ":8080", ":7999", ":9000", ":9001", ":65535"][..]);
    let path = select(&["", "/a", "/a/b", "/a/b/c", "/b", "/ab", "/a/%2fetc", "/a%2F..%2Fb"][..]);
    (scheme, host, port, path).prop_map(|(scheme, host, port, path)| {
        UrlTarget::parse(&format!("{scheme}://{host}{port}{path}")).unwrap()
    })
}

fn addresses() -> impl Strategy<Value = Addresses> {
    let one = || address().prop_map(|text| text.parse::<IpAddr>().unwrap());
    prop_oneof![
        4 => Just(Addresses::Unknown),
        4 => one().prop_map(|address| Addresses::Resolved(vec![address])),
        3 => vec(one(), 0..=3).prop_map(Addresses::Resolved),
    ]
}

/// An IP address: public ones, those at the borders of special networks, and IPv4 in IPv6.
pub(super) fn address() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        9 => select(&["93.184.216.34", "8.8.8.8", "2606:4700::1", "93.184.216.34", "10.1.2.3"][..]),
        2 => select(&[
            "9.255.255.255", "10.0.0.0", "10.2.0.0", "11.0.0.0", "100.63.255.255", "100.64.0.0",
            "127.255.255.255", "128.0.0.0", "169.254.169.254", "172.15.255.255", "172.16.0.1",
            "172.32.0.0", "192.0.0.9", "192.0.0.11", "198.19.255.255", "198.20.0.0",
            "223.255.255.255", "224.0.0.1", "255.255.255.255", "0.0.0.0",
        ][..]),
        2 => select(&[
            "::", "::1", "fd00::1", "fe80::1", "ff02::1", "2001:db8::1", "2001:1ff::1",
            "2001:200::1", "2001:20::1", "2001:1::1", "3fff::1", "3fff:1000::1", "100::1",
            "64:ff9b:1::1",
        ][..]),
        2 => select(&[
            "::ffff:10.1.2.3", "::ffff:8.8.8.8", "64:ff9b::10.1.2.3", "64:ff9b::8.8.8.8",
            "2002:a01:203::1", "2002:808:808::1", "2001::f5fe:fdfc", "2001:0:a01:203::f7f7:f7f7",
        ][..]),
    ]
}
