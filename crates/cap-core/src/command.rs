use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::str::FromStr;

use crate::ConstraintError;
use crate::decision::Quoted;
use crate::glob;
use crate::id::{IdError, check_name};
use crate::limits::{
    MAX_ALTERNATIVES, MAX_ARGV_BYTES, MAX_ARGV_ELEMENTS, MAX_ARGV_RULE_BYTES, MAX_NAME_BYTES,
};

/// Which programs are meant: one, compared exactly as it is named in the call, or all (`*`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Program(String);

impl Program {
    /// Whether the program of a call is meant.
    #[must_use]
    pub fn matches(&self, program: &str) -> bool {
        self.0 == "*" || self.0 == program
    }

    /// Whether everything that `self` means, `other` means too.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        other.0 == "*" || self.0 == other.0
    }
}

impl FromStr for Program {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        check_name(text)?;
        if text.trim() != text {
            return Err(IdError::PROGRAM);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Which argument vectors of a program are meant, element by element: `*` is any run of characters
/// and `?` one character within an argument, `**` alone any number of arguments, none included.
///
/// SECURITY: an element that does not itself begin with `-` means no argument that does, and no
/// wildcard means a control character: options and line breaks are spelled out. What else a program
/// reads into an argument (`@file`, `key=value`, `+command`) nobody but the one who writes the
/// pattern can know.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct ArgvPattern(Vec<String>);

impl ArgvPattern {
    /// The pattern of these elements; no element at all means no argument at all.
    ///
    /// # Errors
    /// Over 64 elements or 2 KiB; a NUL, which no argument can have; `**` beside other characters.
    pub fn parse(elements: &[String]) -> Result<Self, ConstraintError> {
        if elements.len() > MAX_ARGV_ELEMENTS || bytes(elements) > MAX_ARGV_RULE_BYTES {
            return Err(wrong("", "a pattern of more than 64 elements or 2 KiB"));
        }
        let mut kept: Vec<String> = Vec::with_capacity(elements.len());
        for element in elements {
            if element.contains('\0') {
                return Err(wrong(element, "no argument can have a NUL"));
            }
            if element.contains("**") && !is_rest(element) {
                return Err(wrong(element, "`**` must be a whole element"));
            }
            // `** **` means `**`.
            if !(is_rest(element) && kept.last().is_some_and(|last| is_rest(last))) {
                kept.push(element.clone());
            }
        }
        Ok(Self(kept))
    }

    /// Whether the vector is meant. One of over 122 KiB never is.
    #[must_use]
    pub fn matches(&self, arguments: &[String]) -> bool {
        bytes(arguments) <= MAX_ARGV_BYTES
            && glob::matches(
                self.0.iter(),
                arguments.iter(),
                |element| is_rest(element),
                |argument| is_plain(argument),
                |element, argument| means(element, argument),
            )
    }

    /// Whether everything that `self` means, `other` means too, as far as the elements of the one
    /// can be laid over those of the other. Both ways only for equals.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        glob::matches(
            other.0.iter(),
            self.0.iter(),
            |element| is_rest(element),
            |inner| is_plain(inner),
            |element, inner| !is_rest(inner) && includes(element, inner),
        )
    }

    /// Whether all arguments that it means are plain: none begins with `-` or has a control
    /// character.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.0.iter().all(|element| is_plain(element))
    }

    /// Whether it means every vector of plain arguments, and nothing else.
    fn is_every_plain(&self) -> bool {
        matches!(self.0.as_slice(), [only] if is_rest(only))
    }

    /// How many arguments, from the first on, are meant by a beginning of the pattern.
    fn reach(&self, arguments: &[String]) -> usize {
        let reached = Cell::new(0);
        let note = |place: usize, good: bool| {
            if good {
                reached.set(reached.get().max(place + 1));
            }
            good
        };
        glob::matches(
            self.0.iter(),
            arguments.iter().enumerate(),
            |element| is_rest(element),
            |(place, argument)| note(place, is_plain(argument)),
            |element, (place, argument)| note(place, means(element, argument)),
        );
        reached.get()
    }
}

