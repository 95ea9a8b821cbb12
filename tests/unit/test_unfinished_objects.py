"""What a killed process had begun to write goes, when it is old enough."""

import os
import time
from datetime import timedelta
from pathlib import Path

from perdure.providers.obstore_object_store import ObstoreObjectStore


async def test_only_old_beginnings_are_deleted(tmp_path: Path) -> None:
    objects = ObstoreObjectStore.from_url(tmp_path.as_uri())
    await objects.put("org/originals/whole", b"whole")
    old, young = (tmp_path / "org" / "originals" / f"{name}#1" for name in ("old", "young"))
    for path in (old, young):
        path.write_bytes(b"begun")
    two_days_ago = time.time() - 2 * 86_400
    os.utime(old, (two_days_ago, two_days_ago))
    assert await objects.delete_unfinished(timedelta(days=1)) == 1
    assert (old.exists(), young.exists()) == (False, True)
    assert await objects.get("org/originals/whole") == b"whole"


async def test_a_store_in_memory_has_no_beginnings() -> None:
    assert await ObstoreObjectStore.from_url("memory://").delete_unfinished(timedelta(0)) == 0
