//! The layer table of the house: a crate depends only on crates of lower layers.

/// Layer and crate, from the rim inwards. A crate that is not in here does not belong into `crates/`.
pub const LAYERS: [(u8, &str); 14] = [
    (6, "mcp-guard"),
    (5, "mcp-security"),
    (4, "cap-store"),
    (3, "cap-kernel"),
    (3, "cap-monitor"),
    (2, "cap-token"),
    (2, "cap-audit"),
    (2, "cap-mcp"),
    (2, "cap-sandbox"),
    (1, "cap-crypto"),
    (1, "cap-fs"),
    (1, "cap-rbac"),
    (1, "cap-tls"),
    (0, "cap-core"),
];

/// Unpublished crates for tests: they may use everything; the others may use them in their tests only.
pub const TOOLS: [&str; 1] = ["cap-testkit"];

/// The only crate that may speak of `unsafe`, by its own lint table.
pub const UNSAFE_CRATE: &str = "cap-sandbox";

/// The crate that does without the standard library when it is built without default features.
pub const NO_STD_CRATE: &str = "cap-core";

/// Dependencies that belong to certain crates.
pub const RESERVED: [Reserved; 5] = [
    Reserved { name: "tokio", users: &["mcp-guard", "mcp-security", "cap-store"] },
    Reserved { name: "ring", users: CRYPTO },
    Reserved { name: "aws-lc-rs", users: CRYPTO },
    Reserved { name: "aws-lc-sys", users: CRYPTO },
    Reserved { name: "rsa", users: &[] },
];

/// What the ground may stand on: no I/O, no clock, no randomness, no logging, no async.
pub const CORE_MAY_USE: [&str; 7] =
    ["chrono", "ipnet", "serde", "serde_json", "thiserror", "url", "uuid"];

const CRYPTO: &[&str] = &["cap-crypto", "cap-token", "cap-tls"];

/// A dependency and the crates that may name it.
#[derive(Debug)]
pub struct Reserved {
    pub name: &'static str,
    pub users: &'static [&'static str],
}

/// Who may depend on whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Layer(u8),
    Tool,
}

impl Place {
    pub fn of(krate: &str) -> Option<Self> {
        if TOOLS.contains(&krate) {
            return Some(Self::Tool);
        }
        LAYERS.iter().find(|(_, name)| *name == krate).map(|(layer, _)| Self::Layer(*layer))
    }

    /// Whether a crate here may have a normal or build dependency on one there.
    pub fn may_use(self, other: Self) -> bool {
        match (self, other) {
            (Self::Layer(mine), Self::Layer(theirs)) => theirs < mine,
            (Self::Tool, Self::Layer(_)) => true,
            (_, Self::Tool) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_only_go_down() {
        let place = |name| Place::of(name).into_iter().collect::<Vec<_>>()[0];
        assert!(place("cap-kernel").may_use(place("cap-audit")));
        assert!(!place("cap-audit").may_use(place("cap-kernel")));
        assert!(!place("cap-audit").may_use(place("cap-token")), "not even within a layer");
        assert!(!place("mcp-guard").may_use(place("cap-testkit")));
        assert!(place("cap-testkit").may_use(place("mcp-guard")));
    }

    #[test]
    fn an_unknown_crate_has_no_place() {
        assert_eq!(Place::of("cap-utils"), None);
    }
}
