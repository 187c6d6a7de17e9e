#![doc = include_str!("../README.md")]

mod chain;
mod digest;
mod json;
mod line;
mod log;
mod place;
mod reader;
mod receipt;
mod record;
mod redact;
mod registry;
mod scan;
mod verify;

pub use chain::{Keys, VerifyKeys};
pub use digest::{Digest, Head, InvalidDigest, InvalidLogId, LogId};
pub use line::{Entry, MAX_LINE, Reason, parse_line};
pub use log::{
    AppendError, AuditLog, OpenError, RecoverError, Recovered, RecoveryOutcome, recover_abandoned,
};
pub use reader::{BadRecord, ReadError, Reader, logs};
pub use receipt::{Durability, Receipt};
pub use record::{Body, Decision, Kind, Record};
pub use redact::{ArgumentDigests, redact_url};
pub use registry::{LogEntry, LogRegistry, LogState, MemoryRegistry, RegistryError};
pub use scan::LogFault;
pub use verify::{LogReport, Report, VerifyError, verify, verify_bytes};
