use std::collections::BTreeMap;
use std::sync::Arc;

use super::constraint::{Constraint, MalformedConstraint, Reader, Subject};
use super::json::{self, Json, Object, write_string};
use super::known::{Entry, Known};
use super::policy::{ChainLimits, Vocabulary};

/// The tools of a token and what their arguments must be: the `tools` of its
/// `attenuating_agent_token` entry (AAT-02 §3.3). Tools are compared as exact texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tools(BTreeMap<String, Arc<ToolRules>>);

/// What the arguments of one tool must be. The world is closed: an argument that is not named is
/// refused unless unnamed ones are let in, and a named one must be there unless it is optional.
///
/// The draft's empty map, which means «any arguments» though it reads like «none», cannot be made
/// here: who means it says [`ToolRules::any_arguments`], and `"*"` is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolRules {
    named: BTreeMap<String, Argument>,
    unnamed: Unnamed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Argument {
    constraint: Arc<Constraint>,
    presence: Presence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Required,
    Optional,
}

/// What becomes of an argument that is not named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unnamed {
    Refused,
    /// `"*"`.
    Welcome,
}

/// How a child would permit more than its parent: the sub-step of 4p that fails, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Widening {
    /// `4p1`: a tool that the parent lacks; `4p2`: the names of arguments; `4p3`: an argument that
    /// is no longer required; `4p4`: a constraint that the parent's does not subsume.
    pub step: &'static str,
    /// The tool.
    pub tool: String,
    /// The argument, if it is about one.
    pub argument: Option<String>,
}

impl Tools {
    /// No tool yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// With one more tool; what was there for the same tool is replaced.
    #[must_use]
    pub fn with(mut self, tool: impl Into<String>, rules: ToolRules) -> Self {
        self.0.insert(tool.into(), Arc::new(rules));
        self
    }

    /// Reads the wire form, in the core vocabulary and with the default limits:
    /// `{"tool":{"argument":{"constraint_type":"wildcard"}}}`.
    ///
    /// # Errors
    /// See [`MalformedConstraint`]. SECURITY: an empty map of arguments is refused, too; who writes
    /// tools spells `"*"` out.
    pub fn from_json(text: &str) -> Result<Self, MalformedConstraint> {
        let json = json::parse(text)?;
        let form = MalformedConstraint::Form;
        let maps = Self::maps(&json).ok_or(form("`tools` is not an object of objects"))?;
        if maps.iter().any(|(_, map)| map.as_object().is_some_and(|map| map.len() == 0)) {
            return Err(form("an empty map of arguments means any: spell `*` out"));
        }
        let limits = ChainLimits::default();
        Self::read(&maps, Vocabulary::Core, &limits, &mut Known::default()).map_err(form)
    }

    /// The canonical wire form.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        json::canonical(&out).unwrap_or(out)
    }

    /// What the arguments of `tool` must be, if it is there.
    #[must_use]
    pub fn get(&self, tool: &str) -> Option<&ToolRules> {
        self.0.get(tool).map(|rules| &**rules)
    }

    /// The tools with their rules.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ToolRules)> {
        self.0.iter().map(|(tool, rules)| (tool.as_str(), &**rules))
    }

    /// Whether there is no tool: nothing is permitted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether these tools are a valid attenuation of `parent` (AAT-02 §4.5, steps 4p1 to 4p4).
    ///
    /// # Errors
    /// The first widening that is found.
    pub fn check_within(&self, parent: &Self) -> Result<(), Widening> {
        // Of several tools with the same rules under the same rules one is looked at.
        let mut last: Option<(&Arc<ToolRules>, &Arc<ToolRules>)> = None;
        for (tool, rules) in &self.0 {
            let widening = |step, argument| Widening { step, tool: tool.clone(), argument };
            let theirs = parent.0.get(tool).ok_or_else(|| widening("4p1", None))?;
            if last.is_some_and(|last| Arc::ptr_eq(last.0, rules) && Arc::ptr_eq(last.1, theirs)) {
                continue;
            }
            last = Some((rules, theirs));
            rules
                .check_within(theirs)
                .map_err(|(step, argument)| widening(step, Some(argument.to_owned())))?;
        }
        Ok(())
    }

    /// The maps by tool, if the value is an object of objects.
    pub(super) fn maps<'j>(json: &'j Json<'j>) -> Option<Vec<(&'j str, &'j Json<'j>)>> {
        let members = json.as_object()?.iter();
        members.map(|(tool, map)| map.is_object().then_some((tool, map))).collect()
    }

    pub(super) fn read(
        maps: &[(&str, &Json<'_>)],
        vocabulary: Vocabulary,
        limits: &ChainLimits,
        known: &mut Known,
    ) -> Result<Self, &'static str> {
        if maps.len() > limits.max_tools {
            return Err("there are too many tools");
        }
        let mut tools = BTreeMap::new();
        for (tool, map) in maps {
            if tool.len() > limits.max_tool_bytes {
                return Err("the identifier of a tool is too long");
            }
            tools.insert((*tool).to_owned(), ToolRules::noted(map, vocabulary, limits, known)?);
        }
        Ok(Self(tools))
    }

    /// Whether it could be read again: producers ask before they sign.
    pub(super) fn check(
        &self,
        vocabulary: Vocabulary,
        limits: &ChainLimits,
    ) -> Result<(), &'static str> {
        if self.0.values().any(|rules| rules.named.contains_key("*")) {
            return Err("`*` names no argument");
        }
        let text = self.to_json();
        let json = json::parse(&text).map_err(|_| "a constraint is nested too deeply")?;
        let maps = Self::maps(&json).ok_or("`tools` is not an object of objects")?;
        Self::read(&maps, vocabulary, limits, &mut Known::default()).map(drop)
    }

    pub(super) fn write(&self, out: &mut String) {
        out.push('{');
        for (at, (tool, rules)) in self.0.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            write_string(out, tool);
            out.push(':');
            rules.write(out);
        }
        out.push('}');
    }
}

