//! SPDX licence expressions, as far as crates use them: `AND`, `OR`, `WITH`, brackets, and the old `/` for `OR`.

use anyhow::{Result, bail};

/// Whether the expression can be satisfied with licences that `allowed` accepts. `AND` binds more tightly than `OR`.
pub fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Result<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { tokens: &tokens, allowed };
    let answer = parser.any()?;
    match parser.tokens.first() {
        None => Ok(answer),
        Some(token) => bail!("`{token}` is not expected in `{expression}`"),
    }
}

struct Parser<'a> {
    tokens: &'a [&'a str],
    allowed: &'a dyn Fn(&str) -> bool,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<bool> {
        let mut answer = self.all()?;
        while self.take("OR") {
            answer |= self.all()?;
        }
        Ok(answer)
    }

    fn all(&mut self) -> Result<bool> {
        let mut answer = self.one()?;
        while self.take("AND") {
            answer &= self.one()?;
        }
        Ok(answer)
    }

    fn one(&mut self) -> Result<bool> {
        if self.take("(") {
            let answer = self.any()?;
            if !self.take(")") {
                bail!("a bracket is not closed");
            }
            return Ok(answer);
        }
        let licence = self.name()?;
        if self.take("WITH") {
            let exception = self.name()?;
            return Ok((self.allowed)(&format!("{licence} WITH {exception}")));
        }
        Ok((self.allowed)(licence))
    }

    fn name(&mut self) -> Result<&'a str> {
        match self.tokens.split_first() {
            Some((name, rest)) if !["AND", "OR", "WITH", "(", ")"].contains(name) => {
                self.tokens = rest;
                Ok(name)
            }
            _ => bail!("a licence is missing"),
        }
    }

    fn take(&mut self, wanted: &str) -> bool {
        match self.tokens.split_first() {
            Some((token, rest)) if *token == wanted => {
                self.tokens = rest;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(expression: &str) -> bool {
        satisfied(expression, &|name| {
            ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].contains(&name)
        })
        .unwrap()
    }

    #[test]
    fn an_expression_passes_if_it_can_be_satisfied() {
        assert!(passes("MIT"));
        assert!(passes("MIT OR GPL-3.0"));
        assert!(passes("GPL-3.0/MIT"));
        assert!(passes("(MIT OR GPL-3.0) AND ISC"));
        assert!(passes("GPL-3.0 AND MIT OR ISC"));
        assert!(passes("Apache-2.0 WITH LLVM-exception"));
    }

    #[test]
    fn an_expression_that_needs_another_licence_is_refused() {
        assert!(!passes("GPL-3.0"));
        assert!(!passes("MIT AND GPL-3.0"));
        assert!(!passes("(MIT OR ISC) AND GPL-3.0"));
        assert!(!passes("Apache-2.0"));
        assert!(!passes("MIT WITH LLVM-exception"));
    }

    #[test]
    fn a_broken_expression_is_an_error() {
        for expression in ["", "MIT OR", "(MIT", "MIT)", "MIT ISC", "AND MIT", "MIT WITH"] {
            assert!(satisfied(expression, &|_| true).is_err(), "{expression}");
        }
    }
}
