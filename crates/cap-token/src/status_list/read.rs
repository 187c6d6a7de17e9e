use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cap_crypto::VerifyingKey;
use chrono::{DateTime, Utc};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};
use serde::de::MapAccess;
use serde_json::value::RawValue;
use thiserror::Error;

use super::bitmap::bit;
use super::{MAX_STATUS_LIST_CHARS, MAX_STATUSES};
use crate::jose::MAX_HEADER_CHARS;
use crate::jose::json::{self, Field, Members, Reading};
use crate::{MalformedToken, Part};

/// A status list token that was verified; there is no other way to get one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusListToken {
    bits: Vec<u8>,
    issued_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    refresh_after: Option<Duration>,
}

/// What a list says of a token (§7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nothing against it.
    Valid,
    /// It was revoked.
    Invalid,
}

/// Why a status list token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReadStatusListError {
    /// It has more than [`MAX_STATUS_LIST_CHARS`], or its header more than 4,096.
    #[error("the list has more than {MAX_STATUS_LIST_CHARS} characters, or its header too many")]
    TooLarge,
    /// It is no compact JWS with JSON inside.
    #[error(transparent)]
    Malformed(#[from] MalformedToken),
    /// A member of the header is missing, of the wrong type, or demands an extension.
    #[error("`{0}` in the header is missing or not as it must be")]
    Header(&'static str),
    /// No trusted key has this `kid`.
    #[error("the key is not known")]
    UnknownKey,
    /// The key of this `kid` is for another algorithm than `alg` says.
    #[error("the key is for another algorithm")]
    AlgorithmOfKey,
    /// The signature is not that of the key.
    #[error("the signature did not verify")]
    Signature,
    /// A claim is missing, or of the wrong type.
    #[error("the claim `{0}` is missing or has the wrong type")]
    Claim(&'static str),
    /// It is another list.
    #[error("the list is another one")]
    Subject,
    /// It has expired.
    #[error("the list has expired")]
    Expired,
    /// It is not valid yet (`nbf`).
    #[error("the list is not valid yet")]
    NotYetValid,
    /// It was issued in the future.
    #[error("the list was issued in the future")]
    IssuedInFuture,
    /// It has not one bit for each token.
    #[error("the list has other than one bit for each token")]
    Bits,
    /// It is not one zlib stream of one to [`MAX_STATUSES`] bits.
    #[error("the list is not well compressed or too long")]
    Compression,
}

impl StatusListToken {
    /// Reads a list in JWT form, if one of `keys` has signed it, its `sub` is `uri`, and it has not
    /// expired; `leeway` is how much clocks may differ. Strict: one bit for each token, and `exp`
    /// is wanted, because a list without an end could be shown for ever.
    ///
    /// # Errors
    /// See [`ReadStatusListError`].
    pub fn read(
        token: &str,
        uri: &str,
        keys: &[VerifyingKey],
        leeway: Duration,
        now: DateTime<Utc>,
    ) -> Result<Self, ReadStatusListError> {
        if token.len() > MAX_STATUS_LIST_CHARS {
            return Err(ReadStatusListError::TooLarge);
        }
        let claims = verified_claims(token, keys)?;
        let claims = Claims::read(&claims)?;
        if claims.subject != uri {
            return Err(ReadStatusListError::Subject);
        }
        let leeway = i64::try_from(leeway.as_secs()).unwrap_or(i64::MAX);
        let now = now.timestamp();
        if claims.expires.timestamp().saturating_add(leeway) <= now {
            return Err(ReadStatusListError::Expired);
        }
        let latest = now.saturating_add(leeway);
        if claims.not_before.is_some_and(|start| start.timestamp() > latest) {
            return Err(ReadStatusListError::NotYetValid);
        }
        if claims.issued.timestamp() > latest {
            return Err(ReadStatusListError::IssuedInFuture);
        }
        Ok(Self {
            bits: inflate(&claims.list)?,
            issued_at: claims.issued,
            expires_at: claims.expires,
            refresh_after: claims.ttl.map(Duration::from_secs),
        })
    }

    /// The status of the token that has this index. `None` beyond the end of the list: then it
    /// says nothing, and the token should be refused (§8.3).
    #[must_use]
    pub fn status(&self, index: u32) -> Option<Status> {
        bit(&self.bits, index).map(|set| if set { Status::Invalid } else { Status::Valid })
    }

    /// When it was issued.
    #[must_use]
    pub const fn issued_at(&self) -> DateTime<Utc> {
        self.issued_at
    }

    /// When it ends, leeway aside.
    #[must_use]
    pub const fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    /// After which time a fresh one should be fetched (`ttl`), if it says so.
    #[must_use]
    pub const fn refresh_after(&self) -> Option<Duration> {
        self.refresh_after
    }
}

/// The payload, once the signature has verified.
fn verified_claims(token: &str, keys: &[VerifyingKey]) -> Result<String, ReadStatusListError> {
    let (input, signature) = token.rsplit_once('.').ok_or(MalformedToken::NotCompact)?;
    let (header, payload) = input.split_once('.').ok_or(MalformedToken::NotCompact)?;
    if payload.contains('.') {
        return Err(MalformedToken::NotCompact.into());
    }
    // It is read before anything is verified.
    if header.len() > MAX_HEADER_CHARS {
        return Err(ReadStatusListError::TooLarge);
    }
    let header = text(header, Part::Header)?;
    let header = Header::read(&header)?;
    let signature = decoded(signature, Part::Signature)?;
    // SECURITY: `kid` is an index into keys that are trusted already; the algorithm is the key's.
    let named: Vec<_> = keys.iter().filter(|key| key.id().as_str() == header.kid).collect();
    if named.is_empty() {
        return Err(ReadStatusListError::UnknownKey);
    }
    let mut fit = named.iter().filter(|key| key.algorithm().as_str() == header.alg).peekable();
    if fit.peek().is_none() {
        return Err(ReadStatusListError::AlgorithmOfKey);
    }
    if !fit.any(|key| key.verify(input.as_bytes(), &signature).is_ok()) {
        return Err(ReadStatusListError::Signature);
    }
    Ok(text(payload, Part::Claims)?)
}

/// What is taken from the header.
struct Header {
    alg: String,
    kid: String,
}

#[derive(Default)]
struct HeaderFields<'a> {
    typ: Field<'a>,
    alg: Field<'a>,
    kid: Field<'a>,
    extension: Option<&'static str>,
}

impl Header {
    fn read(json: &str) -> Result<Self, ReadStatusListError> {
        let mut fields = HeaderFields::default();
        json::object(json, Part::Header, &mut fields)?;
        if let Some(name) = fields.extension {
            return Err(ReadStatusListError::Header(name));
        }
        let wanted = |field: Field<'_>, name| match field {
            Field::Text(text) => Ok(text.into_owned()),
            _ => Err(ReadStatusListError::Header(name)),
        };
        // §5.1, §14.3: a media type, which has no case, with or without its prefix.
        let typ = wanted(fields.typ, "typ")?;
        let ours = ["statuslist+jwt", "application/statuslist+jwt"];
        if !ours.iter().any(|ours| typ.eq_ignore_ascii_case(ours)) {
            return Err(ReadStatusListError::Header("typ"));
        }
        Ok(Self { alg: wanted(fields.alg, "alg")?, kid: wanted(fields.kid, "kid")? })
    }
}

