//! The bounds of everything that comes from outside, checked before work is done.

/// Bytes of a capability's wire form.
pub const MAX_CAPABILITY_BYTES: usize = 64 * 1024;
/// Clauses of one authority; a meet beyond it is refused.
pub const MAX_CLAUSES: usize = 64;
/// Alternatives of one clause.
pub const MAX_ALTERNATIVES: usize = 256;
/// Bytes of a path (`PATH_MAX` of Linux, without the NUL).
pub const MAX_PATH_BYTES: usize = 4095;
/// Bytes of one path segment (`NAME_MAX` of Linux).
pub const MAX_SEGMENT_BYTES: usize = 255;
/// Bytes of a principal, a tool name, a domain, a program or a method.
pub const MAX_NAME_BYTES: usize = 256;
/// Bytes of a URL.
pub const MAX_URL_BYTES: usize = 8 * 1024;
/// Bytes of a `glob` argument constraint, and of a text that it is asked about.
pub const MAX_GLOB_BYTES: usize = 1024;
/// Windows of `time_windows`.
pub const MAX_TIME_WINDOWS: usize = 64;
/// Elements of one pattern of `command_args`.
pub const MAX_ARGV_ELEMENTS: usize = 64;
/// Bytes of all patterns of `command_args` for one program, with one more for each element.
pub const MAX_ARGV_RULE_BYTES: usize = 2 * 1024;
/// Bytes of an argument vector, with one more for each argument: what a pattern may cost to match is
/// bounded by this times [`MAX_ARGV_RULE_BYTES`].
pub const MAX_ARGV_BYTES: usize = 32 * 1024;
/// Links below a root that a capability may allow at most.
pub const MAX_DELEGATION_DEPTH: u8 = 16;
/// Links below a root where a capability does not say.
pub const DEFAULT_DELEGATION_DEPTH: u8 = 5;
/// Nesting of an argument constraint (`all` of `any` of …).
pub const MAX_ARGUMENT_NESTING: usize = 8;
/// Units of a rate limit.
pub const MAX_RATE: u64 = 1_000_000_000;
/// Seconds of a rate limit's period: 366 days.
pub const MAX_RATE_SECONDS: u64 = 366 * 24 * 3600;
/// Units of every other limit, and of a cost: the integers that every reader of JSON keeps exactly
/// (RFC 7493 §2.2).
pub const MAX_UNITS: u64 = (1 << 53) - 1;
/// Bytes of the caller's own value quoted in a denial.
pub const MAX_QUOTED_BYTES: usize = 160;
