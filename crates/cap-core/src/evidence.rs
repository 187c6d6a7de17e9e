use alloc::string::String;
use core::fmt;

/// What a caller presents, raw: nothing in it is verified. `cap-kernel` makes a verified authority
/// of it, or a denial.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Evidence {
    /// The id of a capability with its MAC: `<capability id>.<key id>.<tag>`.
    CapabilityId(String),
    /// A capability token, a compact JWT.
    Token(String),
    /// An attenuating chain with its proof: the presentation object of AAT-02 §7.4, JSON. Good for
    /// the one call that the proof names.
    Chain(String),
}

impl Evidence {
    /// Sorts a text by its form alone; whether it is good is for the kernel to say.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        if text.starts_with("ey") {
            Self::Token(text.into())
        } else if text.starts_with('{') {
            Self::Chain(text.into())
        } else {
            Self::CapabilityId(text.into())
        }
    }
}

impl fmt::Debug for Evidence {
    /// SECURITY: evidence is a bearer secret and never printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CapabilityId(_) => "CapabilityId(…)",
            Self::Token(_) => "Token(…)",
            Self::Chain(_) => "Chain(…)",
        })
    }
}
