use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cap_crypto::{RandomError, SecureRandom, Signer as _, SigningKey, sha256};
use cap_token::{
    DEFAULT_TTL, Epoch, IssueError, Issued, Issuer, MAX_STATUS_LIST_CHARS, MAX_STATUSES, MAX_TTL,
    MalformedToken, Part, ReadStatusListError, RevocationSet, RevocationTarget, SavedStatusList,
    Status, StatusList, StatusListError, StatusListLifetime, StatusListToken, TokenRequest,
    ValidateError, Validator, VerifiedToken,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::revocation::key;
use crate::support::{AUDIENCE, Bench, ISSUER, delegated, ed25519, granted, id, now};

mod claim;
mod restart;

const URI: &str = "https://issuer.example/statuslists/1";
const LEEWAY: Duration = Duration::from_secs(300);

/// §4.1 of the draft: 0xb9 0xa3.
const SIXTEEN: &str = "eNrbuRgAAhcBXQ";

/// Appendix C.1 of the draft: 2²⁰ statuses.
const MILLION: &str = concat!(
    "eNrt3AENwCAMAEGogklACtKQPg9LugC9k_ACvreiogEAAKkeCQAAAAAAAAAAAAAAAAAAAIBylgQAAAAA",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAXG9IAAAAAAAAAPwsJAAAAAAAAAAAAAAA",
    "vhsSAAAAAAAAAAAA7KpLAAAAAAAAAAAAAAAAAAAAAJsLCQAAAAAAAAAAADjelAAAAAAAAAAAKjDMAQAA",
    "AACAZC8L2AEb",
);

fn at(seconds: i64) -> DateTime<Utc> {
    now() + TimeDelta::seconds(seconds)
}

fn list(statuses: u32) -> StatusList {
    StatusList::new(URI, ISSUER, statuses).unwrap()
}

/// No two of its answers are the same.
#[derive(Debug, Default)]
struct Counting(AtomicU64);

impl SecureRandom for Counting {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        let bytes = sha256(&self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        out.copy_from_slice(&bytes[..out.len()]);
        Ok(())
    }
}

/// A token in the list, for the capability of this number below that of number 1.
fn issue(list: &StatusList, number: u8, random: &Counting) -> Result<VerifiedToken, IssueError> {
    let keys = ed25519(1);
    let capability = delegated(&granted(now()), number, "bob");
    let token = Issuer::new(ISSUER, AUDIENCE, &keys).listed_in(list).issue(
        &capability,
        &[id(1)],
        DEFAULT_TTL,
        random,
        now(),
    )?;
    let validator = Validator::new(AUDIENCE).trust(ISSUER, keys.active_key());
    Ok(validator.validate(&token, now()).unwrap())
}

fn index(token: &VerifiedToken) -> u32 {
    let status = token.status().unwrap();
    assert_eq!(status.uri(), URI);
    status.index()
}

fn export(list: &StatusList, set: &RevocationSet) -> String {
    list.export(set, &key(1), StatusListLifetime::default(), now()).unwrap()
}

fn read(token: &str) -> Result<StatusListToken, ReadStatusListError> {
    StatusListToken::read(token, URI, &[key(1).key().clone()], LEEWAY, now())
}

/// Any header and payload, honestly signed.
fn sign(header: &Value, claims: &str, key: &SigningKey) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let input = format!("{}.{}", encode(&header.to_string()), encode(claims));
    let signature = key.sign(input.as_bytes()).unwrap();
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn header() -> Value {
    json!({"alg": "EdDSA", "kid": key(1).key().id().as_str(), "typ": "statuslist+jwt"})
}

fn claims() -> Value {
    json!({
        "sub": URI,
        "iat": now().timestamp(),
        "exp": now().timestamp() + 3600,
        "ttl": 900,
        "status_list": {"bits": 1, "lst": SIXTEEN},
    })
}

fn read_claims(claims: &Value) -> Result<StatusListToken, ReadStatusListError> {
    read(&sign(&header(), &claims.to_string(), &key(1)))
}

#[test]
fn the_drafts_own_lists_are_read_bit_by_bit() {
    let list = read_claims(&claims()).unwrap();
    let invalid: Vec<u32> =
        (0..16).filter(|index| list.status(*index) == Some(Status::Invalid)).collect();
    assert_eq!(invalid, [0, 3, 4, 5, 7, 8, 9, 13, 15]);
    assert_eq!(list.status(16), None);
    assert_eq!(list.status(u32::MAX), None);
    assert_eq!((list.issued_at(), list.expires_at()), (now(), at(3600)));
    assert_eq!(list.refresh_after(), Some(Duration::from_secs(900)));
    let mut million = claims();
    million["status_list"]["lst"] = MILLION.into();
    let list = read_claims(&million).unwrap();
    let invalid: Vec<u32> =
        (0..1 << 20).filter(|index| list.status(*index) == Some(Status::Invalid)).collect();
    let expected =
        [0, 1993, 25_460, 159_495, 495_669, 554_353, 645_645, 723_232, 854_545, 934_534, 1_000_345];
    assert_eq!(invalid, expected);
    assert_eq!(list.status(1 << 20), None);
}

#[test]
fn a_list_says_of_each_token_whether_it_was_revoked() {
    let (list, random) = (list(1024), Counting::default());
    let set = RevocationSet::new();
    let tokens: Vec<_> =
        (0..100).map(|number| issue(&list, number + 10, &random).unwrap()).collect();
    let indices: Vec<u32> = tokens.iter().map(index).collect();
    let mut different = indices.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), 100);
    assert_ne!(different, indices, "they tell who came after whom");
    set.revoke(RevocationTarget::Token(tokens[3].token_id()), Some(at(900)), now()).unwrap();
    set.revoke(RevocationTarget::Capability(id(15)), Some(at(900)), now()).unwrap();
    let statuses = |read: &StatusListToken| -> Vec<usize> {
        let invalid = |number: &usize| read.status(indices[*number]) == Some(Status::Invalid);
        (0..100).filter(invalid).collect()
    };
    let first = read(&export(&list, &set)).unwrap();
    assert_eq!(statuses(&first), [3, 5]);
    let all = (0..1024).filter(|index| first.status(*index) == Some(Status::Invalid)).count();
    assert_eq!(all, 2);
    assert_eq!(first.status(1024), None);
    // What is invalid stays so, whatever is forgotten.
    set.cleanup(at(100_000));
    assert_eq!(list.cleanup(at(900) + TimeDelta::from_std(MAX_TTL).unwrap()), 0);
    assert_eq!(list.cleanup(at(901) + TimeDelta::from_std(MAX_TTL).unwrap()), 100);
    assert_eq!(statuses(&read(&export(&list, &set)).unwrap()), [3, 5]);
    // And no index is given away twice.
    for _ in 100..1024 {
        different.push(index(&issue(&list, 2, &random).unwrap()));
    }
    different.sort_unstable();
    assert!(different.into_iter().eq(0..1024));
    let full = IssueError::Status(StatusListError::Full);
    assert_eq!(issue(&list, 2, &random), Err(full));
}

