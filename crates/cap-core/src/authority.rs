use alloc::vec::Vec;

use chrono::{DateTime, Utc};

use crate::clause::{self, Clause};
use crate::limits::MAX_CLAUSES;
use crate::request::{Physical, Resource};
use crate::{
    AbsPath, AccessRequest, Constraints, Decision, Denial, DenyCode, Kind, Kinds, PathPattern,
};

/// A set of requests: the conjunction of clauses, each a disjunction. The lattice of the design:
/// [`Authority::permits`] is membership, [`Authority::meet`] the intersection, [`Authority::top`]
/// everything.
///
/// Nothing but `meet` combines two authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// INVARIANT: sorted, each clause normal, none implied by another.
    clauses: Vec<Clause>,
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
        Self { clauses: alloc::vec![Clause::Kinds(Kinds::NONE)], overflow: false }
    }

    pub(crate) fn new(clauses: impl IntoIterator<Item = Clause>) -> Self {
        let mut this = Self::top();
        for clause in clauses {
            this.add(clause.normal());
        }
        this.clauses.sort();
        this.bounded()
    }

    /// What both permit: exactly the intersection.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        let mut meet = Self::new(self.clauses.iter().chain(&other.clauses).cloned());
        meet.overflow |= self.overflow || other.overflow;
        meet.bounded()
    }

    /// Whether a request is in the set. A refusal names the first clause that refuses.
    pub fn permits(&self, request: &AccessRequest, now: DateTime<Utc>) -> Decision {
        match self.check(request, now) {
            Ok(()) => Decision::Allow,
            Err(denial) => Decision::Deny(denial),
        }
    }

    /// Whether everything that `self` permits, `other` permits too. Sound, and complete only for
    /// what is decided syntactically: `true` holds, `false` may be caution.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        let implied = |theirs: &Clause| self.clauses.iter().any(|mine| mine.implies(theirs));
        self.overflow || (!other.overflow && other.clauses.iter().all(implied))
    }

    /// Whether no call is permitted, as far as that is seen in the clauses alone: `true` holds,
    /// `false` may be caution. A call of a tool makes a request for each kind that it is mapped to.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let nothing = |clause: &Clause| match clause {
            Clause::Operations(operations) => operations.is_empty(),
            _ => false,
        };
        self.overflow
            || self.clauses.iter().any(nothing)
            || Kind::ALL.into_iter().all(|kind| self.bars(kind))
    }

    /// The folders beneath which a file system must be asked about `path`: the roots of the
    /// patterns that mean it.
    pub fn path_roots<'a>(&'a self, path: &'a AbsPath) -> impl Iterator<Item = &'a AbsPath> {
        let patterns = self.clauses.iter().filter_map(|clause| match clause {
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
        let granted = |clause: &Clause| match clause {
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
        let tool = |clause: &&Clause| !matches!(clause, Clause::Arguments { .. });
        !self.overflow
            && kinds.iter().all(|kind| self.admits(kind))
            && self.clauses.iter().filter(tool).all(|clause| clause.permits(&request, now).is_ok())
            && self.permits_unlisted(&request).is_ok()
    }

    /// The constraints that mean this authority, in canonical order.
    #[must_use]
    pub fn to_constraints(&self) -> Constraints {
        Constraints::from_clauses(&self.clauses)
    }

    pub(crate) fn clauses(&self) -> &[Clause] {
        &self.clauses
    }

    pub(crate) const fn overflows(&self) -> bool {
        self.overflow
    }

    /// The instant from which nothing is permitted any more.
    pub(crate) fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.clauses.iter().find_map(|clause| match clause {
            Clause::Expires(at) => Some(*at),
            _ => None,
        })
    }

    fn check(&self, request: &AccessRequest, now: DateTime<Utc>) -> Result<(), Denial> {
        if self.overflow {
            return Err(Denial::new(DenyCode::AuthorityTooLarge));
        }
        // SECURITY: the empty set of operations is a subset of every grant.
        if request.operations.is_empty() {
            let reason = "the request names no operation; one that names some may pass";
            return Err(Denial::because(DenyCode::OperationNotAllowed, reason));
        }
        self.clauses.iter().try_for_each(|clause| clause.permits(request, now))?;
        // SECURITY: what must never be touched, or could not be looked at, no authority permits.
        // Asked after the clauses, so that outside the granted folders the answer does not say
        // what is there.
        if let Resource::Path(path) = &request.resource
            && let Physical::Refused(code) = path.physical
        {
            return Err(Denial::new(code));
        }
        self.permits_unlisted(request)
    }

    fn permits_unlisted(&self, request: &AccessRequest) -> Result<(), Denial> {
        let resources = |clause: &Clause| {
            clause.speaks_of().is_some_and(|kind| Kinds::RESOURCES.contains(kind))
        };
        if self.clauses.iter().any(resources) { clause::permits_unlisted(request) } else { Ok(()) }
    }

    /// Whether every request for `kind` is refused, as far as that is seen in the clauses alone.
    fn bars(&self, kind: Kind) -> bool {
        let bearing = |clause: &&Clause| clause.bears_on() == Some(kind);
        let excluded = |one: &Clause| {
            let mut others = self.clauses.iter().filter(bearing);
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
            || self.clauses.iter().filter(bearing).any(|clause| excluded(clause) || useless(clause))
    }

    fn kinds(&self) -> Option<Kinds> {
        self.clauses.iter().find_map(|clause| match clause {
            Clause::Kinds(kinds) => Some(*kinds),
            _ => None,
        })
    }

    /// Adds a clause, merged with those that it implies or that imply it.
    fn add(&mut self, clause: Clause) {
        let mut clause = clause;
        while let Some((at, merged)) =
            self.clauses.iter().enumerate().find_map(|(at, other)| Some((at, clause.merge(other)?)))
        {
            self.clauses.swap_remove(at);
            clause = merged;
        }
        self.clauses.push(clause);
    }

    fn bounded(mut self) -> Self {
        if self.overflow || self.clauses.len() > MAX_CLAUSES {
            return Self { clauses: Self::bottom().clauses, overflow: true };
        }
        self.clauses.shrink_to_fit();
        self
    }
}
