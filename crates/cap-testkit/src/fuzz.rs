//! The bodies of the fuzz targets: any bytes, into what reads bytes from outside.
//!
//! A body returns when nothing is wrong, and panics when something is. What is refused is fine;
//! what is read must keep the promises of its reader.

mod argv;
mod capability;
mod meet;
mod message;
mod path;
mod request;
pub mod seeds;
mod token;
mod url;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cap_audit::{Keys, VerifyKeys, parse_line, verify_bytes};
use cap_core::{Capability, CapabilityId};
use cap_crypto::{MacKeyring, Purpose, RandomError, SecureRandom, SigningKeyring};
use cap_token::{Issuer, ValidateError, Validator, VerifiedToken, inspect};
use mcp_guard::policy::Policy;

pub use self::token::{chain, jwks, revocation_snapshot, status_list};
use crate::strategy::granted_at;

/// A capability that is read is written back as it was read, permits what the naive model says,
/// and passes on nothing that it does not have.
pub fn capability_decode(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(capability) = Capability::from_json(text) {
        capability::round_trips(&capability);
        capability::agrees_with_the_model(&capability);
        capability::delegates_no_more_than_it_has(&capability);
    }
}

/// A path that is read is resolved, and a pattern means the paths that the naive model says.
///
/// Texts between bytes `FF`: patterns and paths, each taken as both.
pub fn path_resolve(data: &[u8]) {
    let Some(texts) = texts(data) else { return };
    let paths: Vec<_> = texts.iter().filter_map(|text| path::is_resolved(text)).collect();
    let patterns: Vec<_> =
        texts.iter().filter_map(|text| Some((*text, path::round_trips(text)?))).collect();
    for path in &paths {
        for (text, pattern) in &patterns {
            path::means(text, pattern, path);
            for (_, upper) in &patterns {
                path::is_included(pattern, upper, path);
            }
        }
    }
}

/// A URL that is read has the host that the `url` crate gives it, and patterns, ports and
/// addresses are judged as the naive model judges them.
///
/// Texts between bytes `FF`: a URL, then patterns, hosts and addresses.
pub fn url_parse(data: &[u8]) {
    let Some(texts) = texts(data) else { return };
    let Some((first, others)) = texts.split_first() else { return };
    let Some(target) = url::is_read_once(first) else { return };
    let addresses: Vec<_> = others.iter().filter_map(|text| text.parse().ok()).collect();
    url::is_judged_as_the_model_judges(&target, &addresses);
    let mut patterns = Vec::new();
    for text in others {
        url::domain_means(text, &target);
        patterns.extend(url::pattern_means(text, &target));
    }
    for lower in &patterns {
        for upper in &patterns {
            url::is_included(lower, upper, &target);
        }
    }
}

/// Rules for the arguments of programs permit what the naive model says, and nothing hidden.
///
/// Vectors of texts between bytes `FF`, parted by `FE`: a call, then what may be called.
pub fn argv_match(data: &[u8]) {
    if let Some(case) = argv::Case::new(data) {
        argv::agrees_with_the_model(&case);
    }
}

/// The meet of two capabilities permits what the naive model says that both permit, and is written
/// the same whatever the order.
///
/// Lines, each a capability or a request.
pub fn constraint_meet(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lines = || text.lines().take(32);
    let capabilities: Vec<_> = lines().filter_map(meet::Read::new).take(4).collect();
    let requests: Vec<_> = lines().filter_map(request::read).collect();
    for (at, a) in capabilities.iter().enumerate() {
        for b in &capabilities[at..] {
            meet::is_canonical(a, b);
            for (request, now) in &requests {
                meet::agrees_with_the_model(a, b, request, *now);
            }
        }
    }
}

/// A message that is read can be answered, ruled on, filtered and stripped of its evidence without
/// becoming another message.
pub fn message_read(data: &[u8]) {
    for line in data.split(|byte| *byte == b'\n') {
        message::is_read_safely(line);
    }
}

/// A session that a policy was read with can be granted, at any time.
pub fn policy_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(policy) = Policy::parse(text) else { return };
    let Some(grant) = policy.session(granted_at()) else { return };
    let id = CapabilityId::new([7; 10], granted_at());
    let granted = Capability::grant(id, grant, granted_at()).unwrap();
    capability::round_trips(&granted);
}

/// A tool table that is read derives requests whose paths are what the server will read.
pub fn tool_table(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(table) = toml::from_str(text) {
        message::table_derives_safely(&table);
    }
}

