//! From a call to the requests that a ruling decides on.

mod arguments;
mod command;
mod path;
mod resource;
#[cfg(test)]
mod tests;

use cap_core::{
    AccessRequest, Denial, DenyCode, Kind, Mapping, Operations, Resource, ToolName, ToolRequest,
};
use serde_json::{Map, Value};

use self::arguments::Derivation;
pub use self::resource::requests_of_resource;
use crate::json::build_object;
use crate::message::Call;
use crate::table::ToolTable;

/// Requests that one call may make; more are refused.
pub const MAX_REQUESTS: usize = 1024;

/// The requests that a tool call makes: for the tool itself first, then for each resource among
/// its arguments, in the order of the arguments' names. All must be permitted by one capability.
///
/// Tools and arguments that the table does not list are no error here: the request for the tool
/// says so, and a ruling that speaks of resources refuses it.
///
/// # Errors
/// The denial of a call that cannot be decided on: a bad tool name, an argument of the wrong type,
/// a value that names no resource in exactly one way, too many resources.
pub fn requests_of(
    call: &Call<'_>,
    server: &str,
    table: &ToolTable,
) -> Result<Vec<AccessRequest>, Denial> {
    let name = tool_name(server, &call.name)?;
    let arguments = call.arguments.as_ref().map(build_object).unwrap_or_default();
    let Some(tool) = table.tool(&call.name) else {
        return Ok(vec![tool_request(name, arguments, Mapping::Unlisted)]);
    };
    let mut derivation = Derivation::new(table, tool, &arguments);
    derivation.walk()?;
    let Derivation { requests, unlisted, .. } = derivation;
    let mapping = Mapping::Listed { kinds: tool.kinds, unlisted_argument: unlisted };
    let mut all = vec![tool_request(name, arguments, mapping)];
    all.extend(requests);
    Ok(all)
}

/// The request for a tool before any call: what a list of tools is filtered by.
///
/// # Errors
/// When the name is none that a capability could name.
pub fn request_of_tool(tool: &str, server: &str, table: &ToolTable) -> Result<ToolRequest, Denial> {
    let mapping = table.tool(tool).map_or(Mapping::Unlisted, |tool| Mapping::Listed {
        kinds: tool.kinds,
        unlisted_argument: None,
    });
    Ok(ToolRequest { name: tool_name(server, tool)?, arguments: Map::new(), mapping })
}

/// What every call of a tool asks for, by the kind of resource; nothing for a tool that the table
/// does not list.
#[must_use]
pub fn needs_of_tool<'a>(tool: &str, table: &'a ToolTable) -> &'a [(Kind, Operations)] {
    table.tool(tool).map_or(&[], |tool| &tool.needs)
}

fn tool_name(server: &str, tool: &str) -> Result<ToolName, Denial> {
    ToolName::new(server, tool)
        .map_err(|error| Denial::because(DenyCode::ToolInvalid, format!("the tool: {error}")))
}

fn tool_request(name: ToolName, arguments: Map<String, Value>, mapping: Mapping) -> AccessRequest {
    let tool = ToolRequest { name, arguments, mapping };
    AccessRequest::new(Resource::Tool(tool), Operations::CALL)
}
