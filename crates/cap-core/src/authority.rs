use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chrono::{DateTime, Utc};

use crate::clause::Clause;
use crate::clause::check::{Sight, is_listed, is_malformed, sight};
use crate::limits::MAX_CLAUSES;
use crate::request::{Physical, Resource};
use crate::{
    AbsPath, AccessRequest, Constraints, Decision, DenyCode, Kind, Kinds, PathPattern, Refusal,
    Registry,
};

mod explain;

use self::explain::Cause;
pub use self::explain::Explanation;

/// A set of requests: the conjunction of clauses, each a disjunction. The lattice of the design:
/// [`Authority::permits`] is membership, [`Authority::meet`] the intersection, [`Authority::top`]
/// everything.
///
/// Nothing but `meet` combines two authorities.
///
/// It is the compiled form, too: everything in it was parsed when it was read, and
/// [`Authority::check`] neither parses nor allocates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// INVARIANT: sorted, each clause normal, none implied by another.
    clauses: Vec<Arc<Clause>>,
    /// More clauses than are kept: permits nothing.
    overflow: bool,
}

impl Authority {
    /// Permits everything that may be permitted at all: a request that names no operation, or a path
    /// that is refused for what it physically is, is permitted by no authority.
    #[must_use]
    pub const fn top() -> Self {
        Self { clauses: Vec::new(), overflow: false }
    }

    /// Permits nothing.
    #[must_use]
    pub fn bottom() -> Self {
        Self { clauses: alloc::vec![Arc::new(Clause::Kinds(Kinds::NONE))], overflow: false }
    }

    pub(crate) fn new(clauses: impl IntoIterator<Item = Clause>) -> Self {
        let clauses = clauses.into_iter();
        let mut this = Self::top();
        this.clauses.reserve(clauses.size_hint().0);
        for clause in clauses {
            this.add(Arc::new(clause.normal()));
        }
        this.finished()
    }

