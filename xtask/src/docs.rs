//! `cargo xtask docs`: rustdoc without warnings, and the pages that are generated from the code.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::repo::Repo;
use crate::tally::Tally;

/// Every stable code of a denial, from the catalogue in `cap-core`.
const DENY_CODES: &str = "docs/reference/deny-codes.md";

/// Writes the generated pages and builds the documentation.
pub fn write(repo: &Repo) -> Result<Tally> {
    let path = repo.path(DENY_CODES);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(&path, deny_codes(repo)?).with_context(|| format!("cannot write {DENY_CODES}"))?;
    let mut tally = Tally::default();
    tally.check("rustdoc", rustdoc(repo));
    Ok(tally)
}

/// Writes nothing: the generated pages must be those that are there.
pub fn check(repo: &Repo) -> Result<Tally> {
    let mut tally = Tally::default();
    tally.check(DENY_CODES, check_deny_codes(repo));
    tally.check("rustdoc", rustdoc(repo));
    Ok(tally)
}

/// An error if the page is not the one that the catalogue generates.
pub fn check_deny_codes(repo: &Repo) -> Result<()> {
    compare(&deny_codes(repo)?, &repo.read(DENY_CODES)?)
}

fn deny_codes(repo: &Repo) -> Result<String> {
    let page = repo
        .cargo(["run", "-q", "--locked", "-p", "cap-core", "--example", "deny_codes"])
        .read()?;
    if page.trim().is_empty() {
        bail!("the example `deny_codes` of cap-core prints nothing");
    }
    Ok(page)
}

fn rustdoc(repo: &Repo) -> Result<()> {
    let doc = repo.cargo(["doc", "--workspace", "--no-deps", "--locked"]);
    doc.env("RUSTDOCFLAGS", "-D warnings").run()
}

fn compare(generated: &str, written: &str) -> Result<()> {
    let mut lines = generated.lines().zip(written.lines()).enumerate();
    if let Some((at, (new, old))) = lines.find(|(_, (new, old))| new != old) {
        bail!("{DENY_CODES}:{}: is `{old}`, should be `{new}`; run `cargo xtask docs`", at + 1);
    }
    if generated != written {
        bail!("{DENY_CODES}: lines are missing or too many; run `cargo xtask docs`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_not_the_generated_one_is_found() {
        assert!(compare("a\nb\n", "a\nb\n").is_ok());
        assert!(compare("a\nb\n", "a\n").is_err());
        assert!(compare("a\n", "a\nb\n").is_err());
        let error = compare("a\nb\n", "a\nc\n").unwrap_err().to_string();
        assert!(error.contains(":2: is `c`, should be `b`"), "{error}");
    }
}
