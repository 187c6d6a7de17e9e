//! One JSON document, read strictly (RFC 8259) without building it.
//!
//! A scan answers whether the bytes are a document that every conforming parser reads the same
//! way, and where its outer members lie. Values below that are walked on demand.

mod build;
mod number;
mod scan;
mod text;
mod walk;

use std::borrow::Cow;
use std::ops::Range;

pub(crate) use self::build::build_object;
pub(crate) use self::number::survives_round_trip;
pub(crate) use self::scan::{Entry, Home, Rules, scan};
pub use self::walk::{Elements, Member, Members};
use crate::read_error::{Fault, ReadError};

/// Objects and arrays that may be open at once.
pub const MAX_DEPTH: usize = 128;

/// The kind of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number, as it is written.
    Number,
    /// A string, with its quotes.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// A value where it stands: its text and its place in the line.
///
/// INVARIANT: made only from text that a scan has accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'a> {
    text: &'a str,
    at: usize,
    kind: Kind,
}

impl<'a> Raw<'a> {
    pub(crate) const fn new(text: &'a str, at: usize, kind: Kind) -> Self {
        Self { text, at, kind }
    }

    /// The bytes of the value, as they came.
    #[must_use]
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// Where the value lies in the line, in bytes.
    #[must_use]
    pub const fn span(&self) -> Range<usize> {
        self.at..self.at + self.text.len()
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The string that it denotes.
    ///
    /// # Errors
    /// When it is no string, or when it has a surrogate escape without its other half, which
    /// parsers read differently.
    pub fn string(&self) -> Result<Cow<'a, str>, StringError> {
        if self.kind != Kind::String {
            return Err(StringError::NotAString);
        }
        let decoded = text::decode(self.text);
        if decoded.lone_surrogate {
            return Err(StringError::LoneSurrogate);
        }
        Ok(decoded.text)
    }

    /// The members of an object, in their order; of anything else none.
    #[must_use]
    pub const fn members(&self) -> Members<'a> {
        Members::new(*self)
    }

    /// The elements of an array, in their order; of anything else none.
    #[must_use]
    pub const fn elements(&self) -> Elements<'a> {
        Elements::new(*self)
    }
}

/// Why a value gives no string to decide on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StringError {
    /// It is of another kind.
    #[error("a string is wanted")]
    NotAString,
    /// `\ud800` alone and the like.
    #[error("the string has a lone surrogate escape")]
    LoneSurrogate,
}

/// Reads one whole JSON document by the rules of [`read`](crate::read), but of any kind and over
/// any number of lines.
///
/// # Errors
/// The first rule that the bytes break, and where.
pub fn check_document(bytes: &[u8]) -> Result<Kind, ReadError> {
    let text = decode_utf8(bytes)?;
    scan(text, Rules::DOCUMENT).map(|scan| scan.root.kind()).map_err(ReadError::unanswerable)
}

/// The bytes as text; a byte-order mark is refused, and so are too many bytes.
pub(crate) fn decode_utf8(bytes: &[u8]) -> Result<&str, ReadError> {
    if bytes.len() > crate::MAX_LINE_BYTES {
        return Err(ReadError::unanswerable((Fault::TooLong, crate::MAX_LINE_BYTES)));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(ReadError::unanswerable((Fault::ByteOrderMark, 0)));
    }
    std::str::from_utf8(bytes)
        .map_err(|error| ReadError::unanswerable((Fault::Encoding, error.valid_up_to())))
}
