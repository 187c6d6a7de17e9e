//! Numbers: which are exact, and how ECMAScript writes them.

use alloc::string::String;
use core::fmt::Write;

use serde_json::Number;

/// Up to here every integer is a binary64.
const ALL_EXACT: i64 = 1 << 53;

/// The binary64 that a number is, if its canonical text denotes the same number (AAT-02 §3.4: it
/// is *admissible*); never `-0`. Of a number that was written with a fraction or an exponent only
/// the binary64 is left here: whoever reads the text must have refused what it would lose.
///
/// SECURITY: two exact numbers are equal only when their binary64 are, so that comparing these
/// never takes a number for its neighbour.
pub(crate) fn exact(number: &Number) -> Option<f64> {
    let magnitude = match (number.as_i64(), number.as_u64()) {
        (Some(integer), _) => integer.unsigned_abs(),
        (None, Some(integer)) => integer,
        (None, None) => {
            let double = number.as_f64().filter(|double| number.is_f64() && double.is_finite());
            return double.map(without_sign_of_zero);
        }
    };
    let double = number.as_f64()?;
    (magnitude <= ALL_EXACT.unsigned_abs() || denotes(double, magnitude)).then_some(double)
}

/// A number with this value, in the one form that such a number has.
pub(crate) fn from_double(double: f64) -> Option<Number> {
    integer(double).map(Number::from).or_else(|| Number::from_f64(double))
}

/// Writes a finite number as ECMAScript does (ECMA-262 §6.1.6.1.20, RFC 8785 §3.2.2.3).
pub(super) fn write(out: &mut String, double: f64) {
    if let Some(integer) = integer(double) {
        // Writing to a string does not fail.
        let _ = write!(out, "{integer}");
        return;
    }
    if double < 0.0 {
        out.push('-');
    }
    let Shortest { digits, point } = Shortest::of(double);
    let count = digits.len();
    match usize::try_from(point) {
        Ok(point) if (count..=21).contains(&point) => {
            out.push_str(&digits);
            push_zeros(out, point - count);
        }
        Ok(point) if (1..=21).contains(&point) => push_with_point(out, &digits, point),
        _ if (-5..=0).contains(&point) => {
            out.push_str("0.");
            push_zeros(out, usize::try_from(-point).unwrap_or_default());
            out.push_str(&digits);
        }
        _ => {
            push_with_point(out, &digits, 1);
            let _ = write!(out, "e{:+}", point - 1);
        }
    }
}

/// The decimal with the fewest digits that reads back as a binary64, of those the nearest, and of
/// two that are as near the even one.
struct Shortest {
    /// Without leading or trailing zeros.
    digits: String,
    /// Where the decimal point stands, counted from before the first digit.
    point: i32,
}

impl Shortest {
    /// Of the magnitude of a finite number.
    fn of(double: f64) -> Self {
        let shortest = alloc::format!("{:e}", double.abs());
        let this = Self::read(&shortest);
        // Of two that are as near `{:e}` takes the greater one. With the digits counted, the even
        // one is taken, which at a power of two may be no longer the same number.
        let fraction = this.digits.len().saturating_sub(1);
        let even = alloc::format!("{:.fraction$e}", double.abs());
        if even != shortest && even.parse() == Ok(double.abs()) { Self::read(&even) } else { this }
    }

    /// Reads `1.25e-3`.
    fn read(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let digits = mantissa.chars().filter(char::is_ascii_digit).collect();
        Self { digits, point: exponent.parse::<i32>().unwrap_or_default() + 1 }
    }
}

/// Whether the canonical text of `double` denotes this integer.
fn denotes(double: f64, magnitude: u64) -> bool {
    let Shortest { digits, point } = Shortest::of(double);
    let zeros = usize::try_from(point).ok().and_then(|point| point.checked_sub(digits.len()));
    zeros.is_some_and(|zeros| {
        let mut written = digits;
        push_zeros(&mut written, zeros);
        written.parse() == Ok(magnitude)
    })
}

/// The integer that a binary64 is, where every integer is one.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "bounded above")]
fn integer(double: f64) -> Option<i64> {
    let bound = ALL_EXACT as f64;
    let integer = if (-bound..=bound).contains(&double) { double as i64 } else { return None };
    (integer as f64 == double).then_some(integer)
}

/// `-0` and `0` are one number.
fn without_sign_of_zero(double: f64) -> f64 {
    double + 0.0
}

fn push_zeros(out: &mut String, count: usize) {
    out.extend(core::iter::repeat_n('0', count));
}

/// The digits, with a point after so many of them unless it were the last.
fn push_with_point(out: &mut String, digits: &str, point: usize) {
    let (whole, fraction) = digits.split_at_checked(point).unwrap_or((digits, ""));
    out.push_str(whole);
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
}
