"""Stored objects of a person or an organisation, wherever they lie."""

from collections.abc import AsyncIterator, Callable

from perdure.db.erasure_repository import PersonalData, Scope
from perdure.db.export_repository import ExportRepository
from perdure.db.operation_repository import operation_of
from perdure.db.session import Transaction
from perdure.domain.exports import archive_key
from perdure.domain.payload_keys import FOLDER as PAYLOADS
from perdure.domain.payload_keys import split_payload_key
from perdure.ports.storage import ObjectStore

PAGE = 1_000


def folder_of(key: str) -> str:
    """Where an object lies, for a report: `originals`, `texts`, `exports`, `payloads`, …"""
    first, _, rest = key.partition("/")
    return rest.partition("/")[0] if first.startswith("org_") else first


class PersonalObjects:
    """Finds keys; what they are the keys of stays as it is."""

    def __init__(self, transaction: Transaction, objects: ObjectStore, scope: Scope) -> None:
        self._transaction, self._objects, self._scope = transaction, objects, scope

    async def pages(self) -> AsyncIterator[list[str]]:
        """Keys, up to 1,000 at a time. While rows refer to objects they are found: rows go after them."""
        organisation = self._scope.organisation_id
        if self._scope.person is None:
            async for page in self._listed(organisation):
                yield page
        else:
            async for page in self._referred_to():
                yield page
            for folder in ("work", "exports"):
                async for page in self._of_operations(f"{organisation}/{folder}", _third_part):
                    yield page
            async for page in self._archives_of_all():
                yield page
        async for page in self._of_operations(PAYLOADS, _payload_owner):
            yield page

    async def _listed(self, prefix: str) -> AsyncIterator[list[str]]:
        page: list[str] = []
        async for key in self._objects.list(prefix):
            page.append(key)
            if len(page) == PAGE:
                yield page
                page = []
        if page:
            yield page

    async def _referred_to(self) -> AsyncIterator[list[str]]:
        """Keys in rows; those whose object is gone are left out, so that a second look finds nothing."""
        after = ""
        while True:
            async with self._transaction(self._scope.organisation_id) as session:
                keys = list(await PersonalData(session, self._scope).object_keys(after))
            stored = [key for key in keys if await self._objects.size(key) is not None]
            if stored:
                yield stored
            if len(keys) < PAGE:
                return
            after = keys[-1]

    async def _archives_of_all(self) -> AsyncIterator[list[str]]:
        """Archives of the whole organisation, in which the person is, too."""
        organisation = self._scope.organisation_id
        async with self._transaction(organisation) as session:
            ids = await ExportRepository(session, organisation).of_organisation()
        keys = [archive_key(organisation, operation_id) for operation_id in ids]
        stored = [key for key in keys if await self._objects.size(key) is not None]
        if stored:
            yield stored

    async def _of_operations(
        self, prefix: str, operation_of_key: Callable[[str], str]
    ) -> AsyncIterator[list[str]]:
        async for page in self._listed(prefix):
            async with self._transaction(self._scope.organisation_id) as session:
                own = await PersonalData(session, self._scope).own_operations(
                    {operation_of_key(key) for key in page}
                )
            found = [key for key in page if operation_of_key(key) in own]
            if found:
                yield found


def _third_part(key: str) -> str:
    """The operation in `org_…/work/op_…/…` and `org_…/exports/op_….zip`."""
    return operation_of(key.split("/")[2])


def _payload_owner(key: str) -> str:
    found = split_payload_key(key)
    return operation_of(found[0]) if found else ""
