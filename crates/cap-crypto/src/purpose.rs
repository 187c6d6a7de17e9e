use std::fmt;

use serde::{Deserialize, Serialize};

/// What a key is for. One key has one purpose: it is part of the file's name and content, and
/// of everything that a MAC covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Purpose {
    /// Keyed digests of arguments in the audit log (HMAC-SHA-256).
    AuditMac,
    /// Checkpoints of the audit log (signatures).
    AuditSign,
    /// The proof that goes with a capability's id (HMAC-SHA-256).
    CapabilityMac,
    /// Capability tokens (signatures).
    TokenSign,
}

impl Purpose {
    /// The name on the wire and the stem of the file: `capability-mac`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuditMac => "audit-mac",
            Self::AuditSign => "audit-sign",
            Self::CapabilityMac => "capability-mac",
            Self::TokenSign => "token-sign",
        }
    }

    /// Whether keys of this purpose make MACs; the others sign.
    pub(crate) const fn is_mac(self) -> bool {
        matches!(self, Self::AuditMac | Self::CapabilityMac)
    }

    /// What stands before the caller's bytes in the input of a MAC.
    pub(crate) const fn domain(self) -> &'static [u8] {
        match self {
            Self::AuditMac => b"mcp-security/audit-mac/v1\0",
            Self::AuditSign => b"mcp-security/audit-sign/v1\0",
            Self::CapabilityMac => b"mcp-security/capability-mac/v1\0",
            Self::TokenSign => b"mcp-security/token-sign/v1\0",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_purpose_has_its_own_name_and_domain() {
        for purpose in
            [Purpose::AuditMac, Purpose::AuditSign, Purpose::CapabilityMac, Purpose::TokenSign]
        {
            let name = serde_json::to_string(&purpose).unwrap();
            assert_eq!(name, format!("\"{}\"", purpose.as_str()));
            assert_eq!(purpose.domain(), format!("mcp-security/{purpose}/v1\0").as_bytes());
        }
    }
}
