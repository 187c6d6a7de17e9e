use cap_core::DenyCode;

use crate::message::{Answer, Id};

/// A line that is refused, and what may be answered to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at byte {at}")]
pub struct ReadError {
    /// The rule that the line breaks.
    pub fault: Fault,
    /// Where, in bytes from the line's beginning.
    pub at: usize,
    /// What the message was about, where that is unambiguous in spite of the fault.
    pub about: Option<About>,
}

impl ReadError {
    pub(crate) const fn unanswerable((fault, at): (Fault, usize)) -> Self {
        Self { fault, at, about: None }
    }
}

/// What a refused message was about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum About {
    /// A request: it can be answered.
    Request(Answer),
    /// A response to this request of the other side.
    Response(Id),
}

/// Why a line is no message that is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing but blanks.
    #[error("the line is empty")]
    Empty,
    /// More than 16 MiB.
    #[error("the line is longer than 16 MiB")]
    TooLong,
    /// A byte-order mark in front.
    #[error("a byte-order mark is not allowed")]
    ByteOrderMark,
    /// Bytes that are not UTF-8.
    #[error("the line is not UTF-8")]
    Encoding,
    /// A carriage return inside the line: some readers would end the line there.
    #[error("a line break inside the message")]
    LineBreak,
    /// Not the grammar of RFC 8259.
    #[error("not JSON")]
    Syntax,
    /// A second document behind the first.
    #[error("more than one document on the line")]
    TrailingBytes,
    /// More than 128 objects and arrays open at once.
    #[error("nested deeper than 128")]
    TooDeep,
    /// The same key twice in one object, compared after decoding the escapes.
    #[error("a member is given twice")]
    DuplicateMember,
    /// A key with a surrogate escape without its other half.
    #[error("a key has a lone surrogate escape")]
    LoneSurrogateKey,
    /// An array of messages; MCP has none since 2025-06-18.
    #[error("batches are not allowed")]
    Batch,
    /// Neither object nor array.
    #[error("a message is a JSON object")]
    NotAnObject,
    /// A key of the envelope, of `params` or of its `_meta` that some readers take for another.
    #[error("a key that can be taken for a known one")]
    LookAlikeKey,
    /// `jsonrpc` is not exactly `"2.0"`.
    #[error("`jsonrpc` must be \"2.0\"")]
    Version,
    /// `id` is missing, null, or neither a string nor an integer of at most 53 bits.
    #[error("`id` must be a string, or an integer of at most 53 bits")]
    Id,
    /// `method` is no string, or one with a lone surrogate.
    #[error("`method` must be a string")]
    Method,
    /// `params` is neither an object nor null.
    #[error("`params` must be an object")]
    Params,
    /// Not exactly one of request, notification, result and error.
    #[error("neither exactly a request, a notification nor a response")]
    Shape,
}

impl Fault {
    /// The code of the refusal.
    #[must_use]
    pub const fn code(self) -> DenyCode {
        match self {
            Self::ByteOrderMark
            | Self::Encoding
            | Self::LineBreak
            | Self::TrailingBytes
            | Self::DuplicateMember
            | Self::LoneSurrogateKey
            | Self::Batch
            | Self::LookAlikeKey => DenyCode::MessageAmbiguous,
            Self::Id => DenyCode::IdInvalid,
            _ => DenyCode::MessageInvalid,
        }
    }
}
