"""The console's pages of document workflows: what their forms do, refuse and keep, without a browser."""

import re
from html import unescape

import httpx

from api.routes.console_workflow_text import TextFormat, written
from perdure.domain.ids import new_id
from tests.api.conftest import Browsers
from tests.workflow_definitions import step

HTMX = {"HX-Request": "true"}
HOSTILE = "<script>alert(1)</script> \"'</textarea>"


def definition(*steps: object, **more: object) -> dict[str, object]:
    return {"name": new_id("tst"), "steps": list(steps) or [step("keep")], **more}


def text_of(given: dict[str, object]) -> dict[str, str]:
    return {"text": written(given, TextFormat.YAML)}


async def created(browser: httpx.AsyncClient, given: dict[str, object]) -> str:
    """The path of a workflow that is made by its text."""
    answer = await browser.post("/workflows/new", data=text_of(given))
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"]).partition("?")[0]


async def test_a_text_with_faults_is_shown_again_with_each_at_its_line(browser: httpx.AsyncClient) -> None:
    broken = definition(step("keep"), step("more", "keep", "nobody"), step("call", "keep", type="http"))
    form = text_of(broken)
    lines = form["text"].splitlines()
    for path, status in (("/workflows/preview", 200), ("/workflows/new", 422)):
        answer = await browser.post(path, data=form)
        assert answer.status_code == status
        shown = unescape(answer.text)
        assert "/steps/2/with/url</code> is missing: a http step needs it" in shown
        assert "'nobody' is no step" in shown
        assert f'data-line="{1 + lines.index("  - nobody")}"' in shown
        assert "<svg" in shown
    assert form["text"] in unescape(answer.text)
    unread = await browser.post("/workflows/new", data={"text": "name: x\nsteps: ["})
    assert unread.status_code == 422
    assert "Line 2" in unread.text or "Line 3" in unread.text
    assert "No workflow yet" in (await browser.get("/workflows")).text


async def test_a_hostile_definition_is_text_everywhere(browser: httpx.AsyncClient) -> None:
    given = definition(step("keep", name=HOSTILE, when='"<b>" == "<b>"'), name=HOSTILE, description=HOSTILE)
    path = await created(browser, given)
    for page in (path, f"{path}/edit", f"{path}/execute", "/workflows", "/workflows/executions"):
        answer = await browser.get(page)
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "</textarea> " not in answer.text
    assert HOSTILE in unescape((await browser.get(path)).text)
    twice = await browser.post("/workflows/new", data=text_of(given))
    assert twice.status_code == 422
    assert "already: choose another name" in unescape(twice.text)


async def test_a_text_is_written_in_the_other_format_and_kept_where_it_cannot_be(
    browser: httpx.AsyncClient,
) -> None:
    given = definition()
    answer = await browser.post("/workflows/new", data=text_of(given) | {"convert": "json"})
    assert answer.status_code == 200
    assert written(given, TextFormat.JSON) in unescape(answer.text)
    broken = {"text": "name: [", "convert": "json"}
    assert "name: [</textarea>" in (await browser.post("/workflows/new", data=broken)).text


async def test_versions_are_made_compared_and_taken_along(browser: httpx.AsyncClient) -> None:
    given = definition(step("keep"))
    path = await created(browser, given)
    form = {**text_of({**given, "steps": [step("keep"), step("more", "keep")]}), "note": "One more"}
    made = await browser.post(f"{path}/edit", data=form)
    assert made.headers["location"] == f"{path}?notice=workflow-version-made"
    again = await browser.post(f"{path}/edit", data=form)
    assert again.headers["location"] == f"{path}?notice=workflow-unchanged"
    page = (await browser.get(path)).text
    assert "One more" in page
    assert "version 2" in page
    assert "This is an older version" in (await browser.get(f"{path}/versions/1")).text
    changes = unescape((await browser.get(f"{path}/diff?from=1&to=2")).text)
    assert "steps / more" in changes
    assert "They say the same" in (await browser.get(f"{path}/diff?from=2&to=2")).text
    file = await browser.get(f"{path}/download?format=json&version=1")
    assert file.json() == given
    assert "attachment" in file.headers["content-disposition"]
    assert (await browser.get(f"{path}/versions/9")).status_code == 404
    assert (await browser.post(f"{path}/archive")).headers["location"].startswith("/workflows?")
    assert "It is archived" in (await browser.get(path)).text
    assert path not in (await browser.get("/workflows")).text


