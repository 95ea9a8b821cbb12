"""Multipart bodies as a stream: a file goes to the object store while it arrives, whatever its size."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from perdure.domain.ids import new_id
from perdure.errors import FieldError, InvalidInputError, MalformedRequestError
from perdure.ports.storage import ObjectStore, StoredObject
from perdure.schemas.base import storable

MAX_FIELD_BYTES = 1024 * 1024
MAX_FIELDS = 50


@dataclass
class _Part:
    name: str = ""
    file_name: str | None = None
    data: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True)
class Upload:
    """A multipart form with one file, which is stored already."""

    fields: dict[str, str]
    stored: StoredObject
    file_name: str


class _Form:
    """Push parser to events: ("part", _Part), ("data", bytes), ("end", None)."""

    def __init__(self, boundary: bytes) -> None:
        self._events: list[tuple[str, _Part | bytes | None]] = []
        self._header_name, self._header_value = bytearray(), bytearray()
        self._headers: dict[str, bytes] = {}
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": lambda data, start, end: self._header_name.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._header_value.extend(data[start:end]),
                "on_header_end": self._end_header,
                "on_headers_finished": self._begin_part,
                "on_part_data": lambda data, start, end: self._events.append(("data", data[start:end])),
                "on_part_end": lambda: self._events.append(("end", None)),
            },
        )
        self.ended = False

    def _end_header(self) -> None:
        self._headers[self._header_name.decode("latin-1").lower()] = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _begin_part(self) -> None:
        _disposition, options = parse_options_header(self._headers.get("content-disposition", b""))
        part = _Part(name=options.get(b"name", b"").decode("utf-8", "replace"))
        if b"filename" in options:
            part.file_name = options[b"filename"].decode("utf-8", "replace")
        self._events.append(("part", part))

    def feed(self, data: bytes) -> list[tuple[str, _Part | bytes | None]]:
        """Parse the next bytes."""
        self._events = []
        self._parser.write(data)
        return self._events

    def close(self) -> None:
        """MultipartParseError when the body ended before its closing boundary."""
        self._parser.finalize()


async def _events(request: Request) -> AsyncIterator[tuple[str, _Part | bytes | None]]:
    content_type, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if content_type != b"multipart/form-data" or not boundary:
        raise MalformedRequestError(
            "multipart/form-data needs a boundary: let your HTTP client set Content-Type"
        )
    try:
        form = _Form(boundary)
        async for data in request.stream():
            for event in form.feed(data):
                yield event
        form.close()
    except MultipartParseError as error:
        raise MalformedRequestError(f"the multipart body is damaged or incomplete: {error}") from error


async def _pieces(events: AsyncIterator[tuple[str, _Part | bytes | None]]) -> AsyncIterator[bytes]:
    """The data of one part."""
    async for kind, value in events:
        if kind == "end":
            return
        if isinstance(value, bytes):
            yield value
    raise MalformedRequestError("the multipart body ended in the middle of the file: send it again")


async def receive_upload(request: Request, objects: ObjectStore, prefix: str, max_bytes: int) -> Upload:
    """Read a form with exactly one file named `file`. Nothing stays in the store when this fails."""
    fields: dict[str, str] = {}
    stored: StoredObject | None = None
    file_name = ""
    complete = False
    events = _events(request)
    try:
        async for kind, value in events:
            if kind != "part" or not isinstance(value, _Part):
                continue
            if value.file_name is None:
                fields[value.name] = await _text(value.name, _pieces(events))
                if len(fields) > MAX_FIELDS:
                    raise MalformedRequestError(f"a form may have at most {MAX_FIELDS} fields")
            elif stored is not None or value.name != "file":
                detail = "send exactly one file, in a part named 'file'; several files are a batch"
                raise InvalidInputError(detail, [FieldError("/body/file", detail)])
            else:
                file_name = storable(value.file_name).replace("\\", "/").rpartition("/")[2][:255]
                key = f"{prefix}/{new_id('obj')}"
                stored = await objects.put_stream(key, _pieces(events), max_bytes=max_bytes)
        if stored is None:
            detail = "the form has no file: send one in a part named 'file'"
            raise InvalidInputError(detail, [FieldError("/body/file", detail)])
        complete = True
        return Upload(fields=fields, stored=stored, file_name=file_name or "upload")
    finally:
        if stored is not None and not complete:
            await objects.delete([stored.key])


async def _text(name: str, pieces: AsyncIterator[bytes]) -> str:
    data = bytearray()
    async for piece in pieces:
        data += piece
        if len(data) > MAX_FIELD_BYTES:
            detail = f"the field is larger than {MAX_FIELD_BYTES} bytes"
            raise InvalidInputError(detail, [FieldError(f"/body/{name}", detail)])
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        detail = "the field is not UTF-8"
        raise InvalidInputError(detail, [FieldError(f"/body/{name}", detail)]) from error


async def store_text(objects: ObjectStore, prefix: str, text: str) -> StoredObject:
    """Put an inline text where an uploaded file would be."""
    data = text.encode("utf-8", "replace")  # a lone surrogate, which JSON can spell, is no text
    key = f"{prefix}/{new_id('obj')}"
    await objects.put(key, data)
    return StoredObject(key=key, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
