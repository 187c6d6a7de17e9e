//! Which constraint is at least as narrow as another (AAT-02 §4.5, §5.1).

use super::{ArgumentConstraint, Rule};
use crate::net::IpNet;
use crate::{PathPattern, UrlPattern};

impl ArgumentConstraint {
    /// Whether every value that `child` accepts `self` accepts too, where the table says that it is
    /// decided; `false` everywhere else. So it is sound, and wiser nowhere than another
    /// implementation of the draft: what it permits in a chain, all of them permit.
    ///
    /// | parent | valid children |
    /// |---|---|
    /// | `exact` | `exact` of the same value |
    /// | `range` | `range` at least as tight; `exact` that it accepts |
    /// | `one_of` | `one_of` of some of its values; `exact` of one |
    /// | `not_one_of` | `not_one_of` that excludes as much |
    /// | `contains` | `contains` that requires as much |
    /// | `subset` | `subset` that allows no more |
    /// | `all` | `all`, if each clause of the parent subsumes some clause of the child |
    /// | `any` | `any`, if each clause of the child is subsumed by some clause of the parent |
    /// | `wildcard` | everything |
    /// | `path`, `url`, `cidr` | the same, if each pattern is within one of the parent's; `exact` and `one_of` whose every value it accepts |
    /// | `glob` | `glob`, if the parent's pattern means the child's, wildcards and all; `exact` and `one_of` as above |
    /// | `length` | `length` within the bounds; `exact` and `one_of` as above |
    ///
    /// The rows to `wildcard` are the draft's, and nothing is added to them; the others are our
    /// extensions. It takes at most as many steps as there are pairs of a constraint of the one and
    /// a constraint of the other.
    #[must_use]
    pub fn subsumes(&self, child: &Self) -> bool {
        use Rule::{
            All, Any, Cidr, Contains, Exact, Glob, Length, NotOneOf, OneOf, Path, Range, Subset,
            Url, Wildcard,
        };
        match (&self.0, &child.0) {
            (Wildcard, _) => true,
            (Exact(mine), Exact(theirs)) => mine == theirs,
            (Range(mine), Range(theirs)) => theirs.is_within(mine),
            (OneOf(mine), OneOf(theirs)) | (Subset(mine), Subset(theirs)) => theirs.is_subset(mine),
            (NotOneOf(mine), NotOneOf(theirs)) | (Contains(mine), Contains(theirs)) => {
                mine.is_subset(theirs)
            }
            // One child clause may serve several clauses of the parent: where each of them holds
            // for what it accepts, all of them do. Nothing is matched one to one.
            (All(mine), All(theirs)) => {
                mine.iter().all(|clause| theirs.iter().any(|child| clause.subsumes(child)))
            }
            (Any(mine), Any(theirs)) => {
                theirs.iter().all(|child| mine.iter().any(|clause| clause.subsumes(child)))
            }
            (Cidr(mine), Cidr(theirs)) => all_within(theirs, mine, IpNet::is_within),
            (Glob(mine), Glob(theirs)) => theirs.is_within(mine),
            (Length(mine), Length(theirs)) => theirs.is_within(mine),
            (Path(mine), Path(theirs)) => all_within(theirs, mine, PathPattern::is_within),
            (Url(mine), Url(theirs)) => all_within(theirs, mine, UrlPattern::is_within),
            (Range(_) | OneOf(_), Exact(value)) => self.check(value.value()),
            (Cidr(_) | Glob(_) | Length(_) | Path(_) | Url(_), Exact(value)) => {
                self.check(value.value())
            }
            (Cidr(_) | Glob(_) | Length(_) | Path(_) | Url(_), OneOf(values)) => {
                values.values().all(|value| self.check(value))
            }
            _ => false,
        }
    }
}

fn all_within<T>(child: &[T], parent: &[T], is_within: impl Fn(&T, &T) -> bool) -> bool {
    child.iter().all(|one| parent.iter().any(|other| is_within(one, other)))
}
