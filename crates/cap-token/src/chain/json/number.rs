//! Numbers as text: which are admissible (AAT-02 §3.4), and their one canonical form.

use std::borrow::Cow;

use cap_core::canonical::to_jcs;
use serde_json::Value;

/// Integers of so many digits are binary64 whatever the digits, and written canonically already.
const SHORT: usize = 15;

/// The canonical text of a JSON number, if it denotes the same number as the text: if the number is
/// *admissible*.
///
/// SECURITY: decided on the text. Once 9007199254740993 is a binary64 it is …992, and nobody can
/// tell any more.
pub(in crate::chain) fn canonical(text: &str) -> Option<Cow<'_, str>> {
    if is_short_integer(text) {
        return Some(Cow::Borrowed(text));
    }
    let double = text.parse::<f64>().ok().filter(|double| double.is_finite())?;
    let canonical = to_jcs(&Value::from(double)).ok()?;
    let same = Decimal::read(text)? == Decimal::read(&canonical)?;
    same.then_some(Cow::Owned(canonical))
}

/// The canonical text of a finite binary64.
pub(in crate::chain) fn from_double(double: f64) -> Option<String> {
    let finite = double.is_finite().then_some(double)?;
    to_jcs(&Value::from(finite)).ok()
}

/// The binary64 that a canonical number is, never `-0`: for admissible numbers comparing these is
/// exact.
pub(in crate::chain) fn double(canonical: &str) -> Option<f64> {
    canonical.parse::<f64>().ok().filter(|double| double.is_finite()).map(|double| double + 0.0)
}

fn is_short_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.len() <= SHORT && digits.bytes().all(|byte| byte.is_ascii_digit()) && text != "-0"
}

/// What a text denotes: digits × 10^exponent. Equal ones are equal numbers.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    /// Without zeros at either end; empty for zero.
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// `None` when the exponent is beyond 64 bits: no binary64 is so large or so small.
    fn read(text: &str) -> Option<Self> {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let negative = mantissa.starts_with('-');
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all: String = whole.trim_start_matches('-').chars().chain(fraction.chars()).collect();
        let digits = all.trim_start_matches('0').trim_end_matches('0');
        if digits.is_empty() {
            return Some(Self { negative: false, digits: String::new(), exponent: 0 });
        }
        let zeros = all.len() - all.trim_end_matches('0').len();
        let shift = i64::try_from(zeros).ok()? - i64::try_from(fraction.len()).ok()?;
        let exponent = exponent.parse::<i64>().ok()?.checked_add(shift)?;
        Some(Self { negative, digits: digits.to_owned(), exponent })
    }
}
