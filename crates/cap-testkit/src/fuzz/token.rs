//! Bodies for what travels beside capability tokens: key sets, status lists, revocations, chains.

pub(super) mod seeds;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cap_crypto::{Signer as _, SigningKey, sha256};
use cap_token::chain::{
    ChainPolicy, ChainVerifier, Constraint, Presentation, Tools, TrustAnchor, Untracked,
};
use cap_token::{
    Epoch, ForeignKeys, Jwks, MAX_JWKS_BYTES, MAX_JWKS_KEYS, MAX_STATUSES, Publisher,
    REVOCATION_DOMAIN, RevocationSet, StatusListToken,
};
use chrono::{DateTime, Utc};

/// The instant of every body here.
const NOW: i64 = 1_704_067_500;
const ISSUER: &str = "https://auth.example.com";
const STATUS_URI: &str = "https://auth.example.com/statuslists/1";

/// A key set that is read has each name once, within the bounds, and is written back as it was
/// read.
pub fn jwks(data: &[u8]) {
    let Ok(ForeignKeys { keys, skipped, .. }) = ForeignKeys::parse(data) else { return };
    assert!(data.len() <= MAX_JWKS_BYTES && keys.len() + skipped <= MAX_JWKS_KEYS);
    let written = Jwks::new(&keys, Duration::ZERO);
    let again = ForeignKeys::parse(written.as_bytes()).unwrap();
    assert_eq!((again.keys.len(), again.skipped), (keys.len(), 0));
    assert!(keys.iter().all(|key| again.keys.contains(key)));
    assert_eq!(Jwks::new(&again.keys, Duration::ZERO), written);
    assert!(keys.iter().all(|key| key.verify(b"message", &[0; 64]).is_err()));
}

/// A status list token: as it comes, as claims that are signed, and as the list inside one.
pub fn status_list(data: &[u8]) {
    let key = key(1);
    let keys = [key.key().clone()];
    let read = |token: &str| StatusListToken::read(token, STATUS_URI, &keys, Duration::ZERO, now());
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(read(text).is_err(), "nobody has signed it");
    }
    let claims = format!(
        r#"{{"sub":"{STATUS_URI}","iat":0,"exp":9999999999,"status_list":{{"bits":1,"lst":"{}"}}}}"#,
        URL_SAFE_NO_PAD.encode(data)
    );
    let header =
        format!(r#"{{"alg":"EdDSA","kid":"{}","typ":"statuslist+jwt"}}"#, key.key().id().as_str());
    for claims in [data, claims.as_bytes()] {
        if let Ok(list) = read(&signed(&header, claims, 1)) {
            assert!(list.expires_at() > now() && list.issued_at() <= now());
            assert!(list.status(0).is_some());
            assert_eq!(list.status(MAX_STATUSES), None);
        }
    }
}

/// A document of revocations: as it comes, as a body that is signed, and as the lists of one. What
/// is accepted is exactly what the set that it makes is written as.
pub fn revocation_snapshot(data: &[u8]) {
    let key = key(1);
    let publisher = Publisher::for_everything(ISSUER, vec![key.key().clone()]);
    assert!(RevocationSet::new().import(data, &publisher, now()).is_err(), "nobody has signed it");
    let header = revocation_header(&key);
    for body in [data.to_vec(), [&header, data].concat()] {
        let signature = key.sign(&[REVOCATION_DOMAIN, &sha256(&body)].concat()).unwrap();
        let length = u16::try_from(signature.len()).unwrap().to_be_bytes();
        let document = [&body[..], &signature, &length].concat();
        let imported = RevocationSet::new().import(&document, &publisher, now());
        if let Ok(set) = RevocationSet::restore(&document, &publisher, Epoch(0), now()) {
            assert!(imported.unwrap() < set.epoch(), "an epoch means one thing");
            let again = set.export_snapshot(ISSUER, &key, now()).unwrap();
            // The instant and the key in the header are free, and the epochs are others.
            let lists = |document: &[u8]| document[header.len()..document.len() - 66].to_vec();
            let is_ours = body.starts_with(&header);
            assert!(!is_ours || lists(&again) == lists(&document), "a set is written in one way");
        }
    }
}

/// What stands before the lists of a snapshot of epoch 1.
fn revocation_header(key: &SigningKey) -> Vec<u8> {
    let text = |text: &str| {
        [&u16::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()
    };
    [
        b"CRV1\0".to_vec(),
        text(ISSUER),
        text(key.key().id().as_str()),
        NOW.to_be_bytes().to_vec(),
        0_u64.to_be_bytes().to_vec(),
        1_u64.to_be_bytes().to_vec(),
    ]
    .concat()
}

/// An attenuating chain: its readers, and the verifier on claims that are signed here.
///
/// Four texts between line feeds: the claims of a root, of its child and of a proof, and arguments;
/// the first two are taken as constraints, too, and the third as a value.
pub fn chain(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = Presentation::from_json(text);
    let _ = Tools::from_json(text);
    if let Ok(constraint) = Constraint::from_json(text) {
        assert_eq!(Constraint::from_json(&constraint.to_json()).as_ref(), Ok(&constraint));
        assert!(constraint.subsumes(&constraint));
    }
    let parts: Vec<&str> = text.splitn(4, '\n').collect();
    if let [parent, child, value, ..] = parts[..]
        && let (Ok(parent), Ok(child)) =
            (Constraint::from_json(parent), Constraint::from_json(child))
        && parent.subsumes(&child)
        && child.check_json(value) == Ok(true)
    {
        assert_eq!(parent.check_json(value), Ok(true));
    }
    if let [root, child, proof, arguments] = parts[..] {
        chain_is_verified_as_it_was_before(root, child, proof, arguments);
    }
}

/// The keys are those of the published vectors: an issuer, an agent and its helper.
fn chain_is_verified_as_it_was_before(root: &str, child: &str, proof: &str, arguments: &str) {
    let token = |claims: &str, signer| {
        signed(r#"{"alg":"Ed25519","typ":"aat+jwt"}"#, claims.as_bytes(), signer)
    };
    let tokens = [token(root, 1), token(child, 2)];
    let anchor = TrustAnchor { issuer: ISSUER.into(), key: key(1).key().clone() };
    let policy = ChainPolicy::new([anchor]).with_extensions();
    let verifier = ChainVerifier::new(policy).unwrap();
    for (length, holder) in [(1, 2), (2, 3)] {
        let header = r#"{"alg":"Ed25519","typ":"aat-pop+jwt"}"#;
        let presentation = Presentation {
            aat_chain: tokens[..length].to_vec(),
            aat_pop: signed(header, proof.as_bytes(), holder),
        };
        let verify = || {
            let verified =
                verifier.verify(&presentation, "read_file", arguments, &Untracked, now());
            verified.map(|chain| chain.arguments().to_owned())
        };
        assert_eq!(verify(), verify(), "out of the cache as afresh");
    }
}

fn signed(header: &str, claims: &[u8], signer: u8) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let input = format!("{}.{}", encode(header.as_bytes()), encode(claims));
    let signature = key(signer).sign(input.as_bytes()).unwrap();
    format!("{input}.{}", encode(&signature))
}

fn key(number: u8) -> SigningKey {
    SigningKey::from_ed25519_seed(&[number; 32]).unwrap()
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(NOW, 0).unwrap()
}
