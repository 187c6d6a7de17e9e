//! Asking whether a message of the client reaches the server.

use serde_json::{Value, json};

use crate::puppet::Server;
use crate::support::Client;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Request,
    Notification,
}

fn line(client: &mut Client, form: Form, method: &str) -> String {
    let mut message = json!({ "jsonrpc": "2.0", "method": method, "params": { "name": "t" } });
    if form == Form::Request {
        message["id"] = client.fresh_id().into();
    }
    message.to_string()
}

/// A line that always passes, and that tells one place in the stream from another.
fn marker(client: &mut Client) -> String {
    let progress = client.fresh_id();
    let method = "notifications/progress";
    let params = json!({ "progress": progress });
    json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string()
}

/// Asserts that a message with this method reaches the server.
#[track_caller]
pub(crate) fn assert_passes(client: &mut Client, server: &mut Server, form: Form, method: &str) {
    let line = line(client, form, method);
    client.tell(&line);
    server.hears(format!("{line}\n").as_bytes());
}

/// Asserts that a message with this method does not reach the server; answers with the response
/// to a request. To a notification there is none.
#[track_caller]
pub(crate) fn assert_refused_silently(
    client: &mut Client,
    server: &mut Server,
    form: Form,
    method: &str,
) -> Option<Value> {
    let line = line(client, form, method);
    client.tell(&line);
    let response = (form == Form::Request).then(|| client.message());
    let marker = marker(client);
    client.tell(&marker);
    server.hears(format!("{marker}\n").as_bytes());
    server.tell(&marker);
    assert_eq!(client.line(), format!("{marker}\n").as_bytes(), "{method:?} was answered");
    response
}
