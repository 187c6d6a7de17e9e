//! Steps 6 to 8: the call, and the proof that whoever makes it holds the leaf's key (AAT-02 §7).

use std::sync::Arc;

use cap_core::DenyCode;
use chrono::{DateTime, Utc};

use super::{ChainVerifier, CheckedChain, seconds};
use crate::chain::cache::Link;
use crate::chain::claims::{Holder, Position};
use crate::chain::error::{ChainError, require};
use crate::chain::json::{self, Json, Object};
use crate::chain::jws::Jws;
use crate::chain::replay::{ProofId, ReplayError, ReplayStore};
use crate::chain::{PROOF_TYPE, Tools, VerifiedChain};

impl ChainVerifier {
    /// Steps 6 to 8 for a chain that this verifier has checked: the tokens' lifetimes, too, are
    /// asked about again.
    ///
    /// # Errors
    /// The first step that denies. A denied call uses up nothing.
    pub fn verify_proof(
        &self,
        chain: &CheckedChain,
        proof: &str,
        tool: &str,
        arguments: &str,
        replay: &dyn ReplayStore,
        now: DateTime<Utc>,
    ) -> Result<VerifiedChain, ChainError> {
        let leaf = &chain.leaf;
        let ours = Arc::ptr_eq(&chain.verifier, &self.identity);
        require(ours, "3b", "another verifier checked the chain")?;
        let tools = leaf.claims.tools.as_ref();
        let tools = tools.ok_or(ChainError::new("6a", "the leaf has no capabilities"))?;
        // Steps 7a and 7b first: who does not hold the leaf's key has no constraint evaluated.
        let (text, thumbprint) = self.authenticate(&leaf.claims.holder, proof)?;
        let json = json::parse(&text)
            .map_err(|_| ChainError::new("7b", "the claims of the proof are not strict JSON"))?;
        let claims = json.as_object();
        let claims = claims.ok_or(ChainError::new("7b", "the claims are not an object"))?;
        let proof = Proof::read(claims)?;
        self.check_proof(&proof, leaf, tool, now)?;
        self.check_audiences(leaf)?;
        let canonical = self.check_call(tools, tool, arguments, &proof)?;
        // Last, so that only a good proof is told (see [`ChainError::deny_code`]).
        self.check_lifetime(&leaf.claims, Position::of(leaf), now)?;
        let id = ProofId { holder: thumbprint, jti: proof.jti, tool };
        let until = proof.issued.saturating_add(self.proof_window());
        let until = DateTime::from_timestamp(until, 0);
        let until = until.ok_or(ChainError::new("7g", "`iat` is beyond the calendar"))?;
        replay.accept(id, until, now).map_err(|error| {
            ChainError::new(
                "7i",
                match error {
                    ReplayError::Seen => "the proof was accepted before",
                    ReplayError::Forgotten => {
                        "the proof is older than what the replay store remembers"
                    }
                    ReplayError::Full => "the replay store is full",
                    ReplayError::Unavailable => "the replay store cannot be reached",
                },
            )
        })?;
        Ok(VerifiedChain { leaf: Arc::clone(leaf), tool: tool.to_owned(), arguments: canonical })
    }

