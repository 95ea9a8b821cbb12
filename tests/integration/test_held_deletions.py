import fcntl
import multiprocessing
import os
import signal
import threading
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from perdure.errors import ConflictError
from perdure.providers.held_deletions import HELD, HeldDeletions
from perdure.providers.obstore_object_store import ObstoreObjectStore


def files_under(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


@pytest.fixture
def objects(tmp_path: Path) -> ObstoreObjectStore:
    return ObstoreObjectStore.from_url(tmp_path.as_uri())


async def test_what_is_deleted_while_it_is_held_is_gone_for_readers_and_there_for_the_backup(
    objects: ObstoreObjectStore, tmp_path: Path
) -> None:
    await objects.put("org_1/a", b"one")
    await objects.put("org_1/b", b"two")
    with HeldDeletions(tmp_path).held() as set_aside:
        await objects.delete(["org_1/a", "org_1/never-there"])
        assert await objects.size("org_1/a") is None
        assert [key async for key in objects.list("")] == ["org_1/b"]
        assert (set_aside / "org_1/a").read_bytes() == b"one"
    assert not set_aside.exists()
    await objects.delete(["org_1/b"])
    assert files_under(tmp_path) == []


async def test_one_that_is_put_and_deleted_again_while_held_is_kept_once(
    objects: ObstoreObjectStore, tmp_path: Path
) -> None:
    with HeldDeletions(tmp_path).held() as set_aside:
        for content in (b"one", b"two"):
            await objects.put("org_1/a", content)
            await objects.delete(["org_1/a"])
        assert (set_aside / "org_1/a").read_bytes() == b"two"


def test_a_second_backup_is_told_to_wait(tmp_path: Path) -> None:
    with (
        HeldDeletions(tmp_path).held(),
        pytest.raises(ConflictError, match="another backup"),
        HeldDeletions(tmp_path).held(),
    ):
        pass


def test_holding_waits_for_a_deletion_that_is_under_way(tmp_path: Path) -> None:
    deletion = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(deletion, fcntl.LOCK_SH)
    held = threading.Event()

    def hold() -> None:
        with HeldDeletions(tmp_path).held():
            held.set()

    thread = threading.Thread(target=hold)
    thread.start()
    assert not held.wait(0.3)
    os.close(deletion)
    assert held.wait(10)
    thread.join()


def _hold_for_ever(root: Path, is_held: Event) -> None:
    with HeldDeletions(root).held():
        is_held.set()
        signal.pause()


async def test_a_backup_that_was_killed_holds_nothing(objects: ObstoreObjectStore, tmp_path: Path) -> None:
    await objects.put("org_1/a", b"one")
    spawning = multiprocessing.get_context("spawn")
    is_held = spawning.Event()
    process = spawning.Process(target=_hold_for_ever, args=(tmp_path, is_held))
    process.start()
    assert is_held.wait(30)
    process.kill()
    process.join()
    assert (tmp_path / HELD).exists()
    await objects.delete(["org_1/a"])
    assert files_under(tmp_path) == []
    with HeldDeletions(tmp_path).held():
        pass
    assert not (tmp_path / HELD).exists()
