use std::fmt;

use cap_core::{CapabilityId, Obligation};
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{TokenId, VerifiedToken, lineage};

/// What a token is and may do, for people to read: every capability that it descends from, and
/// what was left of their authority. It is told from the token alone, and so says nothing of what
/// was revoked meanwhile.
///
/// Its `Display` is several lines of text, everything that somebody chose in it escaped.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ChainExplanation {
    /// The token.
    pub token: TokenId,
    /// Who issued it, and for whom.
    pub issuer: String,
    /// For whom.
    pub audience: String,
    /// Who holds it.
    pub principal: String,
    /// When it ends, leeway aside.
    pub expires_at: DateTime<Utc>,
    /// The root first, the capability of the token last.
    pub links: Vec<ChainLink>,
    /// Links that may hang below it.
    pub may_delegate: u8,
    /// What it may do: the names of constraints, each with what it allows. All must hold.
    pub may: Vec<(String, Value)>,
}

/// One capability of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainLink {
    /// The capability.
    pub id: CapabilityId,
    /// When it was made, by its id.
    pub made_at: DateTime<Utc>,
    /// The limits that it set, and that every call under the token charges.
    pub limits: Option<Obligation>,
}

/// Says what the token is and may do (see [`ChainExplanation`]).
#[must_use]
pub fn explain_chain(token: &VerifiedToken) -> ChainExplanation {
    let capability = token.capability();
    let ids = token.ancestors().iter().copied().chain([capability.id()]);
    let link = |id| ChainLink {
        id,
        made_at: DateTime::from_timestamp(lineage::named_second(id), 0).unwrap_or_default(),
        limits: capability.obligations().find(|limits| limits.owner == id),
    };
    let mut may = Vec::new();
    flatten(json(&capability.authority().to_constraints()), &mut may);
    ChainExplanation {
        token: token.token_id(),
        issuer: token.issuer().to_owned(),
        audience: token.audience().to_owned(),
        principal: token.principal().to_string(),
        expires_at: token.expires_at(),
        links: ids.map(link).collect(),
        may_delegate: capability.max_delegation_depth(),
        may,
    }
}

/// The members of constraints, those under `and` behind the others.
fn flatten(constraints: Value, out: &mut Vec<(String, Value)>) {
    let Value::Object(members) = constraints else { return };
    let mut more = Vec::new();
    for (name, value) in members {
        match value {
            Value::Array(sets) if name == "and" => more = sets,
            value => out.push((name, value)),
        }
    }
    more.into_iter().for_each(|set| flatten(set, out));
}

fn json(value: &impl serde::Serialize) -> Value {
    // INVARIANT: constraints and limits always serialise.
    serde_json::to_value(value).unwrap_or_default()
}

impl fmt::Display for ChainExplanation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%SZ");
        writeln!(out, "token {} of {}", self.token, self.principal.escape_debug())?;
        writeln!(
            out,
            "issued by {} for {}, good until {}",
            self.issuer.escape_debug(),
            self.audience.escape_debug(),
            instant(self.expires_at),
        )?;
        let last = self.links.len();
        for (at, link) in self.links.iter().enumerate() {
            let what = match at {
                _ if at + 1 == last => "its capability",
                0 => "granted",
                _ => "delegated",
            };
            write!(out, "  {}. {} {}, {what}", at + 1, link.id, instant(link.made_at))?;
            match &link.limits {
                Some(limits) => {
                    writeln!(out, ", limits {}", readable(&json(limits).to_string()))?;
                }
                None => writeln!(out)?,
            }
        }
        writeln!(out, "it may be delegated {} links further", self.may_delegate)?;
        writeln!(out, "it may do what all of these allow:")?;
        for (name, value) in &self.may {
            // JSON escapes control characters; what else looks like another text is escaped, too.
            writeln!(out, "  {name}: {}", readable(&value.to_string()))?;
        }
        Ok(())
    }
}

fn readable(json: &str) -> String {
    let hidden = |c: char| !c.is_ascii() && !c.is_alphanumeric();
    json.chars().fold(String::with_capacity(json.len()), |mut text, c| {
        if hidden(c) {
            text.extend(c.escape_unicode())
        } else {
            text.push(c)
        }
        text
    })
}
