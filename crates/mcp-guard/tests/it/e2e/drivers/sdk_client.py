"""Lists and calls tools with the client of the Python SDK; prints what it saw.

The one argument is JSON: {"mode": …, "command": [program, argument…], "calls": [[tool, arguments]…]}.
"""

import asyncio
import json
import os
import sys

from mcp import Client, StdioServerParameters


async def main(plan):
    program, *arguments = plan["command"]
    server = StdioServerParameters(command=program, args=arguments, env=dict(os.environ))
    async with Client(server, mode=plan["mode"]) as client:
        tools = (await client.list_tools()).tools
        calls = []
        for tool, values in plan["calls"]:
            result = await client.call_tool(tool, values)
            calls.append(
                {
                    "is_error": result.is_error,
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
