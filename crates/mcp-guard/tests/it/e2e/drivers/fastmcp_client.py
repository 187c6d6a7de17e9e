"""Lists and calls tools with FastMCP's client; prints what it saw.

The one argument is JSON: {"mode": …, "command": [program, argument…], "calls": [[tool, arguments]…]}.
"""

import asyncio
import json
import os
import sys

from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from fastmcp.exceptions import ToolError


async def raises(client, tool, values):
    """Whether the ordinary way to call a tool ends in an exception."""
    try:
        await client.call_tool(tool, values)
    except ToolError:
        return True
    return False


async def main(plan):
    program, *arguments = plan["command"]
    server = StdioTransport(program, arguments, env=dict(os.environ), keep_alive=False)
    async with Client(server, mode=plan["mode"]) as client:
        tools = await client.list_tools()
        calls = []
        for tool, values in plan["calls"]:
            result = await client.call_tool_mcp(tool, values)
            calls.append(
                {
                    "is_error": result.is_error,
                    "raised": await raises(client, tool, values),
                    "text": "\n".join(getattr(block, "text", "") for block in result.content),
                    "meta": result.meta,
                }
            )
        return {
            "protocol_version": client.protocol_version,
            "tools": [tool.name for tool in tools],
            "calls": calls,
        }


print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
