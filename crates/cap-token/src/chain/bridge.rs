//! Between a chain and the capabilities of this project, where the meaning allows.

use cap_core::{
    ArgumentConstraint, ArgumentRules, Capability, Constraints, Kind, Kinds, Operation, Operations,
    ToolName, ToolPattern,
};
use chrono::{DateTime, Utc};
use serde_json::Value;
use thiserror::Error;

use cap_crypto::VerifyingKey;

use super::constraint::{Constraint, MalformedConstraint, Reader};
use super::json;
use super::known::Known;
use super::{ChainLimits, RootToken, ToolRules, Tools, VerifiedChain, Vocabulary};

/// Why something has no equal on the other side.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BridgeError {
    /// The capability is about more than tools, or does not permit to call them.
    #[error("a chain permits calls of tools and nothing else; the capability is not of that kind")]
    NotOfTools,
    /// The capability names no tools one by one.
    #[error("a chain names every tool; `allowed_tools` must, too")]
    ToolsNotNamed,
    /// A constraint that a chain cannot express.
    #[error("a chain cannot express `{0}`")]
    Constraint(&'static str),
    /// The arguments of a tool are constrained in a way that the other side does not know.
    #[error("the arguments of `{tool}` cannot be expressed: {why}")]
    Arguments {
        /// The tool.
        tool: String,
        /// Why.
        why: String,
    },
    /// The tool of the chain is not named `server/tool`.
    #[error("the tool is not named `server/tool`: `{0}`")]
    ToolName(String),
    /// The capability has expired.
    #[error("the capability has expired")]
    Expired,
}

/// A root that means what a capability means. [`Author::mint_root_of`] signs it, and never lets it
/// outlive the capability, however long it was kept before.
///
/// [`Author::mint_root_of`]: super::Author::mint_root_of
#[derive(Clone, Debug)]
pub struct CapabilityRoot {
    /// What it says. Audiences are still to be named, a shorter life or a lesser depth may be.
    ///
    /// SECURITY: [`Author::mint_root`] takes `lifetime` as it is and does not know when the
    /// capability ends.
    ///
    /// [`Author::mint_root`]: super::Author::mint_root
    pub token: RootToken,
    /// When the capability ends.
    pub(super) ends_at: Option<DateTime<Utc>>,
}

impl RootToken {
    /// A root that means what `capability` means, for a holder's key: the same tools, arguments, end
    /// and depth. It names no audience yet, and lives no longer than `limits` permit.
    ///
    /// What is derived from it is no capability of this project: limits, revocation of ancestors and
    /// what a tool touches besides its arguments are not in it, so that a capability which says any of
    /// that is refused. Which capability it was is not in it, either: keep its `jti` with the
    /// capability's id to revoke both.
    ///
    /// # Errors
    /// When a part of the capability has no equal in AAT-02; see [`BridgeError`].
    pub fn from_capability(
        capability: &Capability,
        issuer: impl Into<String>,
        holder: VerifyingKey,
        limits: &ChainLimits,
        now: DateTime<Utc>,
    ) -> Result<CapabilityRoot, BridgeError> {
        let constraints = capability.authority().to_constraints();
        let sets = std::iter::once(&constraints).chain(&constraints.and);
        let ends_at = sets.filter_map(|set| set.expires_at).chain(capability.expires_at()).min();
        let lifetime = match ends_at.map(|end| (end - now).to_std()) {
            None => limits.max_token_lifetime,
            Some(left) => left.map_err(|_| BridgeError::Expired)?.min(limits.max_token_lifetime),
        };
        if lifetime.as_secs() == 0 {
            return Err(BridgeError::Expired);
        }
        let depth = u32::from(capability.max_delegation_depth());
        let token = Self {
            issuer: issuer.into(),
            holder,
            tools: Tools::from_capability(capability)?,
            audiences: Vec::new(),
            max_depth: depth.min(limits.max_delegation_depth),
            lifetime,
        };
        Ok(CapabilityRoot { token, ends_at })
    }
}

impl Tools {
    /// The tools that `capability` permits to call, each with the rules of its arguments, in the core
    /// vocabulary; a tool without rules takes any arguments.
    ///
    /// # Errors
    /// When the capability says anything that AAT-02 cannot express; see [`BridgeError`].
    pub fn from_capability(capability: &Capability) -> Result<Self, BridgeError> {
        let constraints = capability.authority().to_constraints();
        if capability.obligations().next().is_some() {
            return Err(BridgeError::Constraint("limits"));
        }
        let only_tools = Kinds::NONE.with(Kind::Tool);
        if constraints.kinds != Some(only_tools) {
            return Err(BridgeError::NotOfTools);
        }
        let sets = || std::iter::once(&constraints).chain(&constraints.and);
        sets().try_for_each(is_expressible)?;
        let calls = |it: &Constraints| it.operations.is_none_or(|it| it.contains(Operation::Call));
        if !sets().all(calls) {
            return Err(BridgeError::NotOfTools);
        }
        let lists = || sets().filter_map(|set| set.allowed_tools.as_ref());
        let named = lists().find_map(|list| names(list)).ok_or(BridgeError::ToolsNotNamed)?;
        let everywhere =
            |tool: &&ToolName| lists().all(|list| list.iter().any(|pattern| pattern.matches(tool)));
        named
            .into_iter()
            .filter(everywhere)
            .map(|tool| {
                let mut rules = sets().filter_map(|set| set.arguments.get(tool));
                let rules = match (rules.next(), rules.next()) {
                    (None, _) => ToolRules::any_arguments(),
                    (Some(rules), None) => ToolRules::from_argument_rules(tool, rules)?,
                    (Some(_), Some(_)) => {
                        let why = "several rules for one tool do not make one".to_owned();
                        return Err(BridgeError::Arguments { tool: tool.to_string(), why });
                    }
                };
                Ok((tool.as_str().to_owned(), rules))
            })
            .collect()
    }
}

