//! Good inputs for the bodies beside this file.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cap_crypto::{RandomError, SecureRandom, Signer as _};
use cap_token::chain::{Author, Call, Constraint, Derivation, RootToken, ToolRules, Tools};
use cap_token::{Jwks, RevocationSet, RevocationTarget};

use super::{ISSUER, key, now, revocation_header};

/// The claims of a root, of its child and of a proof, and arguments; two constraints and a value.
pub fn chains() -> Vec<Vec<u8>> {
    let author = Author::default();
    let file = |rule| Tools::new().with("read_file", ToolRules::required("path", rule));
    let root = RootToken {
        issuer: ISSUER.into(),
        holder: key(2).key().clone(),
        tools: file(Constraint::one_of(["/a", "/b"]).unwrap()),
        audiences: vec![],
        max_depth: 3,
        lifetime: Duration::from_secs(3600),
    };
    let root = author.mint_root(&root, &key(1), &Filled(1), now()).unwrap();
    let narrowed =
        Derivation::to(key(3).key().clone()).with_tools(file(Constraint::exact("/a").unwrap()));
    let child = author.derive(&root, &narrowed, &key(2), &Filled(2), now()).unwrap();
    let call = Call::new("read_file", r#"{"path":"/a"}"#);
    let prove =
        |leaf: &str, holder| author.prove(leaf, &call, &key(holder), &Filled(3), now()).unwrap();
    let lines = |proof: &str| {
        let claims = [&root, &child, proof].map(|token| part(token, 1));
        [&claims[..], &[br#"{"path":"/a"}"#.to_vec()]].concat().join(&b'\n')
    };
    let constraints = br#"{"constraint_type":"range","min":1}
{"constraint_type":"exact","value":1.0}
1"#;
    vec![lines(&prove(&root, 2)), lines(&prove(&child, 3)), constraints.to_vec()]
}

/// A set of one key of each kind.
pub fn key_sets() -> Vec<Vec<u8>> {
    let keys = [key(1).key().clone(), key(2).key().clone()];
    vec![
        Jwks::new(&keys, Duration::ZERO).as_bytes().to_vec(),
        br#"{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},{"kty":"oct","k":"AAAA"}]}"#.to_vec(),
    ]
}

/// A list of sixteen statuses (draft-ietf-oauth-status-list, section 4.1), and the claims of a token.
pub fn status_lists() -> Vec<Vec<u8>> {
    let list = "eNrbuRgAAhcBXQ";
    let claims = format!(
        r#"{{"exp":9999999999,"iat":0,"status_list":{{"bits":1,"lst":"{list}"}},"sub":"https://auth.example.com/statuslists/1"}}"#
    );
    vec![URL_SAFE_NO_PAD.decode(list).unwrap(), claims.into_bytes()]
}

/// The signed part of a snapshot, and its lists alone.
pub fn revocations() -> Vec<Vec<u8>> {
    let set = RevocationSet::new();
    set.revoke(RevocationTarget::Issuer("https://b.example".into()), None, now()).unwrap();
    let key = key(1);
    let document = set.export_snapshot(ISSUER, &key, now()).unwrap();
    let body = document[..document.len() - 66].to_vec();
    let lists = body[revocation_header(&key).len()..].to_vec();
    vec![body, lists]
}

/// Bytes that are the same in every run.
#[derive(Debug)]
struct Filled(u8);

impl SecureRandom for Filled {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        out.fill(self.0);
        Ok(())
    }
}

fn part(token: &str, nth: usize) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(token.split('.').nth(nth).unwrap()).unwrap()
}
