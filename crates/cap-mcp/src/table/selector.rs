use std::collections::BTreeMap;

use super::rule::{Rule, TableError};

/// Where the rules of a tool's arguments stand: a tree of members and elements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) rule: Option<Rule>,
    pub(crate) members: BTreeMap<String, Self>,
    pub(crate) element: Option<Box<Self>>,
}

impl Node {
    /// Puts a rule where its selector says: names with dots between them, each perhaps with `[]`.
    pub(super) fn insert(&mut self, selector: &str, rule: Rule) -> Result<(), TableError> {
        let mut node = self;
        for step in selector.split('.') {
            let name = step.trim_end_matches("[]");
            if name.is_empty() || name.contains(['[', ']']) {
                return Err(TableError::Selector(selector.into()));
            }
            node = node.members.entry(name.into()).or_default();
            for _ in 0..(step.len() - name.len()) / 2 {
                node = node.element.get_or_insert_default();
            }
        }
        node.rule = Some(rule);
        Ok(())
    }

    /// What no single rule can know: nothing is listed below what is listed as a whole, and every
    /// argument that a rule refers to is listed.
    pub(super) fn check_references(&self) -> Result<(), TableError> {
        self.each_rule(&mut |rule, is_leaf| {
            if !is_leaf && rule.covers_everything_below() {
                return Err(TableError::Overlap);
            }
            rule.check_references(self)
        })
    }

    /// The rule of an argument, by its plain name.
    pub(crate) fn argument(&self, name: &str) -> Option<&Rule> {
        self.members.get(name)?.rule.as_ref()
    }

    /// Whether a rule here or below names a resource or restricts a value.
    pub(crate) fn decides(&self) -> bool {
        self.rule.as_ref().is_some_and(|rule| *rule != Rule::Data)
            || self.members.values().any(Self::decides)
            || self.element.as_deref().is_some_and(Self::decides)
    }

    fn each_rule(
        &self,
        check: &mut dyn FnMut(&Rule, bool) -> Result<(), TableError>,
    ) -> Result<(), TableError> {
        if let Some(rule) = &self.rule {
            check(rule, self.members.is_empty() && self.element.is_none())?;
        }
        let mut below = self.members.values().chain(self.element.as_deref());
        below.try_for_each(|node| node.each_rule(check))
    }
}
