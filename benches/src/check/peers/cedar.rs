//! One policy; the operation is the action, the path the resource, the rest the context. What was
//! granted as a set is an attribute of the agent (a set written in the policy is made anew at every
//! evaluation, and was slower). Weekday and minute come from the caller: the language has no
//! weekday and no division.

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityId, EntityTypeName, EntityUid, PolicySet,
    RestrictedExpression,
};
use serde_json::{Value, json};

use crate::check::grant::{
    AGENT, Call, ENCODINGS, EXPIRES, EXTENSIONS, Evaluator, FROM_MINUTE, Grant, MAX_HEAD, MAX_SIZE,
    OPERATIONS, PATHS, READ_TEXT, TO_MINUTE, TOOLS, WORKDAYS,
};

pub struct Cedar {
    grant: Grant,
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    principal: EntityUid,
    action: EntityTypeName,
    file: EntityTypeName,
}

impl Evaluator for Cedar {
    type Request = cedar_policy::Request;

    const NAME: &'static str = "cedar";

    fn new(grant: Grant) -> Self {
        let agent = format!("Agent::{AGENT:?}");
        Self {
            grant,
            authorizer: Authorizer::new(),
            policies: policy(grant).parse().expect("a policy"),
            entities: Entities::from_json_value(entities(), None).expect("entities"),
            principal: agent.parse().expect("an entity"),
            action: "Action".parse().expect("a type"),
            file: "File".parse().expect("a type"),
        }
    }

    fn request(&self, call: &Call) -> Self::Request {
        let text = |value: &str| RestrictedExpression::new_string(value.to_owned());
        let mut context = Vec::with_capacity(9);
        context.push(("path".to_owned(), text(call.path)));
        context.push(("tool".to_owned(), text(call.tool)));
        context.push(("extension".to_owned(), text(call.extension())));
        context.push(("size".to_owned(), RestrictedExpression::new_long(call.size)));
        context.push(("now".to_owned(), RestrictedExpression::new_long(call.now)));
        if self.grant == Grant::SixConstraints {
            context.push(("weekday".to_owned(), text(call.weekday())));
            context.push(("minute".to_owned(), RestrictedExpression::new_long(call.minute())));
            context.push(("encoding".to_owned(), text(call.encoding)));
            context.push(("head".to_owned(), RestrictedExpression::new_long(call.head)));
        }
        let entity = |kind: &EntityTypeName, name: &str| {
            EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(name))
        };
        Self::Request::new(
            self.principal.clone(),
            entity(&self.action, call.operation),
            entity(&self.file, call.path),
            Context::from_pairs(context).expect("a context"),
            None,
        )
        .expect("a request")
    }

    fn permits(&mut self, request: &mut Self::Request) -> bool {
        let response = self.authorizer.is_authorized(request, &self.policies, &self.entities);
        response.decision() == Decision::Allow
    }
}

fn entities() -> Value {
    json!([{
        "uid": {"type": "Agent", "id": AGENT},
        "attrs": {
            "tools": TOOLS, "extensions": EXTENSIONS, "weekdays": WORKDAYS, "encodings": ENCODINGS,
        },
        "parents": [],
    }])
}

fn policy(grant: Grant) -> String {
    let actions = OPERATIONS.map(|operation| format!("Action::{operation:?}")).join(", ");
    let paths = PATHS.map(|path| format!("context.path like \"{path}/*\"")).join(" || ");
    let more = match grant {
        Grant::Plain => String::new(),
        Grant::SixConstraints => format!(
            "&& principal.weekdays.contains(context.weekday)
             && context.minute >= {FROM_MINUTE} && context.minute < {TO_MINUTE}
             && (context.tool != {READ_TEXT:?}
                 || (principal.encodings.contains(context.encoding)
                     && context.head >= 1 && context.head <= {MAX_HEAD}))"
        ),
    };
    format!(
        "permit(principal == Agent::{AGENT:?}, action in [{actions}], resource)
         when {{
             principal.tools.contains(context.tool)
             && principal.extensions.contains(context.extension)
             && context.size <= {MAX_SIZE}
             && context.now < {EXPIRES}
             && ({paths})
             {more}
         }};"
    )
}
