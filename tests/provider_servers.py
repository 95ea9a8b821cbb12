"""Local servers that speak the wire formats of OpenAI and Anthropic, and fail in the ways that theirs do."""

import asyncio
import base64
import hashlib
import json
import re
import socket
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from perdure.embedded import ports


@dataclass(frozen=True)
class Says:
    """An answer; a stream of it comes word by word."""

    text: str
    length: bool = False
    """Whether it ends because the tokens are used up."""
    refused: bool = False
    first_after_s: float = 0.0
    cut_after: int | None = None
    """So many pieces of a stream, then the connection drops."""
    error_after: int | None = None
    """So many pieces of a stream, then an error event."""


@dataclass(frozen=True)
class Fails:
    """An error with a status."""

    status: int
    kind: str = "server_error"
    message: str = "it failed"
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Raw:
    """Any bytes as an answer."""

    body: bytes
    media_type: str = "application/json"


Reply = Says | Fails | Raw


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class WireServer(ABC):
    """Answers what it was told to, in order, and remembers what it was asked."""

    path: ClassVar[str]

    def __init__(self) -> None:
        self.url = ""
        self.replies: deque[Reply] = deque()
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

    async def _answer(self, request: Request) -> Response:
        self.asked.append(await request.json())
        self.headers.append(dict(request.headers))
        reply = self.replies.popleft()
        if isinstance(reply, Raw):
            return Response(reply.body, media_type=reply.media_type)
        if isinstance(reply, Fails):
            return Response(json.dumps(self.error(reply)), reply.status, reply.headers, "application/json")
        if self.asked[-1].get("stream"):
            return StreamingResponse(self._stream(reply), media_type="text/event-stream")
        await asyncio.sleep(reply.first_after_s)
        return Response(json.dumps(self.whole(reply)), media_type="application/json")

    async def _stream(self, reply: Says) -> AsyncIterator[bytes]:
        await asyncio.sleep(reply.first_after_s)
        for event in self.opening(reply):
            yield event
        words = reply.text.split(" ")
        for number, word in enumerate(words):
            if number == reply.cut_after:
                raise ConnectionError("cut off, as the test wants it")
            if number == reply.error_after:
                yield self.error_event()
                return
            yield self.piece(word if number == len(words) - 1 else f"{word} ")
            await asyncio.sleep(0)
        for event in self.closing(reply):
            yield event

    def routes(self) -> list[Route]:
        """What it serves."""
        return [Route(self.path, self._answer, methods=["POST"])]

    @abstractmethod
    def error(self, reply: Fails) -> dict[str, Any]: ...
    @abstractmethod
    def whole(self, reply: Says) -> dict[str, Any]: ...
    @abstractmethod
    def opening(self, reply: Says) -> Iterable[bytes]: ...
    @abstractmethod
    def piece(self, text: str) -> bytes: ...
    @abstractmethod
    def closing(self, reply: Says) -> Iterable[bytes]: ...
    @abstractmethod
    def error_event(self) -> bytes: ...

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        (port,) = ports.unused(1)
        app = Starlette(routes=self.routes())
        config = uvicorn.Config(app, host=ports.LOOPBACK, port=port, log_level="critical", lifespan="off")
        server = _Server(config)
        task = asyncio.create_task(server.serve())
        async with asyncio.timeout(10):
            await server.ready.wait()
        self.url = f"http://{ports.LOOPBACK}:{port}"
        try:
            yield
        finally:
            server.should_exit = True
            await task


def _event(data: dict[str, Any] | str, name: str | None = None) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


def vector_of_words(text: str, dimension: int) -> npt.NDArray[np.float32]:
    """A vector that is the nearer to another the more words both texts share. Not of length one."""
    words = re.findall(r"\w+", text.lower()) or [""]
    vector: npt.NDArray[np.float32] = np.sum([_vector_of(word, dimension) for word in words], axis=0)
    return vector


@cache
def _vector_of(word: str, dimension: int) -> npt.NDArray[np.float32]:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8])
    return np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)


