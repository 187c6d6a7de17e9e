//! Refusals, as lines that no client can mistake for success.

use cap_core::{Denial, DenyCode};
use cap_mcp::{Answer, Refusal, RefusalKind, refusal};

use crate::policy::Explain;

/// The refusal as one line, with its newline.
pub(crate) fn line(answer: &Answer, denial: &Denial, trace: &str, explain: Explain) -> Vec<u8> {
    let reason = match explain {
        Explain::Full => denial.reason(),
        Explain::Code => denial.code().meaning(),
    };
    let code = denial.code();
    let refused = Refusal { kind: kind_of(code), code: code.code(), reason, trace };
    let mut line = refusal(answer, &refused);
    line.push(b'\n');
    line
}

const fn kind_of(code: DenyCode) -> RefusalKind {
    match code {
        DenyCode::MessageInvalid | DenyCode::MessageAmbiguous | DenyCode::IdInvalid => {
            RefusalKind::Malformed
        }
        DenyCode::TooManyPending => RefusalKind::Busy,
        DenyCode::AuditUnavailable
        | DenyCode::Internal
        | DenyCode::LimitUnavailable
        | DenyCode::ReceiptMismatch
        | DenyCode::StoreUnavailable => RefusalKind::Unavailable,
        _ => RefusalKind::Denied,
    }
}

/// The refusal of a response that the server gave and that cannot be passed on.
pub(crate) fn bad_response(answer: &Answer, denial: &Denial, trace: &str) -> Vec<u8> {
    let code = denial.code().code();
    let refused = Refusal { kind: RefusalKind::BadResponse, code, reason: denial.reason(), trace };
    let mut line = refusal(answer, &refused);
    line.push(b'\n');
    line
}
