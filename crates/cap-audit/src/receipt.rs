use crate::{Digest, LogId};

/// How much of a fall a record is to survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// In a bounded queue in memory. A crash of the process may lose the last moments, and the
    /// next opening says so.
    Buffered,
    /// Given to the operating system: survives the process.
    Written,
    /// On the disk: survives the machine.
    Synced,
}

/// The proof that a record is in a log. Nobody but [`AuditLog::append`](crate::AuditLog::append)
/// makes one.
///
/// It cannot be made by hand:
/// ```compile_fail,E0451
/// fn forge(log: cap_audit::LogId, digest: cap_audit::Digest) -> cap_audit::Receipt {
///     cap_audit::Receipt { log, index: 0, digest, durability: cap_audit::Durability::Synced }
/// }
/// ```
/// It cannot be copied, so what takes one by value uses it up:
/// ```compile_fail,E0507
/// fn copy(receipt: &cap_audit::Receipt) -> cap_audit::Receipt {
///     *receipt
/// }
/// ```
/// ```compile_fail,E0599
/// fn clone(receipt: cap_audit::Receipt) -> (cap_audit::Receipt, cap_audit::Receipt) {
///     (receipt.clone(), receipt)
/// }
/// ```
/// There is none by default, and none can be read from outside:
/// ```compile_fail,E0277
/// fn default<T: Default>() -> T { T::default() }
/// let receipt: cap_audit::Receipt = default();
/// ```
/// ```compile_fail,E0277
/// let receipt: cap_audit::Receipt = serde_json::from_str("{}").unwrap();
/// ```
/// The rest of these examples is fine, as this one shows:
/// ```
/// fn read(receipt: &cap_audit::Receipt) -> (cap_audit::LogId, u64) {
///     (receipt.log_id(), receipt.index())
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an allow without its receipt is not an allow"]
pub struct Receipt {
    log: LogId,
    index: u64,
    digest: Digest,
    durability: Durability,
}

impl Receipt {
    pub(crate) const fn new(
        log: LogId,
        index: u64,
        digest: Digest,
        durability: Durability,
    ) -> Self {
        Self { log, index, digest, durability }
    }

    /// The log that the record is in.
    #[must_use]
    pub const fn log_id(&self) -> LogId {
        self.log
    }

    /// The number of the record in that log, counted from 0.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The digest of the record: [`Record::digest`](crate::Record::digest).
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// What the record survives.
    #[must_use]
    pub const fn durability(&self) -> Durability {
        self.durability
    }
}