impl fmt::Display for ArgvPattern {
    /// `["log", "--oneline", "*"]`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

impl fmt::Debug for ArgvPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which argument vectors are meant, by program. A program that is not named takes plain arguments
/// only: none begins with `-`, none has a control character. One that is named without a pattern
/// takes no call at all.
///
/// INVARIANT: rules that mean the same as far as [`ArgvRules::implies`] sees are equal: patterns
/// are sorted, none is within another one, and no program has only `[["**"]]`, which is what it has
/// without being named.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct ArgvRules(BTreeMap<String, Vec<ArgvPattern>>);

impl ArgvRules {
    /// The rules of these programs, each named exactly as in the calls.
    ///
    /// # Errors
    /// What is no name of a program (`*` is none here); more than 256 programs, or patterns for
    /// one; more than 2 KiB of patterns for one.
    pub fn new(
        rules: impl IntoIterator<Item = (String, Vec<ArgvPattern>)>,
    ) -> Result<Self, ConstraintError> {
        let mut kept = BTreeMap::new();
        for (program, patterns) in rules {
            if program == "*" || program.parse::<Program>().is_err() {
                let wanted = "a program is a name or a path, without blanks at its ends, not `*`";
                return Err(wrong(&program, wanted));
            }
            let size: usize = patterns.iter().map(|pattern| bytes(&pattern.0)).sum();
            if patterns.len() > MAX_ALTERNATIVES || size > MAX_ARGV_RULE_BYTES {
                return Err(wrong(&program, "more than 256 patterns, or 2 KiB of them"));
            }
            if kept.len() >= MAX_ALTERNATIVES {
                return Err(wrong("", "more than 256 programs"));
            }
            if kept.insert(program.clone(), maximal(patterns)).is_some() {
                return Err(wrong(&program, "a program stands once"));
            }
        }
        kept.retain(|_, patterns: &mut Vec<ArgvPattern>| {
            !matches!(patterns.as_slice(), [only] if only.is_every_plain())
        });
        Ok(Self(kept))
    }

    /// Whether `program` may be called with these arguments.
    #[must_use]
    pub fn permits(&self, program: &str, arguments: &[String]) -> bool {
        // The bound is one for all programs: what is not named means `[["**"]]`.
        bytes(arguments) <= MAX_ARGV_BYTES
            && match self.0.get(program) {
                Some(patterns) => patterns.iter().any(|pattern| pattern.matches(arguments)),
                None => arguments.iter().all(|argument| is_plain(argument)),
            }
    }

    /// Whether everything that `self` permits, `other` permits too, as far as
    /// [`ArgvPattern::is_within`] tells.
    #[must_use]
    pub fn implies(&self, other: &Self) -> bool {
        self.excess(other).next().is_none()
    }

    /// What `self` permits and `other` does not, one text for each pattern.
    pub(crate) fn beyond(&self, other: &Self) -> Vec<String> {
        let text = |(program, pattern): (&str, Option<&ArgvPattern>)| match pattern {
            Some(pattern) => alloc::format!("{program} {pattern}"),
            None => alloc::format!("{program} [\"**\"]"),
        };
        self.excess(other).map(text).collect()
    }

