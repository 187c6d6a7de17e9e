//! The wire form of a snapshot or delta. Numbers are big-endian, texts are UTF-8 behind their
//! length in two bytes, instants are seconds since 1970.
//!
//! ```text
//! "CRV1"  form (0 snapshot, 1 delta)  issuer  kid  at:8  from:8  to:8
//! tokens        count:4  (id:16 until:8)*
//! capabilities  count:4  (id:16 until:8)*
//! principals    count:4  (name)*
//! before        count:4  (name instant:8 until:8)*
//! issuers       count:4  (name)*
//! keys          count:4  (name)*
//! signature  length:2
//! ```
//!
//! Every list ascends strictly by the bytes of its keys, so that equal sets have equal bytes. The
//! signature is over [`REVOCATION_DOMAIN`] and the SHA-256 digest of all that stands before it: a key
//! in a hardware token can make it, however long the list.

use cap_core::{CapabilityId, Principal};
use cap_crypto::{KeyId, sha256};
use thiserror::Error;

use super::item::{FOREVER, Item, LAST, Until, bits, is_issuer};

/// The most bytes that a snapshot or delta may have: 22 million ids. A set that holds more is
/// exported in deltas only.
pub const MAX_REVOCATIONS_BYTES: usize = 512 * 1024 * 1024;

/// What stands before the digest in what is signed.
pub const REVOCATION_DOMAIN: &[u8] = b"mcp-security/revocation-set/v1\0";

const MAGIC: &[u8; 4] = b"CRV1";

/// No epoch is higher: databases can hold it.
pub(super) const LAST_EPOCH: u64 = u64::MAX >> 1;

/// The bytes are no snapshot or delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the document of revocations is not well formed")]
pub struct MalformedRevocations;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Snapshot,
    Delta,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Header<'a> {
    pub(super) form: Form,
    pub(super) issuer: &'a str,
    pub(super) key: &'a str,
    /// When it was made.
    pub(super) at: i64,
    /// The epoch that a delta starts from; 0 in a snapshot.
    pub(super) from: u64,
    pub(super) to: u64,
}

/// What a document lists.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) tokens: Vec<(u128, Until)>,
    pub(super) capabilities: Vec<(u128, Until)>,
    pub(super) principals: Vec<Box<str>>,
    pub(super) before: Vec<(Box<str>, i64, Until)>,
    pub(super) issuers: Vec<Box<str>>,
    pub(super) keys: Vec<Box<str>>,
}

/// A document taken apart; its lists are not read yet.
#[derive(Debug)]
pub(super) struct Document<'a> {
    pub(super) header: Header<'a>,
    pub(super) signature: &'a [u8],
    body: &'a [u8],
    lists: &'a [u8],
}

/// The body, or `None` where it has no place in a document.
pub(super) fn write(header: &Header<'_>, lists: Lists) -> Option<Vec<u8>> {
    let mut out = Vec::from(MAGIC);
    out.push(u8::from(header.form == Form::Delta));
    text(&mut out, header.issuer)?;
    text(&mut out, header.key)?;
    out.extend(header.at.to_be_bytes());
    out.extend(header.from.to_be_bytes());
    out.extend(header.to.to_be_bytes());
    write_ids(&mut out, lists.tokens)?;
    write_ids(&mut out, lists.capabilities)?;
    write_names(&mut out, lists.principals)?;
    write_before(&mut out, lists.before)?;
    write_names(&mut out, lists.issuers)?;
    write_names(&mut out, lists.keys)?;
    Some(out)
}

pub(super) fn with_signature(mut body: Vec<u8>, signature: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(signature.len()).ok()?;
    body.extend(signature);
    body.extend(length.to_be_bytes());
    (body.len() <= MAX_REVOCATIONS_BYTES).then_some(body)
}

/// What is signed.
pub(super) fn message(body: &[u8]) -> Vec<u8> {
    [REVOCATION_DOMAIN, &sha256(body)].concat()
}

