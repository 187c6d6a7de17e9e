use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use chrono::{DateTime, Utc};

use crate::clause::Clause;
use crate::limits::{MAX_ALTERNATIVES, MAX_CLAUSES, MAX_RATE, MAX_RATE_SECONDS};
use crate::{
    ArgumentRules, DomainPattern, Kinds, MethodPattern, Operations, PathPattern, Program, ToolName,
    ToolPattern, UrlPattern,
};

/// The constraints of a capability by their names on the wire. What is absent does not constrain;
/// what is present must hold; a list permits what any of its members means.
///
/// The world is closed: an unknown name is refused, never skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields, remote = "Self"))]
pub struct Constraints {
    /// Hosts of URLs: exact, or `*.suffix`.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub allowed_domains: Option<Vec<DomainPattern>>,
    /// Extensions of files, without the dot, compared exactly. They bind every operation but
    /// `list`.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub allowed_extensions: Option<BTreeSet<String>>,
    /// Protocol methods other than tool calls.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub allowed_methods: Option<Vec<MethodPattern>>,
    /// Tools.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub allowed_tools: Option<Vec<ToolPattern>>,
    /// More constraints that must hold, too: how a meet whose lists do not simplify is written.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub and: Vec<Self>,
    /// Arguments, by tool.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "BTreeMap::is_empty"))]
    #[cfg_attr(feature = "serde", serde(deserialize_with = "unique_map"))]
    pub arguments: BTreeMap<ToolName, ArgumentRules>,
    /// Programs.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub commands: Option<Vec<Program>>,
    /// The instant from which nothing is permitted any more.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub expires_at: Option<DateTime<Utc>>,
    /// The kinds of requests that may be made at all.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub kinds: Option<Kinds>,
    /// Links that may hang below the capability (0: it cannot be delegated).
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub max_delegation_depth: Option<u8>,
    /// Bytes of a file that is read or written.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub max_file_size: Option<u64>,
    /// Operations on resources.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub operations: Option<Operations>,
    /// Paths.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub paths: Option<Vec<PathPattern>>,
    /// Schemes of URLs.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub protocols: Option<BTreeSet<String>>,
    /// How many calls in how much time, with all descendants together.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub rate_limit: Option<RateLimit>,
    /// Tools by the kinds of resources that the tool table maps them to.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub tool_kinds: Option<Kinds>,
    /// URLs.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub urls: Option<Vec<UrlPattern>>,
}

impl Constraints {
    /// The clauses that these constraints mean, `and` included.
    pub(crate) fn clauses(&self) -> Result<Vec<Clause>, ConstraintError> {
        let mut clauses = Vec::new();
        self.collect(&mut clauses, 0)?;
        Ok(clauses)
    }

    fn collect(&self, out: &mut Vec<Clause>, depth: usize) -> Result<(), ConstraintError> {
        if depth > 1 || out.len() > MAX_CLAUSES || self.and.len() > MAX_CLAUSES {
            return Err(ConstraintError::new("and", "", "more or deeper constraints than allowed"));
        }
        if depth > 0 && (self.rate_limit.is_some() || self.max_delegation_depth.is_some()) {
            return Err(ConstraintError::new(
                "and",
                "",
                "`rate_limit` and `max_delegation_depth` stand at the top",
            ));
        }
        self.check()?;
        let list = |present: bool, clause: fn(&Self) -> Clause| present.then(|| clause(self));
        out.extend(
            [
                self.expires_at.map(Clause::Expires),
                self.kinds.map(Clause::Kinds),
                self.tool_kinds.map(Clause::ToolKinds),
                self.operations.map(Clause::Operations),
                self.max_file_size.map(Clause::FileSize),
                self.allowed_extensions.clone().map(Clause::Extensions),
                self.protocols.clone().map(Clause::Protocols),
                list(self.allowed_tools.is_some(), |this| {
                    Clause::Tools(this.allowed_tools.clone().unwrap_or_default())
                }),
                self.allowed_methods.clone().map(Clause::Methods),
                self.paths.clone().map(Clause::Paths),
                self.urls.clone().map(Clause::Urls),
                self.allowed_domains.clone().map(Clause::Domains),
                self.commands.clone().map(Clause::Commands),
            ]
            .into_iter()
            .flatten(),
        );
        out.extend(
            self.arguments.iter().map(|(tool, rules)| Clause::Arguments {
                tool: tool.clone(),
                rules: rules.clone(),
            }),
        );
        self.and.iter().try_for_each(|more| more.collect(out, depth + 1))
    }

