"""The tools that agents are given: `remember`, `recall`, `search` and `forget`, over the HTTP API.

One implementation for both transports: rights, limits and refusals are those of the API. Importing this takes some
20 MB of memory, so that only those import it who serve somebody.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal

import mcp_types
from mcp.server import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from perdure import __version__
from perdure.api_client import ApiClient, ApiProblemError, Json
from perdure.errors import PerdureError
from perdure.schemas.operations import OperationStatus

INSTRUCTIONS = (
    "A lasting memory. Recall before you answer from what you believe to remember; remember what somebody states of "
    "themselves or decides, in their words, with the speaker; search looks through documents. Forgetting is for good: "
    "look with dry_run first."
)
_CITED = (
    "id",
    "content",
    "kind",
    "subject",
    "speaker",
    "valid_from",
    "valid_to",
    "score",
    "source",
    "related",
)
_PASSAGE = ("text", "document_id", "document_title", "heading_path", "page", "start", "end", "score")

ClientMaker = Callable[[ServerRequestContext[Any]], AbstractAsyncContextManager[ApiClient]]


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    space: str = Field(default="default", description="The named collection to use.")

    def body(self, *without: str) -> Json:
        """What is sent to the API; what was not given is left to it."""
        return self.model_dump(mode="json", exclude=set(without), exclude_none=True)


class Turn(BaseModel):
    """One message of a conversation."""

    model_config = ConfigDict(extra="forbid")

    content: str
    speaker: str | None = Field(default=None, description="Who says it, by name.")
    role: Literal["user", "assistant", "system", "tool"] | None = None
    created_at: str | None = Field(default=None, description="When, such as 2025-03-31T12:00:00Z.")
    external_id: str | None = Field(default=None, description="Your id of it; sent again, it corrects.")


class Remember(_Arguments):
    """Remember a statement, or the messages of a conversation. What is known already is not kept twice."""

    content: str | None = Field(default=None, description="A statement; or give `messages`.")
    messages: list[Turn] | None = Field(default=None, description="Turns of a conversation, in order.")
    subject: str | None = Field(default=None, description="Whom or what it is about.")
    speaker: str | None = Field(default=None, description="Who says `content`.")
    kind: Literal["evidence", "fact", "preference", "event", "insight", "summary"] | None = Field(
        default=None, description="What `content` is; default: evidence, as it was said."
    )
    session_id: str | None = Field(default=None, description="The conversation that it is part of.")
    tags: list[str] | None = None
    valid_from: str | None = Field(default=None, description="Since when it is true; default: now.")


class Recall(_Arguments):
    """Find memories that answer a question, best first, with who said them and when."""

    query: str = Field(description="A question, or a few words.")
    limit: int = Field(default=10, ge=1, le=100)
    subject: str | None = Field(default=None, description="Only memories of this subject.")
    as_of: str | None = Field(default=None, description="What was true then, such as 2025-03-31T12:00:00Z.")
    session_id: str | None = Field(default=None, description="Keep question and hits under this session.")
    graph: bool = Field(default=False, description="Tell what each memory is connected with, too.")


class Search(_Arguments):
    """Find passages of documents, best first, with document, page and offsets to cite."""

    query: str = Field(description="A question, or a few words.")
    limit: int = Field(default=10, ge=1, le=100)


class Forget(_Arguments):
    """Forget memories for good: exactly one of ids, text, subject and query. The answer is the receipt."""

    ids: list[str] | None = Field(default=None, description="Ids of memories, as recall tells them.")
    text: str | None = Field(default=None, description="The exact text, whoever said it.")
    subject: str | None = Field(default=None, description="All that is remembered about it.")
    query: str | None = Field(default=None, description="What recall finds for it.")
    limit: int | None = Field(default=None, ge=1, le=100, description="For a query: at most so many.")
    reason: str | None = Field(default=None, description="Why; kept in the receipt.")
    dry_run: bool | None = Field(
        default=None,
        description="Only tell what would be forgotten. Default: true for a query, else false.",
    )


async def _remember(api: ApiClient, given: Remember) -> Json:
    return await _done(api, "/memories", given.body())


async def _recall(api: ApiClient, given: Recall) -> Json:
    answer = await api.call("POST", "/memories/recall", json=given.body())
    return {"outcome": answer["outcome"], "items": [_only(item, _CITED) for item in answer["items"]]}


async def _search(api: ApiClient, given: Search) -> Json:
    answer = await api.search(**given.body())
    return {"items": [_only(item, _PASSAGE) for item in answer["items"]]}


async def _forget(api: ApiClient, given: Forget) -> Json:
    body = given.body("dry_run")
    looks_only = given.query is not None if given.dry_run is None else given.dry_run
    if not looks_only:
        return await _done(api, "/memories/forget", body)
    body.pop("reason", None)
    preview = await api.call("POST", "/memories/forget/preview", json=body)
    items = [_only(item, _CITED) for item in preview["items"]]
    return {"dry_run": True, "would_forget": preview["total"], "items": items}


async def _done(api: ApiClient, path: str, body: Json) -> Json:
    """The result of an operation, or, where that takes longer than one waits, the operation."""
    operation = await api.call("POST", path, params={"wait": "true"}, json=body)
    if operation["status"] == OperationStatus.COMPLETED:
        result: Json = operation["result"]
        return result
    if error := operation["error"]:
        raise ApiProblemError(409, {"title": "The operation failed", **error})
    return {"operation_id": operation["id"], "status": operation["status"]}


def _only(item: Mapping[str, Any], names: tuple[str, ...]) -> Json:
    return {name: item[name] for name in names if item.get(name) not in (None, [], "")}


@dataclass(frozen=True)
class _Tool:
    arguments: type[_Arguments]
    run: Callable[[ApiClient, Any], Awaitable[Json]]
    hints: mcp_types.ToolAnnotations

    def described(self, name: str) -> mcp_types.Tool:
        schema = self.arguments.model_json_schema()
        schema.pop("title", None)
        description = schema.pop("description")
        return mcp_types.Tool(name=name, description=description, input_schema=schema, annotations=self.hints)


_READS = mcp_types.ToolAnnotations(read_only_hint=True, open_world_hint=False)
TOOLS: Mapping[str, _Tool] = {
    "remember": _Tool(
        Remember,
        _remember,
        mcp_types.ToolAnnotations(
            read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    ),
    "recall": _Tool(Recall, _recall, _READS),
    "search": _Tool(Search, _search, _READS),
    "forget": _Tool(
        Forget,
        _forget,
        mcp_types.ToolAnnotations(
            read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
        ),
    ),
}


def tool_server(client: ClientMaker) -> Server[Any]:
    """A server with the tools; `client` makes the way to the API for whoever sent a request."""

    async def list_tools(
        _context: ServerRequestContext[Any], _parameters: mcp_types.PaginatedRequestParams | None
    ) -> mcp_types.ListToolsResult:
        return mcp_types.ListToolsResult(tools=[tool.described(name) for name, tool in TOOLS.items()])

    async def call_tool(
        context: ServerRequestContext[Any], parameters: mcp_types.CallToolRequestParams
    ) -> mcp_types.CallToolResult:
        tool = TOOLS.get(parameters.name)
        if tool is None:
            return _refused(f"There is no tool '{parameters.name}'; there are {', '.join(TOOLS)}.")
        try:
            given = tool.arguments.model_validate(parameters.arguments or {})
            async with client(context) as api:
                answer = await tool.run(api, given)
        except ValidationError as error:
            return _refused("\n".join(f"{_place(each['loc'])}: {each['msg']}" for each in error.errors()))
        except PerdureError as error:
            return _refused(_told(error))
        return _answered(answer)

    return Server(
        "perdure",
        version=__version__,
        title="Perdure",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _answered(answer: Json) -> mcp_types.CallToolResult:
    text = mcp_types.TextContent(type="text", text=json.dumps(answer, ensure_ascii=False))
    return mcp_types.CallToolResult(content=[text], structured_content=answer)


def _refused(message: str) -> mcp_types.CallToolResult:
    return mcp_types.CallToolResult(content=[mcp_types.TextContent(type="text", text=message)], is_error=True)


def _place(loc: tuple[int | str, ...]) -> str:
    return ".".join(map(str, loc)) or "arguments"


def _told(error: PerdureError) -> str:
    title = str(error.body.get("title") or error.title) if isinstance(error, ApiProblemError) else error.title
    return f"{title}: {error}"


def http_manager(client: ClientMaker) -> StreamableHTTPSessionManager:
    """What answers requests of the streamable HTTP transport: each by itself, so that any process may take it."""
    return StreamableHTTPSessionManager(tool_server(client), json_response=True, stateless=True)


async def serve_stdio(client: Callable[[], ApiClient]) -> None:
    """Serve one client over standard input and output, until it closes them."""
    server = tool_server(lambda _context: client())
    async with stdio_server() as (received, sent):
        await server.run(received, sent, server.create_initialization_options())
