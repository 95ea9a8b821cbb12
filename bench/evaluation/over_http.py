"""Recall through the API: dialogues are remembered as messages, and every question is a request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from bench import product
from bench.evaluation.dialogues import Dialogue, Question
from bench.evaluation.measures import DEPTH
from perdure.domain.recall_ranking import RecallMode

# Messages of one request; it is answered when all of them can be recalled.
_MESSAGES = 200
# A turn that is too long for one memory becomes several.
_ASKED_FOR = 2 * DEPTH


@asynccontextmanager
async def server(url: str | None, key: str | None) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the server at `url`, or of one that is started for this and leaves nothing."""
    if url is None:
        async with product.running() as started:
            yield started.http
        return
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=120) as client:
        yield client


class RemoteMemory:
    """One dialogue, remembered in a space of its own."""

    def __init__(self, client: httpx.AsyncClient, space: str) -> None:
        self._client, self._space = client, space

    async def remember(self, dialogue: Dialogue) -> None:
        """Send all turns, in order."""
        for first in range(0, len(dialogue.turns), _MESSAGES):
            messages = [
                {
                    "speaker": turn.speaker,
                    "content": turn.text,
                    "created_at": turn.said_at.isoformat(),
                    "external_id": turn.id,
                    "session_id": turn.session,
                }
                for turn in dialogue.turns[first : first + _MESSAGES]
            ]
            body = {"messages": messages, "space": self._space}
            answer = await self._client.post("/api/v1/memories", params={"wait": "true"}, json=body)
            _checked(answer)

    async def recall(self, question: Question, mode: RecallMode) -> list[str]:
        """Ids of the turns found, best first, each once."""
        body = {"query": question.query, "space": self._space, "mode": mode, "limit": _ASKED_FOR}
        answer = _checked(await self._client.post("/api/v1/memories/recall", json=body))
        return list(dict.fromkeys(item["external_id"] for item in answer.json()["items"]))


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_error:
        msg = f"{answer.request.url.path} was answered by {answer.status_code}: {answer.text[:500]}"
        raise RuntimeError(msg)
    return answer
