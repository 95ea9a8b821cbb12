"""Console: somebody who is in several organisations."""

import re
from collections.abc import AsyncIterator
from html import unescape
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI

from api.sessions import COOKIE, CSRF_HEADER
from perdure.domain.ids import new_id
from tests.api.conftest import PASSWORD, quick_passwords
from tests.api.test_console_security import csrf_token_of

BASE = "http://perdure.test"
PAGE = "/organisations"


@pytest.fixture
async def http(product: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in which nobody is logged in."""
    product.state.logins._passwords = quick_passwords()
    transport = httpx.ASGITransport(product, client=("192.0.2.93", 1))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as visitor:
        yield visitor


@pytest.fixture
async def host_id(http: httpx.AsyncClient, person: dict[str, str]) -> str:
    """The id of an organisation, "The host", that the person was added to as an approver."""
    host = await _registered(http, "The host")
    answer = await http.post(
        "/api/v1/members",
        json={"email": person["email"], "role": "approver"},
        headers={"Authorization": f"Bearer {host['access_token']}"},
    )
    assert answer.status_code == 201, answer.text
    return str(host["organisation"]["id"])


@pytest.fixture
async def person(http: httpx.AsyncClient) -> dict[str, str]:
    """E-mail and password of somebody with an organisation of their own, "Their own"."""
    own = await _registered(http, "Their own")
    return {"email": str(own["user"]["email"]), "password": PASSWORD}


async def _registered(http: httpx.AsyncClient, organisation: str) -> dict[str, dict[str, str]]:
    body = {"email": f"{new_id('usr')}@example.com", "password": PASSWORD, "name": "Ben"}
    answer = await http.post("/api/v1/auth/register", json=body | {"organisation": organisation})
    assert answer.status_code == 201, answer.text
    made: dict[str, dict[str, str]] = answer.json()
    return made


def _csrf(page: str) -> dict[str, str]:
    return {CSRF_HEADER: csrf_token_of(page)}


async def test_who_was_added_to_an_organisation_opens_it_after_the_log_in(
    http: httpx.AsyncClient, person: dict[str, str], host_id: str
) -> None:
    answer = await http.post("/login", data=person | {"next": "/approvals?overdue=true"})
    assert answer.headers["location"] == f"{PAGE}?next=%2Fapprovals%3Foverdue%3Dtrue"
    page = (await http.get(answer.headers["location"])).text
    assert re.search(r"Their own</strong>[^<]*<span[^>]*>open now", page)
    assert 'name="next" value="/approvals?overdue=true"' in page
    form = {"organisation_id": host_id, "next": "/approvals?overdue=true"}
    assert (await http.post(PAGE, data=form)).status_code == 403, "without the CSRF token"
    opened = await http.post(PAGE, data=form, headers=_csrf(page))
    assert (opened.status_code, opened.headers["location"]) == (303, "/approvals?overdue=true")
    assert re.search(r"The host</strong>[^<]*<span[^>]*>open now", (await http.get(PAGE)).text)
    assert (await http.get("/api/v1/auth/me")).json()["organisation"]["id"] == host_id


async def test_the_session_in_the_organisation_before_ends(
    http: httpx.AsyncClient, person: dict[str, str], host_id: str
) -> None:
    await http.post("/login", data=person)
    before = http.cookies[COOKIE]
    page = (await http.get(PAGE)).text
    await http.post(PAGE, data={"organisation_id": host_id}, headers=_csrf(page))
    http.cookies.clear()
    http.cookies.set(COOKIE, before)
    assert (await http.get(PAGE)).headers["location"].startswith("/login")


async def test_an_organisation_of_others_is_not_found(
    http: httpx.AsyncClient, person: dict[str, str]
) -> None:
    foreign = (await _registered(http, "Of others"))["organisation"]["id"]
    await http.post("/login", data=person)
    page = (await http.get(PAGE)).text
    assert "Of others" not in page
    for organisation_id in (foreign, "", "org_none"):
        answer = await http.post(PAGE, data={"organisation_id": organisation_id}, headers=_csrf(page))
        assert answer.status_code == 404
    assert re.search(r"Their own</strong>[^<]*<span[^>]*>open now", (await http.get(PAGE)).text)


async def test_who_is_in_one_organisation_is_not_asked(
    http: httpx.AsyncClient, person: dict[str, str]
) -> None:
    answer = await http.post("/login", data=person | {"next": "/approvals"})
    assert answer.headers["location"] == "/approvals"


async def test_choosing_an_organisation_leads_to_no_other_site(
    http: httpx.AsyncClient, person: dict[str, str], host_id: str
) -> None:
    await http.post("/login", data=person)
    page = await http.get(PAGE, params={"next": "//evil.example"})
    assert "evil.example" not in page.text
    form = {"organisation_id": host_id, "next": "https://evil.example"}
    opened = await http.post(PAGE, data=form, headers=_csrf(page.text))
    assert opened.headers["location"] == "/operations"


async def test_a_key_or_a_token_opens_no_session(
    http: httpx.AsyncClient, person: dict[str, str], host_id: str
) -> None:
    log_in = await http.post("/api/v1/auth/login", json=person)
    token = {"Authorization": f"Bearer {log_in.json()['access_token']}"}
    made = await http.post(
        "/api/v1/api-keys", json={"name": "Searches", "scopes": ["search:read"]}, headers=token
    )
    http.cookies.clear()
    for bearer in (token, {"Authorization": f"Bearer {made.json()['key']}"}):
        listed = await http.get(PAGE, headers=bearer)
        opened = await http.post(PAGE, data={"organisation_id": host_id}, headers=bearer)
        assert (listed.status_code, opened.status_code) == (403, 403)
        assert "The host" not in listed.text
        assert COOKIE not in http.cookies


async def test_a_link_of_another_organisation_leads_to_the_choice(
    http: httpx.AsyncClient, person: dict[str, str], host_id: str
) -> None:
    await http.post("/login", data=person)
    approval = f"/approvals/{new_id('apr')}?tab=history"
    found = await http.get(approval)
    assert found.status_code == 404, found.text
    onward = f"{PAGE}?next={quote(approval, safe='')}"
    assert ("You are in Their own" in found.text, f'href="{onward}"' in unescape(found.text)) == (True, True)
    assert f'name="next" value="{approval}"' in (await http.get(onward)).text
    alone = await _registered(http, "Alone")
    await http.post("/login", data={"email": alone["user"]["email"], "password": PASSWORD})
    assert "organisations?next" not in (await http.get(approval)).text
