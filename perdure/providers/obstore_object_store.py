"""Objects in a local directory, S3, Google Cloud Storage or Azure Blob, through `obstore`."""

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit
from uuid import uuid4

import obstore
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, LocalStore, MemoryStore, ObjectStore, S3Store

from perdure import tracing
from perdure.errors import InvalidInputError, NotFoundError, PayloadTooLargeError, UnavailableError
from perdure.ports.storage import StoredObject
from perdure.providers.held_deletions import HELD, HeldDeletions

if TYPE_CHECKING:
    from obstore.store import S3Config  # not there at run time

MAX_KEY_LENGTH = 1024
# Parts of a multipart upload, at most three in memory at a time; S3 allows no part under 5 MiB.
_PART_BYTES = 8 * 1024 * 1024
_PARTS_IN_FLIGHT = 2
_READ_BYTES = 1024 * 1024
# `obstore` keeps its unfinished files under such names, and hides them from listings.
_UNFINISHED = re.compile(r"#\d+$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")


@dataclass(frozen=True)
class _Address:
    """An object store URL taken apart: what the query says goes to the S3 client."""

    url: str
    scheme: str
    options: dict[str, str]


def _parse_address(url: str) -> _Address:
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    return _Address(urlunsplit(parts._replace(query="")), parts.scheme, options)


def directory_of(url: str) -> Path | None:
    """The directory that an address means; None when the objects lie elsewhere."""
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _open(url: str) -> ObjectStore:
    address = _parse_address(url)
    match address.scheme:
        case "file":
            return LocalStore(directory_of(url), mkdir=True, automatic_cleanup=True)
        case "memory":
            return MemoryStore()
        case "s3" | "s3a":
            return _open_s3(address)
        case "gs":
            return GCSStore.from_url(address.url)
        case "az" | "azure" | "abfs" | "abfss":
            return AzureStore.from_url(address.url)
    msg = f"OBJECT_STORE_URL {url!r} is of no known kind: use file://, s3://, gs:// or az://"
    raise InvalidInputError(msg)


def _open_s3(address: _Address) -> S3Store:
    """What the address says stands above the variables, but for `AWS_ENDPOINT_URL_S3`: that one stands above all."""
    config: S3Config = {}
    if endpoint := address.options.get("endpoint"):
        config["endpoint"] = endpoint
    if region := address.options.get("region"):
        config["region"] = region
    # Whoever names an endpoint, here or in a variable, says with it whether there is TLS.
    return S3Store.from_url(address.url, config=config, client_options={"allow_http": True})


def check_key(key: str) -> str:
    """Return the key; InvalidInputError when it could leave the store or does not fit every store."""
    if (
        not key
        or len(key.encode()) > MAX_KEY_LENGTH
        or _CONTROL.search(key)
        or any(part in {"", ".", ".."} or _UNFINISHED.search(part) for part in key.split("/"))
    ):
        msg = (
            f"object key {key!r} is not allowed: use a relative path of at most {MAX_KEY_LENGTH} bytes"
            " without empty, '.' or '..' parts"
        )
        raise InvalidInputError(msg)
    return key


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        msg = f"there is no object {key!r}"
        raise NotFoundError(msg) from error
    except BaseError as error:
        reason = str(error).partition("\n")[0]
        msg = f"the object store cannot handle {key!r} right now: {reason}"
        raise UnavailableError(msg) from error