impl<'de> Members<'de> for HeaderFields<'de> {
    fn member<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        values: &mut A,
        reading: Reading<'_>,
    ) -> Result<bool, A::Error> {
        match name {
            "typ" => reading.place(&mut self.typ, values),
            "alg" => reading.place(&mut self.alg, values),
            "kid" => reading.place(&mut self.kid, values),
            "crit" => {
                self.extension = Some("crit");
                Ok(false)
            }
            "b64" => {
                self.extension = Some("b64");
                Ok(false)
            }
            _ => Ok(false),
        }
    }
}

/// What is taken from the payload.
struct Claims {
    subject: String,
    issued: DateTime<Utc>,
    not_before: Option<DateTime<Utc>>,
    expires: DateTime<Utc>,
    ttl: Option<u64>,
    list: Vec<u8>,
}

#[derive(Default)]
struct ClaimFields<'a> {
    sub: Field<'a>,
    iat: Field<'a>,
    nbf: Field<'a>,
    exp: Field<'a>,
    ttl: Field<'a>,
    status_list: Option<&'a RawValue>,
}

#[derive(Default)]
struct ListFields<'a> {
    bits: Field<'a>,
    lst: Field<'a>,
}

impl Claims {
    fn read(json: &str) -> Result<Self, ReadStatusListError> {
        let mut fields = ClaimFields::default();
        json::object(json, Part::Claims, &mut fields)?;
        let Field::Text(subject) = fields.sub else {
            return Err(ReadStatusListError::Claim("sub"));
        };
        let ttl = match fields.ttl {
            Field::Missing => None,
            Field::Whole(seconds) if seconds > 0 => Some(seconds),
            _ => return Err(ReadStatusListError::Claim("ttl")),
        };
        let raw = fields.status_list.ok_or(ReadStatusListError::Claim("status_list"))?;
        let mut list = ListFields::default();
        if !raw.get().starts_with('{') {
            return Err(ReadStatusListError::Claim("status_list"));
        }
        json::object(raw.get(), Part::Claims, &mut list)?;
        match list.bits {
            Field::Whole(1) => {}
            Field::Whole(_) => return Err(ReadStatusListError::Bits),
            _ => return Err(ReadStatusListError::Claim("bits")),
        }
        let Field::Text(list) = list.lst else {
            return Err(ReadStatusListError::Claim("lst"));
        };
        Ok(Self {
            subject: subject.into_owned(),
            issued: instant(&fields.iat, "iat")?,
            not_before: match &fields.nbf {
                Field::Missing => None,
                nbf => Some(instant(nbf, "nbf")?),
            },
            expires: instant(&fields.exp, "exp")?,
            ttl,
            list: URL_SAFE_NO_PAD
                .decode(list.as_bytes())
                .map_err(|_| ReadStatusListError::Claim("lst"))?,
        })
    }
}