impl FromIterator<(String, ToolRules)> for Tools {
    fn from_iter<I: IntoIterator<Item = (String, ToolRules)>>(tools: I) -> Self {
        Self(tools.into_iter().map(|(tool, rules)| (tool, Arc::new(rules))).collect())
    }
}

impl ToolRules {
    /// Any arguments with any values: `{"*":{"constraint_type":"wildcard"}}`. Not for tools with
    /// side effects: arguments of later versions of the tool are let in, too (AAT-02 §9.13).
    #[must_use]
    pub const fn any_arguments() -> Self {
        Self { named: BTreeMap::new(), unnamed: Unnamed::Welcome }
    }

    /// One argument, which must be there.
    #[must_use]
    pub fn required(argument: impl Into<String>, constraint: Constraint) -> Self {
        Self { named: BTreeMap::new(), unnamed: Unnamed::Refused }
            .and_required(argument, constraint)
    }

    /// One argument, which may be left out: the tool's own default must then be acceptable.
    #[must_use]
    pub fn optional(argument: impl Into<String>, constraint: Constraint) -> Self {
        Self { named: BTreeMap::new(), unnamed: Unnamed::Refused }
            .and_optional(argument, constraint)
    }

    /// With one more argument, which must be there.
    #[must_use]
    pub fn and_required(self, argument: impl Into<String>, constraint: Constraint) -> Self {
        self.and(argument.into(), Argument::new(constraint, Presence::Required))
    }

    /// With one more argument, which may be left out.
    #[must_use]
    pub fn and_optional(self, argument: impl Into<String>, constraint: Constraint) -> Self {
        self.and(argument.into(), Argument::new(constraint, Presence::Optional))
    }

    /// With any other arguments, too: `"*"`.
    #[must_use]
    pub const fn and_any_other(mut self) -> Self {
        self.unnamed = Unnamed::Welcome;
        self
    }

    /// The named arguments: name, constraint, and whether it must be there.
    pub fn arguments(&self) -> impl Iterator<Item = (&str, &Constraint, bool)> {
        self.named.iter().map(|(name, argument)| {
            (name.as_str(), &*argument.constraint, argument.presence == Presence::Required)
        })
    }

    /// Whether arguments that are not named are let in.
    #[must_use]
    pub const fn lets_unnamed_in(&self) -> bool {
        matches!(self.unnamed, Unnamed::Welcome)
    }