class ObstoreObjectStore:
    """The port over `obstore`. A put appears wholly or not at all, also when the process dies."""

    def __init__(
        self,
        store: ObjectStore,
        *,
        signs: bool = True,
        deletions: HeldDeletions | None = None,
        directory: Path | None = None,
    ) -> None:
        self._store, self._signs, self._deletions = store, signs, deletions
        self._directory = directory

    @classmethod
    def from_url(cls, url: str) -> "ObstoreObjectStore":
        """Open `file:///dir`, `s3://bucket/prefix`, `gs://…`, `az://…` or `memory://`.

        Credentials, region and endpoint come from the vendor's environment variables (`AWS_ACCESS_KEY_ID`, …). An
        S3 address may name another server: `s3://bucket?endpoint=http://127.0.0.1:9000&region=us-east-1`. With
        `links=api` downloads go through the API, for a store that browsers cannot reach.
        """
        try:
            directory = directory_of(url)
            deletions = HeldDeletions(directory) if directory is not None else None
            signs = _parse_address(url).options.get("links") != "api"
            return cls(_open(url), signs=signs, deletions=deletions, directory=directory)
        except (BaseError, ValueError, OSError) as error:
            msg = f"OBJECT_STORE_URL {url!r} cannot be opened: {error}"
            raise UnavailableError(msg) from error

    async def put(self, key: str, data: bytes) -> None:
        with _translated(check_key(key)), tracing.span("put object", bytes=len(data)):
            await obstore.put_async(self._store, key, data, chunk_size=_PART_BYTES)

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes], *, max_bytes: int) -> StoredObject:
        digest = hashlib.sha256()
        size_bytes = 0

        async def counted() -> AsyncIterator[bytes]:
            nonlocal size_bytes
            async for chunk in chunks:
                size_bytes += len(chunk)
                if size_bytes > max_bytes:
                    msg = f"more than {max_bytes} bytes: send less, or raise PERDURE_MAX_UPLOAD_BYTES"
                    raise PayloadTooLargeError(msg)
                digest.update(chunk)
                yield chunk

        with _translated(check_key(key)), tracing.span("put object"):
            await obstore.put_async(
                self._store, key, counted(), chunk_size=_PART_BYTES, max_concurrency=_PARTS_IN_FLIGHT
            )
        return StoredObject(key, size_bytes, digest.hexdigest())

    async def get(self, key: str) -> bytes:
        with _translated(check_key(key)), tracing.span("get object"):
            result = await obstore.get_async(self._store, key)
            return bytes(await result.bytes_async())

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        with _translated(check_key(key)):
            size_bytes = (await obstore.head_async(self._store, key))["size"]
            stop = size_bytes if end is None else min(end, size_bytes)
            if start >= stop:
                return
            result = await obstore.get_async(self._store, key, options={"range": (start, stop)})
            async for chunk in result.stream(min_chunk_size=_READ_BYTES):
                yield bytes(chunk)

    async def download(self, key: str, path: Path) -> None:
        unfinished = path.with_name(f".{path.name}.{uuid4().hex}")
        file = await asyncio.to_thread(unfinished.open, "wb")
        try:
            with tracing.span("get object"):
                async for chunk in self.stream(key):
                    await asyncio.to_thread(file.write, chunk)
            await asyncio.to_thread(file.close)
            await asyncio.to_thread(unfinished.replace, path)
        finally:
            file.close()
            await asyncio.to_thread(unfinished.unlink, missing_ok=True)

    async def size(self, key: str) -> int | None:
        try:
            with _translated(check_key(key)):
                return (await obstore.head_async(self._store, key))["size"]
        except NotFoundError:
            return None

    async def delete(self, keys: list[str]) -> None:
        for key in keys:
            check_key(key)
        if not keys:
            return
        with self._deletions.turn() if self._deletions else nullcontext() as set_aside:
            if set_aside is None:
                await self._delete(keys)
            else:
                for key in keys:
                    set_aside(key)

    async def _delete(self, keys: list[str]) -> None:
        try:
            with _translated(keys[0]):
                await obstore.delete_async(self._store, keys)
        except NotFoundError:
            # A directory says so at the first absent key, and may have left the others.
            for key in keys:
                await self._delete_one(key)

    async def _delete_one(self, key: str) -> None:
        try:
            with _translated(key):
                await obstore.delete_async(self._store, key)
        except NotFoundError:
            return

    async def list(self, prefix: str) -> AsyncIterator[str]:
        """Keys under a prefix; `a/b` means the folder of that name, not `a/bc`."""
        folder = prefix.strip("/")
        if folder:
            check_key(folder)
        with _translated(folder):
            async for page in obstore.list(self._store, folder or None, chunk_size=1000):
                for found in page:
                    if not found["path"].startswith(HELD):
                        yield found["path"]

    async def delete_unfinished(self, unused_for: timedelta) -> int:
        return (
            await asyncio.to_thread(remove_unfinished, self._directory, unused_for) if self._directory else 0
        )

    async def sign(self, key: str, expires_in: timedelta) -> str | None:
        check_key(key)
        if not self._signs or not isinstance(self._store, S3Store | GCSStore | AzureStore):
            return None
        with _translated(key):
            return await obstore.sign_async(self._store, "GET", key, expires_in)

    async def check(self) -> None:
        key = f"probes/{uuid4().hex}"
        await self.put(key, b"probe")
        if await self.get(key) != b"probe":
            msg = "the object store gave back other bytes than were written"
            raise UnavailableError(msg)
        await self.delete([key])


def is_unfinished(name: str) -> bool:
    """Whether a file of a local store is what a put has not finished, or never will."""
    return _UNFINISHED.search(name) is not None


def remove_unfinished(directory: Path, unused_for: timedelta = timedelta(0)) -> int:
    """Delete what killed puts left in a local store and return how many; what is younger may still be written."""
    newest = time.time() - unused_for.total_seconds()
    unfinished = [
        path
        for path in directory.rglob("*#*")
        if _UNFINISHED.search(path.name) and path.is_file() and path.stat().st_mtime <= newest
    ]
    for path in unfinished:
        path.unlink(missing_ok=True)
    return len(unfinished)