impl<'a> Document<'a> {
    /// SECURITY: nothing in it is verified yet.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, MalformedRevocations> {
        let (rest, length) = bytes.split_last_chunk::<2>().ok_or(MalformedRevocations)?;
        let start = rest.len().checked_sub(usize::from(u16::from_be_bytes(*length)));
        let (body, signature) =
            start.and_then(|start| rest.split_at_checked(start)).ok_or(MalformedRevocations)?;
        let mut cursor = Cursor(body);
        if cursor.array()? != *MAGIC {
            return Err(MalformedRevocations);
        }
        let form = match cursor.array()? {
            [0] => Form::Snapshot,
            [1] => Form::Delta,
            _ => return Err(MalformedRevocations),
        };
        let (issuer, key) = (cursor.text()?, cursor.text()?);
        let (at, from, to) = (cursor.second()?, cursor.number()?, cursor.number()?);
        let range_fits = match form {
            Form::Snapshot => from == 0,
            Form::Delta => from <= to,
        };
        if !range_fits || to > LAST_EPOCH {
            return Err(MalformedRevocations);
        }
        let header = Header { form, issuer, key, at, from, to };
        Ok(Self { header, signature, body, lists: cursor.0 })
    }

    /// What the signature must be of.
    pub(super) fn message(&self) -> Vec<u8> {
        message(self.body)
    }

    /// Shows every revocation to `visit`. One call that succeeds says that every other will.
    pub(super) fn items(
        &self,
        visit: &mut dyn FnMut(Item<'a>, Until),
    ) -> Result<(), MalformedRevocations> {
        let mut cursor = Cursor(self.lists);
        cursor.ids(&mut |id, until| visit(Item::Token(id), until))?;
        cursor.ids(&mut |id, until| visit(Item::Capability(id), until))?;
        let principal = |name: &str| name.parse::<Principal>().is_ok();
        let key = |name: &str| name.parse::<KeyId>().is_ok();
        cursor.names(principal, |_, name| {
            visit(Item::Principal(name), FOREVER);
            Ok(())
        })?;
        cursor.names(principal, |cursor, name| {
            visit(Item::Before(name, cursor.second()?), cursor.until()?);
            Ok(())
        })?;
        cursor.names(is_issuer, |_, name| {
            visit(Item::Issuer(name), FOREVER);
            Ok(())
        })?;
        cursor.names(key, |_, name| {
            visit(Item::Key(name), FOREVER);
            Ok(())
        })?;
        if cursor.0.is_empty() { Ok(()) } else { Err(MalformedRevocations) }
    }
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], MalformedRevocations> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(MalformedRevocations)?;
        self.0 = rest;
        Ok(*head)
    }

    fn text(&mut self) -> Result<&'a str, MalformedRevocations> {
        let length = usize::from(u16::from_be_bytes(self.array()?));
        let (head, rest) = self.0.split_at_checked(length).ok_or(MalformedRevocations)?;
        self.0 = rest;
        std::str::from_utf8(head).map_err(|_| MalformedRevocations)
    }

    fn number(&mut self) -> Result<u64, MalformedRevocations> {
        self.array().map(u64::from_be_bytes)
    }

    fn second(&mut self) -> Result<i64, MalformedRevocations> {
        let second = i64::from_be_bytes(self.array()?);
        if (0..=LAST).contains(&second) { Ok(second) } else { Err(MalformedRevocations) }
    }

    fn until(&mut self) -> Result<Until, MalformedRevocations> {
        match i64::from_be_bytes(self.array()?) {
            until if until == FOREVER || (0..=LAST).contains(&until) => Ok(until),
            _ => Err(MalformedRevocations),
        }
    }

    fn count(&mut self) -> Result<u32, MalformedRevocations> {
        self.array().map(u32::from_be_bytes)
    }

    fn ids(&mut self, visit: &mut dyn FnMut(u128, Until)) -> Result<(), MalformedRevocations> {
        let mut last = None;
        for _ in 0..self.count()? {
            let id: [u8; 16] = self.array()?;
            CapabilityId::from_bytes(id).map_err(|_| MalformedRevocations)?;
            let id = bits(&id);
            if last.replace(id).is_some_and(|last| last >= id) {
                return Err(MalformedRevocations);
            }
            visit(id, self.until()?);
        }
        Ok(())
    }

    fn names(
        &mut self,
        is_name: impl Fn(&str) -> bool,
        mut visit: impl FnMut(&mut Self, &'a str) -> Result<(), MalformedRevocations>,
    ) -> Result<(), MalformedRevocations> {
        let mut last = None;
        for _ in 0..self.count()? {
            let name = self.text()?;
            if !is_name(name) || last.replace(name).is_some_and(|last| last >= name) {
                return Err(MalformedRevocations);
            }
            visit(self, name)?;
        }
        Ok(())
    }
}

fn text(out: &mut Vec<u8>, text: &str) -> Option<()> {
    out.extend(u16::try_from(text.len()).ok()?.to_be_bytes());
    out.extend(text.as_bytes());
    Some(())
}

fn count(out: &mut Vec<u8>, count: usize) -> Option<()> {
    out.extend(u32::try_from(count).ok()?.to_be_bytes());
    Some(())
}

fn write_ids(out: &mut Vec<u8>, mut ids: Vec<(u128, Until)>) -> Option<()> {
    ids.sort_unstable();
    count(out, ids.len())?;
    for (id, until) in ids {
        out.extend(id.to_be_bytes());
        out.extend(until.to_be_bytes());
    }
    Some(())
}

fn write_names(out: &mut Vec<u8>, mut names: Vec<Box<str>>) -> Option<()> {
    names.sort_unstable();
    count(out, names.len())?;
    names.iter().try_for_each(|name| text(out, name))
}

fn write_before(out: &mut Vec<u8>, mut names: Vec<(Box<str>, i64, Until)>) -> Option<()> {
    names.sort_unstable();
    count(out, names.len())?;
    for (name, instant, until) in names {
        text(out, &name)?;
        out.extend(instant.to_be_bytes());
        out.extend(until.to_be_bytes());
    }
    Some(())
}