    /// The canonical wire form.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        json::canonical(&out).unwrap_or(out)
    }

    fn and(mut self, name: String, argument: Argument) -> Self {
        self.named.insert(name, argument);
        self
    }

    /// The same for what may be known already.
    fn noted(
        json: &Json<'_>,
        vocabulary: Vocabulary,
        limits: &ChainLimits,
        known: &mut Known,
    ) -> Result<Arc<Self>, &'static str> {
        const NO_MAP: &str = "`tools` is not an object of objects";
        let read = |json: &Json<'_>, known: &mut Known| {
            Self::read(json.as_object().ok_or(NO_MAP)?, vocabulary, limits, known).map(Arc::new)
        };
        let Json::Noted(at, new) = json else { return read(json, known) };
        if let Some(rules) = known.tools.meaning(*at) {
            return Ok(rules);
        }
        let rules = match new {
            Some(json) => read(json, known)?,
            // Members were sorted, and the copy came first.
            None => {
                let text = known.tools.text(*at).unwrap_or_default().to_owned();
                read(&json::parse(&text).map_err(|_| NO_MAP)?, known)?
            }
        };
        known.tools.set(*at, &rules);
        Ok(rules)
    }

    /// Steps 3n and 4o for one tool; an empty map is read as `"*"`.
    pub(super) fn read(
        map: &Object<'_>,
        vocabulary: Vocabulary,
        limits: &ChainLimits,
        known: &mut Known,
    ) -> Result<Self, &'static str> {
        let mut reader = Reader::new(vocabulary, limits);
        let mut this = Self { named: BTreeMap::new(), unnamed: Unnamed::Refused };
        for (name, json) in map.iter() {
            let Entry { constraint, optional, .. } = reader.entry(json, &mut known.arguments)?;
            if name != "*" {
                let presence =
                    if optional == Some(true) { Presence::Optional } else { Presence::Required };
                this.named.insert(name.to_owned(), Argument { constraint, presence });
            } else if *constraint == Constraint::wildcard() && optional.is_none() {
                this.unnamed = Unnamed::Welcome;
            } else {
                return Err("`*` takes a `wildcard` without `optional`");
            }
        }
        if map.len() == 0 {
            this.unnamed = Unnamed::Welcome;
        }
        Ok(this)
    }

    /// Step 6b for one call; the argument that is refused, or the one that is missing.
    pub(super) fn check(&self, arguments: &Object<'_>) -> Result<(), &'static str> {
        for (name, value) in arguments.iter() {
            // An argument that is called `*` is an unnamed one like any other.
            match self.named.get(name) {
                Some(Argument { constraint, .. }) => {
                    let subject = Subject::new(value).map_err(|_| "a number is not admissible")?;
                    if !constraint.check(&subject) {
                        return Err("an argument violates its constraint");
                    }
                }
                None if self.unnamed == Unnamed::Welcome => {}
                None => return Err("an argument is not named"),
            }
        }
        let missing = |(name, argument): (&String, &Argument)| {
            argument.presence == Presence::Required && arguments.get(name).is_none()
        };
        if self.named.iter().any(missing) {
            return Err("a required argument is missing");
        }
        Ok(())
    }

    /// Steps 4p2 to 4p4 for one tool; the step that fails and the argument.
    fn check_within<'a>(&'a self, parent: &'a Self) -> Result<(), (&'static str, &'a str)> {
        let opens = self.unnamed == Unnamed::Welcome;
        if opens && parent.unnamed == Unnamed::Refused {
            return Err(("4p2", "*"));
        }
        for (name, theirs) in &parent.named {
            let dropped_safely = theirs.presence == Presence::Optional && !opens;
            if !self.named.contains_key(name) && !dropped_safely {
                return Err(("4p2", name));
            }
        }
        for (name, mine) in &self.named {
            match parent.named.get(name) {
                None if parent.unnamed == Unnamed::Refused => return Err(("4p2", name)),
                // Under the parent's `*`, a `wildcard`, anything narrows.
                None => {}
                Some(theirs) => mine.check_within(theirs).map_err(|step| (step, name.as_str()))?,
            }
        }
        Ok(())
    }

    fn write(&self, out: &mut String) {
        out.push('{');
        for (at, (name, argument)) in self.named.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            write_string(out, name);
            out.push(':');
            argument.constraint.write_open(out);
            if argument.presence == Presence::Optional {
                out.push_str(",\"optional\":true");
            }
            out.push('}');
        }
        if self.unnamed == Unnamed::Welcome {
            let comma = if self.named.is_empty() { "" } else { "," };
            out.push_str(comma);
            out.push_str(r#""*":{"constraint_type":"wildcard"}"#);
        }
        out.push('}');
    }
}

impl Argument {
    fn new(constraint: Constraint, presence: Presence) -> Self {
        Self { constraint: Arc::new(constraint), presence }
    }

    fn check_within(&self, parent: &Self) -> Result<(), &'static str> {
        if parent.presence == Presence::Required && self.presence == Presence::Optional {
            return Err("4p3");
        }
        if parent.constraint.subsumes(&self.constraint) { Ok(()) } else { Err("4p4") }
    }
}