#[test]
fn a_list_refuses_what_it_cannot_say() {
    for bad in [0, 1, 12, MAX_STATUSES + 8, u32::MAX] {
        assert_eq!(StatusList::new(URI, ISSUER, bad).err(), Some(StatusListError::Size), "{bad}");
    }
    let (list, random) = (list(8), Counting::default());
    let other = StatusList::new(URI, "https://other.example", 8).unwrap();
    let refused = IssueError::Status(StatusListError::Issuer);
    assert_eq!(issue(&other, 2, &random), Err(refused));
    let listed = index(&issue(&list, 2, &random).unwrap());
    let behind = RevocationSet::new();
    behind.raise_floor(ISSUER, Epoch(1));
    let lifetime = StatusListLifetime::default();
    assert_eq!(list.export(&behind, &key(1), lifetime, now()), Err(StatusListError::Behind));
    let set = RevocationSet::new();
    let second = Duration::from_secs(1);
    for (expires_in, refresh_after, now) in [
        (Duration::from_millis(999), second, now()),
        (second, Duration::ZERO, now()),
        (Duration::MAX, second, now()),
        (second, second, DateTime::<Utc>::MIN_UTC),
        (second, second, DateTime::<Utc>::MAX_UTC),
    ] {
        let lifetime = StatusListLifetime { expires_in, refresh_after };
        assert_eq!(
            list.export(&set, &key(1), lifetime, now),
            Err(StatusListError::Lifetime),
            "{lifetime:?}"
        );
    }
    assert_eq!(read(&export(&list, &set)).unwrap().status(listed), Some(Status::Valid));
}

#[test]
fn the_largest_list_fits_however_badly_it_is_compressed() {
    let list = list(MAX_STATUSES);
    let text = export(&list, &RevocationSet::new());
    assert!(text.len() < 4096, "{}", text.len());
    assert_eq!(read(&text).unwrap().status(MAX_STATUSES - 1), Some(Status::Valid));
    // Bits without any order.
    let mut state = 1_u64;
    let bits: Vec<u8> = (0..MAX_STATUSES / 8)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect();
    let mut claims = claims();
    let list = miniz_oxide::deflate::compress_to_vec_zlib(&bits, 1);
    claims["status_list"]["lst"] = URL_SAFE_NO_PAD.encode(list).into();
    let text = sign(&header(), &claims.to_string(), &key(1));
    assert!(text.len() < MAX_STATUS_LIST_CHARS, "{}", text.len());
    let read = read(&text).unwrap();
    for index in [0, 1, 777_777, MAX_STATUSES - 1] {
        let bit = bits[usize::try_from(index / 8).unwrap()] >> (index % 8) & 1;
        let expected = if bit == 1 { Status::Invalid } else { Status::Valid };
        assert_eq!(read.status(index), Some(expected));
    }
}

