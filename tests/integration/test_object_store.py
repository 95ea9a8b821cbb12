import asyncio
import hashlib
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from perdure.domain.ids import new_id
from perdure.embedded import ports
from perdure.errors import InvalidInputError, NotFoundError, PayloadTooLargeError, UnavailableError
from perdure.ports.storage import ObjectStore
from perdure.providers.obstore_object_store import ObstoreObjectStore, remove_unfinished
from tests import s3_server
from tests.form import PRODUCTION
from tests.s3_server import S3Server

MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def s3_server_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server, where one is installed."""
    program = s3_server.binary()
    if program is None and PRODUCTION:
        pytest.fail("no S3 server: scripts/production_parts.sh builds it")
    if program is None:
        pytest.skip("no S3 server: `make test-production` builds it")
    server = S3Server.prepared(program, tmp_path_factory.mktemp("s3"), ports.unused(1)[0])
    with (
        (server.directory / "log").open("wb") as log,
        subprocess.Popen(server.command, stdout=log, stderr=log) as process,
    ):
        try:
            deadline = time.monotonic() + 20
            while ports.is_free(server.port):
                assert time.monotonic() < deadline, (server.directory / "log").read_text()
                time.sleep(0.05)
            yield server
        finally:
            process.kill()


@pytest.fixture
def s3(s3_server_running: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The same with the variables of its clients."""
    for name, value in s3_server_running.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server_running


@pytest.fixture
def s3_url(s3: S3Server) -> str:
    """A folder in the bucket for one test; the variables say where the bucket is."""
    return f"s3://{s3_server.BUCKET}/{new_id('tst')}"


