//! What ties the lines of a log together: hashes, MACs, signed checkpoints.

use std::sync::Arc;

use cap_crypto::{KeyId, KeyStatus, Mac, MacKeyring, SignError, SigningKeyring, VerifyingKey};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::digest::{decode, encode};
use crate::line::{Entry, Reason, parse_line};
use crate::record::Sealed;
use crate::{Body, Digest, Head, Kind, LogEntry, LogId, Record};

/// The version of what is described in the crate's documentation.
const FORMAT: u64 = 1;

/// The keys with which a log is written. The public half of the signing key can be given to
/// others; who has the MAC key can write a log.
#[derive(Debug, Clone)]
pub struct Keys {
    /// [`Purpose::AuditMac`](cap_crypto::Purpose::AuditMac).
    pub mac: Arc<MacKeyring>,
    /// [`Purpose::AuditSign`](cap_crypto::Purpose::AuditSign).
    pub signer: Arc<SigningKeyring>,
}

/// The keys with which a log is verified.
#[derive(Debug, Clone)]
pub struct VerifyKeys {
    macs: Option<Arc<MacKeyring>>,
    signers: Vec<VerifyingKey>,
}

/// What the opening record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opening {
    pub(crate) log: LogId,
    pub(crate) node: String,
}

/// Follows a log line by line, and accepts only what the log itself would have written next.
#[derive(Debug)]
pub(crate) struct Chain<'k> {
    keys: &'k VerifyKeys,
    opening: Option<Opening>,
    next: u64,
    head: Digest,
    pub(crate) checkpoints: u64,
    /// Records since the last signature.
    pub(crate) unsigned: u64,
    pub(crate) closed: bool,
}

impl Keys {
    /// What verifies a log that these keys wrote.
    #[must_use]
    pub fn verify_keys(&self) -> VerifyKeys {
        VerifyKeys::new(Arc::clone(&self.mac), self.signer.verifying_keys())
    }
}

impl VerifyKeys {
    /// All that can be checked is checked.
    #[must_use]
    pub const fn new(macs: Arc<MacKeyring>, signers: Vec<VerifyingKey>) -> Self {
        Self { macs: Some(macs), signers }
    }

    /// For those who must not be able to write: hashes and signatures are checked, MACs are not.
    /// The lines after the last checkpoint then prove nothing.
    #[must_use]
    pub const fn public(signers: Vec<VerifyingKey>) -> Self {
        Self { macs: None, signers }
    }

    /// Whether MACs are checked.
    #[must_use]
    pub const fn check_macs(&self) -> bool {
        self.macs.is_some()
    }

    fn check_mac(&self, mac: &Mac, hash: &Digest) -> Result<(), Reason> {
        let Some(keyring) = &self.macs else { return Ok(()) };
        let input = line_mac_input(hash);
        keyring.verify(mac, &input).map_err(|_| {
            let known =
                |key: &cap_crypto::KeyInfo| key.id == mac.key && key.status != KeyStatus::Retired;
            if keyring.keys().iter().any(known) {
                Reason::Mac
            } else {
                Reason::UnknownKey(mac.key.clone())
            }
        })
    }

    fn check_signature(&self, key: &KeyId, message: &[u8], bytes: &[u8]) -> Result<(), Reason> {
        let signer = self.signers.iter().find(|signer| signer.id() == key);
        let signer = signer.ok_or_else(|| Reason::UnknownKey(key.clone()))?;
        signer.verify(message, bytes).map_err(|_| Reason::Signature)
    }
}

impl<'k> Chain<'k> {
    /// From the first line on.
    pub(crate) const fn new(keys: &'k VerifyKeys) -> Self {
        Self {
            keys,
            opening: None,
            next: 0,
            head: Digest::NONE,
            checkpoints: 0,
            unsigned: 0,
            closed: false,
        }
    }

    /// From the line after a registered head on.
    pub(crate) fn resume(keys: &'k VerifyKeys, entry: &LogEntry) -> Option<Self> {
        Some(Self {
            opening: Some(Opening { log: entry.log, node: entry.node.clone() }),
            next: entry.head.seq.checked_add(1)?,
            head: entry.head.hash,
            ..Self::new(keys)
        })
    }