/// A log that is good is not good any more once a byte of it is another.
pub fn audit_read(data: &[u8]) {
    for line in data.split(|byte| *byte == b'\n') {
        if let Ok(entry) = parse_line(line) {
            let start = format!("{{\"seq\":{},\"prev\":\"{}\"", entry.seq, entry.prev);
            assert!(line.starts_with(start.as_bytes()), "{}", line.escape_ascii());
        }
    }
    let good = verify_bytes(data, None, verify_keys());
    let lines = data.split(|byte| *byte == b'\n').count() as u64;
    assert!(good.records < lines && good.checkpoints + good.unsigned <= good.records);
    let held: usize = data
        .split_inclusive(|byte| *byte == b'\n')
        .take(usize::try_from(good.records).unwrap())
        .map(<[u8]>::len)
        .sum();
    if held > 0 {
        let mut changed = data[..held].to_vec();
        let at = data.iter().fold(data.len(), |at, byte| at.wrapping_mul(31) + usize::from(*byte));
        changed[at % held] ^= 1 << (at % 8);
        let bad = verify_bytes(&changed, None, verify_keys());
        assert!(bad.fault.is_some() && bad.records < good.records, "{bad:?}");
    }
}

/// A token that is not signed is not accepted; a signed one is accepted for what it says, at its
/// time and for its audience only.
pub fn token_validate(data: &[u8]) {
    let guard = validator("guard");
    if let Ok(text) = std::str::from_utf8(data) {
        let accepted = guard.validate(text, granted_at()).is_ok();
        assert!(!accepted || inspect(text).is_ok());
    }
    // As the header of good claims, and as the claims under a good header.
    let _ = guard.validate(&signed(data, seeds::claims()), granted_at());
    let kid = signers().tokens.active();
    let header = format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"at+jwt"}}"#);
    let token = signed(header.as_bytes(), data);
    let Ok(verified) = guard.validate(&token, granted_at()) else { return };
    assert!(inspect(&token).is_ok());
    capability::round_trips(verified.capability());
    assert_eq!(verified.issuer(), ISSUER);
    let after = verified.expires_at() + cap_token::DEFAULT_LEEWAY;
    assert_eq!(guard.validate(&token, after), Err(ValidateError::Expired));
    let stranger = Validator::new("guard").validate(&token, granted_at());
    assert_eq!(stranger, Err(ValidateError::UnknownKey));
    let other = validator("other").validate(&token, granted_at());
    assert_eq!(
        other.as_ref().map(VerifiedToken::capability),
        if is_for(data, "other") {
            Ok(verified.capability())
        } else {
            Err(&ValidateError::Audience)
        }
    );
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[data.len() % 64] ^= 1;
    let forged = format!("{input}.{}", URL_SAFE_NO_PAD.encode(bytes));
    assert_eq!(guard.validate(&forged, granted_at()), Err(ValidateError::Signature));
}

/// A few texts between bytes that no text has.
fn texts(data: &[u8]) -> Option<Vec<&str>> {
    data.split(|byte| *byte == 0xFF).take(8).map(|text| std::str::from_utf8(text).ok()).collect()
}

const ISSUER: &str = "https://issuer.example";

fn is_for(claims: &[u8], audience: &str) -> bool {
    let Ok(claims) = serde_json::from_slice::<serde_json::Value>(claims) else { return false };
    let several = claims["aud"].as_array();
    claims["aud"] == audience
        || several.is_some_and(|audiences| audiences.iter().any(|one| one == audience))
}

fn signed(header: &[u8], claims: &[u8]) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = signers().tokens.sign(input.as_bytes()).unwrap();
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.bytes))
}

fn validator(audience: &str) -> Validator {
    Validator::new(audience).trust(ISSUER, signers().tokens.active_key().clone())
}

fn verify_keys() -> &'static VerifyKeys {
    static KEYS: OnceLock<VerifyKeys> = OnceLock::new();
    KEYS.get_or_init(|| signers().audit.verify_keys())
}

/// Keys that are the same in every run.
struct Signers {
    tokens: SigningKeyring,
    audit: Keys,
}

fn signers() -> &'static Signers {
    static SIGNERS: OnceLock<Signers> = OnceLock::new();
    SIGNERS.get_or_init(|| Signers {
        tokens: SigningKeyring::ephemeral(Purpose::TokenSign, &Fixed).unwrap(),
        audit: Keys {
            mac: Arc::new(MacKeyring::ephemeral(Purpose::AuditMac, &Fixed).unwrap()),
            signer: Arc::new(SigningKeyring::ephemeral(Purpose::AuditSign, &Fixed).unwrap()),
        },
    })
}

#[derive(Debug)]
struct Fixed;

impl SecureRandom for Fixed {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        out.fill(7);
        Ok(())
    }
}

fn issue(capability: &Capability) -> String {
    let issuer = Issuer::new(ISSUER, "guard", &signers().tokens);
    issuer.issue(capability, &[], Duration::from_secs(600), &Fixed, granted_at()).unwrap()
}
