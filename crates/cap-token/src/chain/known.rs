//! What a chain repeats word for word, read once: the rules of tools and of arguments.
//!
//! A child restates what its parent says of every argument, and tools are often given the same
//! rules. What a text means depends on nothing but its place, the vocabulary and the limits, so that
//! it is kept for one chain under one policy.

use std::sync::Arc;

use super::constraint::Constraint;
use super::tools::ToolRules;

/// So many texts are compared with at most, from the one that is expected on.
const LOOK_AHEAD: usize = 32;

/// For the verification of one chain.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The maps of arguments.
    pub(super) tools: Texts<Arc<ToolRules>>,
    /// Their entries.
    pub(super) arguments: Texts<Entry>,
}

/// What stands in the map of arguments for one of them.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) constraint: Arc<Constraint>,
    pub(super) optional: Option<bool>,
    /// Constraints, nested ones counted.
    pub(super) size: usize,
}

/// The texts of objects in the order in which they were found, and what they mean.
#[derive(Debug)]
pub(super) struct Texts<T> {
    texts: Vec<(Box<str>, Option<T>)>,
    /// The one that is expected: children keep the order of their parents.
    next: usize,
}

impl<T: Clone> Texts<T> {
    /// The number and the length of a known text with which `text` begins.
    ///
    /// INVARIANT: a known text is a whole object, so that an object which begins with it is it.
    pub(super) fn find(&mut self, text: &str) -> Option<(usize, usize)> {
        let (before, after) = self.texts.split_at_checked(self.next).unwrap_or((&self.texts, &[]));
        let from_next = (self.next..).zip(after).chain((0..).zip(before));
        let mut candidates = from_next.take(LOOK_AHEAD);
        let found = candidates.find(|(_, (known, _))| text.starts_with(&**known));
        let found = found.map(|(at, (known, _))| (at, known.len()));
        self.next = found.map_or(self.next, |(at, _)| at) + 1;
        if self.next >= self.texts.len() {
            self.next = 0;
        }
        found
    }

    /// Remembers the text of an object that was read.
    pub(super) fn note(&mut self, text: &str) -> usize {
        self.texts.push((text.into(), None));
        self.texts.len() - 1
    }

    pub(super) fn text(&self, at: usize) -> Option<&str> {
        self.texts.get(at).map(|(text, _)| &**text)
    }

    /// What the text means, if it is well-formed and was asked about before.
    pub(super) fn meaning(&self, at: usize) -> Option<T> {
        self.texts.get(at).and_then(|(_, meaning)| meaning.clone())
    }

    pub(super) fn set(&mut self, at: usize, meaning: &T) {
        if let Some((_, own)) = self.texts.get_mut(at) {
            *own = Some(meaning.clone());
        }
    }
}

impl<T> Default for Texts<T> {
    fn default() -> Self {
        Self { texts: Vec::new(), next: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::{self, Json};
    use super::super::{ChainLimits, Tools, Vocabulary};
    use super::*;

    fn tools(json: &Json<'_>, known: &mut Known) -> Result<Tools, &'static str> {
        let details = json.as_object().and_then(|claims| claims.get("authorization_details"));
        let details = details.and_then(Json::as_array).unwrap();
        let maps = details[0].as_object().unwrap().get("tools").and_then(Tools::maps).unwrap();
        let limits = ChainLimits { max_constraints_per_tool: 3, ..ChainLimits::default() };
        Tools::read(&maps, Vocabulary::Extended, &limits, known)
    }

    /// Reads tokens with these tools as one chain, and each on its own.
    fn assert_same(chain: &[&str]) {
        let mut known = Known::default();
        for tools_text in chain {
            let text = format!(r#"{{"authorization_details":[{{"tools":{tools_text}}}]}}"#);
            let own = tools(&json::parse(&text).unwrap(), &mut Known::default());
            let json = json::parse_claims(&text, &mut known).unwrap();
            assert_eq!(tools(&json, &mut known), own, "{tools_text}");
        }
    }

    const ONE: &str = r#"{"constraint_type":"exact","value":"a"}"#;
    const PATH: &str = r#"{"constraint_type":"path","within":["/a"],"optional":true}"#;
    const TWO: &str =
        r#"{"constraint_type":"any","constraints":[{"constraint_type":"exact","value":[]}]}"#;

    #[test]
    fn what_is_repeated_means_what_it_means_alone() {
        let all = format!(r#"{{"t":{{"a":{ONE},"b":{PATH},"c":{ONE}}},"u":{{"a":{ONE}}}}}"#);
        let fewer = format!(r#"{{"t":{{"b":{PATH}}},"u":{{"a":{ONE}}}}}"#);
        let renamed = format!(r#"{{"v":{{"c":{PATH},"*":{ONE}}},"w":{{}}}}"#);
        let open = r#"{"v":{},"w":{"*":{"constraint_type":"wildcard"}},"x":{}}"#;
        assert_same(&[&all, &all, &fewer, &renamed, open, open, &all]);
    }

    #[test]
    fn a_copy_may_come_before_what_it_copies_once_members_are_sorted() {
        assert_same(&[&format!(r#"{{"t":{{"b":{ONE},"a":{ONE}}},"s":{{"b":{ONE},"a":{ONE}}}}}"#)]);
        assert_same(&[&format!(r#"{{"t":{{"b":{TWO},"a":{TWO}}},"s":{{"b":{TWO},"a":{TWO}}}}}"#)]);
    }

    #[test]
    fn repeated_constraints_count_like_others() {
        let three = format!(r#"{{"t":{{"a":{ONE},"b":{ONE},"c":{ONE}}}}}"#);
        let four = format!(r#"{{"t":{{"a":{ONE},"b":{ONE},"c":{ONE},"d":{ONE}}}}}"#);
        assert_same(&[&three, &four]);
        let nested = r#"{"constraint_type":"all","constraints":[{"constraint_type":"wildcard"}]}"#;
        let one = format!(r#"{{"t":{{"a":{nested}}}}}"#);
        let two = format!(r#"{{"t":{{"a":{nested},"b":{nested}}}}}"#);
        assert_same(&[&one, &two, &one]);
    }

    #[test]
    fn only_the_whole_text_is_known() {
        let mut texts = Texts::<()>::default();
        let (a, b) = (r#"{"a":1}"#, r#"{"a":12}"#);
        assert_eq!(texts.find(a), None);
        assert_eq!((texts.note(a), texts.note(b)), (0, 1));
        assert_eq!(texts.find(r#"{"a":12},"#), Some((1, b.len())));
        assert_eq!(texts.find(r#"{"a":1}}"#), Some((0, a.len())));
        assert_eq!(texts.find(r#"{"a":123}"#), None);
        assert_eq!(texts.find(r#"{"a":1"#), None);
    }

    #[test]
    fn texts_that_are_far_from_the_expected_one_are_not_looked_for() {
        let mut texts = Texts::<()>::default();
        let all: Vec<_> = (0..100).map(|n| format!("{{\"n\":{n}}}")).collect();
        assert_eq!(all.iter().map(|text| texts.note(text)).max(), Some(99));
        assert_eq!(texts.find(&all[LOOK_AHEAD - 1]).map(|found| found.0), Some(LOOK_AHEAD - 1));
        assert_eq!(texts.find(&all[LOOK_AHEAD - 2]), None);
    }
}
