use cap_core::{
    AbsPath, AccessRequest, Denial, DenyCode, Operation, Operations, PathRequest, Physical, Reach,
    Resource,
};

/// The requests that a `resources/read` makes: a `file:` URI (RFC 8089) is decoded once and ruled
/// as a path that is read, every other URI as the method.
///
/// # Errors
/// When the text is no URI that every reader takes apart in the same way.
pub fn requests_of_resource(uri: &str) -> Result<Vec<AccessRequest>, Denial> {
    let Some((scheme, rest)) = uri.split_once(':') else {
        return Err(invalid("it has no scheme"));
    };
    let of_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(of_scheme) {
        return Err(invalid("it has no scheme"));
    }
    // SECURITY: WHATWG parsers drop some of these, so that `fi\tle:` becomes `file:`.
    if uri.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(invalid("blanks and control characters are not allowed in a URI"));
    }
    if !scheme.eq_ignore_ascii_case("file") {
        let method = Resource::Method("resources/read".into());
        return Ok(vec![AccessRequest::new(method, Operations::CALL)]);
    }
    let raw = file_path(rest)?;
    let path = AbsPath::parse(&raw).map_err(|error| invalid(&error.to_string()))?;
    let request =
        PathRequest { path, raw, reach: Reach::Object, size: None, physical: Physical::Unknown };
    let read = Operations::NONE.with(Operation::Read);
    Ok(vec![AccessRequest::new(Resource::Path(request), read)])
}

/// The path of a `file:` URI, decoded once.
fn file_path(rest: &str) -> Result<String, Denial> {
    let path = match rest.strip_prefix("//") {
        Some(authority) => {
            let (host, _) = authority.split_once('/').ok_or_else(|| invalid("it has no path"))?;
            if !host.is_empty() && !host.eq_ignore_ascii_case("localhost") {
                return Err(invalid("it names a file of another host"));
            }
            authority.get(host.len()..).unwrap_or_default()
        }
        None => rest,
    };
    if !path.starts_with('/') || path.contains(['?', '#', '\\']) {
        return Err(invalid("an absolute path without query and fragment is wanted"));
    }
    let decoded = percent_decode(path).ok_or_else(|| invalid("its percent-encoding is broken"))?;
    // SECURITY: a separator to some. (What is still encoded, `AbsPath` refuses.)
    if decoded.contains('\\') {
        return Err(invalid("a backslash is not allowed"));
    }
    Ok(decoded)
}

/// `None` when an escape is broken or the bytes are not UTF-8.
fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut pieces = text.split('%');
    bytes.extend_from_slice(pieces.next()?.as_bytes());
    for piece in pieces {
        let (digits, plain) = piece.split_at_checked(2)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(plain.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

fn invalid(what: &str) -> Denial {
    Denial::because(DenyCode::ArgumentInvalid, format!("the resource is refused: {what}"))
}
