//! What a public key is, whoever computes with it.

use super::{Algorithm, KeyRejected, ed25519, p256, rsa};
use crate::encoding;

/// INVARIANT: whoever made it has checked it; see the constructors.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Public {
    Ed25519([u8; 32]),
    /// Uncompressed: 04, x, y.
    P256([u8; 65]),
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

impl Public {
    pub(crate) fn ed25519(point: &[u8]) -> Result<Self, KeyRejected> {
        let point = point.try_into().map_err(|_| KeyRejected::Malformed)?;
        if ed25519::is_sound_point(point) {
            Ok(Self::Ed25519(*point))
        } else {
            Err(KeyRejected::WeakPoint)
        }
    }

    pub(crate) fn p256(point: &[u8]) -> Result<Self, KeyRejected> {
        let point = point.try_into().map_err(|_| KeyRejected::Malformed)?;
        if p256::is_on_curve(point) { Ok(Self::P256(*point)) } else { Err(KeyRejected::OffCurve) }
    }

    pub(crate) fn rsa(n: &[u8], e: &[u8]) -> Result<Self, KeyRejected> {
        rsa::check(n, e)?;
        Ok(Self::Rsa { n: n.to_vec(), e: e.to_vec() })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::EdDsa,
            Self::P256(_) => Algorithm::Es256,
            Self::Rsa { .. } => Algorithm::Rs256,
        }
    }

    /// Whether a signature has the form that this key's signatures have. Backends differ on those
    /// that have not.
    pub(super) fn is_sound_signature(&self, signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(_) => ed25519::is_sound_signature(signature),
            Self::P256(_) => p256::is_sound_signature(signature),
            Self::Rsa { n, .. } => signature.len() == n.len(),
        }
    }

    /// The members of a JWK that carry the key, in lexicographic order of their names, and `kty`
    /// and `crv` among them (RFC 7638 §3.2, RFC 8037 §2).
    pub(super) fn members(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Ed25519(point) => vec![
                ("crv", "Ed25519".to_owned()),
                ("kty", "OKP".to_owned()),
                ("x", encoding::encode(point)),
            ],
            Self::P256(point) => {
                let mut members = vec![("crv", "P-256".to_owned()), ("kty", "EC".to_owned())];
                if let Some((x, y)) = p256::coordinates(point) {
                    members.push(("x", encoding::encode(x)));
                    members.push(("y", encoding::encode(y)));
                }
                members
            }
            Self::Rsa { n, e } => vec![
                ("e", encoding::encode(e)),
                ("kty", "RSA".to_owned()),
                ("n", encoding::encode(n)),
            ],
        }
    }

    /// The input of the thumbprint: the required members without white space (RFC 7638 §3).
    pub(super) fn canonical_jwk(&self) -> String {
        let members: Vec<_> =
            self.members().iter().map(|(name, text)| format!(r#""{name}":"{text}""#)).collect();
        format!("{{{}}}", members.join(","))
    }
}
