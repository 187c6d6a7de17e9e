use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cap_core::{
    Attenuation, Capability, CapabilityId, Constraints, Delegation, Operation, Operations,
    ResourceType, RootGrant,
};
use cap_crypto::{Purpose, RandomError, SecureRandom, SigningKeyring};
use cap_token::{DEFAULT_TTL, Issuer, ValidateError, Validator, VerifiedToken, inspect};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "https://server.example/mcp";
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

pub(crate) fn rsa() -> SigningKeyring {
    let mut keys = ed25519(99);
    keys.import_rsa(RSA.as_bytes(), now()).unwrap();
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
    pub(crate) keys: SigningKeyring,
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    pub(crate) token: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(ed25519(1))
    }

    pub(crate) fn with(keys: SigningKeyring) -> Self {
        let token = Issuer::new(ISSUER, AUDIENCE, &keys)
            .issue(&granted(now()), &[], DEFAULT_TTL, &Fixed(7), now())
            .unwrap();
        let read = inspect(&token).unwrap();
        Self { header: read.header().clone(), claims: read.claims().clone(), keys, token }
    }

    /// Trusts the active key, with the default leeway.
    pub(crate) fn validator(&self) -> Validator {
        Validator::new(AUDIENCE).trust(ISSUER, self.keys.active_key().clone())
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
        self.sign_texts(&json(&self.header), &json(&self.claims))
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
        let text = String::from_utf8(json(&self.claims)).unwrap();
        assert!(text.contains(from), "{from}");
        let claims = text.replacen(from, to, 1);
        self.validate(&self.sign_texts(&json(&self.header), claims.as_bytes()))
    }

    /// The good header as text, with one passage replaced, honestly signed.
    pub(crate) fn header_text(self, from: &str, to: &str) -> Result<VerifiedToken, ValidateError> {
        let text = String::from_utf8(json(&self.header)).unwrap();
        assert!(text.contains(from), "{from}");
        let header = text.replacen(from, to, 1);
        self.validate(&self.sign_texts(header.as_bytes(), &json(&self.claims)))
    }

    pub(crate) fn parts(&self) -> [&str; 3] {
        let parts: Vec<_> = self.token.split('.').collect();
        parts.try_into().unwrap()
    }
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn json(members: &Map<String, Value>) -> Vec<u8> {
    serde_json::to_vec(members).unwrap()
}
