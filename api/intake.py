"""What a caller sends becomes a source in the object store, before anything is accepted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from fastapi import Request

from activities.batches import CREATES, title_of
from activities.sources import file_name_of
from api.authentication import Principal
from api.bodies import content_type, json_field, read_json, validate
from api.idempotency import fingerprint
from api.uploads import Upload, receive_upload, store_text
from perdure.db.document_repository import Source
from perdure.db.quota_repository import Named
from perdure.errors import FieldError, InvalidInputError, MalformedRequestError
from perdure.ports.storage import ObjectStore
from perdure.schemas.documents import (
    BatchCreate,
    BatchFields,
    BatchSource,
    DocumentCreate,
    DocumentFields,
)
from perdure.settings import Settings

Fields = TypeVar("Fields", DocumentFields, BatchFields)

FORM, JSON = "multipart/form-data", "application/json"


@dataclass(frozen=True)
class Intake:
    """One document: what was said about it, where its bytes are, and a hash of both."""

    fields: DocumentFields
    source: Source
    title: str
    fetch: bool
    request_sha256: str


@dataclass(frozen=True)
class BatchIntake:
    """Many documents, stored as one object. What a zip holds is known later."""

    source: BatchSource
    total: int
    summary: str
    request_sha256: str
    named: tuple[Named, ...] = ()
    text_bytes: int = 0


class Inbox:
    """Reads requests of one caller. What it stored goes away again unless `keep` is called."""

    def __init__(self, request: Request, caller: Principal, objects: ObjectStore, settings: Settings) -> None:
        self._request, self._caller, self._objects, self._settings = request, caller, objects, settings
        self._prefix = f"{caller.organisation_id}/originals"
        self._stored: list[str] = []

    @classmethod
    @asynccontextmanager
    async def open(
        cls, request: Request, caller: Principal, objects: ObjectStore, settings: Settings
    ) -> AsyncIterator["Inbox"]:
        """Clean up at the end."""
        inbox = cls(request, caller, objects, settings)
        try:
            yield inbox
        finally:
            if inbox._stored:
                await objects.delete(inbox._stored)

    def keep(self) -> None:
        """The sources were accepted: they stay."""
        self._stored = []

    async def document(self) -> Intake:
        """One document, from a form or from JSON."""
        kind = content_type(self._request)
        if kind == FORM:
            return await self._uploaded()
        if kind == JSON:
            return await self._described(await read_json(self._request, DocumentCreate))
        raise _unknown_type(kind)

    async def batch(self) -> BatchIntake:
        """Many documents, from a form with a zip or from JSON."""
        kind = content_type(self._request)
        if kind == FORM:
            upload = await self._receive()
            fields = _fields(upload.fields, BatchFields)
            source = BatchSource(kind="zip", object_key=upload.stored.key, **fields.model_dump())
            sha256 = self._fingerprint(f"{upload.stored.sha256}{fields.model_dump_json()}")
            return BatchIntake(source, 0, f"Ingest {upload.file_name}", sha256)
        if kind == JSON:
            body = await read_json(self._request, BatchCreate)
            for number, item in enumerate(body.items):
                self._check_key(item.object_key, f"/body/items/{number}/object_key")
            data = CREATES.dump_json(body.items)
            stored = await store_text(self._objects, self._prefix, data.decode())
            self._stored.append(stored.key)
            source = BatchSource(kind="json", object_key=stored.key)
            summary = f"Ingest {len(body.items)} documents"
            return BatchIntake(
                source,
                len(body.items),
                summary,
                self._fingerprint(stored.sha256),
                named=tuple((item.space, item.external_id) for item in body.items),
                text_bytes=sum(len((item.text or "").encode("utf-8", "replace")) for item in body.items),
            )
        raise _unknown_type(kind)

    async def _receive(self) -> Upload:
        upload = await receive_upload(
            self._request, self._objects, self._prefix, self._settings.max_upload_bytes
        )
        self._stored.append(upload.stored.key)
        return upload

    async def _uploaded(self) -> Intake:
        upload = await self._receive()
        fields = _fields(upload.fields, DocumentFields)
        return Intake(
            fields=fields.model_copy(update={"source_type": fields.source_type or "upload"}),
            source=Source(
                name=upload.file_name,
                object_key=upload.stored.key,
                sha256=upload.stored.sha256,
                size_bytes=upload.stored.size_bytes,
            ),
            title=upload.file_name,
            fetch=False,
            request_sha256=self._fingerprint(
                f"{upload.stored.sha256}{upload.file_name}{fields.model_dump_json()}"
            ),
        )

    async def _described(self, body: DocumentCreate) -> Intake:
        fields = DocumentFields(**body.model_dump(exclude={"text", "url", "object_key"}))
        sha256 = self._fingerprint(body.model_dump_json())
        if body.text is not None:
            stored = await store_text(self._objects, self._prefix, body.text)
            self._stored.append(stored.key)
            source = Source(
                name="text.txt",
                object_key=stored.key,
                sha256=stored.sha256,
                size_bytes=stored.size_bytes,
                inline=True,
            )
            return Intake(fields, source, title_of(body.text), fetch=False, request_sha256=sha256)
        if body.url is not None:
            fields = fields.model_copy(update={"source_type": fields.source_type or "url"})
            name = file_name_of(body.url)
            return Intake(fields, Source(name=name, url=body.url), name, fetch=True, request_sha256=sha256)
        self._check_key(body.object_key, "/body/object_key")
        key = body.object_key or ""
        name = key.rpartition("/")[2]
        return Intake(fields, Source(name=name, object_key=key), name, fetch=True, request_sha256=sha256)

    def _check_key(self, key: str | None, pointer: str) -> None:
        prefix = f"{self._caller.organisation_id}/"
        if key is not None and (not key.startswith(prefix) or ".." in key.split("/")):
            detail = f"object_key must lie under '{prefix}', the prefix of your organisation"
            raise InvalidInputError(detail, [FieldError(pointer, detail)])

    def _fingerprint(self, content: str) -> str:
        return fingerprint(self._request.method, self._request.url.path, content.encode("utf-8", "replace"))


def _fields(given: dict[str, str], model: type[Fields]) -> Fields:
    values: dict[str, object] = dict(given)
    if "metadata" in given:
        values["metadata"] = json_field(given, "metadata")
    return validate(model, {name: value for name, value in values.items() if value != ""})


def _unknown_type(kind: str) -> MalformedRequestError:
    return MalformedRequestError(
        f"Content-Type '{kind or 'absent'}' is not understood here: send application/json, "
        "or multipart/form-data with a part named 'file'"
    )
