//! What the arguments of a tool must be: the constraints of AAT-02 §3.4 and our own.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use self::glob::Glob;
use self::length::Length;
use self::range::Range;
use self::value::{Canonical, ValueSet};
use crate::decision::Quoted;
use crate::limits::MAX_ALTERNATIVES;
use crate::net::IpNet;
use crate::{ConstraintError, PathPattern, UrlPattern};

mod check;
mod glob;
mod length;
mod range;
mod subsume;
mod value;
mod wire;

/// What a tool's arguments must be: a constraint for each by name. The world is closed: an
/// argument that is not named is refused unless `"*"` is there, and a named one must be present
/// unless it is optional (AAT-02 §3.3).
///
/// Where AAT reads the empty map as «anything», it is refused here: who means that says `"*"`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArgumentRules {
    named: BTreeMap<String, Argument>,
    unnamed: Unnamed,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Argument {
    presence: Presence,
    constraint: ArgumentConstraint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Presence {
    Optional,
    Required,
}

/// What becomes of the arguments that no constraint names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unnamed {
    Refused,
    /// `"*"`.
    Welcome,
}

impl ArgumentRules {
    /// Reads the wire form: `{"path": {"constraint_type": "exact", "value": "a"}, …}`.
    ///
    /// # Errors
    /// On an unknown type or member, a member missing or of the wrong type, a number that is not
    /// exact, or an empty map, which would read as «anything» in one draft and as «nothing» in
    /// another; and on more than 256 arguments.
    pub fn from_value(value: &Value) -> Result<Self, ConstraintError> {
        let map = value.as_object().ok_or_else(|| wrong("an object of constraints is wanted"))?;
        if map.is_empty() || map.len() > MAX_ALTERNATIVES {
            return Err(wrong("name at least one argument, or `*` with `wildcard` for any"));
        }
        let mut this = Self { named: BTreeMap::new(), unnamed: Unnamed::Refused };
        for (name, value) in map {
            let (optional, constraint) = wire::read_entry(value)?;
            if name != "*" {
                let presence =
                    if optional == Some(true) { Presence::Optional } else { Presence::Required };
                this.named.insert(name.clone(), Argument { presence, constraint });
                continue;
            }
            if constraint.0 != Rule::Wildcard || optional.is_some() {
                return Err(wrong("`*` takes `wildcard` and nothing else"));
            }
            this.unnamed = Unnamed::Welcome;
        }
        Ok(this)
    }

    /// The wire form, the same for equal rules.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut map = BTreeMap::new();
        for (name, argument) in &self.named {
            let mut members = argument.constraint.to_members();
            if argument.presence == Presence::Optional {
                members.insert("optional", Value::Bool(true));
            }
            map.insert(name.as_str(), wire::object(members));
        }
        if self.unnamed == Unnamed::Welcome {
            map.insert("*", ArgumentConstraint(Rule::Wildcard).to_value());
        }
        wire::object(map)
    }

    /// Whether these arguments are as they must be.
    #[must_use]
    pub fn permits(&self, arguments: &Map<String, Value>) -> bool {
        self.first_refused(arguments).is_none()
    }

    /// Whether every call that `self` permits `parent` permits too, by the rules of AAT-02 §4.5 and
    /// [`ArgumentConstraint::subsumes`]: sound always, and deliberately no wiser than these rules.
    ///
    /// What the parent requires must stay required, what it only allows may be dropped where the
    /// child's world is closed, and `"*"` may not be added.
    #[must_use]
    pub fn is_within(&self, parent: &Self) -> bool {
        let closes = self.unnamed == Unnamed::Refused;
        let dropped_safely = parent.named.iter().all(|(name, theirs)| {
            self.named.contains_key(name) || (closes && theirs.presence == Presence::Optional)
        });
        let narrows = |(name, mine): (&String, &Argument)| match parent.named.get(name) {
            Some(theirs) => mine.is_within(theirs),
            None => parent.unnamed == Unnamed::Welcome,
        };
        (closes || parent.unnamed == Unnamed::Welcome)
            && dropped_safely
            && self.named.iter().all(narrows)
    }

    /// The first argument that is not as it must be: its name and what would pass.
    pub(crate) fn refusal(&self, arguments: &Map<String, Value>) -> Option<(String, String)> {
        let (name, constraint) = self.first_refused(arguments)?;
        let passes = constraint.map_or_else(|| "its absence".into(), ArgumentConstraint::describe);
        Some((name.into(), passes))
    }

    /// The name of the first argument that is not as it must be, and its constraint if it has one.
    fn first_refused<'a>(
        &'a self,
        arguments: &'a Map<String, Value>,
    ) -> Option<(&'a str, Option<&'a ArgumentConstraint>)> {
        for (name, Argument { presence, constraint }) in &self.named {
            let good = match arguments.get(name) {
                Some(value) => constraint.check(value),
                None => *presence == Presence::Optional,
            };
            if !good {
                return Some((name, Some(constraint)));
            }
        }
        if self.unnamed == Unnamed::Welcome {
            return None;
        }
        let stranger = arguments.keys().find(|name| !self.named.contains_key(*name))?;
        Some((stranger, None))
    }
}

