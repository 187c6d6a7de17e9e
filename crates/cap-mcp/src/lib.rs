#![doc = include_str!("../README.md")]

mod json;
mod list;
mod map;
mod message;
mod method;
mod read_error;
mod refusal;
mod splice;
mod table;

pub use crate::json::{
    Elements, Kind, MAX_DEPTH, Member, Members, Raw, StringError, check_document,
};
pub use crate::list::{Audience, ListError, ListKind, filter_list};
pub use crate::map::{
    MAX_REQUESTS, needs_of_tool, request_of_tool, requests_of, requests_of_resource,
};
pub use crate::message::{
    AUTHORITY_META, Answer, AnswerForm, Call, CallError, DENIAL_META, Era, Id, InputRequestError,
    MAX_ID_BYTES, Message, Notification, Request, Response, read,
};
pub use crate::method::{Form, MethodClass, Sender, classify};
pub use crate::read_error::{About, Fault, ReadError};
pub use crate::refusal::{Refusal, RefusalKind, refusal};
pub use crate::table::{BUILTIN_TABLES, TableError, ToolTable, builtin_table};

/// Bytes of one line, without its newline.
pub const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;
