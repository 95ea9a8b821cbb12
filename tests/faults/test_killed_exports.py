"""A worker dies in the middle of an export: the archive is the one that it would have been."""

import hashlib
import io
import json
import zipfile

from tests.accounts import Account
from tests.faults.checks import settled
from tests.faults.files import archive
from tests.faults.installation import Installation

# What nothing of the export itself adds to.
AT_REST = ("chunks", "documents", "document_versions", "memberships", "operation_items", "spaces", "users")


async def contents(account: Account, export_id: str) -> dict[str, bytes]:
    link = await account.get(f"/exports/{export_id}/content")
    answer = await account.http.get(link["url"], headers={"Authorization": ""})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


async def test_an_export_survives_the_deaths_of_its_worker(
    installation: Installation, account: Account
) -> None:
    data, _ = archive(120)
    batch = await account.post("/documents/batch", files={"file": ("reports.zip", data)})
    await settled(account, batch["id"])

    operation = await account.post("/organisation/export")
    deaths = []
    for step in ("export_rows", "assemble_archive"):
        while True:
            now = await account.get(f"/operations/{operation['id']}")
            if now["progress"]["step"] == step or now["status"] == "completed":
                break
        deaths.append(now["progress"]["step"])
        if now["status"] == "completed":
            break
        await installation.killed("worker io")
    assert deaths[0] == "export_rows", "too fast to be killed in the middle"
    ended = await account.ended(operation, 120)
    assert ended["status"] == "completed", ended["error"]
    killed = await contents(account, operation["id"])

    again = await account.ended(await account.post("/organisation/export"), 120)
    undisturbed = await contents(account, again["id"])
    for table in AT_REST:
        assert killed[f"data/{table}.jsonl"] == undisturbed[f"data/{table}.jsonl"], table
    for name in ("files.jsonl", *(name for name in undisturbed if name.startswith("documents/"))):
        assert killed[name] == undisturbed[name], name
    assert set(killed) == set(undisturbed)
    manifest = json.loads(killed["manifest.json"])
    for table, told in manifest["tables"].items():
        content = killed[f"data/{table}.jsonl"]
        assert (content.count(b"\n"), hashlib.sha256(content).hexdigest()) == (told["rows"], told["sha256"])
    left = await installation.stored(account.organisation_id)
    assert not [key for key in left if "/work/" in key]
