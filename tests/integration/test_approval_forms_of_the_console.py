"""What a person does with a request through the forms of its page, and what the page says when it is refused."""

from collections.abc import AsyncIterator
from html import unescape

import pytest
from fastapi import FastAPI

from tests.approving import Colleague, Office, office, policy, requested, users


@pytest.fixture
async def people(product: FastAPI) -> AsyncIterator[Office]:
    async with office(product) as made:
        yield made


async def _sent(who: Colleague, approval_id: str, form: str, /, **fields: str) -> str:
    """The notice that the page comes back with."""
    answer = await who.http.post(f"/approvals/{approval_id}/{form}", data=fields)
    assert answer.status_code == 303, answer.text
    path, _, notice = str(answer.headers["location"]).partition("?notice=")
    assert path == f"/approvals/{approval_id}"
    return notice


async def _refused(who: Colleague, approval_id: str, form: str, /, **fields: str) -> str:
    answer = await who.http.post(f"/approvals/{approval_id}/{form}", data=fields)
    assert answer.status_code == 422
    return unescape(answer.text)


async def test_every_form_of_a_request_does_what_it_says(people: Office) -> None:
    owner, ada, ben = people.owner, people.ada, people.ben
    asked = [*users(ada), {"email": "auditor@elsewhere.example"}]
    approval_id = await requested(owner, policy(asked, "all"))
    assert await _sent(ada, approval_id, "decision", decision="approve") == "decided-approve"
    assert await ada.inbox() == []
    assert await _sent(ada, approval_id, "revocation") == "decision-revoked"
    assert await ada.inbox() == [approval_id]
    assert await _sent(ada, approval_id, "delegation", to=ben.email) == "delegated"
    assert await ben.inbox() == [approval_id]
    assert await _sent(ada, approval_id, "delegation-end", to=ben.person) == "delegation-ended"
    assert await ben.inbox() == []
    assert await _sent(ada, approval_id, "reassignment", to=ben.email) == "reassigned"
    assert (await ada.inbox(), await ben.inbox()) == ([], [approval_id])
    assert await _sent(ben, approval_id, "comment", text="Ordered twice?") == "commented"
    assert await _sent(owner, approval_id, "reminder") == "reminded"
    assert await _sent(owner, approval_id, "withdrawal") == "withdrawn"
    closed = await owner.get(f"/approvals/{approval_id}")
    assert (closed["status"], closed["outcome"]) == ("closed", "cancelled")
    assert [one["text"] for one in closed["comments"]] == ["Ordered twice?"]


async def test_what_is_refused_is_said_on_the_page_and_changes_nothing(people: Office) -> None:
    approval_id = await requested(people.owner, policy([{"role": "approver"}], "all"))
    before = await people.owner.get(f"/approvals/{approval_id}")
    ada = people.ada
    assert "Choose what you decide." in await _refused(ada, approval_id, "decision", comment="<b>Why</b>")
    assert "<b>Why</b>" in await _refused(ada, approval_id, "decision", comment="<b>Why</b>")
    assert "Name one person" in await _refused(ada, approval_id, "delegation", to="")
    wrong = await _refused(ada, approval_id, "delegation", to=people.ben.email, starts_at="tomorrow")
    assert "'tomorrow' is no date and time." in wrong
    assert "Name one person" in await _refused(ada, approval_id, "reassignment", to="nobody at all")
    assert (await ada.http.post(f"/approvals/{approval_id}/withdrawal")).status_code == 403
    await _refused(ada, approval_id, "revocation")
    await _refused(ada, approval_id, "comment", text="")
    assert await people.owner.get(f"/approvals/{approval_id}") == before