@pytest.fixture(params=["file", "memory", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    match request.param:
        case "file":
            return ObstoreObjectStore.from_url(tmp_path.as_uri())
        case "s3":
            return ObstoreObjectStore.from_url(request.getfixturevalue("s3_url"))
    return ObstoreObjectStore.from_url("memory://")


def files_under(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_what_was_put_is_read_back(objects: ObjectStore) -> None:
    await objects.put("org_1/a b/ü.txt", b"one")
    await objects.put("org_1/a b/ü.txt", b"two")
    assert await objects.get("org_1/a b/ü.txt") == b"two"
    assert await objects.size("org_1/a b/ü.txt") == 3


async def test_a_stream_is_counted_and_digested(objects: ObjectStore) -> None:
    stored = await objects.put_stream("s/1", pieces(b"ab", b"", b"c"), max_bytes=3)
    assert stored.size_bytes == 3
    assert stored.sha256 == hashlib.sha256(b"abc").hexdigest()
    assert await objects.get("s/1") == b"abc"


async def test_an_empty_stream_makes_an_empty_object(objects: ObjectStore) -> None:
    assert (await objects.put_stream("empty", pieces(), max_bytes=10)).size_bytes == 0
    assert await objects.get("empty") == b""
    assert [chunk async for chunk in objects.stream("empty")] == []


async def test_a_stream_above_the_limit_leaves_nothing_behind(tmp_path: Path) -> None:
    objects = ObstoreObjectStore.from_url(tmp_path.as_uri())

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(MEBIBYTE)

    with pytest.raises(PayloadTooLargeError, match="PERDURE_MAX_UPLOAD_BYTES"):
        await objects.put_stream("big", endless(), max_bytes=40 * MEBIBYTE)
    assert files_under(tmp_path) == []


async def test_a_stream_that_breaks_off_keeps_the_old_object(tmp_path: Path) -> None:
    objects = ObstoreObjectStore.from_url(tmp_path.as_uri())
    await objects.put("doc", b"old")

    async def broken() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(MEBIBYTE)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await objects.put_stream("doc", broken(), max_bytes=100 * MEBIBYTE)
    assert await objects.get("doc") == b"old"
    assert files_under(tmp_path) == ["doc"]


async def test_a_cancelled_stream_leaves_nothing_behind(tmp_path: Path) -> None:
    objects = ObstoreObjectStore.from_url(tmp_path.as_uri())
    half_way = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(MEBIBYTE)
        half_way.set()
        await asyncio.sleep(60)

    upload = asyncio.ensure_future(objects.put_stream("doc", slow(), max_bytes=100 * MEBIBYTE))
    await half_way.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    async with asyncio.timeout(5):
        while files_under(tmp_path):  # noqa: ASYNC110  # the store says nothing when it has cleaned up
            await asyncio.sleep(0.02)


async def test_a_200_mb_stream_needs_no_memory_of_its_size(tmp_path: Path) -> None:
    objects = ObstoreObjectStore.from_url(tmp_path.as_uri())

    async def random_looking() -> AsyncIterator[bytes]:
        piece = hashlib.shake_256(b"seed").digest(MEBIBYTE)
        for _ in range(200):
            yield piece

    await objects.put_stream("warm-up", pieces(bytes(20 * MEBIBYTE)), max_bytes=20 * MEBIBYTE)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    stored = await objects.put_stream("big", random_looking(), max_bytes=200 * MEBIBYTE)
    read = 0
    async for chunk in objects.stream("big"):
        read += len(chunk)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert stored.size_bytes == read == 200 * MEBIBYTE
    assert grown_kib < 64 * 1024  # a few parts in flight; the whole would be 200 MiB


async def test_ranges_are_half_open_and_clamped(objects: ObjectStore) -> None:
    await objects.put("digits", b"0123456789")

    async def read(start: int, end: int | None) -> bytes:
        return b"".join([chunk async for chunk in objects.stream("digits", start, end)])

    assert await read(2, 5) == b"234"
    assert await read(7, None) == b"789"
    assert await read(8, 99) == b"89"
    assert await read(10, 20) == b""
    assert await read(3, 3) == b""


async def test_absent_objects_are_not_found(objects: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no object 'gone'"):
        await objects.get("gone")
    with pytest.raises(NotFoundError):
        _ = [chunk async for chunk in objects.stream("gone")]
    target = tmp_path / "copies" / "x"
    target.parent.mkdir()
    with pytest.raises(NotFoundError):
        await objects.download("gone", target)
    assert list(target.parent.iterdir()) == []
    assert await objects.size("gone") is None


async def test_delete_skips_what_is_absent_and_removes_the_rest(objects: ObjectStore) -> None:
    for key in ("a", "b", "folder/c"):
        await objects.put(key, b"x")
    await objects.delete(["gone", "a", "also/gone", "folder/c"])
    await objects.delete([])
    assert [key async for key in objects.list("")] == ["b"]


async def test_list_takes_whole_path_parts(objects: ObjectStore) -> None:
    for key in ("org_1/a", "org_1/b/c", "org_10/a"):
        await objects.put(key, b"x")
    assert sorted([key async for key in objects.list("org_1/")]) == ["org_1/a", "org_1/b/c"]


async def test_download_copies_into_a_file(objects: ObjectStore, tmp_path: Path) -> None:
    await objects.put("k", b"x" * 3 * MEBIBYTE)
    await objects.download("k", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"x" * 3 * MEBIBYTE


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "../up",
        "a/../../b",
        "a//b",
        "./a",
        "a/.",
        "a\\b",
        "a\x00b",
        "a#1",
        "a/",
        "k" * 1025,
    ],
)
async def test_keys_that_could_leave_the_store_are_refused(objects: ObjectStore, key: str) -> None:
    with pytest.raises(InvalidInputError, match="not allowed"):
        await objects.put(key, b"x")
    with pytest.raises(InvalidInputError, match="not allowed"):
        await objects.get(key)


async def test_a_directory_cannot_sign(tmp_path: Path) -> None:
    objects = ObstoreObjectStore.from_url(tmp_path.as_uri())
    await objects.put("k", b"x")
    assert await objects.sign("k", timedelta(minutes=5)) is None


async def test_an_s3_address_signs_with_expiry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    objects = ObstoreObjectStore.from_url("s3://bucket/prefix?endpoint=http://127.0.0.1:9&region=eu-west-1")
    url = await objects.sign("doc.pdf", timedelta(minutes=5))
    assert url is not None
    assert url.startswith("http://127.0.0.1:9/bucket/prefix/doc.pdf?")
    assert "X-Amz-Expires=300" in url
    assert "eu-west-1" in url


async def test_the_usual_variables_say_where_a_bucket_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://general.example")
    monkeypatch.setenv("AWS_REGION", "eu-west-2")

    async def signed(url: str) -> str:
        return await ObstoreObjectStore.from_url(url).sign("doc.pdf", timedelta(minutes=5)) or ""

    said = await signed("s3://bucket")
    assert said.startswith("https://general.example/bucket/doc.pdf?")
    assert "eu-west-2" in said
    said = await signed("s3://bucket?endpoint=http://127.0.0.1:9&region=eu-west-1")
    assert said.startswith("http://127.0.0.1:9/bucket/doc.pdf?")
    assert "eu-west-1" in said
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.example")
    assert (await signed("s3://bucket")).startswith("https://s3.example/bucket/")


async def test_an_s3_address_that_browsers_cannot_reach_signs_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    objects = ObstoreObjectStore.from_url("s3://bucket?endpoint=http://objects:7070&links=api")
    assert await objects.sign("doc.pdf", timedelta(minutes=5)) is None


async def test_check_leaves_no_probe(tmp_path: Path) -> None:
    await ObstoreObjectStore.from_url(tmp_path.as_uri()).check()
    assert files_under(tmp_path) == []


async def test_a_full_or_forbidden_store_is_unavailable(tmp_path: Path) -> None:
    objects = ObstoreObjectStore.from_url((tmp_path / "store").as_uri())
    (tmp_path / "store" / "folder").write_bytes(b"a file where a folder should be")
    with pytest.raises(UnavailableError, match="object store cannot handle"):
        await objects.put("folder/key", b"x")


def test_an_address_of_no_known_kind_says_what_to_use() -> None:
    with pytest.raises(InvalidInputError, match="use file://, s3://"):
        ObstoreObjectStore.from_url("ftp://host/dir")


async def test_a_killed_writer_leaves_the_old_object_and_rubbish_that_can_be_removed(tmp_path: Path) -> None:
    objects = ObstoreObjectStore.from_url(tmp_path.as_uri())
    await objects.put("doc", b"old")
    writer = """
import asyncio, sys
from perdure.providers.obstore_object_store import ObstoreObjectStore
async def slow():
    for _ in range(40):
        yield bytes(1024 * 1024)
    sys.stdout.write("half way\\n"); sys.stdout.flush()
    await asyncio.sleep(60)
async def main():
    objects = ObstoreObjectStore.from_url(sys.argv[1])
    await objects.put("finished", b"whole")
    await objects.put_stream("doc", slow(), max_bytes=10**9)
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", writer, tmp_path.as_uri(), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"half way\n"
    process.kill()
    assert await process.wait() == -signal.SIGKILL
    assert await objects.get("doc") == b"old"
    assert await objects.get("finished") == b"whole"
    assert sorted([key async for key in objects.list("")]) == ["doc", "finished"]
    assert remove_unfinished(tmp_path) == 1
    assert files_under(tmp_path) == ["doc", "finished"]


async def test_a_bucket_behaves_as_a_directory_does(s3: S3Server, s3_url: str) -> None:
    objects = ObstoreObjectStore.from_url(s3_url)
    await objects.check()
    stored = await objects.put_stream("org_1/big", pieces(*[bytes(MEBIBYTE)] * 30), max_bytes=30 * MEBIBYTE)
    assert stored.size_bytes == await objects.size("org_1/big") == 30 * MEBIBYTE
    await objects.put("org_1/ü b", b"0123456789")
    assert [chunk async for chunk in objects.stream("org_1/ü b", 2, 5)] == [b"234"]
    url = await objects.sign("org_1/ü b", timedelta(minutes=5))
    assert url is not None
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(url)).content == b"0123456789"

    async def too_much() -> AsyncIterator[bytes]:
        for number in range(30):
            # A part that is on its way while the upload is aborted may arrive after that.
            while number == 18 and not {"1", "2"} <= {path.name for path in s3.unfinished()}:  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.02)
            yield bytes(MEBIBYTE)

    with pytest.raises(PayloadTooLargeError):
        await objects.put_stream("org_1/over", too_much(), max_bytes=20 * MEBIBYTE)
    with pytest.raises(NotFoundError):
        await objects.get("org_1/over")
    assert s3.unfinished() == []
    assert await objects.size("gone") is None
    await objects.delete(["org_1/big", "gone", "org_1/ü b"])
    assert [key async for key in objects.list("org_1")] == []
