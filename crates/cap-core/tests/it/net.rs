//! Networks, ports, HTTP methods, special addresses and those that hide others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use cap_core::{
    Constraints, IpNet, NetError, PortRange, cidr_admits, embedded_ipv4, is_special_purpose,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn embedded(text: &str) -> Option<String> {
    embedded_ipv4(text.parse().unwrap()).map(|address| address.to_string())
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> Option<T> {
    serde_json::from_value(value).ok()
}

#[test]
fn a_network_is_written_as_it_is_read() {
    for (text, wanted) in [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("255.255.255.255/32", "255.255.255.255/32"),
        ("128.0.0.0/1", "128.0.0.0/1"),
        ("::/0", "::/0"),
        ("::1/128", "::1/128"),
        ("2001:DB8:0:0::/32", "2001:db8::/32"),
        ("::ffff:10.0.0.0/104", "::ffff:10.0.0.0/104"),
        ("8000::/1", "8000::/1"),
    ] {
        assert_eq!(net(text).to_string(), wanted);
        assert_eq!(net(wanted), net(text));
        assert_eq!(serde_json::to_value(net(text)).unwrap(), json!(wanted));
        assert_eq!(read(json!(text)), Some(net(text)));
    }
    for (text, error) in [
        ("", NetError::Network),
        ("10.0.0.0", NetError::Network),
        ("10.0.0.0/", NetError::Network),
        ("/8", NetError::Network),
        ("10.0.0.0/33", NetError::Network),
        ("::/129", NetError::Network),
        ("10.0.0.0/256", NetError::Network),
        ("10.0.0.0/08", NetError::Network),
        ("10.0.0.0/00", NetError::Network),
        ("10.0.0.0/+8", NetError::Network),
        ("10.0.0.0/-8", NetError::Network),
        ("10.0.0.0/ 8", NetError::Network),
        ("10.0.0.0/8/8", NetError::Network),
        ("10.0.0.0/255.0.0.0", NetError::Network),
        ("10/8", NetError::Network),
        ("010.0.0.0/8", NetError::Network),
        ("0xa.0.0.0/8", NetError::Network),
        ("10.0.0.0.0/8", NetError::Network),
        ("[2001:db8::]/32", NetError::Network),
        ("fe80::%eth0/64", NetError::Network),
        ("a.example/8", NetError::Network),
        ("\u{ff11}0.0.0.0/8", NetError::Network),
        ("10.0.0.1/8", NetError::HostBits),
        ("10.0.0.1/31", NetError::HostBits),
        ("0.0.0.1/0", NetError::HostBits),
        ("2001:db8::1/127", NetError::HostBits),
        ("2001:db8::1/32", NetError::HostBits),
    ] {
        assert_eq!(text.parse::<IpNet>(), Err(error), "{text}");
        assert_eq!(read::<IpNet>(json!(text)), None, "{text}");
    }
    for bad in [json!(10), json!(null), json!(["10.0.0.0/8"]), json!({"10.0.0.0": 8})] {
        assert_eq!(read::<IpNet>(bad), None);
    }
}

#[test]
fn a_network_contains_what_begins_with_its_bits() {
    for (network, inside, outside) in [
        ("10.0.0.0/8", &["10.0.0.0", "10.255.255.255"][..], &["9.255.255.255", "11.0.0.0"][..]),
        ("0.0.0.0/0", &["0.0.0.0", "255.255.255.255"], &["::", "::ffff:1.2.3.4"]),
        ("1.2.3.4/32", &["1.2.3.4"], &["1.2.3.5", "1.2.3.3"]),
        ("1.2.3.4/30", &["1.2.3.4", "1.2.3.7"], &["1.2.3.3", "1.2.3.8"]),
        ("2001:db8::/32", &["2001:db8::", "2001:db8:ffff::1"], &["2001:db9::", "2001:db7::"]),
        ("::/0", &["::", "ffff::", "::ffff:1.2.3.4"], &["0.0.0.0", "1.2.3.4"]),
        ("::1/128", &["::1"], &["::", "::2", "0.0.0.1"]),
    ] {
        assert!(inside.iter().all(|address| net(network).contains(ip(address))), "{network}");
        assert!(!outside.iter().any(|address| net(network).contains(ip(address))), "{network}");
    }
    assert!(net("10.1.0.0/16").is_within(&net("10.0.0.0/8")));
    assert!(net("10.0.0.0/8").is_within(&net("10.0.0.0/8")));
    assert!(!net("10.0.0.0/8").is_within(&net("10.0.0.0/16")));
    assert!(!net("11.0.0.0/16").is_within(&net("10.0.0.0/8")));
    assert!(!net("0.0.0.0/0").is_within(&net("::/0")) && !net("::/0").is_within(&net("0.0.0.0/0")));
}

#[test]
fn ports_are_numbers_and_ranges() {
    for (value, text, inside, outside) in [
        (json!(443), "443", &[443][..], &[442, 444, 0][..]),
        (json!(1), "1", &[1], &[0, 2]),
        (json!(65535), "65535", &[65535], &[65534, 0]),
        (json!("8000-8080"), "8000-8080", &[8000, 8040, 8080], &[7999, 8081]),
        (json!("1-65535"), "1-65535", &[1, 65535], &[0]),
    ] {
        let range: PortRange = read(value.clone()).unwrap();
        assert_eq!(serde_json::to_value(range).unwrap(), value);
        assert_eq!((range.to_string().as_str(), text.parse()), (text, Ok(range)));
        assert!(inside.iter().all(|port| range.contains(*port)), "{text}");
        assert!(!outside.iter().any(|port| range.contains(*port)), "{text}");
    }
    assert_eq!(read::<PortRange>(json!("80-80")), read(json!(80)));
    for bad in [
        json!(0),
        json!(-1),
        json!(65536),
        json!(80.0),
        json!(80.5),
        json!(1e2),
        json!("80"),
        json!("0-80"),
        json!("80-0"),
        json!("81-80"),
        json!("80-65536"),
        json!("080-81"),
        json!("80-+81"),
        json!("80 -81"),
        json!("80--81"),
        json!("80-81-82"),
        json!("-80"),
        json!("80-"),
        json!("-"),
        json!(""),
        json!("http-https"),
        json!(null),
        json!([80, 81]),
        json!({"from": 80, "to": 81}),
    ] {
        assert_eq!(read::<PortRange>(bad.clone()), None, "{bad}");
        if let Some(text) = bad.as_str().filter(|text| *text != "80") {
            assert_eq!(text.parse::<PortRange>(), Err(NetError::Ports), "{bad}");
        }
    }
    for bad in ["0", "00", "080", "+80", "65536", "80,81"] {
        assert_eq!(bad.parse::<PortRange>(), Err(NetError::Ports), "{bad}");
    }
}

#[test]
fn http_methods_are_upper_case_tokens() {
    let refusal = |method: &str| {
        let constraints: Constraints = read(json!({"methods": [method]})).unwrap();
        let grant = cap_core::RootGrant {
            constraints,
            ..crate::support::root_grant(cap_core::ResourceType::Any, "*", json!({}))
        };
        let now = cap_testkit::strategy::granted_at();
        cap_core::Capability::grant(cap_testkit::strategy::id(0), grant, now).err()
    };
    let long = "A".repeat(256);
    for good in ["GET", "M-SEARCH", "VERSION-CONTROL", "X1", "!#$%&'*+-.^_`|~", long.as_str()] {
        assert_eq!(refusal(good), None, "{good}");
    }
    let longer = "A".repeat(257);
    for bad in [
        "",
        "get",
        "Get",
        "GET ",
        " GET",
        "GE T",
        "GET\r\nX: y",
        "GET/",
        "G\u{c9}T",
        "\0",
        "A:B",
        "(A)",
        "A,B",
        &longer,
    ] {
        assert!(refusal(bad).is_some(), "{bad}");
    }
}

#[test]
fn embedded_addresses_are_found_in_every_form() {
    for (text, wanted) in [
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("::ffff:0:10.1.2.3", "10.1.2.3"),
        ("::10.1.2.3", "10.1.2.3"),
        ("::2", "0.0.0.2"),
        ("64:ff9b::10.1.2.3", "10.1.2.3"),
        ("64:ff9b:1::10.1.2.3", "10.1.2.3"),
        ("64:ff9b:1:fffe::10.1.2.3", "10.1.2.3"),
        ("2002:a01:203::1", "10.1.2.3"),
        ("2002:a01:203:ffff:ffff:ffff:ffff:ffff", "10.1.2.3"),
        ("2001:0:102:304:0:0:f5fe:fdfc", "10.1.2.3"),
        ("2001::f5fe:fdfc", "10.1.2.3"),
        ("fe80::5efe:10.1.2.3", "10.1.2.3"),
        ("2606:4700::200:5efe:10.1.2.3", "10.1.2.3"),
        ("2002:808:808::5efe:10.1.2.3", "8.8.8.8"),
    ] {
        assert_eq!(embedded(text).as_deref(), Some(wanted), "{text}");
    }
    for text in [
        "::",
        "::1",
        "::1:10.1.2.3",
        "::fffe:10.1.2.3",
        "1::10.1.2.3",
        "1::ffff:10.1.2.3",
        "0:0:0:1:ffff:0:10.1.2.3",
        "::ffff:1:10.1.2.3",
        "64:ff9b::1:10.1.2.3",
        "64:ff9b:2::10.1.2.3",
        "64:ff9a::10.1.2.3",
        "65:ff9b::10.1.2.3",
        "2003:a01:203::1",
        "2001:1::f5fe:fdfc",
        "2001:db8::10.1.2.3",
        "fe80::100:5efe:10.1.2.3",
        "fe80::5eff:10.1.2.3",
        "fe80::300:5efe:10.1.2.3",
        "2606:4700::1",
    ] {
        assert_eq!(embedded(text), None, "{text}");
    }
}

/// First and last address of each special network, and the neighbours that are global.
#[test]
fn special_networks_end_where_the_registries_say() {
    for (first, last) in [
        ("0.0.0.0", "0.255.255.255"),
        ("10.0.0.0", "10.255.255.255"),
        ("100.64.0.0", "100.127.255.255"),
        ("127.0.0.0", "127.255.255.255"),
        ("169.254.0.0", "169.254.255.255"),
        ("172.16.0.0", "172.31.255.255"),
        ("192.0.0.0", "192.0.0.8"),
        ("192.0.0.11", "192.0.0.255"),
        ("192.0.2.0", "192.0.2.255"),
        ("192.88.99.2", "192.88.99.2"),
        ("192.168.0.0", "192.168.255.255"),
        ("198.18.0.0", "198.19.255.255"),
        ("198.51.100.0", "198.51.100.255"),
        ("203.0.113.0", "203.0.113.255"),
        ("224.0.0.0", "255.255.255.255"),
        ("::", "::ffff:0.255.255.255"),
        ("::ffff:10.0.0.0", "::ffff:10.255.255.255"),
        ("::ffff:224.0.0.0", "64:ff9b::0.255.255.255"),
        ("64:ff9b::10.0.0.0", "64:ff9b::10.255.255.255"),
        ("64:ff9b::224.0.0.0", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001::", "2001:1::"),
        ("2001:1::4", "2001:2:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:4::", "2001:4:111:ffff:ffff:ffff:ffff:ffff"),
        ("2001:4:113::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:40::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ] {
        let (first, last) = (ip(first), ip(last));
        assert!(is_special_purpose(first) && is_special_purpose(last), "{first} {last}");
        for neighbour in [before(first), after(last)].into_iter().flatten() {
            assert!(!is_special_purpose(neighbour), "{neighbour}, next to {first} and {last}");
        }
    }
}

fn before(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(it) => it.to_bits().checked_sub(1).map(|bits| Ipv4Addr::from_bits(bits).into()),
        IpAddr::V6(it) => it.to_bits().checked_sub(1).map(|bits| Ipv6Addr::from_bits(bits).into()),
    }
}

fn after(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(it) => it.to_bits().checked_add(1).map(|bits| Ipv4Addr::from_bits(bits).into()),
        IpAddr::V6(it) => it.to_bits().checked_add(1).map(|bits| Ipv6Addr::from_bits(bits).into()),
    }
}

#[test]
fn addresses_of_each_special_use_are_named_one_by_one() {
    for special in [
        "127.0.0.1",
        "169.254.169.254",
        "192.0.0.170",
        "233.252.0.1",
        "255.255.255.255",
        "::1",
        "::8.8.8.8",
        "::ffff:0:8.8.8.8",
        "64:ff9b:1::8.8.8.8",
        "64:ff9b:1:2::8.8.8.8",
        "100::1",
        "100:0:0:1::1",
        "2001:2::1",
        "2001:10::1",
        "2001:0:808:808::f7f7:f7f7",
        "2002:808:808::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:224.0.0.1",
        "64:ff9b::169.254.169.254",
        "2606:4700::5efe:10.1.2.3",
        "2606:4700::200:5efe:127.0.0.1",
    ] {
        assert!(is_special_purpose(ip(special)), "{special}");
    }
    for global in [
        "1.1.1.1",
        "8.8.8.8",
        "192.0.0.9",
        "192.0.0.10",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.99.1",
        "192.175.48.1",
        "2001:1::1",
        "2001:1::2",
        "2001:1::3",
        "2001:3::1",
        "2001:4:112::1",
        "2001:20::1",
        "2001:30::1",
        "2001:4860:4860::8888",
        "2606:4700::1111",
        "2620:4f:8000::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2606:4700::5efe:8.8.8.8",
    ] {
        assert!(!is_special_purpose(ip(global)), "{global}");
    }
}

#[test]
fn a_list_of_networks_admits_what_an_address_embeds_and_not_its_wrapping() {
    let admits = |networks: &[&str], address: &str| {
        let networks: Vec<IpNet> = networks.iter().map(|text| net(text)).collect();
        cidr_admits(&networks, ip(address))
    };
    for wrapped in [
        "10.1.2.3",
        "::ffff:10.1.2.3",
        "::ffff:0:10.1.2.3",
        "::10.1.2.3",
        "64:ff9b::10.1.2.3",
        "64:ff9b:1::10.1.2.3",
        "2002:a01:203::1",
        "fe80::5efe:10.1.2.3",
        "2001:0:a00:1::f5fe:fdfc",
    ] {
        assert!(admits(&["11.0.0.0/8", "10.0.0.0/8"], wrapped), "{wrapped}");
        assert!(!admits(&["11.0.0.0/8"], wrapped), "{wrapped}");
        assert!(!admits(&["::/0"], wrapped), "{wrapped}");
        assert!(!admits(&[], wrapped), "{wrapped}");
    }
    assert!(admits(&["::/0"], "::1") && admits(&["::1/128"], "::1") && admits(&["::/128"], "::"));
    assert!(admits(&["2001:db8::/32"], "2001:db8::1") && !admits(&["2001:db8::/32"], "2001:db9::"));
    assert!(!admits(&["0.0.0.0/0"], "2001:db8::1") && !admits(&["0.0.0.0/0"], "::1"));
    // Server and client of Teredo, the two of ISATAP in 6to4: each of them.
    let teredo = "2001:0:b00:1::f5fe:fdfc";
    assert!(admits(&["10.0.0.0/8", "11.0.0.0/8"], teredo));
    assert!(!admits(&["10.0.0.0/8"], teredo) && !admits(&["11.0.0.0/8"], teredo));
    let isatap = "2002:b00:1::5efe:10.1.2.3";
    assert!(admits(&["10.0.0.0/8", "11.0.0.0/8"], isatap));
    assert!(!admits(&["10.0.0.0/8"], isatap) && !admits(&["11.0.0.0/8"], isatap));
    // A translator may read an address of this prefix in four ways (RFC 6052 §2.2).
    let local = "64:ff9b:1:102:3:405:600:708";
    let readings = ["1.2.3.4/32", "2.3.4.5/32", "3.4.5.6/32", "6.0.7.8/32"];
    assert!(admits(&readings, local));
    for missing in readings {
        let others: Vec<&str> = readings.into_iter().filter(|it| *it != missing).collect();
        assert!(!admits(&others, local), "{missing}");
    }
    assert!(!admits(&["10.1.2.3/32"], "64:ff9b:1:a9fe:a9:fe00:a01:203"));
}

/// Networks and addresses that differ in five bits.
fn small(v6: bool, bits: u8) -> IpAddr {
    if v6 {
        Ipv6Addr::new(0x2606, 0, 0, 0, 0, 0, 0, u16::from(bits)).into()
    } else {
        Ipv4Addr::new(10, 0, 0, bits).into()
    }
}

fn small_net() -> impl Strategy<Value = (IpNet, Vec<IpAddr>)> {
    (any::<bool>(), 0_u8..32, 0_u8..=5).prop_map(|(v6, bits, free)| {
        let base = bits >> free << free;
        let length = if v6 { 128 } else { 32 } - free;
        let members = (base..base + (1 << free)).map(|bits| small(v6, bits)).collect();
        (net(&format!("{}/{length}", small(v6, base))), members)
    })
}

fn small_addresses() -> impl Iterator<Item = IpAddr> {
    (0..64).map(|bits| small(bits < 32, bits % 32))
}

proptest! {
    #[test]
    fn networks_are_sets_of_addresses((a, mine) in small_net(), (b, theirs) in small_net()) {
        for address in small_addresses() {
            prop_assert_eq!(a.contains(address), mine.contains(&address));
            let both = mine.contains(&address) || theirs.contains(&address);
            prop_assert_eq!(cidr_admits(&[a, b], address), both);
        }
        let within = mine.iter().all(|address| theirs.contains(address));
        prop_assert_eq!(a.is_within(&b), within, "{} {}", a, b);
        prop_assert_eq!(a == b, within && b.is_within(&a));
    }

    #[test]
    fn port_ranges_are_sets_of_ports(a in (1_u16..20, 0_u16..20), b in (1_u16..20, 0_u16..20)) {
        let range = |(first, more): (u16, u16)| {
            (format!("{first}-{}", first + more).parse::<PortRange>().unwrap(), first..=first + more)
        };
        let ((a, mine), (b, theirs)) = (range(a), range(b));
        prop_assert!((0..=50).all(|port| a.contains(port) == mine.contains(&port)));
        prop_assert_eq!(a.is_within(&b), mine.clone().all(|port| theirs.contains(&port)));
        prop_assert_eq!(a.to_string().parse(), Ok(a));
        prop_assert_eq!(read(serde_json::to_value(a).unwrap()), Some(a));
    }

    #[test]
    fn networks_are_read_as_they_are_written(address: IpAddr, length in 0_u8..=128) {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let length = length % (bits + 1);
        let free = u32::from(bits - length);
        let base: IpAddr = match address {
            IpAddr::V4(it) => Ipv4Addr::from_bits(it.to_bits().checked_shr(free).unwrap_or(0).checked_shl(free).unwrap_or(0)).into(),
            IpAddr::V6(it) => Ipv6Addr::from_bits(it.to_bits().checked_shr(free).unwrap_or(0).checked_shl(free).unwrap_or(0)).into(),
        };
        let network = net(&format!("{base}/{length}"));
        prop_assert!(network.contains(address) && network.contains(base));
        prop_assert_eq!(network.to_string().parse(), Ok(network));
        prop_assert_eq!(format!("{address}/{length}").parse::<IpNet>().is_ok(), address == base);
    }

    #[test]
    fn what_embeds_a_special_address_is_special_and_is_not_admitted_for_its_wrapping(v4: Ipv4Addr, high: u64) {
        let [a, b, c, d] = v4.octets();
        let (left, right) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let prefix = Ipv6Addr::from_bits(u128::from(high) << 64).segments();
        let every: IpNet = "::/0".parse().unwrap();
        for wrapped in [
            v4.to_ipv6_mapped(),
            Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, left, right),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, left, right),
            Ipv6Addr::new(0x64, 0xff9b, 1, prefix[3], 0, 0, left, right),
            Ipv6Addr::new(0x2002, left, right, prefix[3], 0, 0, 0, 1),
            Ipv6Addr::new(0x2001, 0, prefix[2], prefix[3], 0, 0, !left, !right),
            Ipv6Addr::new(prefix[0], prefix[1], prefix[2], prefix[3], 0, 0x5efe, left, right),
            Ipv6Addr::new(prefix[0], prefix[1], prefix[2], prefix[3], 0x200, 0x5efe, left, right),
        ] {
            prop_assert!(embedded_ipv4(wrapped).is_some());
            prop_assert!(!is_special_purpose(v4.into()) || is_special_purpose(wrapped.into()));
            prop_assert!(!cidr_admits(&[every], wrapped.into()));
        }
    }
}
