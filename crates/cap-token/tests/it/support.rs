use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cap_core::{
    Attenuation, Capability, CapabilityId, Constraints, Delegation, Operation, Operations,
    ResourceType, RootGrant,
};
use cap_crypto::{
    Algorithm, Backend, OsRandom, Purpose, RandomError, SecureRandom, SigningKey, SigningKeyring,
};
use cap_token::{DEFAULT_TTL, Issuer, ValidateError, Validator, VerifiedToken, inspect};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "https://server.example/mcp";
pub(crate) const ALGORITHMS: [Algorithm; 3] =
    [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];
pub(crate) const RSA: &str = include_str!("../fixtures/rsa-2048.pem");

/// 2026-01-01T00:00:00Z.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap()
}

/// Every key and id is made of this byte.
#[derive(Debug)]
pub(crate) struct Fixed(pub u8);

impl SecureRandom for Fixed {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        out.fill(self.0);
        Ok(())
    }
}

pub(crate) fn ed25519(seed: u8) -> SigningKeyring {
    SigningKeyring::ephemeral(Purpose::TokenSign, &Fixed(seed)).unwrap()
}

/// The key of [`keys`] for this algorithm.
pub(crate) fn signing_key(algorithm: Algorithm) -> SigningKey {
    match algorithm {
        Algorithm::Es256 => SigningKey::from_jwk(&json!({
            "kty": "EC", "crv": "P-256",
            "x": "PW1QH4GMoB6UFY3hnkuvHiiyHV_3bFb9BAtO1rAeSV0",
            "y": "gvgKHDNAa29sBJFTR88IpIeMvFQRUFiM6pKBLI_Rfdc",
            "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X5fCE9-E9LI",
        })),
        Algorithm::Rs256 => SigningKey::from_pkcs8(RSA.as_bytes()),
        _ => SigningKey::from_ed25519_seed(&[1; 32]),
    }
    .unwrap()
}

/// A keyring whose active key is of this algorithm; every call gives the same one.
pub(crate) fn keys(algorithm: Algorithm) -> Arc<SigningKeyring> {
    static KEYS: OnceLock<[Arc<SigningKeyring>; 3]> = OnceLock::new();
    let all = KEYS.get_or_init(|| {
        ALGORITHMS.map(|algorithm| {
            let keys = ed25519(1);
            if algorithm != Algorithm::EdDsa {
                keys.import(&signing_key(algorithm), now()).unwrap();
            }
            Arc::new(keys)
        })
    });
    let at = ALGORITHMS.iter().position(|one| *one == algorithm).unwrap();
    Arc::clone(&all[at])
}

/// A keyring of an attacker: of the same algorithm where such a key can be made here.
pub(crate) fn attacker(algorithm: Algorithm) -> SigningKeyring {
    let keys = ed25519(66);
    if algorithm == Algorithm::Es256 {
        let key = SigningKey::generate(algorithm, Backend::default(), &OsRandom).unwrap();
        keys.import(&key, now()).unwrap();
    }
    keys
}

pub(crate) fn id(byte: u8) -> CapabilityId {
    CapabilityId::new([byte; 10], now())
}

/// Alice may read and list beneath /srv/data for an hour from `since`.
pub(crate) fn granted(since: DateTime<Utc>) -> Capability {
    let grant = RootGrant {
        principal: "alice".parse().unwrap(),
        resource_type: ResourceType::Path,
        resource: "/srv/data/**".to_owned(),
        operations: Operations::NONE.with(Operation::Read).with(Operation::List),
        constraints: Constraints::default(),
        expires_at: Some(since + TimeDelta::hours(1)),
    };
    Capability::grant(id(1), grant, since).unwrap()
}

/// What `parent` passes on to `principal`, unchanged.
pub(crate) fn delegated(parent: &Capability, number: u8, principal: &str) -> Capability {
    let delegation = Delegation {
        principal: principal.parse().unwrap(),
        resource_type: None,
        resource: None,
        operations: None,
        constraints: Constraints::default(),
        expires_at: None,
        attenuation: Attenuation::Strict,
    };
    parent.delegate(id(number), delegation, parent.issued_at()).unwrap().0
}

