//! A warrant: the constraints of each tool, without the signatures. Operation, extension, size and
//! time are passed as arguments, since constraints speak of arguments alone; the weekday and the
//! minute come from the caller.

use std::collections::HashMap;
use std::time::Duration;

use tenuo::{Any, Constraint, ConstraintSet, ConstraintValue, OneOf, SigningKey, Subpath, Warrant};
use tenuo::{Range, Wildcard};

use crate::check::grant::{
    Call, ENCODINGS, EXPIRES, EXTENSIONS, Evaluator, FROM_MINUTE, Grant, MAX_HEAD, MAX_SIZE,
    OPERATIONS, PATHS, READ_TEXT, TO_MINUTE, TOOLS, WORKDAYS,
};

pub struct Tenuo {
    grant: Grant,
    warrant: Warrant,
    /// A warrant is issued at the time of day; what lies between its expiry and the grant's.
    shift: i64,
}

pub struct Request {
    tool: &'static str,
    arguments: HashMap<String, ConstraintValue>,
    now: i64,
}

impl Evaluator for Tenuo {
    type Request = Request;

    const NAME: &'static str = "tenuo";

    fn new(grant: Grant) -> Self {
        let key = SigningKey::generate();
        let tools = TOOLS.into_iter().fold(Warrant::builder(), |warrant, tool| {
            warrant.capability(tool, constraints(grant, tool))
        });
        let warrant = tools
            .holder(key.public_key())
            .ttl(Duration::from_secs(30 * 86_400))
            .build(&key)
            .expect("a warrant");
        let shift = warrant.expires_at().timestamp() - EXPIRES;
        Self { grant, warrant, shift }
    }

    fn request(&self, call: &Call) -> Request {
        let mut arguments = arguments(call);
        if self.grant == Grant::SixConstraints {
            arguments.insert("weekday".to_owned(), call.weekday().into());
            arguments.insert("minute".to_owned(), call.minute().into());
            arguments.insert("encoding".to_owned(), call.encoding.into());
            arguments.insert("head".to_owned(), call.head.into());
        }
        Request { tool: call.tool, arguments, now: call.now + self.shift }
    }

    fn permits(&mut self, request: &mut Request) -> bool {
        !self.warrant.is_expired_as_of(request.now)
            && self.warrant.check_constraints(request.tool, &request.arguments).is_ok()
    }
}

pub fn arguments(call: &Call) -> HashMap<String, ConstraintValue> {
    HashMap::from([
        ("path".to_owned(), call.path.into()),
        ("operation".to_owned(), call.operation.into()),
        ("extension".to_owned(), call.extension().into()),
        ("size".to_owned(), call.size.into()),
    ])
}

pub fn constraints(grant: Grant, tool: &str) -> ConstraintSet {
    let folder = |path| Constraint::from(Subpath::new(path).expect("a folder"));
    let range = |min: Option<i64>, max: i64| {
        Range::new(min.map(|min| min as f64), Some(max as f64)).expect("a range")
    };
    let mut set = ConstraintSet::new();
    set.insert("path", Any::new(PATHS.map(folder)));
    set.insert("operation", OneOf::new(OPERATIONS));
    set.insert("extension", OneOf::new(EXTENSIONS));
    set.insert("size", range(None, MAX_SIZE));
    if grant == Grant::SixConstraints {
        set.insert("weekday", OneOf::new(WORKDAYS));
        set.insert("minute", range(Some(FROM_MINUTE), TO_MINUTE - 1));
        if tool == READ_TEXT {
            set.insert("encoding", OneOf::new(ENCODINGS));
            set.insert("head", range(Some(1), MAX_HEAD));
        } else {
            set.insert("encoding", Wildcard::new());
            set.insert("head", Wildcard::new());
        }
    }
    set
}
