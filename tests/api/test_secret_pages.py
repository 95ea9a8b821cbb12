"""The console's page of secrets: what its forms do, refuse and never show."""

import re

import httpx
import pytest
from fastapi import FastAPI

from api.sessions import CSRF_HEADER
from perdure.db.identity_repository import IdentityRepository
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.domain.roles import Role
from tests.api.conftest import BASE, PASSWORD

PAGE = "/settings/secrets"
VALUE = "Bearer crm-0123456789abcdef-WXYZ"
SECRET = {"name": "crm", "origin": "HTTPS://API.example.com:443/orders", "value": VALUE}
OTHER = {"name": "OpenAI", "kind": "provider_key", "value": "sk-proj-0123456789abcdef-OPEN"}


async def secrets_of(browser: httpx.AsyncClient, **query: str) -> list[dict[str, str]]:
    answer = await browser.get("/api/v1/secrets", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, str]] = answer.json()["items"]
    return items


async def added(browser: httpx.AsyncClient, **changes: str) -> str:
    """The id of a secret that is made by its form."""
    answer = await browser.post(PAGE, data=SECRET | changes)
    assert answer.status_code == 303, answer.text
    return (await secrets_of(browser))[0]["id"]


async def test_a_secret_is_known_by_its_origin_its_end_and_who_added_it(browser: httpx.AsyncClient) -> None:
    assert "No secrets yet" in (await browser.get(PAGE)).text
    await browser.post("/api/v1/secrets", json=OTHER)
    await added(browser)
    page = (await browser.get(PAGE)).text
    shown = re.sub(r"<[^>]+>", "", page)
    for part in ("crm", "https://api.example.com", "…WXYZ", "added by Ada"):
        assert part in shown
    assert OTHER["name"] not in page
    assert VALUE not in page
    assert [each["kind"] for each in await secrets_of(browser, kind="http_header")] == ["http_header"]
    assert len(await secrets_of(browser)) == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"origin": ""}, "Only http and https"),
        ({"origin": "api.example.com"}, "such as https://api.example.com. Only http and https"),
        ({"name": " "}, "Name: "),
        ({"value": " "}, "Value: "),
        ({"value": f"{VALUE}\nX-Other: 1"}, "must be one line"),
    ],
)
async def test_what_is_refused_is_shown_again_but_for_the_value(
    browser: httpx.AsyncClient, changes: dict[str, str], said: str
) -> None:
    answer = await browser.post(PAGE, data=SECRET | changes)
    assert (answer.status_code, said in answer.text) == (422, True), answer.text
    assert VALUE not in answer.text
    for field in {"name", "origin"} - set(changes):
        assert f'value="{SECRET[field]}"' in answer.text
    assert await secrets_of(browser) == []


async def test_a_name_is_taken_once(browser: httpx.AsyncClient) -> None:
    await added(browser)
    answer = await browser.post(PAGE, data=SECRET)
    assert (answer.status_code, "There is a secret named" in answer.text) == (422, True)


async def test_a_value_is_replaced_and_revoked(browser: httpx.AsyncClient) -> None:
    secret_id = await added(browser)
    refused = await browser.post(f"{PAGE}/{secret_id}/replace", data={"value": "two\nlines"})
    assert (refused.status_code, "must be one line" in refused.text) == (422, True)
    assert '<details class="more" open>' in refused.text
    replaced = await browser.post(f"{PAGE}/{secret_id}/replace", data={"value": " Bearer another-one-9876 "})
    assert replaced.headers["location"] == f"{PAGE}?notice=secret-replaced"
    page = (await browser.get(PAGE)).text
    assert ("…9876" in page, "…WXYZ" in page, "another-one" in page) == (True, False, False)
    revoked = await browser.post(f"{PAGE}/{secret_id}/revoke")
    assert revoked.headers["location"] == f"{PAGE}?notice=secret-revoked"
    assert await secrets_of(browser) == []
    for verb in ("replace", "revoke"):
        gone = await browser.post(f"{PAGE}/{secret_id}/{verb}", data={"value": VALUE})
        assert gone.status_code == 404


async def test_older_secrets_are_on_the_next_page(browser: httpx.AsyncClient) -> None:
    for number in range(26):
        await browser.post(
            "/api/v1/secrets", json=SECRET | {"kind": "http_header", "name": f"secret-{number}"}
        )
    first = (await browser.get(PAGE)).text
    assert "secret-0<" not in first
    onward = re.search(r'href="(/settings/secrets\?cursor=[^"]+)"', first)
    assert onward is not None
    second = (await browser.get(onward[1])).text
    assert ("secret-0<" in second, "secret-25<" in second) == (True, False)


async def test_only_owners_and_admins_see_the_page(
    product: FastAPI, browser: httpx.AsyncClient, database: Database
) -> None:
    editor = (await browser.get("/workflows/new")).text
    assert f'href="{PAGE}" target="_blank"' in editor
    person = {"email": f"{new_id('usr')}@example.com", "password": PASSWORD}
    transport = httpx.ASGITransport(product, client=("192.0.2.89", 1))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        grant = await http.post("/api/v1/auth/register", json=person | {"name": "Ben", "organisation": "x"})
        made = grant.json()
        async with database.transaction(made["organisation"]["id"]) as session:
            identities = IdentityRepository(session)
            await identities.set_role(made["organisation"]["id"], made["user"]["id"], Role.MEMBER)
        assert (await http.post("/login", data=person)).status_code == 303
        page = (await http.get("/workflows/new")).text
        assert PAGE not in page
        assert "secrets, which an owner or admin keeps" in page
        token = re.search(r'name="csrf-token" content="([^"]+)"', page)
        assert token is not None
        http.headers[CSRF_HEADER] = token[1]
        assert (await http.get(PAGE)).status_code == 403
        assert (await http.post(PAGE, data=SECRET)).status_code == 403
