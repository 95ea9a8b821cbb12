from datetime import timedelta

import pytest
from fastapi import FastAPI
from temporalio.client import Client

from api import sweeper
from api.sweeper import Sweeper
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.ports.storage import ObjectStore
from perdure.providers.obstore_object_store import ObstoreObjectStore
from tests.accounts import Account

AT_ONCE = timedelta(seconds=-1)


@pytest.fixture
def objects(product: FastAPI) -> ObjectStore:
    store: ObjectStore = product.state.objects
    return store


async def keys_of(objects: ObjectStore, organisation_id: str) -> set[str]:
    return {key async for key in objects.list(organisation_id)}


async def test_what_an_api_that_died_had_stored_goes_and_all_else_stays(
    caller: Account, stranger: Account, objects: ObjectStore, database: Database, temporal: Client
) -> None:
    for account in (caller, stranger):
        await account.ingested(json={"text": "Keep this text."})
        await account.ingested(files={"file": ("a.txt", b"Keep this file.")})
        items = [{"text": f"Keep this item {number}."} for number in range(3)]
        await account.ended(await account.post("/documents/batch", json={"items": items}))
    of_use = await keys_of(objects, caller.organisation_id) | await keys_of(objects, stranger.organisation_id)
    unused = f"{caller.organisation_id}/originals/{new_id('obj')}"
    own = f"{caller.organisation_id}/inbox/own-name.txt"
    for key in (unused, own):
        await objects.put(key, b"bytes")
    sweeping = Sweeper(database, objects, temporal)

    assert await sweeping.sweep(timedelta(hours=1)) == 0
    assert await objects.size(unused) == 5
    assert await sweeping.sweep(AT_ONCE) >= 1
    assert await objects.size(unused) is None
    assert await objects.size(own) == 5
    after = await keys_of(objects, caller.organisation_id) | await keys_of(objects, stranger.organisation_id)
    assert after - {own} == of_use


async def test_many_objects_are_looked_at_page_by_page(
    caller: Account, database: Database, temporal: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "PAGE", 3)
    objects = ObstoreObjectStore.from_url("memory://")
    for _ in range(8):
        await objects.put(f"{caller.organisation_id}/originals/{new_id('obj')}", b"bytes")
    assert await Sweeper(database, objects, temporal).sweep(AT_ONCE) == 8
    assert await keys_of(objects, "") == set()
