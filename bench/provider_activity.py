"""What `bench.providers` runs in an activity: the same call by the bare SDK and through our layer, in turns."""

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from activities.language_models import ModelCall, RoutedLanguageModels
    from perdure.ports.language_models import Prompt, Turn
    from perdure.schemas.base import Contract

MODEL = "gpt-4o"
QUESTION = "At which pressure does the valve open?"
PROMPT = Prompt([Turn("user", QUESTION)])
REQUEST: dict[str, Any] = {
    "model": MODEL, "max_tokens": 1024, "messages": [{"role": "user", "content": QUESTION}]
}  # fmt: skip


class Turns(Contract):
    """So many calls each way, after some that do not count."""

    organisation_id: str
    operation_id: str
    turns: int
    warm_up: int


class Taken(Contract):
    """Milliseconds of each call: whole answers, and first pieces of streams."""

    bare_ms: list[float]
    ours_ms: list[float]
    bare_first_ms: list[float]
    ours_first_ms: list[float]


class ProviderTurns:
    """The bare SDK's client, and ours."""

    def __init__(self, client: Any, models: RoutedLanguageModels) -> None:
        self._client, self._models = client, models

    @activity.defn
    async def take_turns(self, job: Turns) -> Taken:
        """Call in turns, so that what changes on the machine meets both."""
        call = ModelCall(job.organisation_id, job.operation_id, "bench", "bench")
        ways: dict[str, Callable[[], Awaitable[float]]] = {
            "bare_ms": self._bare,
            "ours_ms": lambda: self._ours(call),
            "bare_first_ms": self._bare_first,
            "ours_first_ms": lambda: self._ours_first(call),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(job.warm_up + job.turns):
            for name, ask in ways.items():
                started = time.perf_counter()
                until = await ask()
                if number >= job.warm_up:
                    taken[name].append((until - started) * 1000)
        return Taken(**taken)

    async def _bare(self) -> float:
        await self._client.chat.completions.create(**REQUEST)
        return time.perf_counter()

    async def _ours(self, call: ModelCall) -> float:
        await self._models.generate(call, PROMPT)
        return time.perf_counter()

    async def _bare_first(self) -> float:
        """When its first piece came; the rest is read too."""
        stream = await self._client.chat.completions.create(**REQUEST, stream=True)
        first = 0.0
        async with stream:
            async for chunk in stream:
                if not first and chunk.choices and chunk.choices[0].delta.content:
                    first = time.perf_counter()
        return first

    async def _ours_first(self, call: ModelCall) -> float:
        first = 0.0
        async for _ in self._models.stream(call, PROMPT):
            first = first or time.perf_counter()
        return first


@workflow.defn
class TakeTurns:
    """One activity."""

    @workflow.run
    async def run(self, job: Turns) -> Taken:
        return await workflow.execute_activity_method(
            ProviderTurns.take_turns, job, start_to_close_timeout=timedelta(minutes=10)
        )