impl ToolRules {
    fn from_argument_rules(tool: &ToolName, rules: &ArgumentRules) -> Result<Self, BridgeError> {
        let refused = |why: String| BridgeError::Arguments { tool: tool.as_str().to_owned(), why };
        let text = rules.to_value().to_string();
        let json = json::parse(&text).map_err(|error| refused(error.to_string()))?;
        let map = json.as_object().ok_or_else(|| refused("no object".to_owned()))?;
        Self::read(map, Vocabulary::Core, &ChainLimits::default(), &mut Known::default())
            .map_err(|why| refused(why.to_owned()))
    }
}

impl Constraint {
    /// The same constraint in a chain; one of this project's own types makes it one for enforcement
    /// points with [`Vocabulary::Extended`] only.
    ///
    /// # Errors
    /// When it is beyond the default limits.
    pub fn from_argument_constraint(
        constraint: &ArgumentConstraint,
    ) -> Result<Self, MalformedConstraint> {
        let text = constraint.to_value().to_string();
        Reader::new(Vocabulary::Extended, &ChainLimits::default())
            .nested(&json::parse(&text)?)
            .map_err(MalformedConstraint::Form)
    }
}

impl VerifiedChain {
    /// What the leaf means for the call that it permits, as constraints of this project: this one
    /// tool, called with arguments as the leaf wants them, until the chain ends.
    ///
    /// A chain speaks of a tool and its arguments, not of what the tool touches, and permits nothing
    /// but the tool itself: where the tool is mapped to resources, the requests for the paths, URLs
    /// and commands among its arguments are refused. A chain alone permits no call of such a tool.
    ///
    /// SECURITY: only for the request of this very call: the proof is for these arguments.
    ///
    /// # Errors
    /// When the tool is not named `server/tool`, or cap-core does not take the rules (they are
    /// nested deeper than 8 levels, say).
    pub fn to_constraints(&self) -> Result<Constraints, BridgeError> {
        let tool: ToolName =
            self.tool.parse().map_err(|_| BridgeError::ToolName(self.tool.clone()))?;
        let refused = |why: String| BridgeError::Arguments { tool: self.tool.clone(), why };
        let rules = self.leaf.claims.tools.as_ref().and_then(|tools| tools.get(&self.tool));
        let rules = rules.ok_or_else(|| refused("the leaf has no such tool".to_owned()))?;
        let value: Value =
            serde_json::from_str(&rules.to_json()).map_err(|error| refused(error.to_string()))?;
        let rules =
            ArgumentRules::from_value(&value).map_err(|error| refused(error.to_string()))?;
        Ok(Constraints {
            allowed_tools: Some(vec![ToolPattern::Tool(tool.clone())]),
            arguments: [(tool, rules)].into(),
            expires_at: Some(self.expires_at()),
            kinds: Some(Kinds::NONE.with(Kind::Tool)),
            operations: Some(Operations::CALL),
            ..Constraints::default()
        })
    }
}

/// Whether a set of constraints has nothing but what a chain can say, and what has no bearing on
/// tools.
fn is_expressible(set: &Constraints) -> Result<(), BridgeError> {
    // Without `..`: whoever adds a constraint decides here what becomes of it.
    let Constraints {
        // What a chain says, in its own way.
        allowed_tools: _,
        and: _,
        arguments: _,
        expires_at: _,
        kinds: _,
        max_delegation_depth: _,
        operations: _,
        // Those of granted resources, of which there are none among tools alone.
        command_args: _,
        environment: _,
        private_networks: _,
        // What a chain cannot say.
        allowed_domains,
        allowed_extensions,
        allowed_methods,
        budget,
        cidr,
        commands,
        custom,
        max_bytes,
        max_calls,
        max_file_size,
        methods,
        not_before,
        paths,
        ports,
        protocols,
        rate_limit,
        time_windows,
        tool_kinds,
        urls,
    } = set;
    let others = [
        ("allowed_domains", allowed_domains.is_some()),
        ("allowed_extensions", allowed_extensions.is_some()),
        ("allowed_methods", allowed_methods.is_some()),
        ("budget", budget.is_some()),
        ("cidr", cidr.is_some()),
        ("commands", commands.is_some()),
        ("custom", !custom.is_empty()),
        ("max_bytes", max_bytes.is_some()),
        ("max_calls", max_calls.is_some()),
        ("max_file_size", max_file_size.is_some()),
        ("methods", methods.is_some()),
        ("not_before", not_before.is_some()),
        ("paths", paths.is_some()),
        ("ports", ports.is_some()),
        ("protocols", protocols.is_some()),
        ("rate_limit", rate_limit.is_some()),
        ("time_windows", time_windows.is_some()),
        ("tool_kinds", tool_kinds.is_some()),
        ("urls", urls.is_some()),
    ];
    match others.into_iter().find(|(_, there)| *there) {
        Some((name, _)) => Err(BridgeError::Constraint(name)),
        None => Ok(()),
    }
}

/// The tools of a list that names each of them.
fn names(list: &[ToolPattern]) -> Option<Vec<&ToolName>> {
    let name = |pattern: &'_ ToolPattern| matches!(pattern, ToolPattern::Tool(_));
    let tools = list.iter().filter_map(|pattern| match pattern {
        ToolPattern::Tool(name) => Some(name),
        _ => None,
    });
    list.iter().all(name).then(|| tools.collect())
}