#[test]
fn a_list_that_is_too_long_inside_is_refused() {
    let with = |bytes: &[u8]| {
        let mut claims = claims();
        claims["status_list"]["lst"] = URL_SAFE_NO_PAD.encode(bytes).into();
        read_claims(&claims)
    };
    let compress = |bits: &[u8]| miniz_oxide::deflate::compress_to_vec_zlib(bits, 9);
    let most = usize::try_from(MAX_STATUSES / 8).unwrap();
    assert!(with(&compress(&vec![0; most])).is_ok());
    let bomb = compress(&vec![0; 1 << 28]);
    assert!(bomb.len() < 300_000, "{}", bomb.len());
    let good = compress(&[1, 2, 3]);
    assert!(with(&good).is_ok());
    let mut trailing = good.clone();
    trailing.push(0);
    let mut checksum = good.clone();
    *checksum.last_mut().unwrap() ^= 1;
    let raw = miniz_oxide::deflate::compress_to_vec(&[1, 2, 3], 9);
    for bad in [
        compress(&vec![0; most + 1]),
        bomb,
        compress(&[]),
        trailing,
        checksum,
        raw,
        good[..good.len() - 1].to_vec(),
        [good.clone(), good.clone()].concat(),
        vec![],
        vec![0x78],
    ] {
        assert_eq!(with(&bad), Err(ReadStatusListError::Compression), "{} bytes", bad.len());
    }
    let huge = "A".repeat(MAX_STATUS_LIST_CHARS + 1);
    assert_eq!(read(&huge), Err(ReadStatusListError::TooLarge));
}