    /// The first argument that no pattern for the program means, if one is to blame.
    pub(crate) fn first_refused<'a>(
        &self,
        program: &str,
        arguments: &'a [String],
    ) -> Option<&'a str> {
        if bytes(arguments) > MAX_ARGV_BYTES {
            return None;
        }
        let place = match self.0.get(program) {
            Some(patterns) => patterns.iter().map(|pattern| pattern.reach(arguments)).max(),
            None => arguments.iter().position(|argument| !is_plain(argument)),
        };
        arguments.get(place.unwrap_or_default()).map(String::as_str)
    }

    /// What would pass for the program, as the subject of a sentence.
    pub(crate) fn describe(&self, program: &str) -> String {
        const SHOWN: usize = 8;
        let Some(patterns) = self.0.get(program) else {
            return "any argument that neither begins with `-` nor has a control character".into();
        };
        let mut texts: Vec<String> = patterns
            .iter()
            .take(SHOWN)
            .map(|pattern| alloc::format!("{}", Quoted(&alloc::format!("{pattern}"))))
            .collect();
        match patterns.len().checked_sub(SHOWN) {
            Some(more @ 1..) => texts.push(alloc::format!("{more} more")),
            _ if texts.is_empty() => return "nothing".into(),
            _ => {}
        }
        alloc::format!("a vector of the form {}", texts.join(" or "))
    }

    /// The patterns of `self` that are not within `other`; with no pattern, a program for which
    /// `self` takes any plain arguments and `other` does not.
    fn excess<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = (&'a str, Option<&'a ArgvPattern>)> {
        let named = self.0.iter().flat_map(move |(program, patterns)| {
            let outside = patterns.iter().filter(move |pattern| !other.includes(program, pattern));
            outside.map(move |pattern| (program.as_str(), Some(pattern)))
        });
        let unnamed = other.0.iter().filter(|(program, patterns)| {
            !self.0.contains_key(*program) && !patterns.iter().any(ArgvPattern::is_every_plain)
        });
        named.chain(unnamed.map(|(program, _)| (program.as_str(), None)))
    }

    fn includes(&self, program: &str, pattern: &ArgvPattern) -> bool {
        match self.0.get(program) {
            Some(patterns) => patterns.iter().any(|other| pattern.is_within(other)),
            None => pattern.is_plain(),
        }
    }
}

/// A name of an environment variable: letters, digits and underscores of ASCII, no digit first
/// (POSIX.1, Base Definitions, «Name»).
pub(crate) fn is_variable_name(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_plain(argument: &str) -> bool {
    !argument.starts_with('-') && !argument.contains(char::is_control)
}

/// The element that stands for any number of plain arguments.
fn is_rest(element: &str) -> bool {
    element == "**"
}

/// Whether an element that is not `**` means an argument.
fn means(element: &str, argument: &str) -> bool {
    lies_over(element, argument, |c| !c.is_control())
}

/// Whether everything that the element `inner` means, `element` means too: laid over its text, in
/// which a `*` may stand for more or less than one character. Neither is `**`.
fn includes(element: &str, inner: &str) -> bool {
    lies_over(element, inner, |c| !c.is_control() && c != '*')
}

fn lies_over(element: &str, text: &str, is_one: impl Fn(char) -> bool) -> bool {
    // SECURITY: no wildcard makes an option of what was granted as a plain argument.
    if text.starts_with('-') && !element.starts_with('-') {
        return false;
    }
    let one = |c, d| if c == '?' { is_one(d) } else { c == d };
    glob::matches(element.chars(), text.chars(), |c| c == '*', |d| !d.is_control(), one)
}

/// As the system counts them: each with its NUL.
fn bytes(arguments: &[String]) -> usize {
    arguments.iter().map(|argument| argument.len() + 1).sum()
}

/// Sorted, without equals, without those that another one includes.
fn maximal(mut patterns: Vec<ArgvPattern>) -> Vec<ArgvPattern> {
    patterns.sort();
    patterns.dedup();
    let all = patterns.clone();
    patterns.retain(|one| !all.iter().any(|other| one != other && one.is_within(other)));
    patterns
}

fn wrong(value: &str, wanted: &'static str) -> ConstraintError {
    ConstraintError::new("command_args", value, wanted)
}

#[cfg(feature = "serde")]
crate::tool::serialize_as_text!(Program);
#[cfg(feature = "serde")]
crate::id::deserialize_from_str!(Program);

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for ArgvPattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let elements = Vec::<String>::deserialize(deserializer)?;
        Self::parse(&elements).map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for ArgvRules {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;

        let value = crate::constraints::UniqueValue::deserialize(deserializer)?.0;
        let rules = BTreeMap::<String, Vec<ArgvPattern>>::deserialize(value);
        Self::new(rules.map_err(D::Error::custom)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