    fn check(&self) -> Result<(), ConstraintError> {
        let lengths = [
            ("allowed_domains", self.allowed_domains.as_ref().map(Vec::len)),
            ("allowed_extensions", self.allowed_extensions.as_ref().map(BTreeSet::len)),
            ("allowed_methods", self.allowed_methods.as_ref().map(Vec::len)),
            ("allowed_tools", self.allowed_tools.as_ref().map(Vec::len)),
            ("arguments", Some(self.arguments.len())),
            ("commands", self.commands.as_ref().map(Vec::len)),
            ("paths", self.paths.as_ref().map(Vec::len)),
            ("protocols", self.protocols.as_ref().map(BTreeSet::len)),
            ("urls", self.urls.as_ref().map(Vec::len)),
        ];
        if let Some((field, _)) =
            lengths.into_iter().find(|(_, length)| length.is_some_and(|n| n > MAX_ALTERNATIVES))
        {
            return Err(ConstraintError::new(field, "", "more than 256 alternatives"));
        }
        let wrong =
            |text: &&String| crate::id::check_name(text).is_err() || text.contains(['.', '/']);
        if let Some(bad) = self.allowed_extensions.iter().flatten().find(wrong) {
            return Err(ConstraintError::new(
                "allowed_extensions",
                bad,
                "an extension is a name without dot or slash: `txt`",
            ));
        }
        if let Some(bad) = self.protocols.iter().flatten().find(|text| !crate::url::is_scheme(text))
        {
            return Err(ConstraintError::new(
                "protocols",
                bad,
                "a lower-case scheme is wanted: `https`",
            ));
        }
        self.rate_limit.as_ref().map_or(Ok(()), RateLimit::check)
    }

    /// Writes clauses by their names: the first of each sort here, the others under `and`.
    pub(crate) fn from_clauses(clauses: &[Clause]) -> Self {
        let mut sets: Vec<Self> = Vec::new();
        for clause in clauses {
            let free = sets.iter().position(|set| clause.is_free_in(set));
            let at = free.unwrap_or_else(|| {
                sets.push(Self::default());
                sets.len() - 1
            });
            if let Some(set) = sets.get_mut(at) {
                clause.write(set);
            }
        }
        let mut sets = sets.into_iter();
        let mut first = sets.next().unwrap_or_default();
        first.and = sets.collect();
        first
    }
}

/// At most `max` calls in each period of `per_seconds`, counted from the epoch of Unix; all
/// descendants of the capability spend from the same count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields, remote = "Self"))]
pub struct RateLimit {
    /// Calls in one period.
    pub max: u64,
    /// Length of a period, in seconds.
    pub per_seconds: u64,
}

impl RateLimit {
    /// The number of the period that `now` falls into.
    #[must_use]
    pub fn period(&self, now: DateTime<Utc>) -> u64 {
        u64::try_from(now.timestamp()).unwrap_or(0).checked_div(self.per_seconds).unwrap_or(0)
    }

    pub(crate) fn check(&self) -> Result<(), ConstraintError> {
        let good = (1..=MAX_RATE).contains(&self.max)
            && (1..=MAX_RATE_SECONDS).contains(&self.per_seconds);
        if good {
            return Ok(());
        }
        Err(ConstraintError::new(
            "rate_limit",
            "",
            "`max` is 1 to 1000000000 and `per_seconds` 1 to 31622400",
        ))
    }
}

/// A constraint that does not mean anything: which field, which value, what is wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {quoted}{wanted}")]
pub struct ConstraintError {
    field: &'static str,
    quoted: String,
    wanted: &'static str,
}

impl ConstraintError {
    pub(crate) fn new(field: &'static str, value: &str, wanted: &'static str) -> Self {
        let quoted = if value.is_empty() {
            String::new()
        } else {
            alloc::format!("{}: ", crate::decision::Quoted(value))
        };
        Self { field, quoted, wanted }
    }

    /// The field, by its name on the wire.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }
}

/// Reads a struct from an object only: serde's own reader takes an array of its fields, too.
#[cfg(feature = "serde")]
macro_rules! serde_as_object {
    ($($name:ty),+) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                <$name>::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Object;

                impl<'de> serde::de::Visitor<'de> for Object {
                    type Value = $name;

                    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        map: A,
                    ) -> Result<$name, A::Error> {
                        <$name>::deserialize(serde::de::value::MapAccessDeserializer::new(map))
                    }
                }

                deserializer.deserialize_map(Object)
            }
        }
    )+};
}
#[cfg(feature = "serde")]
pub(crate) use serde_as_object;

