"""Workers die while a space is embedded at a provider: the old vectors serve, and nothing is asked for twice."""

import json
from collections import Counter

from sqlalchemy import text

from tests.accounts import Account
from tests.faults.checks import progressed, settled
from tests.faults.installation import Installation
from tests.provider_servers import OpenAIServer

MEMORIES, PAGE, DEATHS = 1_600, 256, 2
MODEL = "openai_compatible:words@64"
_VECTORS = text(
    "SELECT m.id, array_agg(e.model) FROM memories m LEFT JOIN memory_embeddings e ON e.memory_id = m.id GROUP BY m.id"
)


async def test_a_space_is_embedded_anew_though_its_workers_die(
    installation: Installation, account: Account
) -> None:
    lines = "\n".join(json.dumps({"content": f"Number {n} is in drawer {n}."}) for n in range(MEMORIES))
    imported = await account.post("/memories/import", files={"file": ("m.jsonl", lines.encode())})
    assert (await settled(account, imported["id"]))["result"]["remembered"] == MEMORIES
    server = OpenAIServer(dimension=64)
    server.embeds_after_s = 1.0  # there is time to die
    async with server.serving():
        key = {"provider": "openai_compatible", "name": "here", "base_url": f"{server.url}/v1"}
        await account.post("/providers/keys", 201, json=key | {"default_model": "words"})
        operation = await account.post("/spaces/default/reembed", json={"model": MODEL})
        for death in range(DEATHS):
            now = await progressed(account, operation["id"], death * PAGE + 1)
            assert now["status"] == "running", now
            await installation.killed("worker cpu")
            asked = {"query": "Where is number 7?", "mode": "dense", "limit": 1}
            found = await account.post("/memories/recall", 200, json=asked)
            assert found["items"][0]["content"] == "Number 7 is in drawer 7."
        ended = await settled(account, operation["id"])
        assert ended["status"] == "completed", ended
        sent = Counter(said for asked in server.embedded for said in asked["input"] if "drawer" in said)
        assert len(sent) == MEMORIES
        # Of what was embedded, nothing but the page that was under way is asked for again.
        assert sent.total() <= MEMORIES + DEATHS * PAGE
        found = await account.post("/memories/recall", 200, json=asked)
        assert (found["items"][0]["content"], found["notice"]) == ("Number 7 is in drawer 7.", None)
    database = installation.database()
    try:
        async with database.transaction(account.organisation_id) as session:
            models = [row[1] for row in await session.execute(_VECTORS)]
    finally:
        await database.aclose()
    assert models == [[MODEL]] * MEMORIES
