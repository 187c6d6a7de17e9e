//! The content of a keyring's file.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::de::{self, Deserializer, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{KeyInfo, KeyStatus};
use crate::{Algorithm, KeyId, Purpose, VerifyingKey, encoding};

/// What is written. Version 1, which knew neither numbers nor times, is read and becomes version 2
/// with the next change.
const VERSION: u32 = 2;

/// A keyring as it is written.
///
/// INVARIANT: one record is active, at most one is pending, and no two have the same id;
/// [`Document::parse`] refuses others.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    version: u32,
    purpose: Purpose,
    /// Grows with every change, so that an older file is known as such.
    #[serde(default, skip_serializing_if = "is_zero")]
    changes: u64,
    keys: Vec<Record>,
}

/// One key as it is written.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    pub(crate) id: KeyId,
    pub(crate) algorithm: KeyAlgorithm,
    pub(crate) status: KeyStatus,
    pub(crate) created: DateTime<Utc>,
    /// Since when it has the status that it has; unknown of keys that version 1 wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<DateTime<Utc>>,
    /// When it is to get the next status: a pending key becomes active, a retiring one retired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) public: Option<PublicPart>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<Secret>,
}

/// The JOSE name of what a key computes (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum KeyAlgorithm {
    #[serde(rename = "HS256")]
    Hs256,
    #[serde(rename = "EdDSA")]
    EdDsa,
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "RS256")]
    Rs256,
}

/// The members of a public JWK that carry the key (RFC 8037 §2: `x`; RFC 7518 §6.2.1: `x`, `y`;
/// §6.3.1: `n`, `e`).
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublicPart {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) x: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) y: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) n: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) e: Option<String>,
}

/// Secret bytes: base64url in the file, wiped from memory when dropped, not printable.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<Vec<u8>>);

impl Document {
    pub(crate) fn new(purpose: Purpose, first: Record) -> Self {
        Self { version: VERSION, purpose, changes: 1, keys: vec![first] }
    }

    /// Strict: unknown and duplicate members, another version or purpose are refused. The reason
    /// holds positions, never content.
    pub(crate) fn parse(bytes: &[u8], purpose: Purpose) -> Result<Self, String> {
        let document: Self = serde_json::from_slice(bytes).map_err(|error| {
            let kind = match error.classify() {
                serde_json::error::Category::Eof => "it ends too early",
                serde_json::error::Category::Data => "it is no keyring of ours",
                serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
                    "it is not JSON"
                }
            };
            format!("{kind} (line {}, column {})", error.line(), error.column())
        })?;
        document.check(purpose)?;
        Ok(document)
    }

    pub(crate) fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
        // SECURITY: with room from the start the buffer is not moved while it grows, which would
        // leave copies of the secrets behind.
        let room =
            768 + self.keys.len() * 512 + self.keys.iter().map(Record::weight).sum::<usize>();
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        serde_json::to_writer_pretty(&mut *bytes, self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    pub(crate) fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Whether a file may take the place of one that said `self`: what is older may not, nor what
    /// has forgotten that a key was retired or compromised.
    pub(crate) fn may_become(&self, next: &Self) -> bool {
        // Programs that write version 1 do not count.
        let is_newer =
            next.changes > self.changes || (next.changes, self.changes) == (0, 0) || next == self;
        // SECURITY: the number alone does not tell: a backup that was put back and then changed
        // often enough has a higher one.
        is_newer
            && self.keys.iter().all(|known| {
                let becomes = next.find(&known.id).map(|record| record.status);
                match known.status {
                    KeyStatus::Compromised => becomes == Some(KeyStatus::Compromised),
                    KeyStatus::Retired => becomes.is_some_and(|status| !status.is_alive()),
                    KeyStatus::Pending | KeyStatus::Active | KeyStatus::Retiring => true,
                }
            })
    }

    /// To be called once for every change.
    pub(crate) fn count_change(&mut self) {
        self.version = VERSION;
        self.changes = self.changes.saturating_add(1);
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.keys
    }

    pub(crate) fn records_mut(&mut self) -> impl Iterator<Item = &mut Record> {
        self.keys.iter_mut()
    }

    /// INVARIANT: the caller has seen that there is no key of this id.
    pub(crate) fn push(&mut self, record: Record) {
        self.keys.push(record);
    }

    /// The one key of this status; for active and pending ones.
    pub(crate) fn only(&self, status: KeyStatus) -> Option<&Record> {
        self.keys.iter().find(|record| record.status == status)
    }

    pub(crate) fn find(&self, id: &KeyId) -> Option<&Record> {
        self.keys.iter().find(|record| record.id == *id)
    }

    pub(crate) fn infos(&self) -> Vec<KeyInfo> {
        let info = |record: &Record| KeyInfo {
            id: record.id.clone(),
            status: record.status,
            created: record.created,
            since: record.since,
            until: record.until,
        };
        self.keys.iter().map(info).collect()
    }

    fn check(&self, purpose: Purpose) -> Result<(), String> {
        if !(1..=VERSION).contains(&self.version) {
            return Err(format!("its version is {}, not {VERSION}", self.version));
        }
        if self.version == 1 && (self.changes != 0 || !self.keys.iter().all(Record::is_version_1)) {
            return Err("it says version 1, but has members of version 2".to_owned());
        }
        if self.purpose != purpose {
            return Err(format!("its keys are for `{}`, not for `{purpose}`", self.purpose));
        }
        if !self.keys.iter().all(|record| record.algorithm.serves(purpose)) {
            return Err(format!("one of its keys has an algorithm that is not for `{purpose}`"));
        }
        let count = |status| self.keys.iter().filter(|record| record.status == status).count();
        let (active, pending) = (count(KeyStatus::Active), count(KeyStatus::Pending));
        if active != 1 {
            return Err(format!("it has {active} active keys, not one"));
        }
        if pending > 1 {
            return Err(format!("it has {pending} pending keys, not one or none"));
        }
        let mut ids: Vec<_> = self.keys.iter().map(|record| &record.id).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() != self.keys.len() {
            return Err("two of its keys have the same id".to_owned());
        }
        Ok(())
    }
}

