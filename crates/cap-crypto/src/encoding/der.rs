//! Strict DER (X.690 §10): definite lengths in their shortest form, low tag numbers. Enough for
//! PKCS#8, SPKI and the key structures inside them, and one encoding has one reading.

use zeroize::Zeroizing;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OBJECT: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

/// What is left of a sequence of elements. Every method answers `None` for what is no DER or not
/// what was asked for.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The content of the next element, which must have this tag.
    pub(crate) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&found, rest) = self.0.split_first()?;
        if found != tag {
            return None;
        }
        let (length, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(content)
    }

    /// As [`take`](Self::take), if the next element has this tag; `Some(None)` if it has another.
    #[expect(clippy::option_option, reason = "absent and malformed are two answers")]
    pub(crate) fn take_optional(&mut self, tag: u8) -> Option<Option<&'a [u8]>> {
        if self.0.first() == Some(&tag) { self.take(tag).map(Some) } else { Some(None) }
    }

    pub(crate) fn sequence(&mut self) -> Option<Self> {
        self.take(SEQUENCE).map(Self)
    }

    /// A number that is not negative, big-endian without leading zeros; zero is empty.
    pub(crate) fn unsigned(&mut self) -> Option<&'a [u8]> {
        match self.take(INTEGER)? {
            [0] => Some(&[]),
            [0, rest @ ..] if rest.first().is_some_and(|byte| *byte >= 0x80) => Some(rest),
            number if number.first().is_some_and(|byte| (1..0x80).contains(byte)) => Some(number),
            _ => None,
        }
    }

    /// A bit string of whole bytes.
    pub(crate) fn bytes_of_bits(&mut self) -> Option<&'a [u8]> {
        self.take(BIT_STRING)?.strip_prefix(&[0])
    }

    /// That nothing is left.
    pub(crate) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// An element of this tag whose content is the parts, one after another.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    // SECURITY: with all the room from the start the buffer is not moved while it grows, which
    // would leave copies of a secret behind.
    let mut out = Zeroizing::new(Vec::with_capacity(length.saturating_add(6)));
    out.push(tag);
    push_length(&mut out, length);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// A number that is not negative, from its big-endian bytes.
pub(crate) fn unsigned(number: &[u8]) -> Zeroizing<Vec<u8>> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    match number.split_at_checked(zeros).map(|(_, rest)| rest) {
        Some(significant) if significant.first().is_some_and(|byte| *byte < 0x80) => {
            element(INTEGER, &[significant])
        }
        significant => element(INTEGER, &[&[0], significant.unwrap_or_default()]),
    }
}

/// The length of what follows, and what follows.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        return Some((usize::from(first), rest));
    }
    // Three bytes are 16 MiB: no key is longer.
    let count = usize::from(first & 0x7f);
    if !(1..=3).contains(&count) {
        return None;
    }
    let (digits, rest) = rest.split_at_checked(count)?;
    let length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
    let shortest = length >= 0x80 && digits.first() != Some(&0);
    shortest.then_some((length, rest))
}

fn push_length(out: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let digits = length.to_be_bytes();
            let zeros = digits.iter().take_while(|digit| **digit == 0).count();
            let count = u8::try_from(digits.len() - zeros).unwrap_or(u8::MAX);
            out.push(0x80 | count);
            out.extend(digits.iter().skip(zeros));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_unsigned(bytes: &[u8]) -> Option<&[u8]> {
        let mut reader = Reader::new(bytes);
        let number = reader.unsigned()?;
        reader.end()?;
        Some(number)
    }

    #[test]
    fn one_number_has_one_encoding() {
        for (number, encoding) in [
            (&[][..], &[2, 1, 0][..]),
            (&[1], &[2, 1, 1]),
            (&[0x7f], &[2, 1, 0x7f]),
            (&[0x80], &[2, 2, 0, 0x80]),
            (&[1, 0, 1], &[2, 3, 1, 0, 1]),
        ] {
            assert_eq!(unsigned(number).as_slice(), encoding);
            assert_eq!(read_unsigned(encoding), Some(number));
        }
        assert_eq!(unsigned(&[0, 0, 5]).as_slice(), [2, 1, 5]);
        // No content, negative, a zero too many, a length too long, a byte too many.
        for bad in [
            &[2, 0][..],
            &[2, 1, 0x80],
            &[2, 2, 0, 1],
            &[2, 2, 0, 0],
            &[2, 0x81, 1, 1],
            &[2, 1, 1, 1],
        ] {
            assert_eq!(read_unsigned(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn lengths_are_definite_and_the_shortest_ones() {
        let content = vec![7; 300];
        let good = element(OCTET_STRING, &[&content]);
        assert_eq!(good[..4], [OCTET_STRING, 0x82, 1, 44]);
        let take = |bytes: &[u8]| Reader::new(bytes).take(OCTET_STRING).map(<[u8]>::to_vec);
        assert_eq!(take(&good), Some(content.clone()));
        let with = |head: &[u8]| [head, &content].concat();
        for bad in [
            with(&[4, 0x80]),
            with(&[4, 0x83, 0, 1, 44]),
            with(&[4, 0x84, 0, 0, 1, 44]),
            with(&[4, 0x82, 1, 45]),
            with(&[4, 0x81, 5]),
            with(&[4, 0xff]),
            vec![4],
            vec![],
        ] {
            assert_eq!(take(&bad), None, "{:?}", bad.get(..5));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(content in prop::collection::vec(any::<u8>(), 0..70_000)) {
            let element = element(OCTET_STRING, &[&content]);
            let mut reader = Reader::new(&element);
            prop_assert_eq!(reader.take(OCTET_STRING), Some(content.as_slice()));
            prop_assert!(reader.end().is_some());
        }

        #[test]
        fn no_bytes_are_too_odd_to_be_read(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            let _ = reader.unsigned();
            let _ = reader.bytes_of_bits();
            let _ = reader.sequence();
        }
    }
}
