use alloc::string::String;
use core::fmt;

use crate::limits::MAX_QUOTED_BYTES;

/// The answer to a request. There is no third one: whatever goes wrong is a denial.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// Permitted.
    Allow,
    /// Not permitted, and why.
    Deny(Denial),
}

impl Decision {
    /// Whether it is [`Decision::Allow`].
    #[must_use]
    pub const fn is_allow(&self) -> bool {
        matches!(self, Self::Allow)
    }

    /// The denial, if it is one.
    #[must_use]
    pub const fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Allow => None,
            Self::Deny(denial) => Some(denial),
        }
    }
}

/// Why something was not permitted, without a sentence: made without an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Refusal {
    code: DenyCode,
    constraint: Option<&'static str>,
}

impl Refusal {
    pub(crate) const fn new(code: DenyCode, constraint: Option<&'static str>) -> Self {
        Self { code, constraint }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> DenyCode {
        self.code
    }

    /// The constraint that refused, by its name on the wire.
    #[must_use]
    pub const fn constraint(self) -> Option<&'static str> {
        self.constraint
    }
}

/// Why something was not permitted: a stable code, and a sentence that names the constraint and
/// what would pass, for the caller who holds the capability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    code: DenyCode,
    constraint: Option<&'static str>,
    reason: String,
    passing: Option<String>,
}

impl Denial {
    /// A denial with the catalogue's own sentence.
    #[must_use]
    pub fn new(code: DenyCode) -> Self {
        Self::because(code, code.meaning())
    }

    /// A denial with a sentence for this case. It must not tell more than the caller's own value
    /// and the presented capability do.
    #[must_use]
    pub fn because(code: DenyCode, reason: impl Into<String>) -> Self {
        Self { code, constraint: None, reason: reason.into(), passing: None }
    }

    /// The same, naming the constraint that refused.
    #[must_use]
    pub fn by(mut self, constraint: &'static str) -> Self {
        self.constraint = Some(constraint);
        self
    }

    /// The same, with what would pass.
    #[must_use]
    pub(crate) fn passes(mut self, passing: String) -> Self {
        self.passing = Some(passing);
        self
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> DenyCode {
        self.code
    }

    /// What would pass in place of the refused value, where the constraint can say it.
    #[must_use]
    pub fn passing(&self) -> Option<&str> {
        self.passing.as_deref()
    }

    /// The constraint that refused, by its name on the wire.
    #[must_use]
    pub const fn constraint(&self) -> Option<&'static str> {
        self.constraint
    }

    /// The sentence.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.reason)
    }
}

/// The caller's own value, escaped and bounded, between backticks.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`")?;
        let mut bytes = 0;
        for c in self.0.chars() {
            bytes += c.len_utf8();
            if bytes > MAX_QUOTED_BYTES {
                f.write_str("…")?;
                break;
            }
            match c {
                '"' | '\'' => write!(f, "{c}")?,
                '`' => write!(f, "{}", c.escape_unicode())?,
                _ if c.is_ascii() || c.is_alphanumeric() => write!(f, "{}", c.escape_debug())?,
                _ => write!(f, "{}", c.escape_unicode())?,
            }
        }
        f.write_str("`")
    }
}