impl<'de> Members<'de> for ClaimFields<'de> {
    fn member<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        values: &mut A,
        reading: Reading<'_>,
    ) -> Result<bool, A::Error> {
        match name {
            "sub" => reading.place(&mut self.sub, values),
            "iat" => reading.place(&mut self.iat, values),
            "nbf" => reading.place(&mut self.nbf, values),
            "exp" => reading.place(&mut self.exp, values),
            "ttl" => reading.place(&mut self.ttl, values),
            "status_list" => match self.status_list.replace(values.next_value()?) {
                None => Ok(true),
                Some(_) => Err(reading.duplicate()),
            },
            _ => Ok(false),
        }
    }
}

impl<'de> Members<'de> for ListFields<'de> {
    fn member<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        values: &mut A,
        reading: Reading<'_>,
    ) -> Result<bool, A::Error> {
        match name {
            "bits" => reading.place(&mut self.bits, values),
            "lst" => reading.place(&mut self.lst, values),
            _ => Ok(false),
        }
    }
}

/// Whole seconds from 1970 on, as far as the calendar goes.
fn instant(field: &Field<'_>, name: &'static str) -> Result<DateTime<Utc>, ReadStatusListError> {
    let seconds = match field {
        Field::Whole(seconds) => i64::try_from(*seconds).ok(),
        _ => None,
    };
    seconds
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .ok_or(ReadStatusListError::Claim(name))
}

/// SECURITY: never writes more than the most that a list may have, however much is promised by
/// however few bytes; and takes one stream with nothing behind it.
fn inflate(bytes: &[u8]) -> Result<Vec<u8>, ReadStatusListError> {
    let most = usize::try_from(MAX_STATUSES / 8).unwrap_or(usize::MAX);
    let mut out = vec![0; most];
    let flags = inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER
        | inflate_flags::TINFL_FLAG_COMPUTE_ADLER32
        | inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let mut state = Box::<DecompressorOxide>::default();
    let (status, read, written) = decompress(&mut state, bytes, &mut out, 0, flags);
    if status != TINFLStatus::Done || read != bytes.len() || written == 0 {
        return Err(ReadStatusListError::Compression);
    }
    out.truncate(written);
    out.shrink_to_fit();
    Ok(out)
}

fn text(part: &str, which: Part) -> Result<String, MalformedToken> {
    String::from_utf8(decoded(part, which)?).map_err(|_| MalformedToken::NotJson(which))
}

fn decoded(part: &str, which: Part) -> Result<Vec<u8>, MalformedToken> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| MalformedToken::Encoding(which))
}