    pub(crate) const fn opening(&self) -> Option<&Opening> {
        self.opening.as_ref()
    }

    /// The number that the next record must have: as many as there are.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// The last line that was accepted.
    pub(crate) fn head(&self) -> Option<Head> {
        Some(Head { seq: self.next.checked_sub(1)?, hash: self.head })
    }

    /// Accepts the next line of the log, without its newline.
    pub(crate) fn accept(&mut self, line: &[u8]) -> Result<Entry, Reason> {
        let entry = parse_line(line)?;
        self.check_place(&entry)?;
        let log = self.check_opening(&entry)?;
        if entry.hash != line_hash(&log, entry.seq, &entry.prev, &entry.digest) {
            return Err(Reason::HashMismatch);
        }
        self.keys.check_mac(&entry.mac, &entry.hash)?;
        self.check_seal(&log, &entry)?;
        self.step(&entry)?;
        Ok(entry)
    }

    fn check_place(&self, entry: &Entry) -> Result<(), Reason> {
        if self.closed {
            Err(Reason::AfterClose)
        } else if entry.seq != self.next {
            Err(Reason::SeqGap { found: entry.seq })
        } else if entry.prev != self.head {
            Err(Reason::PrevMismatch)
        } else {
            Ok(())
        }
    }

    fn check_opening(&mut self, entry: &Entry) -> Result<LogId, Reason> {
        match (&self.opening, entry.body.kind) {
            (None, Kind::Opened) => {
                let opening = Opening::read(&entry.body).ok_or(Reason::Opening)?;
                Ok(self.opening.insert(opening).log)
            }
            (None, _) | (Some(_), Kind::Opened) => Err(Reason::Opening),
            (Some(opening), _) => Ok(opening.log),
        }
    }

    fn check_seal(&self, log: &LogId, entry: &Entry) -> Result<(), Reason> {
        if !is_seal(entry.body.kind) {
            return Ok(());
        }
        let head = self.head().ok_or(Reason::Signature)?;
        let seal = Seal::read(&entry.body).ok_or(Reason::Signature)?;
        if seal.log != *log || seal.head != head {
            return Err(Reason::Signature);
        }
        let message = seal_message(entry.body.kind, log, &head, entry.body.at);
        self.keys.check_signature(&seal.key, &message, &seal.signature)
    }

    fn step(&mut self, entry: &Entry) -> Result<(), Reason> {
        let gap = Reason::SeqGap { found: entry.seq };
        self.next = self.next.checked_add(1).ok_or(gap)?;
        self.head = entry.hash;
        self.closed = entry.body.kind == Kind::Closed;
        if is_seal(entry.body.kind) {
            self.checkpoints += 1;
            self.unsigned = 0;
        } else {
            self.unsigned += 1;
        }
        Ok(())
    }
}

impl Opening {
    /// The opening record of a log. `previous` is the last log that is registered for this node.
    pub(crate) fn record(
        &self,
        keys: &Keys,
        previous: Option<&LogEntry>,
        now: DateTime<Utc>,
    ) -> Record {
        let mut detail = Map::from_iter([
            ("format".to_owned(), Value::from(FORMAT)),
            ("log".to_owned(), Value::from(self.log.to_string())),
            ("node".to_owned(), Value::from(self.node.as_str())),
            ("mac-key".to_owned(), Value::from(keys.mac.active().as_str())),
            ("sign-key".to_owned(), Value::from(keys.signer.active().as_str())),
        ]);
        if let Some(LogEntry { log, head, .. }) = previous {
            detail.insert("previous-log".to_owned(), Value::from(log.to_string()));
            detail.insert("previous-seq".to_owned(), Value::from(head.seq));
            detail.insert("previous-head".to_owned(), Value::from(head.hash.to_string()));
        }
        Record::new(Kind::Opened, "", now).detail(detail)
    }

