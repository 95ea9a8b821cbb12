"""Injects one fault, and measures how long it takes until work goes on."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from perdure.chaos.plan import WORKERS, Fault, Kind
from perdure.chaos.reader import Reader
from perdure.chaos.stack import RunningStack
from perdure.embedded import clocks

_PROGRESS_WITHIN_S = 60.0
_AGAIN_AFTER_S = 0.7
_POLL_S = 0.05
_ASIDE = ".aside"

_UNDER_WAY = text(
    "SELECT operation_id, activity_id, attempts FROM operation_steps WHERE state = 'running' AND name = ANY(:names)"
)
_TAKEN_UP = text(
    "SELECT 1 FROM operation_steps s JOIN operations o ON o.id = s.operation_id WHERE s.operation_id = :operation "
    "AND s.activity_id = :activity AND (s.attempts > :attempts OR s.state <> 'running' OR o.closed_at IS NOT NULL)"
)
# A step that started needs Temporal; that it is written, the database.
_PROGRESS = text("SELECT count(*) FROM operation_steps WHERE started_at > :since AND name = ANY(:names)")
_OPEN = text("SELECT count(*) FROM operations WHERE closed_at IS NULL AND status <> 'paused'")

# Steps by the worker that runs them (`queues` of the policies in the workflows).
_STEPS_OF = {
    "worker cpu": ("parse_document", "chunk_document", "embed_document", "prepare_page"),
    "worker io": (
        "fetch_document",
        "detect_document",
        "index_document",
        "expand_batch",
        "index_page",
        "summarise_batch",
        "delete_document",
    ),
}


@dataclass(frozen=True)
class Recovery:
    """Seconds from the injection until work went on; None when none was left. How many steps were cut off."""

    seconds: float | None
    interrupted: int = 0


class Injection:
    """Faults of one installation; what they do to objects, they do to one organisation."""

    def __init__(
        self, stack: RunningStack, reader: Reader, organisation_id: str, objects: Path | None
    ) -> None:
        self._stack, self._reader = stack, reader
        self._organisation_id, self._objects = organisation_id, objects

    def impossible(self, fault: Fault) -> str:
        """Why a fault cannot be injected here; empty when it can."""
        missing = [part for part in fault.parts if part not in self._stack.names()]
        if missing:
            return f"{', '.join(missing)} is not run by `perdure up`"
        if fault.kind is Kind.STORE_ERRORS and self._objects is None:
            return "the objects lie in no directory"
        if fault.kind is Kind.CLOCK_JUMP and clocks.library() is None:
            return "libfaketime is not installed (Debian: libfaketime)"
        return ""

    async def inject(self, fault: Fault) -> Recovery:
        """Do it, undo what lasts, and wait until everything answers again."""
        began = time.time()
        match fault.kind:
            case Kind.KILL:
                return await self._kill(fault, began)
            case Kind.KILL_AGAIN:
                before = self._stack.kill(fault.parts)
                await self._stack.replaced(before)
                await asyncio.sleep(_AGAIN_AFTER_S)
                await self._stack.replaced(self._stack.kill(fault.parts))
            case Kind.FREEZE:
                async with self._stack.frozen(fault.parts):
                    await asyncio.sleep(fault.seconds)
            case Kind.SLOW:
                await self._stack.slow(fault.parts[0], fault.seconds)
            case Kind.STORE_ERRORS:
                with self._broken_store():
                    await asyncio.sleep(fault.seconds)
            case Kind.DISK_FULL:
                async with self._stack.full_disk():
                    await asyncio.sleep(fault.seconds)
            case Kind.CLOCK_JUMP:
                async with self._stack.own_clock(fault.parts[0]) as clock:
                    clock.set(fault.jump_s)
                    await asyncio.sleep(fault.seconds)
                    clock.set(0)
                    # It goes on as if nothing had been, until it is started again with the machine's.
                    await asyncio.sleep(2 * clocks.LOOKS_EVERY_S)
                await self._stack.ready()
                return Recovery(None)
        await self._stack.ready()
        return Recovery(time.time() - began - fault.seconds)

    async def _kill(self, fault: Fault, began: float) -> Recovery:
        cut_off = await self._under_way(fault) if set(fault.parts) <= set(WORKERS) else []
        began = time.time()
        back = await self._stack.replaced(self._stack.kill(fault.parts))
        if cut_off:
            gone_on: float | None = await self._taken_up(cut_off)
        elif fault.parts == ("api",):
            await self._stack.ready()
            gone_on = time.time()
        else:
            gone_on = await self._progress(back, _names(fault))
        await self._stack.ready()
        return Recovery(gone_on - began if gone_on else None, len(cut_off))

    async def _under_way(self, fault: Fault) -> list[Any]:
        """Steps that a worker has in hand, waited for a little."""
        for _ in range(40):
            found = await self._reader.rows(_UNDER_WAY, {"names": _names(fault)})
            if found or "worker cpu" not in fault.parts:
                return found
            await asyncio.sleep(_POLL_S)
        return []

    async def _taken_up(self, cut_off: list[Any]) -> float | None:
        """When the last of the steps that were cut off was begun again, or had ended after all."""
        deadline = time.monotonic() + _PROGRESS_WITHIN_S
        waiting = list(cut_off)
        while waiting and time.monotonic() < deadline:
            for step in list(waiting):
                given = {
                    "operation": step.operation_id,
                    "activity": step.activity_id,
                    "attempts": step.attempts,
                }
                if await self._reader.rows(_TAKEN_UP, given):
                    waiting.remove(step)
            await asyncio.sleep(_POLL_S)
        return time.time()

    async def _progress(self, back: float, names: list[str]) -> float | None:
        """When the first of these steps that began after `back` is written; None when there is nothing to do."""
        since = datetime.fromtimestamp(back, UTC)
        deadline = time.monotonic() + _PROGRESS_WITHIN_S
        while time.monotonic() < deadline:
            if await self._reader.value(_PROGRESS, {"since": since, "names": names}):
                return time.time()
            if not await self._reader.value(_OPEN):
                return None
            await asyncio.sleep(_POLL_S)
        return time.time()

    @contextmanager
    def _broken_store(self) -> Iterator[None]:
        """A file where the organisation's folder was: nothing can be written there, nor read."""
        if self._objects is None:
            yield
            return
        folder = self._objects / self._organisation_id
        aside = folder.with_name(folder.name + _ASIDE)
        folder.mkdir(parents=True, exist_ok=True)
        folder.rename(aside)
        with contextlib.suppress(FileExistsError):
            folder.touch(exist_ok=False)
        try:
            yield
        finally:
            mend_store(self._objects, self._organisation_id)


def _names(fault: Fault) -> list[str]:
    """Steps that need the parts: of workers their own, of a server all."""
    parts = fault.parts if set(fault.parts) <= set(WORKERS) else WORKERS
    return [name for part in parts for name in _STEPS_OF[part]]


def mend_all(objects: Path) -> None:
    """Put back what a run that was itself killed has put aside."""
    for aside in objects.glob(f"*{_ASIDE}"):
        mend_store(objects, aside.name.removesuffix(_ASIDE))


def mend_store(objects: Path, organisation_id: str) -> None:
    """Put the folder back."""
    folder = objects / organisation_id
    aside = folder.with_name(folder.name + _ASIDE)
    if folder.is_file():
        folder.unlink()
    if not aside.exists():
        return
    try:
        aside.rename(folder)
    except OSError:
        # Something was written in the moment in between: both belong there.
        for path in sorted(aside.rglob("*")):
            if path.is_file():
                place = folder / path.relative_to(aside)
                place.parent.mkdir(parents=True, exist_ok=True)
                path.replace(place)
        shutil.rmtree(aside)
