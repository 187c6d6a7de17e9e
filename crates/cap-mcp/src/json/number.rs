/// The largest integer whose neighbours are exact in a binary64 (RFC 8259 section 6).
const MAX_EXACT: u64 = (1 << 53) - 1;

/// Significant digits after which a binary64 tells nothing more.
const MAX_DIGITS: usize = 17;

/// Whether every reader gets the same number from this literal: an integer of at most 53 bits, or
/// a decimal that comes back the same after a passage through a binary64.
pub(crate) fn survives_round_trip(literal: &str) -> bool {
    let unsigned = literal.strip_prefix('-').unwrap_or(literal);
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return unsigned.parse::<u64>().is_ok_and(|value| value <= MAX_EXACT);
    }
    // Fifteen digits always survive (C11 §5.2.4.2.2, DBL_DIG), where nothing over- or underflows.
    if unsigned.len() <= 16 && unsigned.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit()) {
        return true;
    }
    let (Ok(value), Some(written)) = (unsigned.parse::<f64>(), decimal(unsigned)) else {
        return false;
    };
    if !value.is_finite() || written.0.len() > MAX_DIGITS {
        return false;
    }
    // At its own precision, or at the shortest that tells it from its neighbours: where two
    // decimals are equally near, writers choose differently.
    let precision = written.0.len().saturating_sub(1);
    [format!("{value:.precision$e}"), format!("{value:e}")]
        .iter()
        .any(|again| decimal(again).as_ref() == Some(&written))
}

/// The significant digits and the power of ten of the last one; zero has no digits.
fn decimal(literal: &str) -> Option<(String, i64)> {
    let (mantissa, exponent) = literal.split_once(['e', 'E']).unwrap_or((literal, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: String = whole.chars().chain(fraction.chars()).collect();
    let trimmed = digits.trim_end_matches('0');
    if trimmed.trim_start_matches('0').is_empty() {
        return Some((String::new(), 0));
    }
    let dropped = i64::try_from(digits.len() - trimmed.len()).ok()?;
    let places = i64::try_from(fraction.len()).ok()?;
    let exponent: i64 = exponent.parse().ok()?;
    let power = exponent.checked_sub(places)?.checked_add(dropped)?;
    Some((trimmed.trim_start_matches('0').to_owned(), power))
}

#[cfg(test)]
mod tests {
    use super::survives_round_trip;

    #[test]
    fn numbers_that_every_reader_reads_alike_survive() {
        for literal in [
            "0",
            "-0",
            "1",
            "-1",
            "9007199254740991",
            "-9007199254740991",
            "0.1",
            "1.0",
            "1e3",
            "1E+2",
            "1.50",
            "123.456",
            "5e-324",
            "0.0",
            "0e5",
            "100e-2",
            "1.7976931348623157e308",
            "619838894293744.2",
            "619838894293744.3",
        ] {
            assert!(survives_round_trip(literal), "{literal}");
        }
    }

    #[test]
    fn numbers_that_readers_round_differently_do_not_survive() {
        for literal in [
            "9007199254740992",
            "-9007199254740993",
            "100000000000000000000",
            "1e400",
            "-1e9999999999999999999999",
            "1e-400",
            "0.1000000000000000000000001",
            "3.14159265358979323846",
            "619838894293744.26",
            "9007199254740993.0",
        ] {
            assert!(!survives_round_trip(literal), "{literal}");
        }
    }
}
