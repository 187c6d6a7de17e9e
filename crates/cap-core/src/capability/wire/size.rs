//! Bounds of the length of a wire form, much faster than writing it.
//!
//! INVARIANT: never less than what is written. A text is written between quotes, a byte of it as six
//! at most (`\u0000`).

use alloc::vec::Vec;
use core::fmt::{self, Display, Write};

use crate::{Constraints, Obligation, PathPattern, ToolPattern};

/// At most how many bytes a text takes, with a comma.
pub(super) fn text(text: &str) -> usize {
    text.len().saturating_mul(6).saturating_add(3)
}

/// The same of one set of constraints, with a comma; `None` where values of any shape stand in it.
pub(super) fn constraints(set: &Constraints) -> Option<usize> {
    let Constraints {
        allowed_domains,
        allowed_extensions,
        allowed_methods,
        allowed_tools,
        and,
        arguments,
        budget,
        cidr,
        command_args,
        commands,
        custom,
        environment,
        // The names of all members have 400 bytes; each of the values without a length of its own
        // has 70 at most.
        expires_at: _,
        kinds: _,
        max_bytes: _,
        max_calls: _,
        max_delegation_depth: _,
        max_file_size: _,
        methods,
        not_before: _,
        operations: _,
        paths,
        ports,
        private_networks: _,
        protocols,
        rate_limit: _,
        time_windows,
        tool_kinds: _,
        urls,
    } = set;
    let of_any_shape = !arguments.is_empty()
        || budget.is_some()
        || command_args.is_some()
        || !custom.is_empty()
        || time_windows.is_some();
    if of_any_shape {
        return None;
    }
    let names = [allowed_extensions, environment, methods, protocols].into_iter().flatten();
    let bytes = 2048
        + names.flatten().map(|name| text(name)).sum::<usize>()
        + list(allowed_domains, shown)
        + list(allowed_methods, shown)
        + list(allowed_tools, ToolPattern::bytes)
        + list(cidr, shown)
        + list(commands, shown)
        + list(paths, PathPattern::bytes)
        + list(ports, shown)
        + list(urls, shown);
    and.iter().try_fold(bytes, |bytes, more| Some(bytes.saturating_add(constraints(more)?)))
}

/// The same of the limits of ancestors.
pub(super) fn inherited_limits(limits: &[Obligation]) -> Option<usize> {
    let has_budget = |limit: &Obligation| limit.limits.budget.is_some();
    // An id, five numbers and their names; 230 bytes.
    (!limits.iter().any(has_budget)).then(|| limits.len().saturating_mul(256))
}

/// The same of a list whose elements have so many bytes as texts.
fn list<T>(list: &Option<Vec<T>>, bytes: impl Fn(&T) -> usize) -> usize {
    list.iter().flatten().map(|one| bytes(one).saturating_mul(6).saturating_add(3)).sum()
}

/// The bytes of what is written as it is shown.
fn shown<T: Display>(one: &T) -> usize {
    struct Counter(usize);

    impl Write for Counter {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.saturating_add(text.len());
            Ok(())
        }
    }

    let mut counter = Counter(0);
    // Counting does not fail.
    let _ = write!(counter, "{one}");
    counter.0
}