impl Argument {
    fn is_within(&self, parent: &Self) -> bool {
        // INVARIANT: `Optional < Required`, and what is required stays so.
        self.presence >= parent.presence && parent.constraint.subsumes(&self.constraint)
    }
}

/// What one argument must be: a type of AAT-02 §3.4 or one of our own. A value of the wrong type
/// satisfies nothing but `wildcard` and `not_one_of`.
///
/// | `constraint_type` | members | the argument is |
/// |---|---|---|
/// | `exact` | `value`: string, number, boolean or null | equal to it |
/// | `range` | `min`, `max`, `min_inclusive`, `max_inclusive`, all optional | a number within the bounds |
/// | `one_of` | `values`: a list with something in it | equal to one of them |
/// | `not_one_of` | `excluded`: a list | anything, but equal to none of them |
/// | `contains` | `required`: a list | a list that has all of them |
/// | `subset` | `allowed`: a list | a list that has nothing else |
/// | `wildcard` | | anything |
/// | `all`, `any` | `constraints`: a list with something in it | what all of them, or some of them, want |
/// | `path` | `within`: a list of path patterns | an absolute path that one of them means, lexically |
/// | `url` | `within`: a list of URL patterns | a URL that one of them means (needs the feature `url`; without it nothing is) |
/// | `cidr` | `within`: a list of networks | an IP address in one of them |
/// | `glob` | `pattern` | a text that the pattern means whole, no path: `..` is text |
/// | `length` | `min`, `max`: integers, at least one | a text of so many characters, or a list of so many items |
///
/// Values are equal when their canonical texts (RFC 8785) are: `1` is `1.0`, the order of members
/// does not count, lists of a constraint are sets. A value in which a number is not exact (2⁵³+1)
/// equals nothing, and satisfies neither `not_one_of` nor `contains`. A list has at most 256
/// entries, a constraint at most 256 constraints in it, at most 8 levels deep.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArgumentConstraint(Rule);

/// INVARIANT: as [`wire`] reads it. An empty `all`, which would accept everything, does not exist.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rule {
    All(Vec<ArgumentConstraint>),
    Any(Vec<ArgumentConstraint>),
    Cidr(Vec<IpNet>),
    Contains(ValueSet),
    Exact(Canonical),
    Glob(Glob),
    Length(Length),
    NotOneOf(ValueSet),
    OneOf(ValueSet),
    Path(Vec<PathPattern>),
    Range(Range),
    Subset(ValueSet),
    Url(Vec<UrlPattern>),
    Wildcard,
}

impl ArgumentConstraint {
    /// Reads the wire form: `{"constraint_type": "exact", "value": "a"}`.
    ///
    /// # Errors
    /// On an unknown type or member, a member missing or of the wrong type, or a number that is
    /// not exact. `optional` belongs to the map of [`ArgumentRules`] and is unknown here.
    pub fn from_value(value: &Value) -> Result<Self, ConstraintError> {
        wire::read_constraint(value)
    }

    /// The wire form, the same for equal constraints.
    #[must_use]
    pub fn to_value(&self) -> Value {
        wire::object(self.to_members())
    }

    fn describe(&self) -> String {
        Quoted(&self.to_value().to_string()).to_string()
    }
}

fn wrong(what: &'static str) -> ConstraintError {
    ConstraintError::new("arguments", "", what)
}

#[cfg(feature = "serde")]
impl serde::Serialize for ArgumentRules {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for ArgumentRules {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = crate::constraints::UniqueValue::deserialize(deserializer)?.0;
        Self::from_value(&value).map_err(serde::de::Error::custom)
    }
}