impl KeyAlgorithm {
    pub(crate) fn of(key: &VerifyingKey) -> Self {
        match key.algorithm() {
            Algorithm::EdDsa => Self::EdDsa,
            Algorithm::Es256 => Self::Es256,
            Algorithm::Rs256 => Self::Rs256,
        }
    }

    /// What a signing key of this kind computes; nothing if it is one for MACs.
    pub(crate) fn signing(self) -> Option<Algorithm> {
        match self {
            Self::Hs256 => None,
            Self::EdDsa => Some(Algorithm::EdDsa),
            Self::Es256 => Some(Algorithm::Es256),
            Self::Rs256 => Some(Algorithm::Rs256),
        }
    }

    pub(crate) fn serves(self, purpose: Purpose) -> bool {
        match self {
            Self::Hs256 => purpose.is_mac(),
            Self::EdDsa => !purpose.is_mac(),
            Self::Es256 | Self::Rs256 => purpose == Purpose::TokenSign,
        }
    }
}

impl Record {
    /// Whether nothing is left of the key but its name.
    pub(crate) fn is_bare(&self) -> bool {
        self.secret.is_none() && self.public.is_none()
    }

    /// Gives it another status from now on, until `until` if that is set.
    pub(crate) fn enter(
        &mut self,
        status: KeyStatus,
        now: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
    ) {
        self.status = status;
        self.since = Some(now);
        self.until = until;
    }

    /// Leaves nothing but its name, and `status`; without an instant, what `since` said stays.
    pub(crate) fn leave(&mut self, status: KeyStatus, now: Option<DateTime<Utc>>) {
        self.status = status;
        self.since = now.or(self.since);
        self.until = None;
        self.secret = None;
        self.public = None;
    }

    fn is_version_1(&self) -> bool {
        let known = !matches!(self.status, KeyStatus::Pending | KeyStatus::Compromised);
        known && self.since.is_none() && self.until.is_none()
    }

    fn weight(&self) -> usize {
        let secret = self.secret.as_ref().map_or(0, |secret| secret.bytes().len());
        let public = self.public.as_ref().and_then(|public| public.n.as_ref());
        2 * secret + public.map_or(0, String::len)
    }
}

impl Secret {
    pub(crate) fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encoding::encode_secret(&self.0))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Base64Url;

        impl Visitor<'_> for Base64Url {
            type Value = Secret;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("base64url without padding")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
                encoding::decode_secret(text)
                    .map(Secret)
                    .ok_or_else(|| E::custom("expected base64url without padding"))
            }
        }

        deserializer.deserialize_str(Base64Url)
    }
}
