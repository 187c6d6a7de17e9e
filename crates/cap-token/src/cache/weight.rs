use std::io;
use std::sync::Arc;

use super::store::overhead;
use crate::VerifiedToken;

/// What a character of a JSON text takes at the most in what is made of it.
const fn takes(character: u8) -> usize {
    match character {
        // A whole set of constraints, or the least node of a tree.
        b'{' => 1408,
        // The place of a member in a tree that is half full; the least room of a vector.
        b':' | b'[' => 160,
        // The place of a value in a vector that has just grown.
        b',' => 112,
        // A segment of a pattern.
        b'/' | b'*' | b'?' => 40,
        _ => 4,
    }
}

/// At least the bytes that a remembered token takes: its text, what was made of it, and its places in
/// the store.
///
/// What is made of a constraint may be a hundred times as long as its text: a zero in a list is a
/// value, and `{}` a set with room for every kind of constraint. So it goes by what stands in the
/// text. The factors were measured, and a test holds them against the allocator.
pub(super) fn weight(text: &str, token: &VerifiedToken) -> usize {
    let capability = token.capability();
    let limits: Vec<_> = capability.obligations().collect();
    let mut shape = Shape(0);
    // INVARIANT: all this serialises. What did not would not be remembered.
    let parts = (capability.principal(), capability.resource(), capability.constraints(), limits);
    if serde_json::to_writer(&mut shape, &parts).is_err() {
        return usize::MAX;
    }
    let lists = size_of_val(token.ancestors()) + token.status().map_or(0, |at| at.uri().len());
    let places = size_of::<VerifiedToken>() + overhead::<Arc<VerifiedToken>>();
    shape.0.saturating_add(text.len() + 2 * lists + places)
}

/// What the values of a JSON text take.
struct Shape(usize);

impl io::Write for Shape {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0 = text.iter().copied().map(takes).fold(self.0, usize::saturating_add);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