    /// What both permit: exactly the intersection.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        let mut meet = Self {
            clauses: Vec::with_capacity(self.clauses.len() + other.clauses.len()),
            overflow: self.overflow || other.overflow,
        };
        meet.clauses.extend(self.clauses.iter().cloned());
        for clause in &other.clauses {
            meet.add(Arc::clone(clause));
        }
        meet.finished()
    }

    /// Whether a request is in the set. A refusal names the first clause that refuses, and what
    /// would pass.
    pub fn permits(&self, request: &AccessRequest, now: DateTime<Utc>) -> Decision {
        match self.causes(request, now).next() {
            None => Decision::Allow,
            Some(cause) => Decision::Deny(cause.denial(request)),
        }
    }

    /// The same without a sentence: it does not allocate, save where an argument constraint compares
    /// arrays or objects or parses a URL, or a custom constraint does.
    ///
    /// # Errors
    /// When the request is not in the set.
    pub fn check(&self, request: &AccessRequest, now: DateTime<Utc>) -> Result<(), Refusal> {
        match self.causes(request, now).next() {
            None => Ok(()),
            Some(cause) => Err(cause.refusal()),
        }
    }

    /// The same authority with the meanings that `registry` has for its custom constraints. One
    /// whose name is not there goes on to deny.
    #[must_use]
    pub fn bind(&self, registry: &Registry) -> Self {
        let bound = |clause: &Arc<Clause>| match &**clause {
            Clause::Custom(custom) => Arc::new(Clause::Custom(Box::new(custom.bind(registry)))),
            _ => Arc::clone(clause),
        };
        Self { clauses: self.clauses.iter().map(bound).collect(), overflow: self.overflow }
    }

    /// Whether everything that `self` permits, `other` permits too. Sound, and complete only for
    /// what is decided syntactically: `true` holds, `false` may be caution.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        let implied = |theirs: &Arc<Clause>| self.clauses.iter().any(|mine| mine.implies(theirs));
        self.overflow || (!other.overflow && other.clauses.iter().all(implied))
    }

    /// Whether no call is permitted, as far as that is seen in the clauses alone: `true` holds,
    /// `false` may be caution. A call of a tool makes a request for each kind that it is mapped to.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let never = self.begins_at().zip(self.expires_at()).is_some_and(|(from, to)| from >= to);
        self.overflow
            || never
            || self.clauses.iter().any(|clause| clause.is_nothing())
            || Kind::ALL.into_iter().all(|kind| self.bars(kind))
    }

    /// The folders beneath which a file system must be asked about `path`: the roots of the
    /// patterns that mean it.
    pub fn path_roots<'a>(&'a self, path: &'a AbsPath) -> impl Iterator<Item = &'a AbsPath> {
        let patterns = self.clauses.iter().filter_map(|clause| match &**clause {
            Clause::Paths(patterns) => Some(patterns),
            _ => None,
        });
        let roots = patterns.flatten().map(PathPattern::root);
        roots.filter(|root| path.is_within(root))
    }

    /// Whether some request for `kind` could be permitted, as far as that is seen in the clauses.
    #[must_use]
    pub fn admits(&self, kind: Kind) -> bool {
        !self.overflow && !self.bars(kind)
    }

    /// Whether some request to do `operations` with a resource of `kind` could be permitted.
    #[must_use]
    pub fn admits_operations(&self, kind: Kind, operations: crate::Operations) -> bool {
        let granted = |clause: &Arc<Clause>| match &**clause {
            Clause::Operations(granted) => operations.is_subset(*granted),
            _ => true,
        };
        self.admits(kind) && self.clauses.iter().all(granted)
    }

    /// Whether a call of this tool could be permitted with some arguments: what a list of tools
    /// may show. Such a call makes a request for each kind that the tool is mapped to.
    #[must_use]
    pub fn admits_tool(&self, request: &crate::ToolRequest, now: DateTime<Utc>) -> bool {
        let kinds = match &request.mapping {
            crate::Mapping::Listed { kinds, .. } => *kinds,
            crate::Mapping::Unlisted => Kinds::NONE,
        };
        let request = AccessRequest::new(Resource::Tool(request.clone()), crate::Operations::CALL);
        let tool = |clause: &&Arc<Clause>| !matches!(***clause, Clause::Arguments { .. });
        !self.overflow
            && kinds.iter().all(|kind| self.admits(kind))
            && self
                .clauses
                .iter()
                .filter(tool)
                .all(|clause| clause.check(&request, Sight::Whole, now).is_ok())
            && (!self.speaks_of_resources() || is_listed(&request))
    }

    /// The constraints that mean this authority, in canonical order.
    #[must_use]
    pub fn to_constraints(&self) -> Constraints {
        Constraints::from_clauses(self.clauses())
    }

    pub(crate) fn clauses(&self) -> impl Iterator<Item = &Clause> {
        self.clauses.iter().map(|clause| &**clause)
    }

    pub(crate) const fn overflows(&self) -> bool {
        self.overflow
    }

    /// The instant from which nothing is permitted any more.
    pub(crate) fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.clauses().find_map(|clause| match clause {
            Clause::Expires(at) => Some(*at),
            _ => None,
        })
    }

    /// The instant before which nothing is permitted yet.
    fn begins_at(&self) -> Option<DateTime<Utc>> {
        self.clauses().find_map(|clause| match clause {
            Clause::NotBefore(at) => Some(*at),
            _ => None,
        })
    }

    /// Everything that stands against a request, in the order in which it is reported. It is
    /// permitted when there is nothing.
    fn causes<'a>(
        &'a self,
        request: &'a AccessRequest,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = Cause<'a>> {
        let overflow = self.overflow.then_some(Cause::TooLarge);
        // SECURITY: the empty set of operations is a subset of every grant.
        let nothing = request.operations.is_empty().then_some(Cause::NoOperation);
        let malformed = is_malformed(request).then_some(Cause::Malformed);
        let sight = sight(self.clauses(), request);
        let clauses = self.clauses().filter_map(move |clause| {
            let mut code = clause.check(request, sight, now).err()?;
            let mut told = sight;
            if clause.asks_what_is_there() && self.is_led_away(request, sight, now) {
                told = Sight::Name;
                code = clause.check(request, told, now).err()?;
            }
            // How long it is, is for the file system to say.
            let unsaid = told == Sight::Name && code == DenyCode::SizeUnknown;
            (!unsaid).then_some(Cause::Clause(clause, code))
        });
        // SECURITY: what must never be touched, or could not be looked at, no authority permits.
        // Asked after the clauses, so that outside the granted folders the answer does not say
        // what is there.
        let physical = match &request.resource {
            Resource::Path(path) if sight == Sight::Whole => match path.physical {
                Physical::Refused(code) => Some(Cause::Physical(code)),
                _ => None,
            },
            _ => None,
        };
        let unlisted = !is_listed(request) && self.speaks_of_resources();
        let before = overflow.into_iter().chain(nothing).chain(malformed);
        before.chain(clauses).chain(physical).chain(unlisted.then_some(Cause::Unlisted))
    }

    /// Whether a path is refused for where it lies, or for where a file system says that it leads.
    fn is_led_away(&self, request: &AccessRequest, sight: Sight, now: DateTime<Utc>) -> bool {
        let seen = match &request.resource {
            Resource::Path(path) => path.physical != Physical::Unknown,
            _ => false,
        };
        let away = |clause: &Clause| {
            matches!(clause, Clause::Paths(_)) && clause.check(request, sight, now).is_err()
        };
        seen && self.clauses().any(away)
    }

    fn speaks_of_resources(&self) -> bool {
        let resources = |clause: &Clause| {
            clause.speaks_of().is_some_and(|kind| Kinds::RESOURCES.contains(kind))
        };
        self.clauses().any(resources)
    }

    /// Whether every request for `kind` is refused, as far as that is seen in the clauses alone.
    fn bars(&self, kind: Kind) -> bool {
        let bearing = |clause: &&Clause| clause.bears_on() == Some(kind);
        let excluded = |one: &Clause| {
            let mut others = self.clauses().filter(bearing);
            others.any(|other| one.excludes(other))
        };
        // A tool that is here only for what it is mapped to falls with it.
        let useless = |clause: &Clause| match clause {
            Clause::ToolKinds(kinds) => {
                kinds.iter().all(|mapped| mapped != Kind::Tool && self.bars(mapped))
            }
            _ => false,
        };
        !self.kinds().is_none_or(|kinds| kinds.contains(kind))
            || self.clauses().filter(bearing).any(|clause| excluded(clause) || useless(clause))
    }

    fn kinds(&self) -> Option<Kinds> {
        self.clauses().find_map(|clause| match clause {
            Clause::Kinds(kinds) => Some(*kinds),
            _ => None,
        })
    }

    /// Adds a normal clause, merged with those that it implies or that imply it.
    fn add(&mut self, clause: Arc<Clause>) {
        let mut clause = clause;
        let mut at = 0;
        while let Some(other) = self.clauses.get(at) {
            let Some(merged) = merge(&clause, other) else {
                at += 1;
                continue;
            };
            if Arc::ptr_eq(&merged, other) {
                return;
            }
            // Whatever became of it may meet one that was passed over.
            clause = merged;
            self.clauses.swap_remove(at);
            at = 0;
        }
        self.clauses.push(clause);
    }

    fn finished(mut self) -> Self {
        if self.overflow || self.clauses.len() > MAX_CLAUSES {
            return Self { clauses: Self::bottom().clauses, overflow: true };
        }
        self.clauses.sort_unstable();
        self
    }
}

/// The one clause that means both, where there is one.
fn merge(a: &Arc<Clause>, b: &Arc<Clause>) -> Option<Arc<Clause>> {
    if core::mem::discriminant(&**a) != core::mem::discriminant(&**b) {
        return None;
    }
    if Arc::ptr_eq(a, b) {
        return Some(Arc::clone(b));
    }
    match (a.implies(b), b.implies(a)) {
        // Of two that mean the same, always the same one.
        (true, true) => Some(Arc::clone(if a < b { a } else { b })),
        (true, false) => Some(Arc::clone(a)),
        (false, true) => Some(Arc::clone(b)),
        (false, false) => a.both(b).map(Arc::new),
    }
}
