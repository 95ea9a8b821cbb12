"""Deletes payloads that were kept outside of Temporal, once Temporal has forgotten the workflow that they belong to."""

import re
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import text
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from perdure.db.operation_repository import operation_of
from perdure.db.session import Database
from perdure.domain.ids import made_at
from perdure.domain.payload_keys import FOLDER, payload_folder, split_payload_key
from perdure.ports.storage import ObjectStore

logger = structlog.get_logger("perdure.sweeper")

PAGE = 1000
# Only a workflow of an operation tells, by its operation, that it is not just about to be started.
_OPERATION = re.compile(r"op_[0-9a-z]{26}(?:\..+)?")
_OPEN = text("SELECT id FROM find_open_operations(:after, :limit)")


class PayloadSweeper:
    """Asks Temporal, which deletes histories when their retention time is over, or earlier when told to."""

    def __init__(self, database: Database, objects: ObjectStore, client: Client) -> None:
        self._database, self._objects, self._client = database, objects, client

    async def sweep(self, unused_for: timedelta) -> int:
        """Delete the payloads of workflows that are gone, of operations at least so old; how many that were."""
        before = datetime.now(UTC) - unused_for
        workflow_ids = {
            found[0]
            async for key in self._objects.list(FOLDER)
            if (found := split_payload_key(key)) is not None
            and _OPERATION.fullmatch(found[0])
            and made_at(operation_of(found[0])) < before
        }
        # Asked for after the list: whoever stores a payload for a workflow to come has an open operation.
        open_ids = await self._open_operations() if workflow_ids else set()
        deleted = 0
        for workflow_id in sorted(workflow_ids):
            if operation_of(workflow_id) not in open_ids and not await self._is_known(workflow_id):
                keys = [key async for key in self._objects.list(payload_folder(workflow_id))]
                await self._objects.delete(keys)
                deleted += len(keys)
        if deleted:
            logger.info("unused_payloads_deleted", count=deleted)
        return deleted

    async def _open_operations(self) -> set[str]:
        ids: list[str] = []
        while True:
            given = {"after": ids[-1] if ids else "", "limit": PAGE}
            async with self._database.transaction(None) as session:
                page = (await session.scalars(_OPEN, given)).all()
            ids.extend(page)
            if len(page) < PAGE:
                return set(ids)

    async def _is_known(self, workflow_id: str) -> bool:
        try:
            await self._client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return True
