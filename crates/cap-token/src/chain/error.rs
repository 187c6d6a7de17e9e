use std::fmt;

use cap_core::DenyCode;
use thiserror::Error;

/// A step of the verification algorithm (AAT-02 §8), by its label: `2c`, `3n`, `4p4`, `7i`. The
/// draft leaves the order of the steps open where every one of them only denies: which step fails
/// first may differ from one implementation to the next, the verdict may not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step(&'static str);

impl Step {
    /// The label, as the draft writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Step({})", self.0)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }
}

/// Why a chain, a proof or a call was denied: the step of AAT-02 §8 that failed, and on which token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("step {step} denies: {what}")]
pub struct ChainError {
    step: Step,
    token: Option<usize>,
    what: &'static str,
    code: DenyCode,
}

impl ChainError {
    pub(super) const fn new(step: &'static str, what: &'static str) -> Self {
        Self { step: Step(step), token: None, what, code: DenyCode::EvidenceInvalid }
    }

    pub(super) const fn coded(mut self, code: DenyCode) -> Self {
        self.code = code;
        self
    }

    pub(super) const fn of_token(mut self, token: usize) -> Self {
        self.token = Some(token);
        self
    }

    /// The step that failed.
    #[must_use]
    pub const fn step(&self) -> Step {
        self.step
    }

    /// Which token of the chain, the root being 0; `None` where it is about the chain as a whole,
    /// the proof or the call.
    #[must_use]
    pub const fn token(&self) -> Option<usize> {
        self.token
    }

    /// What was wrong, for the log of whoever runs the enforcement point.
    ///
    /// SECURITY: a presenter is told no more than that the evidence is not good.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        self.what
    }

    /// The code under which the denial is recorded: `evidence-invalid`, unless the proof is good and
    /// the chain, which was good when it was checked, has expired or does not permit the tool or an
    /// argument. Of a chain that has expired before it was checked nobody has proved possession:
    /// `evidence-invalid`; the step tells the log.
    #[must_use]
    pub const fn deny_code(&self) -> DenyCode {
        self.code
    }
}

/// Denies at `step` unless `good`.
pub(super) fn require(
    good: bool,
    step: &'static str,
    what: &'static str,
) -> Result<(), ChainError> {
    if good { Ok(()) } else { Err(ChainError::new(step, what)) }
}
