use alloc::string::String;

/// A constraint that does not mean anything: which field, which value, what is wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {quoted}{wanted}")]
pub struct ConstraintError {
    field: &'static str,
    quoted: String,
    wanted: &'static str,
}

impl ConstraintError {
    pub(crate) fn new(field: &'static str, value: &str, wanted: &'static str) -> Self {
        let quoted = if value.is_empty() {
            String::new()
        } else {
            alloc::format!("{}: ", crate::decision::Quoted(value))
        };
        Self { field, quoted, wanted }
    }

    /// The field, by its name on the wire.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }
}