/// A good token, its key, and the means to alter it.
pub(crate) struct Bench {
    pub(crate) keys: Arc<SigningKeyring>,
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    pub(crate) token: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::of(Algorithm::EdDsa)
    }

    pub(crate) fn of(algorithm: Algorithm) -> Self {
        Self::with(keys(algorithm))
    }

    pub(crate) fn with(keys: impl Into<Arc<SigningKeyring>>) -> Self {
        let keys = keys.into();
        let token = Issuer::new(ISSUER, AUDIENCE, &keys)
            .issue(&granted(now()), &[], DEFAULT_TTL, &Fixed(7), now())
            .unwrap();
        let read = inspect(&token).unwrap();
        Self { header: read.header().clone(), claims: read.claims().clone(), keys, token }
    }

    /// Trusts the active key, with the default leeway.
    pub(crate) fn validator(&self) -> Validator {
        Validator::new(AUDIENCE).trust(ISSUER, self.keys.active_key())
    }

    pub(crate) fn validate(&self, token: &str) -> Result<VerifiedToken, ValidateError> {
        self.validator().validate(token, now())
    }

    /// These texts, signed by the key that is trusted.
    pub(crate) fn sign_texts(&self, header: &[u8], claims: &[u8]) -> String {
        self.sign_input(&format!("{}.{}", base64(header), base64(claims)))
    }

    /// This signing input, signed by the key that is trusted.
    pub(crate) fn sign_input(&self, input: &str) -> String {
        format!("{input}.{}", base64(&self.keys.sign(input.as_bytes()).unwrap().bytes))
    }

    /// The header and the claims as they stand, signed.
    pub(crate) fn sign(&self) -> String {
        self.sign_texts(&text(&self.header), &text(&self.claims))
    }

    /// The good token with another member in the header, honestly signed.
    pub(crate) fn header(
        mut self,
        name: &str,
        value: impl Into<Value>,
    ) -> Result<VerifiedToken, ValidateError> {
        self.header.insert(name.to_owned(), value.into());
        self.validate(&self.sign())
    }

    pub(crate) fn without_header(mut self, name: &str) -> Result<VerifiedToken, ValidateError> {
        self.header.remove(name).unwrap();
        self.validate(&self.sign())
    }

    /// The good token with another claim, honestly signed.
    pub(crate) fn claim(
        mut self,
        name: &str,
        value: impl Into<Value>,
    ) -> Result<VerifiedToken, ValidateError> {
        self.claims.insert(name.to_owned(), value.into());
        self.validate(&self.sign())
    }

    pub(crate) fn without_claim(mut self, name: &str) -> Result<VerifiedToken, ValidateError> {
        self.claims.remove(name).unwrap();
        self.validate(&self.sign())
    }

    /// The good token with our entry altered, honestly signed.
    pub(crate) fn entry(
        mut self,
        alter: impl FnOnce(&mut Value),
    ) -> Result<VerifiedToken, ValidateError> {
        alter(&mut self.claims["authorization_details"][0]);
        self.validate(&self.sign())
    }

    /// Good claims as text, with one passage replaced, honestly signed.
    pub(crate) fn claims_text(self, from: &str, to: &str) -> Result<VerifiedToken, ValidateError> {
        let good = String::from_utf8(text(&self.claims)).unwrap();
        assert!(good.contains(from), "{from}");
        let claims = good.replacen(from, to, 1);
        self.validate(&self.sign_texts(&text(&self.header), claims.as_bytes()))
    }

    /// The good header as text, with one passage replaced, honestly signed.
    pub(crate) fn header_text(self, from: &str, to: &str) -> Result<VerifiedToken, ValidateError> {
        let good = String::from_utf8(text(&self.header)).unwrap();
        assert!(good.contains(from), "{from}");
        let header = good.replacen(from, to, 1);
        self.validate(&self.sign_texts(header.as_bytes(), &text(&self.claims)))
    }

    pub(crate) fn parts(&self) -> [&str; 3] {
        let parts: Vec<_> = self.token.split('.').collect();
        parts.try_into().unwrap()
    }
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn text(members: &Map<String, Value>) -> Vec<u8> {
    serde_json::to_vec(members).unwrap()
}