#[cfg(feature = "serde")]
serde_as_object!(Constraints, RateLimit);

#[cfg(feature = "serde")]
mod strict {
    use alloc::collections::BTreeMap;
    use alloc::string::String;
    use alloc::vec::Vec;
    use core::fmt;
    use core::marker::PhantomData;

    use serde::Deserialize;
    use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
    use serde_json::{Map, Number, Value};

    /// A JSON value without duplicate members at any depth.
    pub(crate) struct UniqueValue(pub(crate) Value);

    impl<'de> Deserialize<'de> for UniqueValue {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(UniqueVisitor)
        }
    }

    struct UniqueVisitor;

    impl<'de> Visitor<'de> for UniqueVisitor {
        type Value = UniqueValue;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON value")
        }

        fn visit_bool<E: Error>(self, value: bool) -> Result<UniqueValue, E> {
            Ok(UniqueValue(value.into()))
        }

        fn visit_i64<E: Error>(self, value: i64) -> Result<UniqueValue, E> {
            Ok(UniqueValue(value.into()))
        }

        fn visit_u64<E: Error>(self, value: u64) -> Result<UniqueValue, E> {
            Ok(UniqueValue(value.into()))
        }

        fn visit_f64<E: Error>(self, value: f64) -> Result<UniqueValue, E> {
            let number =
                Number::from_f64(value).ok_or_else(|| E::custom("a number that is not finite"))?;
            Ok(UniqueValue(Value::Number(number)))
        }

        fn visit_str<E: Error>(self, value: &str) -> Result<UniqueValue, E> {
            Ok(UniqueValue(value.into()))
        }

        fn visit_unit<E: Error>(self) -> Result<UniqueValue, E> {
            Ok(UniqueValue(Value::Null))
        }

        fn visit_none<E: Error>(self) -> Result<UniqueValue, E> {
            Ok(UniqueValue(Value::Null))
        }

        fn visit_some<D: Deserializer<'de>>(
            self,
            deserializer: D,
        ) -> Result<UniqueValue, D::Error> {
            UniqueValue::deserialize(deserializer)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<UniqueValue, A::Error> {
            let mut items = Vec::new();
            while let Some(UniqueValue(item)) = seq.next_element()? {
                items.push(item);
            }
            Ok(UniqueValue(Value::Array(items)))
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UniqueValue, A::Error> {
            let mut members = Map::new();
            while let Some((name, UniqueValue(value))) = map.next_entry::<String, _>()? {
                if members.contains_key(&name) {
                    return Err(duplicate(&name));
                }
                // SECURITY: where somebody turns on `serde_json/arbitrary_precision`, numbers
                // arrive in this disguise, and would be compared as objects.
                if name == "$serde_json::private::Number" {
                    return Err(A::Error::custom("a number of arbitrary precision"));
                }
                members.insert(name, value);
            }
            Ok(UniqueValue(Value::Object(members)))
        }
    }

    /// Reads a member that may be absent, but not null: null is a value of the wrong type, and
    /// would read as «unconstrained».
    pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        T::deserialize(deserializer).map(Some)
    }

    /// Reads a map whose keys must differ.
    pub(super) fn unique_map<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        D: Deserializer<'de>,
        K: Deserialize<'de> + Ord + fmt::Display,
        V: Deserialize<'de>,
    {
        struct MapVisitor<K, V>(PhantomData<(K, V)>);

        impl<'de, K, V> Visitor<'de> for MapVisitor<K, V>
        where
            K: Deserialize<'de> + Ord + fmt::Display,
            V: Deserialize<'de>,
        {
            type Value = BTreeMap<K, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<K, V>()? {
                    if members.contains_key(&name) {
                        return Err(duplicate(&name));
                    }
                    members.insert(name, value);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(MapVisitor(PhantomData))
    }

    fn duplicate<E: Error>(name: &dyn fmt::Display) -> E {
        E::custom(alloc::format!("duplicate member `{name}`"))
    }
}
#[cfg(feature = "serde")]
use strict::unique_map;
#[cfg(feature = "serde")]
pub(crate) use strict::{UniqueValue, present};