#[test]
fn every_claim_has_its_type() {
    type Refused = ReadStatusListError;
    let cases: [(&str, Value, Refused); 29] = [
        ("sub", Value::Null, Refused::Claim("sub")),
        ("sub", json!(["https://issuer.example/statuslists/1"]), Refused::Claim("sub")),
        ("sub", json!("https://issuer.example/statuslists/2"), Refused::Subject),
        ("iat", Value::Null, Refused::Claim("iat")),
        ("iat", json!("1767225600"), Refused::Claim("iat")),
        ("iat", json!(1_767_225_600.5), Refused::Claim("iat")),
        ("iat", json!(-1), Refused::Claim("iat")),
        ("iat", json!(1_767_225_901), Refused::IssuedInFuture),
        ("nbf", json!("1767225600"), Refused::Claim("nbf")),
        ("nbf", json!(-1), Refused::Claim("nbf")),
        ("nbf", json!(1.5), Refused::Claim("nbf")),
        ("nbf", json!(1_767_225_901), Refused::NotYetValid),
        ("exp", Value::Null, Refused::Claim("exp")),
        ("exp", json!(1e300), Refused::Claim("exp")),
        ("exp", json!(u64::MAX), Refused::Claim("exp")),
        ("exp", json!(true), Refused::Claim("exp")),
        ("exp", json!(1_767_225_300), Refused::Expired),
        ("ttl", json!(0), Refused::Claim("ttl")),
        ("ttl", json!(-5), Refused::Claim("ttl")),
        ("ttl", json!("900"), Refused::Claim("ttl")),
        ("status_list", Value::Null, Refused::Claim("status_list")),
        ("status_list", json!([]), Refused::Claim("status_list")),
        ("status_list", json!({"lst": SIXTEEN}), Refused::Claim("bits")),
        ("status_list", json!({"bits": "1", "lst": SIXTEEN}), Refused::Claim("bits")),
        ("status_list", json!({"bits": 2, "lst": SIXTEEN}), Refused::Bits),
        ("status_list", json!({"bits": 0, "lst": SIXTEEN}), Refused::Bits),
        ("status_list", json!({"bits": 1}), Refused::Claim("lst")),
        ("status_list", json!({"bits": 1, "lst": [1]}), Refused::Claim("lst")),
        ("status_list", json!({"bits": 1, "lst": "eNrbuRgAAhcBXQ=="}), Refused::Claim("lst")),
    ];
    for (name, value, refused) in cases {
        let mut altered = claims();
        altered[name] = value.clone();
        assert_eq!(read_claims(&altered), Err(refused), "{name}: {value}");
        if value.is_null() {
            altered.as_object_mut().unwrap().remove(name);
            assert_eq!(read_claims(&altered), Err(refused), "without {name}");
        }
    }
    let mut free = claims();
    free["iss"] = json!({"anything": 1});
    free.as_object_mut().unwrap().remove("ttl");
    free["nbf"] = json!(1_767_225_900);
    free["status_list"]["aggregation_uri"] = json!("https://issuer.example/lists");
    assert_eq!(read_claims(&free).unwrap().refresh_after(), None);
    let text = claims().to_string();
    let twice = [
        text.replacen("{", r#"{"sub":"x","#, 1),
        text.replacen(r#"{"bits""#, r#"{"bits":1,"bits""#, 1),
        text.replacen("{", r#"{"status_list":{},"#, 1),
        text.replacen("{", r#"{"other":1,"other":1,"#, 1),
    ];
    for twice in twice {
        assert_ne!(twice, text);
        let refused = read(&sign(&header(), &twice, &key(1)));
        assert_eq!(refused, Err(MalformedToken::Duplicate(Part::Claims).into()), "{twice}");
    }
}

#[test]
fn only_a_trusted_key_speaks_and_only_as_a_status_list() {
    let claims = claims().to_string();
    let with = |name: &str, value: Value| {
        let mut header = header();
        header[name] = value;
        read(&sign(&header, &claims, &key(1)))
    };
    assert!(with("typ", "application/StatusList+JWT".into()).is_ok());
    assert!(with("jwk", json!({"kty": "OKP"})).is_ok());
    type Refused = ReadStatusListError;
    for (name, value, refused) in [
        ("typ", json!("at+jwt"), Refused::Header("typ")),
        ("typ", json!("JWT"), Refused::Header("typ")),
        ("typ", json!(null), Refused::Header("typ")),
        ("alg", json!("none"), Refused::AlgorithmOfKey),
        ("alg", json!("HS256"), Refused::AlgorithmOfKey),
        ("alg", json!("RS256"), Refused::AlgorithmOfKey),
        ("alg", json!(["EdDSA"]), Refused::Header("alg")),
        ("kid", json!("../other"), Refused::UnknownKey),
        ("kid", json!(1), Refused::Header("kid")),
        ("crit", json!([]), Refused::Header("crit")),
        ("b64", json!(false), Refused::Header("b64")),
    ] {
        assert_eq!(with(name, value.clone()), Err(refused), "{name}: {value}");
    }
    // A header that is too long is not even looked at.
    assert_eq!(with("kid", "k".repeat(4096).into()), Err(Refused::TooLarge));
    let stranger = key(2).with_id(key(1).key().id().clone());
    assert_eq!(read(&sign(&header(), &claims, &stranger)), Err(Refused::Signature));
    let good = sign(&header(), &claims, &key(1));
    assert!(read(&good).is_ok());
    for at in 0..good.len() {
        let other = if &good[at..=at] == "A" { "B" } else { "A" };
        let changed = format!("{}{other}{}", &good[..at], &good[at + 1..]);
        assert!(read(&changed).is_err(), "at {at}");
        assert!(read(&good[..at]).is_err(), "cut at {at}");
    }
    for bad in ["", ".", "..", "a.b", &format!("{good}."), &format!("{good}=")] {
        assert!(matches!(read(bad), Err(Refused::Malformed(_))), "{bad}");
    }
    assert_eq!(StatusListToken::read(&good, URI, &[], LEEWAY, now()), Err(Refused::UnknownKey));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// What is tracked and revoked is what is read, whatever indices chance gives.
    #[test]
    fn a_list_is_read_as_it_was_written(
        size in 1..12_u32,
        tokens in prop::collection::vec(any::<bool>(), 0..60),
        seed in 0..1_000_000_u64,
    ) {
        let (list, random) = (list(size * 8), Counting(AtomicU64::new(seed)));
        let set = RevocationSet::new();
        let mut expected = std::collections::BTreeMap::new();
        for revoked in &tokens {
            match issue(&list, 2, &random) {
                Ok(token) => {
                    prop_assert!(index(&token) < size * 8);
                    prop_assert_eq!(expected.insert(index(&token), *revoked), None);
                    if *revoked {
                        let target = RevocationTarget::Token(token.token_id());
                        set.revoke(target, None, now()).unwrap();
                    }
                }
                Err(full) => {
                    prop_assert_eq!(full, IssueError::Status(StatusListError::Full));
                    prop_assert_eq!(expected.len(), usize::try_from(size * 8).unwrap());
                }
            }
        }
        let read = read(&export(&list, &set)).unwrap();
        for index in 0..size * 8 {
            let invalid = expected.get(&index) == Some(&true);
            let status = if invalid { Status::Invalid } else { Status::Valid };
            prop_assert_eq!(read.status(index), Some(status));
        }
        prop_assert_eq!(read.status(size * 8), None);
    }
}
