"""The console against hostile pages, links and data: every form, every page, whatever is added later."""

import re
from collections.abc import AsyncIterator, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api import sessions
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.domain.tokens import hash_secret
from perdure.settings import Settings
from tests.accounts import Account
from tests.api.conftest import PASSWORD, application_of, quick_passwords
from tests.api.test_two_organisations import PUBLIC, Route, Side, _side, path_with, routes_of
from tests.row_factory import table

# What takes no cookie at all is closed to a browser, whatever token it shows.
WITHOUT_COOKIE = {"POST /mcp"}
BASE = "http://perdure.test"
EVIL = "evil.example"


@pytest.fixture(scope="module")
async def side(product: FastAPI, database: Database) -> AsyncIterator[Side]:
    """An organisation with a row in every table, its owner logged in with a browser."""
    product.state.logins._passwords = quick_passwords()
    side = await _side(product, database)
    yield side
    await side.bearer.aclose()
    await side.browser.aclose()


@pytest.fixture
async def visitor(product: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that nobody has used yet."""
    transport = httpx.ASGITransport(product, client=("192.0.2.80", 1))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        yield http


@pytest.fixture
async def person(visitor: httpx.AsyncClient) -> dict[str, str]:
    """Log-in of somebody who has an account."""
    body = {"email": f"{new_id('usr')}@example.com", "password": PASSWORD}
    answer = await visitor.post("/api/v1/auth/register", json=body | {"name": "Ada", "organisation": "x"})
    assert answer.status_code == 201, answer.text
    return body


def unsafe_routes(app: FastAPI) -> Iterator[Route]:
    """What changes something, of console and API: a browser sends its cookie to both."""
    for route in routes_of(app):
        if route.method not in sessions.SAFE_METHODS and route.name not in PUBLIC:
            yield route


# Cross-site request forgery


def forged_requests(side: Side, stranger: Side) -> dict[str, dict[str, str]]:
    """What a page of another site can make a browser send, and what it could try besides."""
    token = side.browser.headers[sessions.CSRF_HEADER]
    return {
        "no token": {},
        "an empty token": {sessions.CSRF_HEADER: ""},
        "a wrong token": {sessions.CSRF_HEADER: "A" * 43},
        "part of the token": {sessions.CSRF_HEADER: token[:-1]},
        "the token of another session": {
            sessions.CSRF_HEADER: stranger.browser.headers[sessions.CSRF_HEADER]
        },
        "a token that is not ASCII": {sessions.CSRF_HEADER: "\u00e9" * 43},
        "another site": {sessions.CSRF_HEADER: token, "Origin": f"https://{EVIL}"},
        "a site whose name begins alike": {sessions.CSRF_HEADER: token, "Origin": f"{BASE}.{EVIL}"},
        "another port": {sessions.CSRF_HEADER: token, "Origin": f"{BASE}:8080"},
        "a hidden origin": {sessions.CSRF_HEADER: token, "Origin": "null"},
        "an origin that is none": {sessions.CSRF_HEADER: token, "Origin": "http://["},
        "another site, as the browser says": {sessions.CSRF_HEADER: token, "Sec-Fetch-Site": "cross-site"},
    }


async def test_no_form_and_no_route_obeys_a_page_of_another_site(
    product: FastAPI, database: Database, side: Side
) -> None:
    stranger = await _side(product, database)
    walked = 0
    transport = httpx.ASGITransport(product, client=("192.0.2.81", 1))
    async with httpx.AsyncClient(transport=transport, base_url=BASE, cookies=side.browser.cookies) as http:
        for route in unsafe_routes(product):
            for name, headers in forged_requests(side, stranger).items():
                answer = await http.request(
                    route.method,
                    path_with(route, side.rows),
                    headers=[(key.encode(), value.encode("latin-1")) for key, value in headers.items()],
                    data={"csrf_token": headers.get(sessions.CSRF_HEADER, "")},
                )
                closed = 401 if route.name in WITHOUT_COOKIE else 403
                assert answer.status_code == closed, (route.name, name, answer.status_code)
            walked += 1
    assert walked >= 25
    async with database.transaction(side.organisation_id) as session:
        for name, row in side.rows.items():
            this = table(name)
            key = [column == row[column.name] for column in this.primary_key.columns]
            assert (await session.execute(this.select().where(*key))).first() is not None, name


@pytest.mark.parametrize("path", ["/login", "/register"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": f"https://{EVIL}"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_another_site_logs_nobody_in(
    visitor: httpx.AsyncClient, person: dict[str, str], path: str, headers: dict[str, str]
) -> None:
    form = person | {"name": "Eve", "organisation": "x", "email": f"{new_id('usr')}@example.com"}
    answer = await visitor.post(path, data=person if path == "/login" else form, headers=headers)
    assert answer.status_code == 403
    assert sessions.COOKIE not in visitor.cookies


async def test_another_site_logs_nobody_out(visitor: httpx.AsyncClient, person: dict[str, str]) -> None:
    await visitor.post("/login", data=person)
    assert (await visitor.post("/logout", data={"csrf_token": "guessed"})).status_code == 403
    assert (await visitor.get("/operations")).status_code == 200


# Session fixation


def csrf_token_of(page: str) -> str:
    found = re.search(r'name="csrf-token" content="([^"]+)"', page)
    assert found is not None
    return found[1]


async def test_a_log_in_makes_a_new_session_whatever_the_browser_had(
    product: FastAPI, database: Database, visitor: httpx.AsyncClient, person: dict[str, str]
) -> None:
    planted = "planted-by-somebody-who-knows-it"
    visitor.cookies.set(sessions.COOKIE, planted)
    answer = await visitor.post("/login", data=person)
    (cookie,) = answer.headers.get_list("set-cookie")
    assert planted not in cookie
    fresh = cookie.partition("=")[2].partition(";")[0]
    assert len(fresh) == 43
    attributes = {each.strip().lower() for each in cookie.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/"} <= attributes
    assert not any(each.startswith("domain") for each in attributes)
    async with database.transaction(None) as session:
        sessions_table = table("sessions")
        known = set(
            await session.scalars(sessions_table.select().with_only_columns(sessions_table.c.token_hash))
        )
    assert hash_secret(fresh) in known
    assert hash_secret(planted) not in known
    async with _browser(product, planted) as attacker:
        assert (await attacker.get("/operations")).status_code == 303


def _browser(product: FastAPI, cookie: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(product, client=("192.0.2.82", 1))
    return httpx.AsyncClient(transport=transport, base_url=BASE, cookies={sessions.COOKIE: cookie})


async def test_a_log_in_over_a_session_that_an_attacker_planted_ends_it(
    product: FastAPI, visitor: httpx.AsyncClient, person: dict[str, str]
) -> None:
    """The attacker logs in, plants the cookie, and waits for the victim to log in on top of it."""
    body = {"email": f"{new_id('usr')}@example.com", "password": PASSWORD, "name": "Eve", "organisation": "x"}
    await visitor.post("/register", data=body)
    planted = visitor.cookies[sessions.COOKIE]
    before = csrf_token_of((await visitor.get("/operations")).text)
    await visitor.post("/login", data=person)
    assert visitor.cookies[sessions.COOKIE] != planted
    assert csrf_token_of((await visitor.get("/operations")).text) != before
    async with _browser(product, planted) as attackers:
        assert (await attackers.get("/operations")).status_code == 303


async def test_registering_makes_a_new_session_too(visitor: httpx.AsyncClient) -> None:
    visitor.cookies.set(sessions.COOKIE, "planted")
    email = f"{new_id('usr')}@example.com"
    form = {"email": email, "password": PASSWORD, "name": "Ada", "organisation": "x"}
    answer = await visitor.post("/register", data=form)
    assert answer.status_code == 303
    assert "planted" not in answer.headers["set-cookie"]


async def test_who_was_deleted_while_logged_in_comes_to_the_log_in(
    visitor: httpx.AsyncClient, person: dict[str, str], database: Database
) -> None:
    """The session is remembered for some seconds: page and log-in must not send the browser to each other."""
    await visitor.post("/login", data=person)
    assert (await visitor.get("/operations")).status_code == 200
    async with database.transaction(None) as session:
        await session.execute(text("DELETE FROM users WHERE email = :email"), {"email": person["email"]})
    answer = await visitor.get("/operations", follow_redirects=True)
    assert answer.status_code == 200
    assert answer.url.path == "/login"


# Open redirects


ELSEWHERE = (
    f"//{EVIL}",
    f"///{EVIL}",
    f"////{EVIL}",
    f"/\\{EVIL}",
    f"\\\\{EVIL}",
    f"\\/{EVIL}",
    f"/\\/{EVIL}",
    f"/\t/{EVIL}",
    f"/\n/{EVIL}",
    f"/\r/{EVIL}",
    f"\t//{EVIL}",
    f" //{EVIL}",
    f"/\x00/{EVIL}",
    f"/\u2028/{EVIL}",
    f"/\u00ad/{EVIL}",
    f"/\uff0f{EVIL}",
    f"\u2215\u2215{EVIL}",
    f"https://{EVIL}",
    f"https:{EVIL}",
    f"https:/{EVIL}",
    f"https:\\\\{EVIL}",
    f"hTTps://{EVIL}",
    f"http://perdure.test@{EVIL}",
    f"http://perdure.test.{EVIL}/",
    f"//{EVIL}/%2e%2e",
    f"//{EVIL}\\@perdure.test",
    f"/%2f{EVIL}",
    f"/%5c{EVIL}",
    f"/%09/{EVIL}",
    f"%2f%2f{EVIL}",
    f"/.//{EVIL}",
    f"/..//{EVIL}",
    f"/;@{EVIL}",
    f"/@{EVIL}",
    f"?next=//{EVIL}",
    f".{EVIL}",
    "javascript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    f"/operations\r\nLocation: https://{EVIL}",
    f"/operations\r\n\r\n<script src=https://{EVIL}></script>",
)


def landing_place(location: str) -> str:
    """The host to which a browser goes: it drops tabs and line breaks, and takes a backslash for a slash."""
    cleaned = re.sub(r"[\t\r\n]", "", location.strip("\x00 \t\r\n\f\v")).replace("\\", "/")
    return urlsplit(urljoin(f"{BASE}/login", cleaned)).netloc


def test_the_forms_would_lead_elsewhere_if_they_were_followed() -> None:
    assert sum(landing_place(each) != "perdure.test" for each in ELSEWHERE) >= 20


@pytest.mark.parametrize("form", ELSEWHERE)
async def test_logging_in_leads_to_no_other_site(
    visitor: httpx.AsyncClient, person: dict[str, str], form: str
) -> None:
    for next_page in (form, quote(form, safe=""), quote(quote(form, safe=""), safe="")):
        shown = await visitor.get("/login", params={"next": next_page})
        assert shown.status_code == 200
        answers = [await visitor.post("/login", data=person | {"next": next_page})]
        answers.append(await visitor.get("/login", params={"next": next_page}))  # logged in by now
        for answer in answers:
            assert answer.status_code == 303
            assert landing_place(answer.headers["location"]) == "perdure.test", answer.headers["location"]
            assert_clean(answer)
        visitor.cookies.clear()


@pytest.mark.parametrize("form", ELSEWHERE)
async def test_an_ended_session_leads_back_to_no_other_site(
    visitor: httpx.AsyncClient, person: dict[str, str], form: str
) -> None:
    """A part of a page asks in the name of a page whose address the browser tells."""
    address = quote(f"{BASE}{form}", safe=":/@?;.\\%")
    partial = {"HX-Request": "true", "HX-Current-URL": address}
    for answer in (
        await visitor.post("/documents/doc_00000000000000000000000000/delete", headers=partial),
        await visitor.get("/operations", headers=partial),
        await visitor.get(f"/operations?{quote(form)}"),
    ):
        to = answer.headers.get("location") or answer.headers["hx-redirect"]
        assert landing_place(to) == "perdure.test"
        next_page = unquote(urlsplit(to).query.partition("next=")[2])
        back = await visitor.post("/login", data=person | {"next": next_page})
        assert landing_place(back.headers["location"]) == "perdure.test", next_page
        visitor.cookies.clear()


async def test_no_redirect_trusts_the_host_header(caller: Account) -> None:
    document = await caller.ingested(json={"text": "The lighthouse."})
    for path in (f"/documents/{document['id']}/download", "/", "/operations"):
        answer = await caller.http.get(path, headers={"Host": EVIL})
        assert EVIL not in answer.headers.get("location", ""), path


# Header injection


BREAKS = ("\r\n", "\n", "\r", "\r\n\r\n", "\u010d\u010a", "\u560a\u560d", "\x00", "\x0b", "\u2028")


def assert_clean(answer: httpx.Response) -> None:
    """Nothing that was sent has become a header of its own. Servers below us pass the bytes on as they are."""
    for name, value in answer.headers.raw:
        assert not re.search(rb"[\x00\r\n]", name + value), (name, value)
    assert b"evil" not in [name.lower() for name, _ in answer.headers.raw]
    assert "evil=1" not in " ".join(answer.headers.get_list("set-cookie"))


@pytest.mark.parametrize("line_break", BREAKS, ids=ascii)
async def test_no_parameter_of_any_route_becomes_a_header(
    product: FastAPI, side: Side, line_break: str
) -> None:
    attack = f"x{line_break}Evil: 1{line_break}Set-Cookie: evil=1"
    names = ("next", "notice", "q", "space", "status", "cursor", "back", "passage", "kind", "after", "limit")
    for route in routes_of(product):
        if route.name in {"POST /api/v1/documents", "POST /api/v1/documents/batch"}:
            continue  # with the wrong content type they say so; bodies are attacked below
        path = re.sub(r"\{[^}]+\}", quote(attack, safe=""), route.path)
        answer = await side.http(route).request(
            route.method,
            path,
            params=dict.fromkeys(names, attack),
            headers={"X-Request-ID": quote(attack), "Range": "bytes=x", "HX-Current-URL": quote(attack)},
        )
        assert answer.status_code < 500, (route.name, answer.text[:300])
        assert_clean(answer)


@pytest.mark.parametrize("line_break", BREAKS, ids=ascii)
async def test_no_name_of_a_file_or_title_becomes_a_header(
    product: FastAPI, caller: Account, line_break: str
) -> None:
    attack = f'a"{line_break}Evil: 1{line_break}Set-Cookie: evil=1;x.html'
    uploads = [
        quote(attack, safe=" ").encode(),
        attack.encode("utf-8").replace(b'"', b"%22").replace(b"\r", b"%0D").replace(b"\n", b"%0A"),
        attack.encode("utf-8").replace(b'"', b'\\"').replace(b"\r", b" ").replace(b"\n", b" "),
    ]
    documents = [
        await caller.ingested(
            json={"text": f"Harbour {new_id('tst')}", "title": attack, "external_id": attack}
        )
    ]
    for number, file_name in enumerate(uploads):
        body = (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="' + file_name + b'"\r\n'
            b"Content-Type: text/html\r\n\r\n"
            + f"Lighthouse {number} {new_id('tst')}".encode()
            + b"\r\n--b--\r\n"
        )
        documents.append(
            await caller.ingested(content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})
        )
    for document in documents:
        link = (await caller.get(f"/documents/{document['id']}/content"))["url"]
        answer = await caller.http.get(link)
        assert answer.status_code == 200
        assert_clean(answer)
        assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
        assert not set(answer.headers["content-disposition"][len("attachment; filename*=UTF-8''") :]) & set(
            '";= '
        )
        assert answer.headers["x-content-type-options"] == "nosniff"
        for path in (f"/documents/{document['id']}/download", f"/api/v1/documents/{document['id']}"):
            assert_clean(await caller.http.get(path))


@pytest.mark.parametrize("line_break", BREAKS, ids=ascii)
async def test_no_name_of_a_person_becomes_a_header(visitor: httpx.AsyncClient, line_break: str) -> None:
    attack = f"x{line_break}Evil: 1{line_break}Set-Cookie: evil=1"
    form = {
        "email": f"{new_id('usr')}@example.com",
        "password": PASSWORD,
        "name": attack,
        "organisation": attack,
    }
    assert_clean(await visitor.post("/register", data=form))
    assert_clean(await visitor.post("/api/v1/auth/register", json=form))
    assert_clean(await visitor.post("/login", data={"email": attack, "password": attack}))


# What a page may run


class Page(HTMLParser):
    """Collects what a strict policy would refuse, and what it would load."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.loaded: list[str] = []
        self._in: str | None = None
        self.feed(source)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if (tag == "script" and "src" not in given) or tag in {"style", "base", "object", "embed", "iframe"}:
            self.faults.append(f"<{tag}>")
        for name, value in attributes:
            if name.startswith(("on", "hx-on", "data-hx-on")) or name == "style":
                self.faults.append(f"{tag} {name}={value!r}")
            if re.match(r"\s*(javascript|data|vbscript):", value or "", re.IGNORECASE) and name != "content":
                self.faults.append(f"{tag} {name}={value!r}")
            if name in {"hx-vals", "hx-headers"} and (value or "").strip().startswith(("js:", "javascript:")):
                self.faults.append(f"{tag} {name}={value!r}")
        for name in ("src", "action", "formaction", "hx-get", "hx-post", "sse-connect", "poster", "data"):
            if given.get(name):
                self.loaded.append(given[name] or "")
        if tag == "link":
            self.loaded.append(given.get("href") or "")


async def every_page(
    product: FastAPI, side: Side, visitor: httpx.AsyncClient
) -> AsyncIterator[tuple[str, httpx.Response]]:
    """Every page for somebody logged in, for a stranger, as a part, and every page that tells of an error."""
    browsers = {"owner": side.browser, "stranger": visitor}
    for who, http in browsers.items():
        for route in routes_of(product):
            if route.is_console and route.method == "GET" and route.path not in {"/openapi.json", "/metrics"}:
                path = (
                    "/problems/not-found"
                    if route.path.startswith("/problems/")
                    else path_with(route, side.rows)
                )
                html: dict[str, Any] = {"Accept": "text/html"}
                yield f"{who} {path}", await http.get(path, headers=html)
                yield f"{who} {path} as a part", await http.get(path, headers=html | {"HX-Request": "true"})
    token = {sessions.CSRF_HEADER: side.browser.headers[sessions.CSRF_HEADER]}
    hostile = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    yield (
        "search",
        await side.browser.get("/search", params={"q": hostile, "space": hostile, "explain": "true"}),
    )
    yield "a list", await side.browser.get("/documents", params={"space": hostile})
    yield "not found", await side.browser.get("/documents/doc_00000000000000000000000000")
    yield "not understood", await side.browser.get("/documents", params={"status": hostile})
    yield (
        "refused",
        await visitor.post("/login", data={"email": hostile, "password": hostile, "next": hostile}),
    )
    yield (
        "refused",
        await visitor.post("/register", data={"email": hostile, "name": hostile, "password": "x"}),
    )
    yield "forbidden", await visitor.post("/login", headers={"Origin": f"https://{EVIL}"})
    form = {"email": hostile, "role": "viewer"}
    yield "a wrong form", await side.browser.post("/settings/members", data=form, headers=token)
    form = {"name": hostile, "scopes": "documents:read"}
    yield "a new key", await side.browser.post("/settings/api-keys", data=form, headers=token)


async def test_no_page_holds_inline_script_or_style_and_each_has_the_strict_policy(
    product: FastAPI, side: Side, visitor: httpx.AsyncClient
) -> None:
    pages = 0
    async for name, answer in every_page(product, side, visitor):
        assert answer.status_code < 500, name
        assert_clean(answer)
        parts = answer.headers["content-security-policy"].split(";")
        policy = dict(part.strip().partition(" ")[::2] for part in parts)
        assert policy["default-src"] == "'none'", name
        assert (policy["script-src"], policy["style-src"]) == ("'self'", "'self'"), name
        assert (policy["base-uri"], policy["frame-ancestors"], policy["form-action"]) == (
            "'none'",
            "'none'",
            "'self'",
        ), name
        assert "unsafe" not in answer.headers["content-security-policy"], name
        assert answer.headers["x-content-type-options"] == "nosniff", name
        assert answer.headers["x-frame-options"] == "DENY", name
        assert answer.headers["cross-origin-opener-policy"] == "same-origin", name
        assert answer.headers["referrer-policy"] in {"no-referrer", "same-origin"}, name
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        page = Page(answer.text)
        assert page.faults == [], name
        assert all(each.startswith("/") and not each.startswith("//") for each in page.loaded), (
            name,
            page.loaded,
        )
        pages += 1
    assert pages >= 18


async def test_every_answer_of_every_route_has_the_security_headers(product: FastAPI, side: Side) -> None:
    for route in routes_of(product):
        path = re.sub(r"\{[^}]+\}", "nothing-of-this-name", route.path)
        answer = await side.http(route).request(route.method, path)
        assert {
            "content-security-policy",
            "x-content-type-options",
            "x-frame-options",
            "referrer-policy",
            "cross-origin-opener-policy",
            "cross-origin-resource-policy",
            "permissions-policy",
            "x-request-id",
        } <= answer.headers.keys(), route.name
        assert "server" not in answer.headers


@pytest.mark.parametrize("behind_https", [True, False])
async def test_behind_https_browsers_are_told_to_stay_there(
    database: Database, tmp_path: Path, behind_https: bool
) -> None:
    async with application_of(database, Settings(home=tmp_path, secure_cookies=behind_https)) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
            answer = await http.get("/problems/not-found")
            assert ("strict-transport-security" in answer.headers) == behind_https
