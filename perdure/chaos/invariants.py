"""What must hold once a load has ended, whatever was done to the parts meanwhile."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from sqlalchemy import text

from perdure.audit_anchors import AuditAnchors
from perdure.chaos.findings import Violations
from perdure.chaos.load import Load, Sent
from perdure.chaos.reader import Reader
from perdure.chaos.stack import RunningStack
from perdure.db.operation_repository import workflow_id

# Visibility is written a moment after the fact, and a closed workflow a moment after its record.
_AGREES_WITHIN_S = 20.0
_EVIDENCE = 5

_DOCUMENTS = text(
    """
    SELECT d.id, d.operation_id, d.status, d.chunk_count, v.object_key, v.text_key,
           count(c.id) AS chunks, count(DISTINCT c.ordinal) AS ordinals, max(c.ordinal) AS last,
           count(e.chunk_id) AS vectors, COALESCE(string_agg(c.text, ' ' ORDER BY c.ordinal), '') AS content
    FROM documents d
    JOIN document_versions v ON v.document_id = d.id
    LEFT JOIN chunks c ON c.document_id = d.id
    LEFT JOIN chunk_embeddings e ON e.chunk_id = c.id
    WHERE d.operation_id = ANY(:operations)
    GROUP BY d.id, v.id
    """
)
_EVENTS = text(
    """
    SELECT operation_id, count(*) AS events, max(revision) AS newest,
           count(*) FILTER (WHERE type = 'operation'
               AND data->>'status' IN ('completed', 'failed', 'cancelled', 'expired')) AS ends
    FROM operation_events WHERE operation_id = ANY(:operations) GROUP BY operation_id
    """
)
_OPEN_STEPS = text(
    "SELECT operation_id, name, state FROM operation_steps "
    "WHERE operation_id = ANY(:operations) AND state IN ('pending', 'running', 'retrying')"
)
_KNOWN = text(
    "SELECT object_key FROM document_versions WHERE object_key IS NOT NULL "
    "UNION SELECT text_key FROM document_versions WHERE text_key IS NOT NULL "
    "UNION SELECT input->'source'->>'object_key' FROM operations WHERE input->'source'->>'object_key' IS NOT NULL"
)
_ORIGINALS = text("SELECT object_key FROM document_versions WHERE object_key IS NOT NULL")
_OPERATIONS = text("SELECT id, attempt, status, closed_at IS NOT NULL AS closed FROM operations")
_LEFT = text(
    "SELECT (SELECT count(*) FROM documents WHERE id = :id) "
    "+ (SELECT count(*) FROM chunks WHERE document_id = :id)"
)
_COUNTED = text(
    "SELECT (SELECT COALESCE(sum(chunk_count), 0) FROM spaces) AS counted, (SELECT count(*) FROM chunks) AS stored"
)
_INGESTIONS = text("SELECT id FROM operations WHERE kind IN ('ingest_document', 'ingest_batch')")


@dataclass(frozen=True)
class Invariants:
    """The checks of one organisation; `objects` is None where the store is no directory."""

    reader: Reader
    organisation_id: str
    stack: RunningStack
    objects: Path | None
    anchors: AuditAnchors
    accepted: set[str] = field(default_factory=set)

    async def check(self, load: Load, violations: Violations) -> None:
        """Everything that holds when nothing of the load is under way."""
        for request in load.sent:
            await self._check_documents(request, violations)
        await self._check_events([request.operation_id for request in load.sent], violations)
        await self._check_accepted(load, violations)
        for row in await self.reader.rows(_COUNTED):
            if row.counted != row.stored:
                violations.add(
                    "passages are counted wrongly", f"spaces say {row.counted}, there are {row.stored}"
                )
        await self._check_audit_trail(violations)
        await self._check_objects(violations)
        await self._check_temporal(violations)
        await self._check_processes(violations)

    async def _check_documents(self, request: Sent, violations: Violations) -> None:
        operation = request.operation
        if not operation:
            return
        if operation["status"] != "completed":
            violations.add(
                "an honest operation failed", f"{operation['id']} {operation['status']} {operation['error']}"
            )
            return
        rows = await self.reader.rows(_DOCUMENTS, {"operations": [request.operation_id]})
        indexed = [row for row in rows if row.status == "indexed"]
        words = Counter(word for row in indexed for word in request.words if word in row.content)
        for word in request.words:
            if words[word] != 1:
                violations.add(
                    "an accepted document is not in the index exactly once",
                    f"{request.operation_id} {word}: {words[word]} times; "
                    f"{[(row.id, row.status, row.chunks) for row in rows][:_EVIDENCE]}",
                )
        for row in indexed:
            if not row.chunks == row.ordinals == row.vectors == row.chunk_count == (row.last or 0) + 1 > 0:
                violations.add(
                    "passages are lost or doubled",
                    f"{row.id}: {row.chunk_count} noted, {row.chunks} stored, {row.ordinals} different, "
                    f"{row.vectors} vectors",
                )
        for row in rows:
            if row.status not in {"indexed", "skipped_duplicate"}:
                violations.add("a document is left half-done", f"{row.id} {row.status}")
            if row.status != "indexed" and row.chunks:
                violations.add(
                    "a document that is not indexed has passages", f"{row.id} {row.status} {row.chunks}"
                )

    async def _check_events(self, operations: list[str], violations: Violations) -> None:
        for row in await self.reader.rows(_EVENTS, {"operations": operations}):
            if row.events != row.newest:
                violations.add("events are missing", f"{row.operation_id}: {row.events} of {row.newest}")
            if row.ends != 1:
                violations.add("the end is told other than once", f"{row.operation_id}: {row.ends} times")
        for row in await self.reader.rows(_OPEN_STEPS, {"operations": operations}):
            violations.add(
                "a step of an ended operation is open", f"{row.operation_id} {row.name} {row.state}"
            )

    async def _check_accepted(self, load: Load, violations: Violations) -> None:
        """What was accepted and never answered for would be an effect that nobody asked for twice."""
        self.accepted.update(request.operation_id for request in load.sent)
        found = {row.id for row in await self.reader.rows(_INGESTIONS)}
        for operation_id in sorted(found - self.accepted):
            violations.add("a request was accepted more often than it was sent", operation_id)
        for operation_id in sorted(self.accepted - found - {""}):
            violations.add("an accepted operation is gone", operation_id)
        self.accepted.update(found)

    async def _check_audit_trail(self, violations: Violations) -> None:
        verdict = await self.reader.audit_trail(self.anchors)
        for fault in verdict.faults[:_EVIDENCE]:
            violations.add("the audit trail is broken", f"{fault.kind.value}: {fault.detail}")

    async def check_deleted(self, document_id: str, violations: Violations) -> None:
        """Nothing is left of a document whose deletion ended."""
        if await self.reader.value(_LEFT, {"id": document_id}):
            violations.add("a deleted document is still there", document_id)

    async def _check_objects(self, violations: Violations) -> None:
        if self.objects is None:
            return
        known = {row[0] for row in await self.reader.rows(_KNOWN)}
        originals = {row[0] for row in await self.reader.rows(_ORIGINALS)}
        folder = self.objects / self.organisation_id
        files = await asyncio.to_thread(lambda: [path for path in folder.rglob("*") if path.is_file()])
        stored = {path.relative_to(self.objects).as_posix() for path in files}
        for key in sorted(originals - stored)[:_EVIDENCE]:
            violations.add("an object is lost", key)
        # Originals of requests whose API died before it had accepted them go within a day: see `api/sweeper.py`.
        for key in sorted(key for key in stored - known if "/originals/" not in key)[:_EVIDENCE]:
            violations.add("an object belongs to nobody", key)

    async def _check_temporal(self, violations: Violations) -> None:
        if self.stack.temporal_http() is None:
            return
        differences = ["Temporal was not asked"]
        deadline = asyncio.get_running_loop().time() + _AGREES_WITHIN_S
        while differences and asyncio.get_running_loop().time() < deadline:
            try:
                differences = await self._differences()
            except httpx.HTTPError as error:
                differences = [f"Temporal does not answer: {error}"]
            await asyncio.sleep(0.2 if differences else 0)
        for difference in differences[:_EVIDENCE]:
            violations.add("database and Temporal differ", difference)

    async def _differences(self) -> list[str]:
        workflows = await self.stack.workflows(self.organisation_id)
        rows = {workflow_id(row.id, row.attempt): row for row in await self.reader.rows(_OPERATIONS)}
        found = [f"{each} is in Temporal alone" for each in sorted(workflows.keys() - rows.keys())]
        for name, row in rows.items():
            runs = [status for status in workflows.get(name, ()) if status != "continued_as_new"]
            expected = (
                {"completed", "failed", "canceled", "terminated", "timed_out"} if row.closed else {"running"}
            )
            if (
                len(runs) != 1
                or runs[0] not in expected
                or (row.status == "completed") != (runs[0] == "completed")
            ):
                found.append(f"{name} is {row.status}, in Temporal {', '.join(runs) or 'unknown'}")
        return found

    async def _check_processes(self, violations: Violations) -> None:
        leaked: list[str] = []
        for _ in range(20):
            leaked = await asyncio.to_thread(self.stack.leaked)
            if not leaked:
                return
            await asyncio.sleep(0.5)
        for each in leaked[:_EVIDENCE]:
            violations.add("a process is left behind", each)
