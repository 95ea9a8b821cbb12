"""The examples of docs/notifications.md, run by a shell; and what it lists, beside what there is."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fastapi import FastAPI
from temporalio.testing import ActivityEnvironment

from perdure.db.keyring import Keyring
from perdure.db.session import Database
from perdure.domain.message_kinds import DeliveryFault, EventType
from perdure.master_keys import load_master_keys
from perdure.providers.smtp_sender import SmtpSender
from perdure.settings import Settings
from tests.accounts import Account
from tests.delivering import Outbox, delivering
from tests.guides import followed
from tests.receivers import Receiver
from tests.served import served

GUIDE = (Path(__file__).parents[2] / "docs/notifications.md").read_text()


def block(language: str, *, holding: str = "") -> str:
    """The first block of the guide in a language."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    return str(next(each for each in blocks if holding in each))


async def test_every_example_does_what_the_guide_says(
    caller: Account, product: FastAPI, tmp_path: Path, database: Database, settings: Settings
) -> None:
    scopes = ["webhooks:read", "webhooks:write"]
    key = await caller.post("/api-keys", 201, json={"name": "guide", "scopes": scopes})
    async with served(product) as address:
        values = await followed("notifications.md", address, key["key"], tmp_path)
    made, tried, replayed, rotated, ledger, switched_off = values
    assert (made["name"], made["url"], made["is_active"]) == (
        "billing",
        "https://billing.example/perdure",
        True,
    )
    assert (tried["kind"], tried["endpoint_id"], tried["tries"][0]["ok"]) == ("test", made["id"], False)
    assert tried["tries"][0]["fault"] in set(DeliveryFault)
    assert (replayed["id"], replayed["status"]) == (tried["id"], "waiting")
    assert rotated["secret"] != made["secret"]
    assert rotated["previous_secret_until"] is not None
    assert [message["id"] for message in ledger["items"]] == [tried["id"]]
    assert switched_off["is_active"] is False

    keyring = Keyring(load_master_keys(settings))
    outbox, receiver = Outbox(database, keyring, caller.organisation_id), Receiver()
    await outbox.endpoint(receiver.url, secret=made["secret"])
    (event,) = await outbox.publish()
    async with receiver.up(), delivering(database, keyring, allowed=receiver.host) as messages:
        await ActivityEnvironment().run(messages.deliver_message, outbox.job(event))
    (post,) = receiver.posts
    names: dict[str, Any] = {
        "secret": made["secret"],
        "request": SimpleNamespace(body=post.body, headers=post.headers),
    }
    exec(block("python"), names)  # noqa: S102  # the guide's own
    assert names["event"]["type"] == "approval.completed"
    assert set(names["event"]) == set(re.findall(r'[{,] ?"(type|timestamp|data)":', block("json")))


def test_the_mail_server_of_the_guide_is_one() -> None:
    said = dict(re.findall(r"(PERDURE_\w+)='([^']*)'", block("console", holding="PERDURE_SMTP_URL")))
    assert SmtpSender(said["PERDURE_SMTP_URL"], said["PERDURE_MAIL_FROM"]).is_configured


def test_the_guide_lists_every_event_and_every_fault() -> None:
    rows = "\n".join(line for line in GUIDE.splitlines() if line.startswith("| `"))
    listed = {name for row in rows.splitlines() for name in re.findall(r"`([a-z_.]+)`", row.split("|")[1])}
    assert set(EventType) <= listed
    faults = re.search(r"`fault`: ([^)]*)\)", GUIDE)
    assert faults is not None
    assert set(re.findall(r"`(\w+)`", faults[1])) == set(DeliveryFault)