/// Declares the catalogue once: variant, code, meaning.
macro_rules! deny_codes {
    ($($(#[$group:meta])* $variant:ident = $code:literal, $meaning:literal;)+) => {
        /// The catalogue of reasons to deny. Codes are stable; `docs/reference/deny-codes.md` is
        /// made from this list.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum DenyCode {
            $(#[doc = $meaning] $variant,)+
        }

        impl DenyCode {
            /// Every code, in the order of the catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable code, in kebab-case.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// What it means, in one sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }
        }
    };
}

deny_codes! {
    EvidenceMissing = "evidence-missing", "no evidence was presented and the policy grants nothing";
    EvidenceInvalid = "evidence-invalid", "the evidence presented did not verify";
    CapabilityExpired = "capability-expired", "the capability has expired";
    CapabilityNotYetValid = "capability-not-yet-valid", "the capability is not valid yet";
    OutsideTimeWindow = "outside-time-window", "the capability permits nothing at this time of the week";
    CapabilityRevoked = "capability-revoked", "the capability or one that it descends from was revoked";
    SessionLapsed = "session-lapsed", "the session that the capability belongs to is over";
    KindNotGranted = "kind-not-granted", "the capability does not speak of this kind of resource";
    OperationNotAllowed = "operation-not-allowed", "the capability does not permit this operation";
    ToolNotAllowed = "tool-not-allowed", "the capability does not permit this tool";
    ToolUnmapped = "tool-unmapped", "the tool table does not list this tool or argument, and the capability speaks of resources";
    ToolInvalid = "tool-invalid", "the tool's name is missing, or no name";
    ArgumentInvalid = "argument-invalid", "an argument is missing, of the wrong type, or could be read in two ways";
    ArgumentRefused = "argument-refused", "an argument is not permitted by the capability";
    MethodNotAllowed = "method-not-allowed", "the capability does not permit this method";
    PathInvalid = "path-invalid", "the path is empty, malformed, or bears characters that are not taken literally";
    PathOutside = "path-outside", "the path lies outside what the capability permits";
    PathEscapes = "path-escapes", "the path leads out of the permitted folder";
    PathUnresolved = "path-unresolved", "the path could not be resolved safely beneath the permitted folder";
    ExtensionNotAllowed = "extension-not-allowed", "the file's extension is not permitted";
    SizeExceeded = "size-exceeded", "the file is larger than permitted";
    SizeUnknown = "size-unknown", "the size is not known, and the capability bounds it";
    StateProtected = "state-protected", "the guard's own state, keys, policy and log are never permitted";
    UrlInvalid = "url-invalid", "the URL is malformed, or of a form that is never permitted";
    UrlOutside = "url-outside", "the URL lies outside what the capability permits";
    DomainNotAllowed = "domain-not-allowed", "the host is not permitted";
    ProtocolNotAllowed = "protocol-not-allowed", "the protocol is not permitted";
    PortNotAllowed = "port-not-allowed", "the port is not permitted";
    HttpMethodNotAllowed = "http-method-not-allowed", "the HTTP method is not permitted, or not known";
    AddressPrivate = "address-private", "the host is, or resolves to, an address that is not public";
    AddressNotAllowed = "address-not-allowed", "the host is, or resolves to, an address outside the permitted networks";
    AddressUnknown = "address-unknown", "the host was not resolved, and the capability bounds its addresses";
    CommandInvalid = "command-invalid", "the command is not a program with an argument vector";
    CommandNotAllowed = "command-not-allowed", "the program is not permitted";
    CommandArgumentRefused = "command-argument-refused", "the arguments of the program are not permitted";
    EnvironmentNotAllowed = "environment-not-allowed", "an environment variable is not permitted";
    ConstraintUnknown = "constraint-unknown", "a constraint of the capability is not known here";
    ConstraintRefused = "constraint-refused", "a custom constraint of the capability refuses";
    ConstraintInvalid = "constraint-invalid", "what was asked for is no good constraint";
    LimitRate = "limit-rate", "the rate limit of the capability or of one that it descends from is reached";
    LimitCalls = "limit-calls", "the calls of the capability or of one that it descends from are used up";
    LimitBytes = "limit-bytes", "the bytes of the capability or of one that it descends from are used up";
    LimitBudget = "limit-budget", "the budget of the capability or of one that it descends from is used up";
    CostUnknown = "cost-unknown", "the budget of the capability has no cost for this tool";
    LimitUnavailable = "limit-unavailable", "the counter of a limit could not be charged";
    DelegationWidens = "delegation-widens", "more was asked for than the parent has";
    DelegationTooDeep = "delegation-too-deep", "the parent may not be delegated any further";
    AuthorityEmpty = "authority-empty", "the result would permit nothing";
    AuthorityTooLarge = "authority-too-large", "the authority has more clauses than are allowed";
    MessageInvalid = "message-invalid", "the message is not a JSON-RPC 2.0 message of the protocol";
    MessageAmbiguous = "message-ambiguous", "two parsers could read the message differently";
    IdInvalid = "id-invalid", "a tool call needs an id that is a string or an integer";
    IdInFlight = "id-in-flight", "a request with this id is still in flight";
    TooManyPending = "too-many-pending", "more requests are pending than are allowed";
    StoreUnavailable = "store-unavailable", "the state could not be read in time";
    AuditUnavailable = "audit-unavailable", "the record could not be written";
    ReceiptMismatch = "receipt-mismatch", "the receipt is not that of this ruling, or not durable enough";
    Internal = "internal", "the guard itself went wrong";
}

impl fmt::Display for DenyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
