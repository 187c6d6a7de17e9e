//! Reads what libtest prints.

use crate::tally::Tally;

/// What one run of `cargo test` said about all of its binaries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub passed: u64,
    pub failed: u64,
    /// Names of the tests that ran; equal names of several binaries stay apart.
    pub ran: Vec<String>,
    pub ignored: Vec<Ignored>,
    ignored_count: u64,
}

/// A test that was not run, and the reason that its attribute gives (empty without one).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    pub test: String,
    pub reason: String,
}

impl Report {
    /// Takes in one line of the output.
    pub fn read(&mut self, line: &str) {
        if let Some(at) = line.find("test result: ") {
            let (_, summary) = line.split_at(at);
            self.passed += count(summary, " passed");
            self.failed += count(summary, " failed");
            self.ignored_count += count(summary, " ignored");
        } else if let Some((test, outcome)) =
            line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... "))
        {
            self.read_outcome(test, outcome);
        }
    }

    /// Whether every ignored test of the summaries was also seen by name. Otherwise a test may be lost.
    pub fn names_every_ignored_test(&self) -> bool {
        u64::try_from(self.ignored.len()) == Ok(self.ignored_count)
    }

    pub fn ignored_because<'a>(&'a self, reason: &'a str) -> impl Iterator<Item = &'a str> {
        let matching = self.ignored.iter().filter(move |ignored| ignored.reason == reason);
        matching.map(|ignored| ignored.test.as_str())
    }

    /// What ran, without what was ignored: that is for the caller to account for.
    pub fn tally(&self) -> Tally {
        Tally { passed: self.passed, failed: self.failed, skipped: 0 }
    }

    fn read_outcome(&mut self, test: &str, outcome: &str) {
        let test = test.trim_end_matches(" - should panic").to_owned();
        match outcome.strip_prefix("ignored") {
            Some(reason) => {
                let reason = reason.trim_start_matches([',', ' ']).to_owned();
                self.ignored.push(Ignored { test, reason });
            }
            None => self.ran.push(test),
        }
    }
}

/// The number right before `label`, which ends in a `;` in the summary.
fn count(summary: &str, label: &str) -> u64 {
    let before = summary.split(';').find_map(|part| part.trim_end().strip_suffix(label));
    let number = before.and_then(|part| part.split_whitespace().last());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(output: &str) -> Report {
        let mut report = Report::default();
        output.lines().for_each(|line| report.read(line));
        report
    }

    const OUTPUT: &str = "\
     Running unittests src/lib.rs (target/debug/deps/lt-d08e8b453f7c5fff)
running 4 tests
test c ... ignored
test a ... ok
test shared::shared_b ... ignored, needs MCP_SECURITY_SHARED
test d - should panic ... ok
test e has been running for over 60 seconds
test e ... FAILED
test result: FAILED. 2 passed; 1 failed; 2 ignored; 0 measured; 3 filtered out; finished in 0.15s
   Doc-tests lt
test src/lib.rs - (line 4) ... ok
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    #[test]
    fn all_binaries_are_summed() {
        let report = report(OUTPUT);
        assert_eq!(report.tally(), Tally { passed: 3, failed: 1, skipped: 0 });
        assert_eq!(report.ran, ["a", "d", "e", "src/lib.rs - (line 4)"]);
        assert!(report.names_every_ignored_test());
    }

    #[test]
    fn ignored_tests_are_known_by_their_reason() {
        let report = report(OUTPUT);
        let shared: Vec<_> = report.ignored_because("needs MCP_SECURITY_SHARED").collect();
        assert_eq!(shared, ["shared::shared_b"]);
        assert_eq!(report.ignored_because("").collect::<Vec<_>>(), ["c"]);
    }

    #[test]
    fn an_ignored_test_whose_name_was_not_seen_is_noticed() {
        let summary = "test result: ok. 0 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out";
        assert!(!report(summary).names_every_ignored_test());
    }

    #[test]
    fn a_summary_behind_other_output_counts() {
        let line = "child says hello test result: ok. 7 passed; 0 failed; 0 ignored; 0 measured";
        assert_eq!(report(line).passed, 7);
    }
}