class OpenAIServer(WireServer):
    """`POST /v1/chat/completions` and `POST /v1/embeddings`."""

    path = "/v1/chat/completions"
    embeddings_path = "/v1/embeddings"
    _USAGE: ClassVar[dict[str, Any]] = {
        "prompt_tokens": 30, "completion_tokens": 7, "total_tokens": 37,
        "prompt_tokens_details": {"cached_tokens": 10},
    }  # fmt: skip

    def __init__(self, dimension: int = 1536, *, as_floats: bool = False) -> None:
        super().__init__()
        self.dimension, self.as_floats = dimension, as_floats
        self.embeds_after_s = 0.0
        self.embedded: list[dict[str, Any]] = []
        self.embedding_headers: list[dict[str, str]] = []
        self.embedding_replies: deque[Fails | Raw | None] = deque()
        """What goes wrong next; None for an answer. Without any, all is answered."""

    def routes(self) -> list[Route]:
        return [*super().routes(), Route(self.embeddings_path, self._embed, methods=["POST"])]

    async def _embed(self, request: Request) -> Response:
        asked = await request.json()
        self.embedded.append(asked)
        self.embedding_headers.append(dict(request.headers))
        reply = self.embedding_replies.popleft() if self.embedding_replies else None
        if isinstance(reply, Raw):
            return Response(reply.body, media_type=reply.media_type)
        if isinstance(reply, Fails):
            return Response(json.dumps(self.error(reply)), reply.status, reply.headers, "application/json")
        await asyncio.sleep(self.embeds_after_s)
        vectors = [vector_of_words(text, asked.get("dimensions", self.dimension)) for text in asked["input"]]
        as_floats = self.as_floats or asked.get("encoding_format") != "base64"
        rows = [
            {
                "object": "embedding",
                "index": index,
                "embedding": vector.tolist() if as_floats else base64.b64encode(vector.tobytes()).decode(),
            }
            for index, vector in enumerate(vectors)
        ]
        tokens = sum(len(text.split()) for text in asked["input"])
        body = {
            "object": "list",
            "data": rows[::-1],
            "model": asked["model"],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
        return Response(json.dumps(body), media_type="application/json")

    def error(self, reply: Fails) -> dict[str, Any]:
        return {"error": {"message": reply.message, "type": reply.kind, "param": None, "code": reply.code}}

    def whole(self, reply: Says) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": reply.text, "refusal": None}
        if reply.refused:
            message |= {"content": None, "refusal": reply.text}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._finish(reply)}
        return self._frame("chat.completion", [choice], self._USAGE)

    def opening(self, reply: Says) -> Iterable[bytes]:
        yield self._chunk({"role": "assistant", "content": ""})

    def piece(self, text: str) -> bytes:
        return self._chunk({"content": text})

    def closing(self, reply: Says) -> Iterable[bytes]:
        yield self._chunk({"refusal": "No."} if reply.refused else {}, self._finish(reply))
        yield _event(self._frame("chat.completion.chunk", [], self._USAGE))
        yield _event("[DONE]")

    def error_event(self) -> bytes:
        return _event({"error": {"message": "The server had an error", "type": "server_error"}})

    @staticmethod
    def _finish(reply: Says) -> str:
        return "length" if reply.length else "stop"

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _event(self._frame("chat.completion.chunk", [choice], None))

    @staticmethod
    def _frame(kind: str, choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "id": "chatcmpl-1", "object": kind, "created": 1, "model": "a-model-2026", "choices": choices,
            "usage": usage,
        }  # fmt: skip


class AnthropicServer(WireServer):
    """`POST /v1/messages`."""

    path = "/v1/messages"
    _USAGE: ClassVar[dict[str, Any]] = {"input_tokens": 20, "cache_read_input_tokens": 10, "output_tokens": 7}

    def error(self, reply: Fails) -> dict[str, Any]:
        return {"type": "error", "error": {"type": reply.kind, "message": reply.message}, "request_id": "r"}

    def whole(self, reply: Says) -> dict[str, Any]:
        content = [{"type": "text", "text": reply.text}]
        return self._message(content, self._finish(reply), self._USAGE)

    def opening(self, reply: Says) -> Iterable[bytes]:
        started = self._message([], None, self._USAGE | {"output_tokens": 1})
        yield self._typed("message_start", message=started)
        yield self._typed("content_block_start", index=0, content_block={"type": "text", "text": ""})
        yield self._typed("ping")

    def piece(self, text: str) -> bytes:
        return self._typed("content_block_delta", index=0, delta={"type": "text_delta", "text": text})

    def closing(self, reply: Says) -> Iterable[bytes]:
        yield self._typed("content_block_stop", index=0)
        delta = {"stop_reason": self._finish(reply), "stop_sequence": None}
        yield self._typed("message_delta", delta=delta, usage={"output_tokens": 7})
        yield self._typed("message_stop")

    def error_event(self) -> bytes:
        return self._typed("error", error={"type": "overloaded_error", "message": "Overloaded"})

    @staticmethod
    def _finish(reply: Says) -> str:
        return "refusal" if reply.refused else "max_tokens" if reply.length else "end_turn"

    @staticmethod
    def _message(content: list[Any], finish: str | None, usage: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "a-model-2026",
            "content": content, "stop_reason": finish, "stop_sequence": None, "usage": usage,
        }  # fmt: skip

    @staticmethod
    def _typed(name: str, **fields: Any) -> bytes:
        return _event({"type": name, **fields}, name)
