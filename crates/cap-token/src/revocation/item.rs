//! A revocation as it is kept and exchanged: its key, and whole seconds.

use chrono::{DateTime, Utc};

use super::{MAX_ISSUER_BYTES, RevocationTarget, RevokeError};

/// The second since 1970 up to which a revocation covers something; [`FOREVER`] has no end.
pub(super) type Until = i64;

pub(super) const FOREVER: Until = i64::MAX;

/// The last second of the year 9999.
pub(super) const LAST: i64 = 253_402_300_799;

#[derive(Clone, Copy, Debug)]
pub(super) enum Item<'a> {
    Token(u128),
    Capability(u128),
    Principal(&'a str),
    Before(&'a str, i64),
    Issuer(&'a str),
    Key(&'a str),
}

impl<'a> Item<'a> {
    pub(super) fn of(target: &'a RevocationTarget) -> Result<Self, RevokeError> {
        Ok(match target {
            RevocationTarget::Token(id) => Self::Token(bits(id.as_bytes())),
            RevocationTarget::Capability(id) => Self::Capability(bits(id.as_bytes())),
            RevocationTarget::Principal(principal) => Self::Principal(principal.as_str()),
            RevocationTarget::PrincipalBefore(principal, instant) => {
                let second = second_after(*instant);
                if !(0..=LAST).contains(&second) {
                    return Err(RevokeError::Instant);
                }
                Self::Before(principal.as_str(), second)
            }
            RevocationTarget::Issuer(issuer) if is_issuer(issuer) => Self::Issuer(issuer),
            RevocationTarget::Issuer(_) => return Err(RevokeError::Issuer),
            RevocationTarget::Key(key) => Self::Key(key.as_str()),
        })
    }
}

impl Item<'_> {
    /// Whether it covers what is yet to be issued: then it has no end.
    pub(super) const fn covers_future(&self) -> bool {
        matches!(self, Self::Principal(_) | Self::Issuer(_) | Self::Key(_))
    }

    pub(super) const fn name(&self) -> Option<&str> {
        match self {
            Self::Token(_) | Self::Capability(_) => None,
            Self::Principal(name)
            | Self::Before(name, _)
            | Self::Issuer(name)
            | Self::Key(name) => Some(name),
        }
    }

    /// How much it counts in a set that is bounded.
    pub(super) fn weight(&self) -> u64 {
        self.name().map_or(1, name_weight)
    }
}

/// A name takes its bytes, too: a 32nd of them counts like an id.
pub(super) fn name_weight(name: &str) -> u64 {
    u64::try_from(name.len() / 32).unwrap_or(u64::MAX).saturating_add(1)
}

/// The bytes of an id as a number, in whose order the ids stand.
#[inline]
pub(super) const fn bits(id: &[u8; 16]) -> u128 {
    u128::from_be_bytes(*id)
}

/// Never before `now`; for ever after the year 9999.
pub(super) fn until(covers_until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Until {
    let second = covers_until.map(|end| second_after(end.max(now)).max(0));
    second.filter(|second| *second <= LAST).unwrap_or(FOREVER)
}

/// The second in which `instant` lies, or the next one if a part of it has passed.
pub(super) fn second_after(instant: DateTime<Utc>) -> i64 {
    let part = i64::from(instant.timestamp_subsec_nanos() > 0);
    instant.timestamp().saturating_add(part)
}

pub(super) fn is_issuer(name: &str) -> bool {
    (1..=MAX_ISSUER_BYTES).contains(&name.len()) && !name.chars().any(char::is_control)
}