    /// Whether a folder of this name is that of this log.
    pub(crate) fn belongs_in(&self, folder: &str) -> bool {
        self.is_shared_in(folder) || folder == self.own_folder()
    }

    /// Whether short commands share this log.
    pub(crate) fn is_shared_in(&self, folder: &str) -> bool {
        folder == self.node
    }

    /// The folder of a log of one process.
    pub(crate) fn own_folder(&self) -> String {
        format!("{}-{}", self.node, self.log)
    }

    fn read(body: &Body) -> Option<Self> {
        if body.detail.get("format")?.as_u64()? != FORMAT {
            return None;
        }
        Some(Self {
            log: body.detail.get("log")?.as_str()?.parse().ok()?,
            node: body.detail.get("node")?.as_str()?.to_owned(),
        })
    }
}

/// What a checkpoint carries beside its place.
struct Seal {
    log: LogId,
    head: Head,
    key: KeyId,
    signature: Vec<u8>,
}

impl Seal {
    fn read(body: &Body) -> Option<Self> {
        let text = |name: &str| body.detail.get(name)?.as_str();
        Some(Self {
            log: text("log")?.parse().ok()?,
            head: Head {
                seq: body.detail.get("seq")?.as_u64()?,
                hash: text("head")?.parse().ok()?,
            },
            key: text("key")?.parse().ok()?,
            signature: decode(text("signature")?)?,
        })
    }
}

/// A record that signs everything up to `head`.
pub(crate) fn seal_record(
    keys: &Keys,
    kind: Kind,
    log: &LogId,
    head: &Head,
    at: DateTime<Utc>,
) -> Result<Record, SignError> {
    let record = Record::new(kind, "", at);
    // The instant as the record keeps it, which is what a verifier will see.
    let message = seal_message(kind, log, head, record.body().at);
    let signature = keys.signer.sign(&message)?;
    Ok(record.detail(Map::from_iter([
        ("log".to_owned(), Value::from(log.to_string())),
        ("seq".to_owned(), Value::from(head.seq)),
        ("head".to_owned(), Value::from(head.hash.to_string())),
        ("key".to_owned(), Value::from(signature.key.as_str())),
        ("signature".to_owned(), Value::from(encode(&signature.bytes))),
    ])))
}

const fn is_seal(kind: Kind) -> bool {
    matches!(kind, Kind::Checkpoint | Kind::Closed)
}

/// The hash and the MAC of the line that puts `sealed` into this place.
pub(crate) fn link(
    keys: &Keys,
    log: &LogId,
    seq: u64,
    prev: &Digest,
    sealed: &Sealed,
) -> (Digest, Mac) {
    let hash = line_hash(log, seq, prev, &sealed.digest);
    (hash, keys.mac.mac(&line_mac_input(&hash)))
}

/// Every part but the first has a fixed length, so no two lines give the same input.
fn line_hash(log: &LogId, seq: u64, prev: &Digest, body: &Digest) -> Digest {
    let mut input = Vec::with_capacity(128);
    input.extend_from_slice(b"mcp-security/audit/v1\0");
    input.extend_from_slice(log.as_bytes());
    input.extend_from_slice(&seq.to_be_bytes());
    input.extend_from_slice(prev.as_bytes());
    input.extend_from_slice(body.as_bytes());
    Digest::of(&input)
}

/// SECURITY: the same key makes the digests of arguments, whose input begins with `argument`.
fn line_mac_input(hash: &Digest) -> Vec<u8> {
    [b"line\0".as_slice(), hash.as_bytes()].concat()
}

fn seal_message(kind: Kind, log: &LogId, head: &Head, at: DateTime<Utc>) -> Vec<u8> {
    let mut message = format!("mcp-security/audit-{}/v1\0", kind.as_str()).into_bytes();
    message.extend_from_slice(log.as_bytes());
    message.extend_from_slice(&head.seq.to_be_bytes());
    message.extend_from_slice(head.hash.as_bytes());
    message.extend_from_slice(&at.timestamp_micros().to_be_bytes());
    message
}
