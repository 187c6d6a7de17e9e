//! One line of a log:
//! `{"seq":0,"prev":"<digest>","body":{…},"hash":"<digest>","mac":"<key id>.<tag>"}`.

use cap_crypto::{KeyId, Mac};
use serde::Serialize;
use thiserror::Error;

use crate::json::{self, Verdict};
use crate::record::Sealed;
use crate::{Body, Digest};

/// The most bytes that a line has, without its newline. The longest record takes about half.
pub const MAX_LINE: usize = 128 * 1024;

/// One line of a log, read. That it was read says nothing of whether it is true: see
/// [`verify`](crate::verify).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Entry {
    /// The number of the record, counted from 0.
    pub seq: u64,
    /// The hash of the line before.
    pub prev: Digest,
    /// What the line records.
    pub body: Body,
    /// The digest of the body's bytes: what the record's receipt carries.
    pub digest: Digest,
    /// The hash of this line.
    pub hash: Digest,
    /// The MAC of that hash.
    pub mac: Mac,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// The line is longer than [`MAX_LINE`].
    #[error("the line is too long")]
    Oversize,
    /// The line is no JSON.
    #[error("the line is not JSON")]
    NotJson,
    /// An object within has two members of one name.
    #[error("a member occurs twice")]
    DuplicateMember,
    /// The line is JSON, and not written as the log writes it.
    #[error("the line is not written as the log writes it")]
    NotCanonical,
    /// The log ends within a line.
    #[error("the log ends within a line")]
    Torn,
    /// The record has another number than its place asks for.
    #[error("the record is numbered {found}")]
    SeqGap {
        /// The number that it has.
        found: u64,
    },
    /// The line does not continue the line before.
    #[error("the line does not continue the line before")]
    PrevMismatch,
    /// The hash is not that of this content in this place.
    #[error("the content is not what the hash says")]
    HashMismatch,
    /// The MAC is not that of the hash.
    #[error("the MAC is wrong")]
    Mac,
    /// The signature is not that of a checkpoint in this place.
    #[error("the signature is wrong")]
    Signature,
    /// The MAC or signature names a key that is not at hand.
    #[error("the key `{0}` is unknown or retired")]
    UnknownKey(KeyId),
    /// The log does not begin with its opening record, or has a second one.
    #[error("the log does not begin with its one opening record")]
    Opening,
    /// The log is another one than the registered.
    #[error("the log is not the one that is registered under this name")]
    WrongLog,
    /// A record stands after the closing one.
    #[error("a record stands after the closing one")]
    AfterClose,
}

/// Reads one line, without its newline.
///
/// A line that was read is written exactly as the log writes it: there is no second text for the
/// same content.
///
/// # Errors
/// [`Reason::Oversize`], [`Reason::NotJson`], [`Reason::DuplicateMember`] or
/// [`Reason::NotCanonical`].
pub fn parse_line(line: &[u8]) -> Result<Entry, Reason> {
    if line.len() > MAX_LINE {
        return Err(Reason::Oversize);
    }
    std::str::from_utf8(line).ok().and_then(parse).ok_or_else(|| match json::judge(line) {
        Verdict::NotJson => Reason::NotJson,
        Verdict::DuplicateMember => Reason::DuplicateMember,
        Verdict::OtherwiseWritten => Reason::NotCanonical,
    })
}

/// Appends a line to `out`.
pub(crate) fn write_line(
    out: &mut Vec<u8>,
    seq: u64,
    prev: &Digest,
    sealed: &Sealed,
    hash: &Digest,
    mac: &Mac,
) {
    for part in [
        b"{\"seq\":",
        seq.to_string().as_bytes(),
        b",\"prev\":\"",
        prev.to_string().as_bytes(),
        b"\",\"body\":",
        &sealed.bytes,
        b",\"hash\":\"",
        hash.to_string().as_bytes(),
        b"\",\"mac\":\"",
        mac.to_string().as_bytes(),
        b"\"}\n",
    ] {
        out.extend_from_slice(part);
    }
}

/// INVARIANT: every part that stands between the fixed texts is read by something that accepts
/// one text per value, so what is accepted here is byte for byte what `write_line` writes.
fn parse(line: &str) -> Option<Entry> {
    let rest = line.strip_prefix("{\"seq\":")?.strip_suffix("\"}")?;
    let (seq, rest) = rest.split_once(",\"prev\":\"")?;
    let (prev, rest) = rest.split_once("\",\"body\":")?;
    let (rest, mac) = rest.rsplit_once("\",\"mac\":\"")?;
    let (body, hash) = rest.rsplit_once(",\"hash\":\"")?;
    Some(Entry {
        seq: number(seq)?,
        prev: prev.parse().ok()?,
        digest: Digest::of(body.as_bytes()),
        body: Body::from_bytes(body.as_bytes())?,
        hash: hash.parse().ok()?,
        mac: mac.parse().ok().filter(|read: &Mac| read.to_string() == mac)?,
    })
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|read: &u64| read.to_string() == text)
}