async def test_a_shared_version_is_copied_by_another_organisation_and_what_is_not_there_is_mended(
    browsers: Browsers,
) -> None:
    here, there = await browsers(), await browsers()
    part = await created(here, definition())
    whole = definition(
        step("keep"),
        {"id": "part", "type": "sub_workflow", "with": {"workflow_id": part.rpartition("/")[2]}},
        name="Whole",
    )
    whole["steps"][1]["needs"] = ["keep"]  # type: ignore[index]  # a list of steps
    for path, form, status in (
        (part, {"name": "Copied"}, 303),
        (await created(here, whole), {}, 422),
    ):
        page = (await here.post(f"{path}/share", data={"hours": "24", "version": "1"})).text
        link = re.search(r'data-copy="([^"]+/workflows/import\?link=[^"]+)"', page)
        assert link is not None, page
        led = await there.get(unescape(link[1]))
        assert "Import a workflow" in led.text
        answer = await there.post("/workflows/import", data={"link": unescape(link[1]), **form})
        assert answer.status_code == status, answer.text
    # The text is there to be mended, with the place of what is missing.
    assert "is no document workflow that is in use here" in unescape(answer.text)
    assert "id: part" in answer.text
    assert "Copied" in (await there.get("/workflows")).text
    for foreign in ("", "https://elsewhere.example/?link=x"):
        refused = await there.post("/workflows/import", data={"link": foreign})
        assert refused.status_code == 422


async def test_a_template_asks_for_its_values_and_says_which_do_not_fit(browser: httpx.AsyncClient) -> None:
    shown = await browser.get("/workflows/templates")
    names = re.findall(r'href="/workflows/templates/([a-z-]+)"', shown.text)
    assert "invoice-approval" in names
    for name in set(names):
        page = await browser.get(f"/workflows/templates/{name}")
        assert page.status_code == 200
        assert "<svg" in page.text
    path = "/workflows/templates/invoice-approval"
    wrong = await browser.post(path, data={"name": "Bills", "parameter-limit": "much"})
    assert wrong.status_code == 422
    assert "must be a number" in wrong.text
    assert 'value="much"' in wrong.text
    form = {
        "name": "Bills",
        "parameter-limit": "250",
        "parameter-approver": "approver",
        "parameter-due_in": "3 days",
        "parameter-contact": "bills@example.com",
    }
    made = await browser.post(path, data=form)
    assert made.status_code == 303, made.text
    assert "bills@example.com" in (await browser.get(made.headers["location"])).text
    assert (await browser.get("/workflows/templates/nothing")).status_code == 404


async def test_an_execution_is_started_seen_and_refused_with_the_reason(browser: httpx.AsyncClient) -> None:
    given = definition(
        {"id": "sum", "type": "transform", "with": {"set": {"total": "parameters.net + input.tax"}}},
        parameters={"net": {"type": "number", "required": True}},
    )
    path = await created(browser, given)
    for form, said in (
        ({}, "is missing: a number"),
        ({"parameter-net": "x"}, "must be a number"),
        ({"parameter-net": "1", "input": "[1]"}, "must be an object"),
        ({"parameter-net": "1", "input": "{"}, "The input"),
        ({"parameter-net": "1", "document_id": new_id("doc")}, "No document"),
    ):
        refused = await browser.post(f"{path}/execute", data=form)
        assert refused.status_code == 422
        assert said in unescape(refused.text)
    form = {"parameter-net": "1.5", "input": '{"tax": 0.5}'}
    started = await browser.post(f"{path}/execute", data=form)
    assert started.status_code == 303, started.text
    onward = await browser.get(started.headers["location"])
    page = await browser.get(onward.headers["location"])
    assert page.status_code == 200
    assert "tax" in unescape(page.text)
    execution = str(page.url.path)
    part = await browser.get(execution, headers=HTMX)
    assert part.text.lstrip().startswith('<div id="execution-live"')
    assert execution.rpartition("/")[2] in (await browser.get("/workflows/executions")).text
    assert (await browser.get(f"/workflows/executions/{new_id('exe')}")).status_code == 404
    assert (await browser.get(f"/workflows/executions/of/{new_id('op')}")).status_code == 404
