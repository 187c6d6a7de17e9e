//! What a method needs before its message may pass.

use crate::list::ListKind;

/// Who sends a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    /// The client, which wants the server to do something.
    Client,
    /// The server.
    Server,
}

/// Whether a message wants an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// It has an id.
    Request,
    /// It has none.
    Notification,
}

/// What a method needs before its message may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MethodClass {
    /// Nothing: handshake, discovery, ping, cancelling, progress, logging, and the notifications
    /// that a server is known to send.
    Free,
    /// Nothing, but the list in the response may have to be filtered.
    List(ListKind),
    /// A ruling on the tool and on every resource among its arguments.
    ToolCall,
    /// A ruling on the resource that `uri` names.
    ResourceRead,
    /// A grant of this method.
    Granted(&'static str),
    /// A method that no known revision has for this side: a grant of its name, notifications
    /// included.
    Unknown,
    /// A request without an id, or a notification with one: never passed on, whatever is granted.
    WrongForm,
}

/// The class of a method; the same in both eras, as no name has changed its meaning.
#[must_use]
pub fn classify(sender: Sender, form: Form, method: &str) -> MethodClass {
    let (as_request, as_notification) = match sender {
        Sender::Client => (client_request(method), client_notification(method)),
        Sender::Server => (server_request(method), server_notification(method)),
    };
    let (class, other) = match form {
        Form::Request => (as_request, as_notification),
        Form::Notification => (as_notification, as_request),
    };
    // SECURITY: a grant of all methods must not let a tool call through as a notification.
    if class == MethodClass::Unknown && other != MethodClass::Unknown {
        return MethodClass::WrongForm;
    }
    class
}

fn client_request(method: &str) -> MethodClass {
    match method {
        "initialize" | "server/discover" | "ping" | "logging/setLevel" => MethodClass::Free,
        "tools/list" => MethodClass::List(ListKind::Tools),
        "prompts/list" => MethodClass::List(ListKind::Prompts),
        "resources/list" => MethodClass::List(ListKind::Resources),
        "resources/templates/list" => MethodClass::List(ListKind::ResourceTemplates),
        "tools/call" => MethodClass::ToolCall,
        "resources/read" => MethodClass::ResourceRead,
        _ => granted(
            &[
                "prompts/get",
                "completion/complete",
                "resources/subscribe",
                "resources/unsubscribe",
                "subscriptions/listen",
                "tasks/get",
                "tasks/result",
                "tasks/list",
                "tasks/update",
                "tasks/cancel",
            ],
            method,
        ),
    }
}

fn client_notification(method: &str) -> MethodClass {
    match method {
        "notifications/initialized" | "notifications/cancelled" | "notifications/progress" => {
            MethodClass::Free
        }
        // A server answers it with `roots/list` and may move its own boundaries.
        "notifications/roots/list_changed" => MethodClass::Granted("roots/list"),
        // The client is the receiver of a task that the server has asked for.
        "notifications/tasks/status" => MethodClass::Granted("notifications/tasks/status"),
        _ => MethodClass::Unknown,
    }
}

fn server_request(method: &str) -> MethodClass {
    match method {
        "ping" => MethodClass::Free,
        _ => granted(
            &[
                "sampling/createMessage",
                "elicitation/create",
                "roots/list",
                "tasks/get",
                "tasks/result",
                "tasks/list",
                "tasks/cancel",
            ],
            method,
        ),
    }
}

fn server_notification(method: &str) -> MethodClass {
    match method {
        "notifications/cancelled"
        | "notifications/progress"
        | "notifications/message"
        | "notifications/tools/list_changed"
        | "notifications/prompts/list_changed"
        | "notifications/resources/list_changed"
        | "notifications/resources/updated"
        | "notifications/subscriptions/acknowledged"
        | "notifications/elicitation/complete"
        | "notifications/tasks/status" => MethodClass::Free,
        _ => MethodClass::Unknown,
    }
}

fn granted(known: &[&'static str], method: &str) -> MethodClass {
    let name = known.iter().find(|known| **known == method);
    name.map_or(MethodClass::Unknown, |name| MethodClass::Granted(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_no_grant_is_free_in_its_own_direction_and_form_only() {
        let free = |sender, form, method| classify(sender, form, method) == MethodClass::Free;
        for method in ["initialize", "server/discover", "ping", "logging/setLevel"] {
            assert!(free(Sender::Client, Form::Request, method), "{method}");
            assert!(!free(Sender::Client, Form::Notification, method), "{method}");
        }
        assert!(free(Sender::Server, Form::Request, "ping"));
        assert!(!free(Sender::Server, Form::Request, "initialize"));
        assert!(free(Sender::Client, Form::Notification, "notifications/cancelled"));
        assert!(!free(Sender::Client, Form::Request, "notifications/cancelled"));
        assert!(free(Sender::Server, Form::Notification, "notifications/message"));
        assert!(!free(Sender::Client, Form::Notification, "notifications/message"));
    }

    #[test]
    fn a_method_in_the_wrong_form_is_beyond_any_grant() {
        let class = |form| classify(Sender::Client, form, "tools/call");
        assert_eq!(class(Form::Request), MethodClass::ToolCall);
        assert_eq!(class(Form::Notification), MethodClass::WrongForm);
        assert_eq!(classify(Sender::Server, Form::Request, "tools/call"), MethodClass::Unknown);
        for method in ["resources/read", "tasks/get", "tools/list", "ping"] {
            let class = classify(Sender::Client, Form::Notification, method);
            assert_eq!(class, MethodClass::WrongForm, "{method}");
        }
        let note = "notifications/initialized";
        assert_eq!(classify(Sender::Client, Form::Request, note), MethodClass::WrongForm);
        let sampling = "sampling/createMessage";
        assert_eq!(classify(Sender::Server, Form::Notification, sampling), MethodClass::WrongForm);
    }

    #[test]
    fn everything_else_that_is_known_needs_a_grant() {
        for method in ["prompts/get", "completion/complete", "tasks/update", "subscriptions/listen"]
        {
            let class = classify(Sender::Client, Form::Request, method);
            assert_eq!(class, MethodClass::Granted(method));
        }
        for method in ["sampling/createMessage", "elicitation/create", "roots/list"] {
            let class = classify(Sender::Server, Form::Request, method);
            assert_eq!(class, MethodClass::Granted(method));
            assert_eq!(classify(Sender::Client, Form::Request, method), MethodClass::Unknown);
        }
    }

    #[test]
    fn a_method_is_compared_exactly() {
        for method in ["tools/Call", "tools/call ", "TOOLS/LIST", "", "tools", "x/y"] {
            assert_eq!(classify(Sender::Client, Form::Request, method), MethodClass::Unknown);
            assert_eq!(classify(Sender::Server, Form::Notification, method), MethodClass::Unknown);
        }
    }
}
