use crate::json::{Entry, Home, Raw};
use crate::splice::{Splice, remove_item};

/// A line with the places of its outer members.
#[derive(Debug)]
pub(super) struct Body<'a> {
    pub(super) line: &'a str,
    pub(super) entries: Vec<Entry<'a>>,
}

impl<'a> Body<'a> {
    pub(super) fn member(&self, home: Home, key: &str) -> Option<Raw<'a>> {
        let entry = self.members(home).find(|entry| entry.key == key)?;
        Some(self.raw(entry))
    }

    pub(super) fn raw(&self, entry: &Entry<'a>) -> Raw<'a> {
        let text = self.line.get(entry.value.clone()).unwrap_or_default();
        Raw::new(text, entry.value.start, entry.kind)
    }

    pub(super) fn members(&self, home: Home) -> impl Iterator<Item = &Entry<'a>> {
        self.entries.iter().filter(move |entry| entry.home == home)
    }

    /// The line without a member; `None` when it has none of this name.
    pub(super) fn without(&self, home: Home, key: &str) -> Option<Vec<u8>> {
        let nth = self.members(home).position(|entry| entry.key == key)?;
        let span =
            |nth: usize| self.members(home).nth(nth).map(|entry| entry.key_at..entry.value.end);
        let previous = nth.checked_sub(1).and_then(span);
        let removal = remove_item(previous, span(nth)?, span(nth + 1));
        Splice::apply(self.line, &[removal])
    }
}
