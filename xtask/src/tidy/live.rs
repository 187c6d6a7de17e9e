//! Rules that need more than the text of the files.

use anyhow::Result;

use super::Outcome;
use crate::docs;
use crate::repo::Repo;

/// Crate `rsa` (RUSTSEC-2023-0071: no fixed version) is in no product tree, on no platform, with no feature.
pub fn no_rsa(repo: &Repo, outcome: &mut Outcome) -> Result<()> {
    let tree = ["tree", "--workspace", "--all-features", "--target", "all", "--locked"];
    let cmd = repo.cargo(tree).args(["-e", "normal,build", "-i", "rsa"]);
    let output = cmd.output()?;
    outcome.look();
    let (said, erred) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if let Some(problem) = problem_of_tree(output.status.success(), &said, &erred) {
        outcome.find("Cargo.toml", None, problem);
    }
    Ok(())
}

/// The reference page is the one that the catalogue generates.
pub fn deny_codes(repo: &Repo, outcome: &mut Outcome) -> Result<()> {
    outcome.look();
    docs::check_deny_codes(repo)
}

/// `cargo tree -i` fails if the package is not in the lock file, and prints nothing if it is only there
/// for development.
fn problem_of_tree(success: bool, said: &str, erred: &str) -> Option<String> {
    match success {
        true if said.trim().is_empty() => None,
        true => Some(format!("crate `rsa` is in the tree:\n{said}")),
        false if erred.contains("did not match any packages") => None,
        false => Some(format!("`cargo tree` failed: {erred}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rsa_in_the_tree_is_found() {
        assert!(problem_of_tree(true, "rsa v0.9.8\n└── app v0.1.0\n", "").is_some());
        assert!(problem_of_tree(false, "", "error: could not parse the manifest").is_some());
        assert!(problem_of_tree(true, "", "warning: nothing to print.").is_none());
        let absent = "error: package ID specification `rsa` did not match any packages";
        assert!(problem_of_tree(false, "", absent).is_none());
    }
}
