"""One run: for each fault a load, the fault, the recovery, and everything that must hold after it."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx

from perdure.audit_anchors import AuditAnchors
from perdure.chaos.account import Account, register
from perdure.chaos.findings import Outcome
from perdure.chaos.injection import Injection, Recovery, mend_all, mend_store
from perdure.chaos.invariants import Invariants
from perdure.chaos.load import Load
from perdure.chaos.plan import Fault, Kind
from perdure.chaos.reader import Reader
from perdure.chaos.sleepers import Sleepers
from perdure.chaos.stack import RunningStack
from perdure.errors import PerdureError, UnavailableError
from perdure.providers.obstore_object_store import ObstoreObjectStore, directory_of
from perdure.settings import Settings

# Enough for a worker that is back to begin what it should not.
_LATE_S = 3.0

Tell = Callable[["Run"], None]


@dataclass
class Run:
    """What a run did."""

    seed: int
    began_at: datetime
    organisation_id: str
    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0
    receipt_url: str = ""

    @property
    def violations(self) -> int:
        """Of all faults."""
        return sum(len(outcome.violations) for outcome in self.outcomes)


@dataclass(frozen=True)
class _Chaos:
    stack: RunningStack
    account: Account
    http: httpx.AsyncClient
    reader: Reader
    injection: Injection
    invariants: Invariants
    settings: Settings
    run: Run
    started: float

    def ended(self, outcome: Outcome, tell: Tell) -> None:
        """Note what became of a fault."""
        self.run.outcomes.append(outcome)
        self.run.seconds = time.monotonic() - self.started
        tell(self.run)


async def run(settings: Settings, seed: int, faults: Sequence[Fault], sleepers: int, tell: Tell) -> Run:
    """Inject all of them, one after the other, then wake the sleepers; the organisation is erased in the end.

    `tell` is called after each: a run that is cut off has told what it found.
    """
    stack = RunningStack.at(settings.home)
    # SIGTERM as Ctrl-C: what is frozen or put aside is put right before the end.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os.kill, os.getpid(), signal.SIGINT)
    stack.release()
    await stack.ready()
    async with _prepared(settings, stack, seed) as chaos:
        for fault in faults:
            chaos.ended(await _one(chaos, fault), tell)
        if sleepers:
            chaos.ended(await _sleep(chaos, seed, sleepers), tell)
    return chaos.run


@asynccontextmanager
async def _prepared(settings: Settings, stack: RunningStack, seed: int) -> AsyncIterator[_Chaos]:
    objects = directory_of(settings.objects_url)
    if objects is not None:
        mend_all(objects)
    account = await register(stack.url)
    reader = Reader(settings.database_url, account.organisation_id)
    started = Run(seed, datetime.now(UTC), account.organisation_id)
    try:
        async with account.http() as http:
            injection = Injection(stack, reader, account.organisation_id, objects)
            anchors = AuditAnchors.of(settings, ObstoreObjectStore.from_url(settings.objects_url))
            invariants = Invariants(reader, account.organisation_id, stack, objects, anchors)
            yield _Chaos(
                stack, account, http, reader, injection, invariants, settings, started, time.monotonic()
            )
    finally:
        if objects is not None:
            mend_store(objects, account.organisation_id)
        await reader.aclose()
        await stack.ready()
        started.receipt_url = await account.erase()


async def _one(chaos: _Chaos, fault: Fault) -> Outcome:
    if why := chaos.injection.impossible(fault):
        return Outcome(fault, time.monotonic() - chaos.started, 0.0, None, 0, 0, (), skipped=why)
    load = Load(chaos.http, fault.salt, chaos.settings.max_json_bytes)
    return await _survived(chaos, fault, load, _strike(chaos, fault, load))


async def _sleep(chaos: _Chaos, seed: int, count: int) -> Outcome:
    fault = Fault(-1, Kind.KILL, chaos.stack.names(), 0.0, 0.0, seed)
    sleepers = Sleepers(chaos.http, seed % 10**9 + 10**9, chaos.settings.max_json_bytes, count)
    return await _survived(chaos, fault, sleepers, _strike_sleepers(chaos, fault, sleepers))


async def _survived(
    chaos: _Chaos, fault: Fault, load: Load, strike: Coroutine[None, None, Recovery]
) -> Outcome:
    """Strike, and check all that must hold; what keeps from checking is a violation, too."""
    began, recovery = time.monotonic(), Recovery(None)
    try:
        recovery = await strike
        await load.settle()
        await chaos.invariants.check(load, load.violations)
        await load.come_late()
        if deleted := await load.delete_one():
            await chaos.invariants.check_deleted(deleted, load.violations)
    except UnavailableError as error:
        load.violations.add("a part does not come back", str(error))
    except PerdureError as error:
        load.violations.add("the run cannot go on", f"{type(error).__name__}: {error}")
    return Outcome(
        fault,
        began - chaos.started,
        time.monotonic() - began,
        recovery.seconds,
        recovery.interrupted,
        len(load.sent),
        tuple(load.violations.found),
    )


async def _strike(chaos: _Chaos, fault: Fault, load: Load) -> Recovery:
    sending = asyncio.create_task(load.send())
    try:
        await asyncio.sleep(fault.delay_s)
        await load.pause()
        recovery = await chaos.injection.inject(fault)
    finally:
        await sending
    await load.resume()
    return recovery


async def _strike_sleepers(chaos: _Chaos, fault: Fault, sleepers: Sleepers) -> Recovery:
    """Put many operations to sleep, kill everything, wake them up."""
    asleep = await sleepers.fall_asleep(chaos.stack, chaos.reader)
    if asleep != sleepers.count:
        sleepers.violations.add("what was paused is not asleep", f"{asleep} of {sleepers.count}")
    killed = time.monotonic()
    await chaos.stack.replaced(chaos.stack.kill(fault.parts))
    await chaos.stack.ready()
    recovery_s = time.monotonic() - killed
    await asyncio.sleep(_LATE_S)
    still = await sleepers.asleep(chaos.reader)
    if still != asleep:
        sleepers.violations.add("sleep was lost over a restart", f"{still} of {asleep} still sleep")
    await sleepers.wake_up()
    return Recovery(recovery_s)
