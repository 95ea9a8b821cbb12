"""A small text from 202 to searchable, and each of its steps against the same step in a bare Temporal.

*Accepted → indexed*: from the 202 until `GET /operations/{id}`, asked every 20 ms, says `completed`. The asking
costs the two cores something and belongs to the figure. (The event stream looks every 200 ms: its time is shown
beside.)

*Steps*: the comparison is a workflow written by hand (`BareIngest`) that calls the very same activity methods in
the same order on the same server, with two workers that have neither our base class nor our interceptor nor a
record of operations and steps. The documents are accepted by the same repository, so each step finds the same
rows and objects and does the same work; what remains is what being an operation costs. A step lasts from its
scheduling until the next one is scheduled (the last one until it ended), by Temporal's own clock: waiting for a
worker, the work, the record of the step, and the workflow's turn are all in it. Ours and bare alternate; nobody
asks for the operation meanwhile, as nobody asks for the bare workflow.

`--profile` adds the same workflow with steps that do nothing: what the engine itself takes.
"""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable

from rich import box
from rich.table import Table

from api.uploads import store_text
from bench import product
from bench.bare_worker import bare_workers
from bench.bare_workflows import IO, STEPS, BareIngest, BareNothing
from bench.history import Timeline
from bench.report import Figure, Options, Target, median, number, percentile
from bench.texts import make_text
from perdure.db.document_repository import DocumentRepository, Source
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.providers.embedders import LocalEmbedders
from perdure.providers.obstore_object_store import ObstoreObjectStore
from perdure.schemas.documents import DocumentFields, DocumentJob

WAITING = "small text, accepted → indexed, idle"
STEP = "a step of a small text, against the same step in a bare Temporal"
SMALL_BYTES = 600
POLL_S = 0.02
PAUSE_S = 0.1

Samples = dict[str, list[float]]


