"""The MCP server: the protocol around the tools, a prompt and the resources. One for each way in."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

import msgspec
from mcp import types
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from msgspec import Struct

from tocsin.daemon.config import Config
from tocsin.daemon.corrections.handoff import report
from tocsin.daemon.failure import Failed
from tocsin.daemon.store.database import Store
from tocsin.reports.api import reading
from tocsin.reports.api.operation import Call
from tocsin.reports.mcp.tools import TOOLS, UNTRUSTED, Tool, harmless

INSTRUCTIONS = (
    "Tocsin groups the errors of applications and follows each until it stays away. Look at left_to_do, claim an "
    "error, read it with get_error, correct it in the project, run the project's tests, then record_corrections and "
    f"record_validation. {UNTRUSTED}"
)
PROMPT = "correct_error"
ERROR = "tocsin://errors/{error_id}"
REPORT = "tocsin://reports/{error_id}"
_ADDRESS = re.compile(r"tocsin://(errors|reports)/([1-9][0-9]{0,9})")
_MARKDOWN, _JSON = "text/markdown", "application/json"


class Caller(Struct, frozen=True):
    """Who asks, and what it may: `by` is for the history."""

    by: str
    scopes: frozenset[str]


class Access(Struct, frozen=True):
    """What a server works on. `caller` tells who asks; `run` has a call done where it may wait for the database."""

    store: Store
    config: Config
    now: Callable[[], float]
    caller: Callable[[Any], Caller]
    run: Callable[[Callable[[], Any]], Awaitable[Any]]

    def call(self, caller: Caller) -> Call:
        return Call(
            self.store,
            self.config,
            self.now(),
            caller.by,
            None,
            caller.scopes,
            path={},
            query=None,
            body=None,
        )


def make_server(access: Access) -> Server[Any]:
    """The server. What a caller's scopes do not allow is not listed, and refused."""
    answers = _Answers(access)
    return Server(
        "tocsin",
        version=version("tocsin"),
        instructions=INSTRUCTIONS,
        on_list_tools=answers.list_tools,
        on_call_tool=answers.call_tool,
        on_list_prompts=answers.list_prompts,
        on_get_prompt=answers.get_prompt,
        on_list_resource_templates=answers.list_templates,
        on_read_resource=answers.read_resource,
    )


class _Answers:
    """What the server says to each kind of request."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def list_tools(self, context: Any, _params: Any) -> types.ListToolsResult:
        scopes = self._access.caller(context).scopes
        return types.ListToolsResult(tools=[_described(one) for one in TOOLS if one.scope in scopes])

    async def call_tool(self, context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        tool = next((one for one in TOOLS if one.name == params.name), None)
        caller = self._access.caller(context)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"there is no tool {params.name[:100]!r}")
        if tool.scope not in caller.scopes:
            return _refused(f"{tool.name} needs the scope {tool.scope!r}, which you lack")
        arguments = params.arguments or {}
        try:
            answer = await self._access.run(lambda: tool.call(self._access.call(caller), arguments))
        except Failed as error:
            return _refused(str(error))
        return _answer({"about": UNTRUSTED, "untrusted": answer})

    async def list_prompts(self, _context: Any, _params: Any) -> types.ListPromptsResult:
        wanted = types.PromptArgument(name="error_id", description="The error's number.", required=True)
        said = "Correct one error: what is known of it, and what to do."
        return types.ListPromptsResult(
            prompts=[types.Prompt(name=PROMPT, description=said, arguments=[wanted])]
        )

    async def get_prompt(self, context: Any, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        if params.name != PROMPT:
            raise MCPError(types.INVALID_PARAMS, f"there is no prompt {params.name[:100]!r}")
        number = str((params.arguments or {}).get("error_id", ""))
        _, text = await self._document(context, f"tocsin://reports/{number}")
        content = types.TextContent(type="text", text=f"{INSTRUCTIONS}\n\n{text}")
        return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=content)])

    async def list_templates(self, _context: Any, _params: Any) -> types.ListResourceTemplatesResult:
        error = types.ResourceTemplate(
            name="error", uri_template=ERROR, mime_type=_JSON, description="Everything known of one error."
        )
        markdown = types.ResourceTemplate(
            name="report",
            uri_template=REPORT,
            mime_type=_MARKDOWN,
            description="The report for a coding agent.",
        )
        return types.ListResourceTemplatesResult(resource_templates=[error, markdown])

    async def read_resource(
        self, context: Any, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        media, text = await self._document(context, str(params.uri))
        found = types.TextResourceContents(uri=params.uri, mime_type=media, text=text)
        return types.ReadResourceResult(contents=[found])

    async def _document(self, context: Any, address: str) -> tuple[str, str]:
        """(media type, text) of an address. Raises MCPError."""
        found = _ADDRESS.fullmatch(address)
        caller = self._access.caller(context)
        if found is None or "read" not in caller.scopes:
            raise MCPError(types.INVALID_PARAMS, f"there is no resource {address[:100]!r}")
        kind, number = found[1], int(found[2])
        try:
            media, text = await self._access.run(lambda: _written(self._access.call(caller), kind, number))
        except Failed as error:
            raise MCPError(types.INVALID_PARAMS, str(error)) from None
        return media, text


def _written(call: Call, kind: str, number: int) -> tuple[str, str]:
    if kind == "reports":
        chosen = report.chosen(call.store, [number])
        return _MARKDOWN, report.report(chosen, command=call.config.command)
    one = reading.error(msgspec.structs.replace(call, path={"error_id": number}))
    answer = {"about": UNTRUSTED, "untrusted": harmless(msgspec.to_builtins(one, enc_hook=str))}
    return _JSON, msgspec.json.encode(answer).decode()


def _described(tool: Tool) -> types.Tool:
    hints = types.ToolAnnotations(
        read_only_hint=tool.reads, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )
    return types.Tool(
        name=tool.name, description=tool.description, input_schema=tool.schema(), annotations=hints
    )


def _answer(value: dict[str, Any], *, is_error: bool = False) -> types.CallToolResult:
    text = types.TextContent(type="text", text=msgspec.json.encode(value).decode())
    return types.CallToolResult(content=[text], structured_content=value, is_error=is_error)


def _refused(reason: str) -> types.CallToolResult:
    return _answer({"refused": harmless(reason)}, is_error=True)
