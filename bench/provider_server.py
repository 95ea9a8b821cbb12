"""A server that speaks OpenAI's chat completions and answers at once. `python -m bench.provider_server PORT`."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

WORDS = ["The", "valve", "opens", "at", "seven", "bar,", "as", "the", "manual", "says."]
_USAGE = {"prompt_tokens": 30, "completion_tokens": len(WORDS), "total_tokens": 30 + len(WORDS)}


def _frame(kind: str, choice: dict[str, Any] | None, usage: dict[str, int] | None) -> str:
    choices = [] if choice is None else [{"index": 0, **choice}]
    frame = {"id": "chatcmpl-1", "object": kind, "created": 1, "model": "gpt-4o", "choices": choices}
    return json.dumps(frame | {"usage": usage})


async def _pieces() -> AsyncIterator[str]:
    kind = "chat.completion.chunk"
    for word in WORDS:
        yield f"data: {_frame(kind, {'delta': {'content': f'{word} '}, 'finish_reason': None}, None)}\n\n"
        await asyncio.sleep(0.001)
    yield f"data: {_frame(kind, {'delta': {}, 'finish_reason': 'stop'}, None)}\n\n"
    yield f"data: {_frame(kind, None, _USAGE)}\n\ndata: [DONE]\n\n"


async def _answer(request: Request) -> Response:
    if (await request.json()).get("stream"):
        return StreamingResponse(_pieces(), media_type="text/event-stream")
    message = {"role": "assistant", "content": " ".join(WORDS), "refusal": None}
    whole = _frame("chat.completion", {"message": message, "finish_reason": "stop"}, _USAGE)
    return Response(whole, media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(
        Starlette(routes=[Route("/v1/chat/completions", _answer, methods=["POST"])]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
    )
