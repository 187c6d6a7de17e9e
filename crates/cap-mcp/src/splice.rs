//! Edits of a line that leave everything around them as it was.

use std::borrow::Cow;
use std::ops::Range;

use crate::json::{Kind, Raw};

/// One edit: what stands at `span` becomes `with`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Splice {
    pub(crate) span: Range<usize>,
    pub(crate) with: Cow<'static, str>,
}

impl Splice {
    /// The line with the edits, which are in order and do not overlap; `None` if they are not.
    pub(crate) fn apply(line: &str, splices: &[Self]) -> Option<Vec<u8>> {
        let mut edited = Vec::with_capacity(line.len());
        let mut at = 0;
        for splice in splices {
            edited.extend_from_slice(line.get(at..splice.span.start)?.as_bytes());
            edited.extend_from_slice(splice.with.as_bytes());
            at = splice.span.end;
        }
        edited.extend_from_slice(line.get(at..)?.as_bytes());
        Some(edited)
    }
}

/// Takes one item out of an object or array, with one of the commas beside it.
pub(crate) fn remove_item(
    previous: Option<Range<usize>>,
    item: Range<usize>,
    next: Option<Range<usize>>,
) -> Splice {
    let span = match (previous, next) {
        (Some(previous), _) => previous.end..item.end,
        (None, Some(next)) => item.start..next.start,
        (None, None) => item,
    };
    Splice { span, with: Cow::Borrowed("") }
}

/// Puts a member (written as JSON) at the end of an object.
pub(crate) fn append_member(object: &Raw<'_>, member: &'static str) -> Option<Splice> {
    if object.kind() != Kind::Object {
        return None;
    }
    Some(match object.members().last() {
        Some(last) => {
            let at = last.value.span().end;
            Splice { span: at..at, with: Cow::Owned(format!(",{member}")) }
        }
        None => {
            let at = object.span().start + 1;
            Splice { span: at..at, with: Cow::Borrowed(member) }
        }
    })
}
