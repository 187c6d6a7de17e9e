use super::RevocationSet;

/// How much a set holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevocationStats {
    /// Tokens.
    pub tokens: usize,
    /// Capabilities.
    pub capabilities: usize,
    /// Principals, for good.
    pub principals: usize,
    /// Principals, for what was issued up to an instant.
    pub principals_before: usize,
    /// Issuers.
    pub issuers: usize,
    /// Keys.
    pub keys: usize,
    /// An estimate of the memory, in bytes.
    pub bytes: usize,
}

impl RevocationSet {
    /// How much it holds.
    #[must_use]
    pub fn stats(&self) -> RevocationStats {
        let mut stats = RevocationStats {
            tokens: self.tokens.len(),
            capabilities: self.capabilities.len(),
            bytes: size_of::<Self>()
                + self.tokens.bytes()
                + self.capabilities.bytes()
                + self.principals.bytes()
                + self.issuers.bytes()
                + self.keys.bytes(),
            ..RevocationStats::default()
        };
        self.principals.for_each(|name, kept| {
            stats.principals += usize::from(kept.always.is_some());
            stats.principals_before += usize::from(kept.before.is_some());
            stats.bytes += name.len();
        });
        self.issuers.for_each(|name, _| {
            stats.issuers += 1;
            stats.bytes += name.len();
        });
        self.keys.for_each(|name, _| {
            stats.keys += 1;
            stats.bytes += name.len();
        });
        stats
    }
}