class BareDocuments:
    """Accepts documents as the API does, except that no operation knows of them."""

    def __init__(self, running: product.Product) -> None:
        settings = running.settings
        self._organisation_id = running.organisation_id
        self._database = Database(settings.database_url, 2)
        self._objects = ObstoreObjectStore.from_url(settings.objects_url)
        self._model = LocalEmbedders(settings.model_directory, settings.embedding_precision, 0).default

    async def accept(self, text: str) -> DocumentJob:
        """Store a text and its rows."""
        stored = await store_text(self._objects, f"{self._organisation_id}/originals", text)
        source = Source("text.txt", object_key=stored.key, sha256=stored.sha256, size_bytes=stored.size_bytes)
        operation_id = new_id("op")
        async with self._database.transaction(self._organisation_id) as session:
            documents = DocumentRepository(session, self._organisation_id)
            space = await documents.ensure_space("small", self._model)
            accepted = await documents.accept(
                DocumentFields(space="small"), source, space_id=space.id, operation_id=operation_id,
                default_title="A note",
            )  # fmt: skip
        return DocumentJob(
            organisation_id=self._organisation_id,
            operation_id=operation_id,
            document_id=accepted.document_id,
            version_id=accepted.version_id,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._database.aclose()


class Measurement:
    """Runs one small text after the other, in several ways."""

    def __init__(self, running: product.Product, documents: BareDocuments) -> None:
        self._running, self._documents = running, documents
        self.waited: list[float] = []
        self.streamed: list[float] = []
        self.timelines: dict[str, list[Timeline]] = defaultdict(list)
        self.accepted: Samples = defaultdict(list)

    def forget(self) -> None:
        """What came before was warming up."""
        self.waited.clear()
        self.streamed.clear()
        self.timelines.clear()
        self.accepted.clear()

    async def asked(self, text: str) -> None:
        """Over HTTP, asking for the operation."""
        operation = await self._running.post("/documents", json={"text": text, "space": "small"})
        answered = time.perf_counter()
        await self._running.ended(operation["id"], every_s=POLL_S)
        self.waited.append(product.since(answered))

    async def ours(self, text: str) -> None:
        """Over HTTP, then left alone."""
        posted_at, posted = time.time(), time.perf_counter()
        operation = await self._running.post("/documents", json={"text": text, "space": "small"})
        answered_at, answered = time.time(), time.perf_counter()
        await self._running.closed(operation)
        timeline = await self._running.timeline(operation["workflow_id"])
        self.timelines["ours"].append(timeline)
        self.accepted["POST: sent → answered"].append((answered - posted) * 1000)
        self.accepted["POST: sent → workflow started"].append((timeline.started - posted_at) * 1000)
        self.accepted["POST: answered → first step started"].append(
            (timeline.activities[0].started - answered_at) * 1000
        )

    async def streamed_to(self, text: str) -> None:
        """Over HTTP, reading the event stream."""
        operation = await self._running.post("/documents", json={"text": text, "space": "small"})
        answered = time.perf_counter()
        async with self._running.http.stream("GET", f"/api/v1/operations/{operation['id']}/events") as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: ") and json.loads(line[6:]).get("status") == "completed":
                    break
        self.streamed.append(product.since(answered))

    async def bare(self, text: str) -> None:
        """The workflow written by hand."""
        document = await self._documents.accept(text)
        handle = await self._running.bare.start_workflow(
            BareIngest.run, document, id=f"bare-{document.version_id}", task_queue=IO
        )
        outcomes = await handle.result()
        if outcomes[0].status != "indexed":
            msg = f"the bare workflow ended as {outcomes[0].status}: {outcomes[0].detail}"
            raise RuntimeError(msg)
        self.timelines["bare"].append(await self._running.timeline(handle.id))

    async def nothing(self, text: str) -> None:
        """As many steps without work."""
        job = DocumentJob(
            organisation_id=text[:8], operation_id=new_id("op"), document_id="doc", version_id=new_id("ver")
        )
        handle = await self._running.bare.start_workflow(
            BareNothing.run, job, id=f"nothing-{job.version_id}", task_queue=IO
        )
        await handle.result()
        timeline = await self._running.timeline(handle.id)
        for activity, name in zip(timeline.activities, STEPS, strict=True):
            activity.name = name
        self.timelines["nothing"].append(timeline)


async def run(options: Options) -> list[Figure]:
    """Alternate ours, bare and, for a profile, nothing."""
    count = options.repeats(100, 5)
    async with product.running() as running, bare_workers(running):
        documents = BareDocuments(running)
        try:
            measurement = Measurement(running, documents)
            ways: list[Callable[[str], Awaitable[None]]] = [
                measurement.asked, measurement.streamed_to, measurement.ours, measurement.bare,
            ]  # fmt: skip
            if options.profile:
                ways.append(measurement.nothing)
            options.say(f"{count} texts of {SMALL_BYTES} bytes, each way")
            await running.warm_up()
            for turn in range(-5, count):
                for way_number, way in enumerate(ways):
                    await way(make_text(turn * len(ways) + way_number, SMALL_BYTES, seed=3))
                    await asyncio.sleep(PAUSE_S)
                if turn == -1:
                    measurement.forget()
        finally:
            await documents.aclose()
    if options.profile:
        _show_profile(options, measurement)
    return _figures(measurement)


def _figures(measurement: Measurement) -> list[Figure]:
    waited, streamed = measurement.waited, measurement.streamed
    note = f"text of {SMALL_BYTES} bytes; GET /operations/{{id}} every {POLL_S * 1000:.0f} ms"
    figures = [
        Figure(WAITING, "p50", "ms", median(waited), target=Target("value", "at most", 250), note=note),
        Figure(WAITING, "p95", "ms", percentile(waited, 0.95)),
        Figure(WAITING, "p50 by the event stream", "ms", median(streamed)),
    ]
    ours, bare = (_steps(measurement.timelines[way]) for way in ("ours", "bare"))
    figures += [
        Figure(STEP, name, "ms", median(ours[name]), median(bare[name]), Target("ratio", "at most", 1.3))
        for name in STEPS
    ]
    whole, bare_whole = (_whole(measurement.timelines[way]) for way in ("ours", "bare"))
    return [*figures, Figure(STEP, "the whole workflow", "ms", whole, bare_whole)]


def _steps(timelines: list[Timeline]) -> Samples:
    samples: Samples = defaultdict(list)
    for timeline in timelines:
        for name, took in timeline.steps_ms().items():
            samples[name].append(took)
    return samples


def _whole(timelines: list[Timeline]) -> float:
    return median([(timeline.closed - timeline.started) * 1000 for timeline in timelines])


def _show_profile(options: Options, measurement: Measurement) -> None:
    ways = ("ours", "bare", "nothing")
    table = Table(
        box=box.SIMPLE_HEAD, title="Where the time of a small text goes, p50 in ms", title_justify="left"
    )
    table.add_column("segment")
    for way in ways:
        table.add_column(way, justify="right")
    for name, values in measurement.accepted.items():
        table.add_row(name, number(median(values)), "", "")
    table.add_section()
    segments: dict[str, Samples] = {way: defaultdict(list) for way in ways}
    for way in ways:
        for timeline in measurement.timelines[way]:
            for name, took in timeline.segments_ms().items():
                segments[way][name].append(took)
    for name in segments["ours"]:
        table.add_row(name, *(number(median(segments[way][name])) for way in ways))
    table.add_section()
    table.add_row("started → closed", *(number(_whole(measurement.timelines[way])) for way in ways))
    options.console.print(table)
