//! How much passed, failed and was skipped: the closing line of every check.

use std::fmt;
use std::ops::AddAssign;

use anyhow::Result;

/// A count of checks. Skipped is neither passed nor failed, and is always said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl Tally {
    pub const PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    pub const FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };

    /// Counts one step as one check, and says what went wrong.
    pub fn check(&mut self, what: &str, result: Result<()>) {
        match result {
            Ok(()) => *self += Self::PASSED,
            Err(error) => self.fail(&format!("{what}: {error:#}")),
        }
    }

    pub fn fail(&mut self, why: &str) {
        eprintln!("FAILED: {why}");
        *self += Self::FAILED;
    }

    pub fn skip(&mut self, count: u64, why: &str) {
        eprintln!("SKIPPED ({count}): {why}");
        self.skipped += count;
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_has_one_plain_form() {
        let mut tally = Tally::PASSED;
        tally += Tally::PASSED;
        tally.fail("because");
        tally.skip(3, "absent");
        assert_eq!(tally.to_string(), "2 passed, 1 failed, 3 skipped");
    }

    #[test]
    fn an_error_counts_as_failed() {
        let mut tally = Tally::default();
        tally.check("good", Ok(()));
        tally.check("bad", Err(anyhow::anyhow!("no")));
        assert_eq!(tally, Tally { passed: 1, failed: 1, skipped: 0 });
    }
}
