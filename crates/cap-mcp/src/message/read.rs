use super::body::Body;
use super::lookalike::{self, Context};
use super::{Answer, AnswerForm, Era, Id, Message, Notification, Request, Response, VERSION_META};
use crate::MAX_LINE_BYTES;
use crate::json::{self, Entry, Home, Kind, Rules, decode_utf8, scan};
use crate::read_error::{About, Fault, ReadError};

/// Reads one line (without its newline; a carriage return at its end belongs to the newline) as
/// one message.
///
/// Whatever two readers could take for different messages is refused. The line itself is never
/// changed: what is accepted can be passed on byte for byte.
///
/// # Errors
/// The first rule that the line breaks, where, and under which id it may be answered.
pub fn read(line: &[u8]) -> Result<Message<'_>, ReadError> {
    read_strictly(line).map_err(|error| ReadError { about: salvage(line, error.fault), ..error })
}

fn read_strictly(line: &[u8]) -> Result<Message<'_>, ReadError> {
    let line = decode_utf8(line)?;
    let message = line.strip_suffix('\r').unwrap_or(line);
    let scan = scan(message, Rules::LINE).map_err(ReadError::unanswerable)?;
    let start = scan.root.span().start;
    match scan.root.kind() {
        Kind::Object => {}
        Kind::Array => return Err(ReadError::unanswerable((Fault::Batch, start))),
        _ => return Err(ReadError::unanswerable((Fault::NotAnObject, start))),
    }
    let body = Body { line, entries: scan.entries };
    if let Some(entry) = body.entries.iter().find(|entry| is_look_alike(entry)) {
        return Err(ReadError::unanswerable((Fault::LookAlikeKey, entry.key_at)));
    }
    classify(body, start).map_err(ReadError::unanswerable)
}

fn is_look_alike(entry: &Entry<'_>) -> bool {
    let context = match entry.home {
        Home::Envelope => Context::Envelope,
        Home::Params => Context::Params,
        Home::ParamsMeta => Context::Meta,
        Home::Result | Home::ResultMeta => return false,
    };
    lookalike::is_ambiguous(context, &entry.key)
}

/// Which kind of message an envelope is. INVARIANT: no key is given twice.
fn classify(body: Body<'_>, start: usize) -> Result<Message<'_>, (Fault, usize)> {
    let envelope = |key| body.member(Home::Envelope, key);
    let at = |key| envelope(key).map_or(start, |raw| raw.span().start);
    if envelope("jsonrpc").and_then(|raw| raw.string().ok()).as_deref() != Some("2.0") {
        return Err((Fault::Version, at("jsonrpc")));
    }
    let id = match envelope("id") {
        Some(raw) if raw.kind() == Kind::Null && envelope("error").is_some() => None,
        Some(raw) => Some(Id::read(&raw).ok_or((Fault::Id, raw.span().start))?),
        None => None,
    };
    let outcome = (envelope("result").is_some(), envelope("error").is_some());
    let Some(method) = envelope("method") else {
        return match (outcome, &id, envelope("params")) {
            ((true, false), Some(_), None) | ((false, true), _, None) => {
                Ok(Message::Response(Response { body, id }))
            }
            ((true, false), None, None) => Err((Fault::Id, at("id"))),
            _ => Err((Fault::Shape, start)),
        };
    };
    let name = method.string().map_err(|_| (Fault::Method, method.span().start))?;
    if outcome != (false, false) {
        return Err((Fault::Shape, start));
    }
    if envelope("params").is_some_and(|raw| !matches!(raw.kind(), Kind::Object | Kind::Null)) {
        return Err((Fault::Params, at("params")));
    }
    Ok(match id {
        Some(id) => Message::Request(Request { body, id, method: name }),
        None => Message::Notification(Notification { body, method: name }),
    })
}

/// What a refused line was about, if every reader that makes anything of it agrees on that: it is
/// JSON by its grammar, and has one valid id and clearly one shape.
fn salvage(line: &[u8], fault: Fault) -> Option<About> {
    match fault {
        Fault::Syntax | Fault::TrailingBytes | Fault::LineBreak => return None,
        _ if line.len() > MAX_LINE_BYTES => return None,
        _ => {}
    }
    let line = String::from_utf8_lossy(line);
    let found = scan(line.strip_suffix('\r').unwrap_or(&line), Rules::SALVAGE).ok()?;
    let body = Body { line: &line, entries: found.entries };
    let id = only(&body, "id")?;
    let id = Id::read(&id)?;
    let has = |key: &str| body.members(Home::Envelope).any(|entry| lookalike::folds_to(entry, key));
    if has("method") {
        let method = only(&body, "method")?.string().ok()?;
        let clear = !has("result") && !has("error");
        return clear.then(|| About::Request(Answer { id, form: form(&body, &method) }));
    }
    (has("result") || has("error")).then_some(About::Response(id))
}

/// The member of this name, if nothing else in the envelope could be taken for it.
fn only<'a>(body: &Body<'a>, key: &str) -> Option<json::Raw<'a>> {
    let mut alike = body.members(Home::Envelope).filter(|entry| lookalike::folds_to(entry, key));
    let entry = alike.next()?;
    (alike.next().is_none() && entry.key == key).then(|| body.raw(entry))
}

fn form(body: &Body<'_>, method: &str) -> AnswerForm {
    if method != "tools/call" || body.members(Home::Params).any(|entry| entry.key == "task") {
        return AnswerForm::Error;
    }
    let stateless = body.members(Home::ParamsMeta).any(|entry| entry.key == VERSION_META);
    AnswerForm::ToolResult(if stateless { Era::Stateless } else { Era::Legacy })
}
