//! Lists that show only what could be permitted.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::json::{Kind, Raw};
use crate::message::{Era, Response};
use crate::splice::{Splice, append_member, remove_item};

/// Which list a response carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListKind {
    /// `tools/list`; each item has its `name`.
    Tools,
    /// `prompts/list`; each item has its `name`.
    Prompts,
    /// `resources/list`; each item has its `uri`.
    Resources,
    /// `resources/templates/list`; each item has its `uriTemplate`.
    ResourceTemplates,
}

impl ListKind {
    const fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::ResourceTemplates => "resourceTemplates",
        }
    }

    const fn name_member(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::ResourceTemplates => "uriTemplate",
        }
    }
}

/// Whom a list concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Everybody sees the same list: it is edited only if an item is taken out.
    Everyone,
    /// It depends on the caller's authority, whether or not an item is taken out this time.
    Caller,
}

/// Why a list cannot be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// The result has no list of items with a name each.
    #[error("the list in the response cannot be read")]
    Unreadable,
    /// Two tools of the same name.
    #[error("the list in the response names a tool twice")]
    DuplicateName,
}

/// Takes out of a list what `keep` does not keep, and says in `cacheScope` that the list is for
/// this caller alone, where the era (that of the request) has the field.
///
/// `None`: nothing is to be edited, the line itself can be passed on. An error response has no
/// list and is passed on as well. All bytes outside the edits are those that came.
///
/// # Errors
/// When the list cannot be decided on; the request is then to be answered with an error.
pub fn filter_list(
    response: &Response<'_>,
    list: ListKind,
    era: Era,
    audience: Audience,
    keep: &mut dyn FnMut(&str) -> bool,
) -> Result<Option<Vec<u8>>, ListError> {
    let Some(result) = response.result() else { return Ok(None) };
    let items = response.result_member(list.member()).ok_or(ListError::Unreadable)?;
    let mut splices = removals(list, &items, keep)?;
    if audience == Audience::Caller || !splices.is_empty() {
        splices.extend(private_scope(response, &result, era));
    }
    if splices.is_empty() {
        return Ok(None);
    }
    splices.sort_by_key(|splice| splice.span.start);
    Splice::apply(response.line(), &splices).map(Some).ok_or(ListError::Unreadable)
}

fn removals(
    list: ListKind,
    items: &Raw<'_>,
    keep: &mut dyn FnMut(&str) -> bool,
) -> Result<Vec<Splice>, ListError> {
    if items.kind() != Kind::Array {
        return Err(ListError::Unreadable);
    }
    let mut names = BTreeSet::new();
    let mut removals = Vec::new();
    let mut kept_before = false;
    let mut previous = None;
    let mut elements = items.elements().peekable();
    while let Some(item) = elements.next() {
        let name = name_of(list, &item)?;
        let kept = keep(&name);
        if list == ListKind::Tools && !names.insert(name) {
            return Err(ListError::DuplicateName);
        }
        if !kept {
            // With nothing kept in front, the comma behind goes, else the one before.
            let before = previous.filter(|_| kept_before);
            removals.push(remove_item(before, item.span(), elements.peek().map(Raw::span)));
        }
        kept_before |= kept;
        previous = Some(item.span());
    }
    Ok(removals)
}

fn name_of<'a>(list: ListKind, item: &Raw<'a>) -> Result<Cow<'a, str>, ListError> {
    let name = item.members().find(|member| member.key == list.name_member());
    name.and_then(|name| name.value.string().ok()).ok_or(ListError::Unreadable)
}

/// SECURITY: a shared cache must not show one caller's list to another.
fn private_scope(response: &Response<'_>, result: &Raw<'_>, era: Era) -> Option<Splice> {
    match response.result_member("cacheScope") {
        Some(scope) if scope.string().as_deref() == Ok("private") => None,
        Some(scope) => Some(Splice { span: scope.span(), with: Cow::Borrowed("\"private\"") }),
        None if era == Era::Stateless => append_member(result, "\"cacheScope\":\"private\""),
        None => None,
    }
}

#[cfg(test)]
mod tests;