    /// Steps 7a and 7b up to the signature: the payload, and the thumbprint of the key.
    fn authenticate<'a>(
        &self,
        holder: &'a Holder,
        proof: &str,
    ) -> Result<(String, &'a str), ChainError> {
        let malformed = |what| ChainError::new("7a", what);
        let short = proof.len() <= self.policy.limits.max_proof_bytes;
        require(short, "7a", "the proof is too long")?;
        let jws = Jws::split(proof).ok_or(malformed("the proof is not a compact JWS"))?;
        jws.check_header(PROOF_TYPE).map_err(malformed)?;
        let holder = holder.key().zip(holder.thumbprint());
        let (key, thumbprint) = holder.ok_or(malformed("the leaf's holder has no Ed25519 key"))?;
        require(jws.is_signed_by(key), "7b", "the leaf's holder did not sign the proof")?;
        let text = jws.payload();
        let text = text.ok_or(ChainError::new("7b", "the payload is not base64url of UTF-8"))?;
        Ok((text, thumbprint))
    }

    /// Steps 7c to 7e, 7g and 7h.
    fn check_proof(
        &self,
        proof: &Proof<'_>,
        leaf: &Link,
        tool: &str,
        now: DateTime<Utc>,
    ) -> Result<(), ChainError> {
        let bound = proof.token_id == leaf.claims.jti && proof.token_hash == leaf.hash;
        require(bound, "7c", "the proof is for another token")?;
        match proof.claims.get("aat_aud") {
            None => require(!self.policy.pop_aud, "7d", "the proof has no `aat_aud`")?,
            Some(audience) => {
                let ours = audience.as_str().is_some_and(|audience| self.is_called(audience));
                require(ours, "7d", "`aat_aud` is not this enforcement point")?;
            }
        }
        require(proof.tool == tool, "7e", "the proof is for another tool")?;
        let distance = now.timestamp().abs_diff(proof.issued);
        let window = self.policy.limits.proof_window.as_secs();
        require(distance <= window, "7g", "`iat` of the proof is outside the window")?;
        let Some(nonces) = &self.policy.nonces else {
            return Ok(());
        };
        let nonce = proof.claims.get("nonce").and_then(Json::as_str);
        let accepted = nonce.is_some_and(|nonce| nonces.accepts(nonce));
        require(accepted, "7h", "the nonce is missing or not accepted")
    }

    /// Step 6c.
    fn check_audiences(&self, leaf: &Link) -> Result<(), ChainError> {
        let restricted = || leaf.ancestry().filter_map(|link| link.claims.audiences.as_ref());
        let any = restricted().next().is_some();
        let ours = restricted().all(|audiences| audiences.iter().any(|it| self.is_called(it)));
        require(ours, "6c", "an `aud` is not this enforcement point")?;
        require(any || !self.policy.chain_aud, "6c", "no token of the chain carries `aud`")
    }

    /// Steps 6b and 7f: the arguments in canonical form.
    fn check_call(
        &self,
        tools: &Tools,
        tool: &str,
        arguments: &str,
        proof: &Proof<'_>,
    ) -> Result<String, ChainError> {
        let denied = |code, what| ChainError::new("6b", what).coded(code);
        let rules = tools.get(tool);
        let rules =
            rules.ok_or(denied(DenyCode::ToolNotAllowed, "the leaf does not have the tool"))?;
        let invalid = |what| denied(DenyCode::ArgumentInvalid, what);
        if arguments.len() > self.policy.limits.max_arguments_bytes {
            return Err(invalid("the arguments are too long"));
        }
        let json =
            json::parse(arguments).map_err(|_| invalid("the arguments are not strict JSON"))?;
        let members = json.as_object().ok_or(invalid("the arguments are not an object"))?;
        let canonical = json.to_jcs().map_err(|_| invalid("a number is not admissible"))?;
        let shown = proof.arguments.to_jcs();
        let same = shown.is_ok_and(|shown| shown == canonical);
        require(same, "7f", "the proof is for other arguments")?;
        rules.check(members).map_err(|what| denied(DenyCode::ArgumentRefused, what))?;
        Ok(canonical)
    }

    fn is_called(&self, audience: &str) -> bool {
        self.policy.audiences.iter().any(|own| own == audience)
    }

    fn proof_window(&self) -> i64 {
        seconds(self.policy.limits.proof_window)
    }
}

/// The claims of a proof, well-typed (step 7c).
struct Proof<'a> {
    claims: &'a Object<'a>,
    jti: &'a str,
    issued: i64,
    token_id: &'a str,
    token_hash: &'a str,
    tool: &'a str,
    arguments: &'a Json<'a>,
}

impl<'a> Proof<'a> {
    fn read(claims: &'a Object<'a>) -> Result<Self, ChainError> {
        let wrong = |what| ChainError::new("7c", what);
        let text = |name, what| {
            let text = claims.get(name).and_then(Json::as_str).filter(|text| !text.is_empty());
            text.ok_or(wrong(what))
        };
        let issued = claims.get("iat").and_then(Json::as_integer);
        let arguments = claims.get("hta").filter(|hta| hta.as_object().is_some());
        Ok(Self {
            claims,
            jti: text("jti", "`jti` is not a text")?,
            issued: issued.ok_or(wrong("`iat` is not a NumericDate"))?,
            token_id: text("aat_id", "`aat_id` is not a text")?,
            token_hash: text("aat_hash", "`aat_hash` is not a text")?,
            tool: text("aat_tool", "`aat_tool` is not a text")?,
            arguments: arguments.ok_or(wrong("`hta` is not an object"))?,
        })
    }
}
