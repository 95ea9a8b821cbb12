"""Document workflows over HTTP: stored and versioned, all faults at once, YAML, templates, sharing, drawings."""

import json
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from perdure.domain.workflow_templates import NAMES
from perdure.domain.workflow_yaml import read_yaml, write_yaml
from tests.accounts import Account
from tests.workflow_definitions import step

PATH = "/ai/workflows"
YAML = {"Content-Type": "application/yaml"}


def definition(name: str = "Keep letters", *more: dict[str, Any], **fields: Any) -> dict[str, Any]:
    first = {"id": "tell", "type": "transform", "with": {"set": {"title": "document.title"}}}
    return {"name": name, "steps": [first, step("keep", "tell"), *more], **fields}


async def stored(account: Account, **fields: Any) -> dict[str, Any]:
    return await account.post(PATH, 201, json=definition(**fields))


async def put(account: Account, made: dict[str, Any], changed: dict[str, Any], **query: Any) -> Any:
    answer = await account.http.put(f"/api/v1{PATH}/{made['id']}", json=changed, params=query)
    return answer.status_code, answer.json()


async def test_a_workflow_is_stored_read_and_listed_and_is_nobody_elses(
    caller: Account, stranger: Account
) -> None:
    made = await stored(caller)
    assert (made["version"], made["steps"], made["executions"], made["template"]) == (1, 2, 0, None)
    assert made["definition"] == definition()
    assert await caller.get(f"{PATH}/{made['id']}") == made
    (listed,) = (await caller.get(PATH))["items"]
    assert (listed["id"], listed["steps"]) == (made["id"], 2)
    refused = await caller.post(PATH, 409, json=definition())
    assert "already" in refused["detail"]
    for path in ("", "/versions", "/versions/1", "/diff", "/diagram", "/export"):
        await stranger.get(f"{PATH}/{made['id']}{path}", 404)
    await stranger.post(f"{PATH}/{made['id']}/execute", 404, json={})
    await stranger.post(f"{PATH}/{made['id']}/share", 404, json={})
    assert (await stranger.get(PATH))["items"] == []


async def test_a_key_makes_one_workflow(caller: Account) -> None:
    headers = {"Idempotency-Key": "once"}
    made = await caller.post(PATH, 201, json=definition(), headers=headers)
    assert await caller.post(PATH, 200, json=definition(), headers=headers) == made
    await caller.post(PATH, 409, json=definition("Another"), headers=headers)


async def test_every_version_stays_and_the_same_definition_makes_none(caller: Account) -> None:
    made = await stored(caller)
    changed = definition("Keep letters longer", step("file", "keep"))
    status, second = await put(caller, made, changed, note="files, too")
    assert (status, second["version"], second["name"]) == (200, 2, "Keep letters longer")
    assert (await put(caller, made, changed))[1]["version"] == 2
    newest, oldest = (await caller.get(f"{PATH}/{made['id']}/versions"))["items"]
    assert (newest["version"], newest["note"], newest["steps"]) == (2, "files, too", 3)
    assert newest["sha256"] == second["sha256"] != oldest["sha256"]
    first = await caller.get(f"{PATH}/{made['id']}/versions/1")
    assert first["definition"] == made["definition"]
    await caller.get(f"{PATH}/{made['id']}/versions/3", 404)
    page = await caller.get(f"{PATH}/{made['id']}/versions", limit=1)
    (last,) = (await caller.get(f"{PATH}/{made['id']}/versions", cursor=page["next_cursor"]))["items"]
    assert last["version"] == 1
    difference = await caller.get(f"{PATH}/{made['id']}/diff")
    assert (difference["from"], difference["to"]) == (1, 2)
    assert {(one["difference"], one["place"]) for one in difference["changes"]} == {
        ("changed", "/name"),
        ("added", "/steps/file"),
    }
    back = await caller.get(f"{PATH}/{made['id']}/diff", **{"from": 2, "to": 1})
    assert ("removed", "/steps/file") in {(one["difference"], one["place"]) for one in back["changes"]}


async def test_an_archived_workflow_frees_its_name_and_is_changed_and_executed_no_more(
    caller: Account,
) -> None:
    made = await stored(caller)
    answer = await caller.http.delete(f"/api/v1{PATH}/{made['id']}")
    assert (answer.status_code, answer.json()["archived_at"] is None) == (200, False)
    assert (await caller.http.delete(f"/api/v1{PATH}/{made['id']}")).json() == answer.json()
    assert (await caller.get(PATH))["items"] == []
    assert [one["id"] for one in (await caller.get(PATH, archived=True))["items"]] == [made["id"]]
    assert (await put(caller, made, definition("x")))[0] == 409
    await caller.post(f"{PATH}/{made['id']}/execute", 409, json={})
    await caller.post(f"{PATH}/{made['id']}/share", 409, json={})
    assert (await stored(caller))["id"] != made["id"]


async def test_all_faults_are_named_at_once_with_their_places(caller: Account) -> None:
    policy = {"stages": [{"id": "a", "approvers": [{"user": "usr_nobody"}, {"role": "king"}], "rule": "any"}]}
    faulty = definition(
        "Faulty",
        {"id": "ask", "type": "approval", "needs": ["keep"], "with": {"policy": policy}},
        {"id": "part", "type": "sub_workflow", "needs": ["keep"], "with": {"workflow_id": "dwf_none"}},
        {"id": "sort", "type": "classification", "needs": ["gone"], "with": {"workflow_id": "clw_none"}},
        {
            "id": "if",
            "type": "condition",
            "needs": ["keep"],
            "with": {"if": "steps.keep.x ==", "then": "nowhere"},
        },
        step("a", "b"),
        step("b", "a"),
        {"id": "named", "type": "approval", "needs": ["keep"], "with": {"policy": "pol_stored"}},
    )
    refused = await caller.post(PATH, 422, json=faulty)
    places = {error["pointer"] for error in refused["errors"]}
    wanted = {
        "/steps/2/with/policy/stages/0/approvers/0/user",
        "/steps/2/with/policy/stages/0/approvers/1/role",
        "/steps/3/with/workflow_id",
        "/steps/4/with/workflow_id",
        "/steps/4/needs/0",
        "/steps/5/with/if",
        "/steps/5/with/then",
        "/steps/6/needs",
        "/steps/8/with/policy",
    }
    assert {f"/body{place}" for place in wanted} <= places
    found = await caller.post(f"{PATH}/validate", 200, json=faulty)
    assert not found["valid"]
    assert {fault["pointer"] for fault in found["faults"]} >= wanted
    assert (await caller.get(PATH))["items"] == []
    assert await caller.post(f"{PATH}/validate", 200, json=definition()) == {
        "valid": True,
        "faults": [],
        "steps": 2,
    }


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"[]", {}, 422),
        (b'"x"', {}, 422),
        (b"{", {}, 400),
        (
            b'{"name": "x", "steps": [{"id": "a", "type": "http", "with": {"url": "x", "body": 1e999}}]}',
            {},
            422,
        ),
        (b"name: x\nname: y", YAML, 400),
        (b"a: &a [*a]", YAML, 400),
        (b"\xff\xfe\x00", YAML, 400),
        (b"<x/>", {"Content-Type": "application/xml"}, 415),
        (b'{"name": "' + b"x" * 300_000 + b'", "steps": []}', {}, 422),
    ],
)
async def test_what_is_no_definition_is_refused(
    caller: Account, body: bytes, headers: dict[str, str], status: int
) -> None:
    given = {"Content-Type": "application/json", **headers}
    await caller.post(PATH, status, content=body, headers=given)


async def test_a_definition_comes_and_goes_as_yaml(caller: Account) -> None:
    written = write_yaml(definition("In YAML"))
    made = await caller.post(PATH, 201, content=written, headers=YAML)
    assert made["definition"] == definition("In YAML")
    path = f"/api/v1{PATH}/{made['id']}/export"
    exported = await caller.http.get(path, headers={"Accept": "application/yaml"})
    assert exported.headers["content-type"].startswith("application/yaml")
    assert ".yaml" in exported.headers["content-disposition"]
    assert read_yaml(exported.text) == definition("In YAML")
    assert exported.text.startswith("name: In YAML\n")
    plain = await caller.http.get(path)
    assert plain.json() == definition("In YAML")
    again = await caller.post(f"{PATH}/import", 201, json={"definition": plain.json(), "name": "Copy"})
    assert (again["name"], again["version"]) == ("Copy", 1)
    text = {"definition": exported.text, "name": "Copy of YAML"}
    again = await caller.post(f"{PATH}/import", 201, json=text)
    assert again["definition"] == definition("Copy of YAML")
    refused = await caller.post(f"{PATH}/import", 422, json={"definition": "steps, please"})
    assert [one["pointer"] for one in refused["errors"]] == ["/body/definition"]
    broken = await caller.post(f"{PATH}/import", 400, json={"definition": "name: [a\nsteps: b"})
    assert "line" in broken["detail"]
    changed = definition("In YAML", step("more", "keep"))
    answer = await caller.http.put(f"/api/v1{PATH}/{made['id']}", content=write_yaml(changed), headers=YAML)
    assert (answer.status_code, answer.json()["version"]) == (200, 2)
    found = await caller.post(f"{PATH}/{made['id']}/validate", 200)
    assert found == {"valid": True, "faults": [], "steps": 3}


async def test_every_template_becomes_a_workflow(caller: Account) -> None:
    listed = (await caller.http.get(f"/api/v1{PATH}/templates")).json()
    assert [one["name"] for one in listed] == list(NAMES)
    for one in listed:
        needed = {each["name"]: "team@example.com" for each in one["parameters"] if each["required"]}
        body = {"name": f"Our {one['title']}", "parameters": needed}
        made = await caller.post(f"{PATH}/templates/{one['name']}", 201, json=body)
        assert (made["name"], made["template"]) == (f"Our {one['title']}", one["name"])
        assert (await caller.post(f"{PATH}/{made['id']}/validate", 200))["valid"]
    refused = await caller.post(f"{PATH}/templates/{NAMES[0]}", 422, json={"parameters": {"limit": "x"}})
    assert {error["pointer"] for error in refused["errors"]} == {
        "/body/parameters/limit",
        "/body/parameters/contact",
    }
    await caller.get(f"{PATH}/templates/unheard-of", 404)


async def test_a_link_copies_a_version_into_another_organisation(caller: Account, stranger: Account) -> None:
    me = (await caller.get("/auth/me"))["user"]["id"]
    policy = {"stages": [{"id": "a", "approvers": [{"user": me}], "rule": "any"}]}
    asks = {"id": "ask", "type": "approval", "needs": ["keep"], "with": {"policy": policy}}
    made = await caller.post(PATH, 201, json=definition("Shared", asks))
    shared = await caller.post(f"{PATH}/{made['id']}/share", 201, json={"expires_in_hours": 1})
    refused = await stranger.post(f"{PATH}/import", 422, json={"link": shared["link"]})
    place = "/steps/2/with/policy/stages/0/approvers/0/user"
    assert [error["pointer"] for error in refused["errors"]] == [f"/body/definition{place}"]
    put_there = {place.removesuffix("/user"): {"role": "owner"}}
    copied = await stranger.post(
        f"{PATH}/import", 201, json={"link": shared["link"], "replace": put_there, "name": "Ours"}
    )
    assert (copied["name"], copied["version"]) == ("Ours", 1)
    assert copied["definition"]["steps"][2]["with"]["policy"]["stages"][0]["approvers"] == [{"role": "owner"}]
    wrong = await stranger.post(
        f"{PATH}/import", 422, json={"link": shared["link"], "replace": {"/steps/9": 1, "x": 2}}
    )
    assert len(wrong["errors"]) == 2
    token = shared["link"].partition("link=")[2]
    await stranger.post(f"{PATH}/import", 422, json={"link": token})
    forged = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
    for bad in (forged, "x", "https://example.com/?link=", "https://[/?link=x", "?"):
        await stranger.post(f"{PATH}/import", 404, json={"link": bad})
    await stranger.post(f"{PATH}/import", 422, json={"link": token, "definition": definition()})
    await caller.http.delete(f"/api/v1{PATH}/{made['id']}")
    await stranger.post(f"{PATH}/import", 404, json={"link": token})


async def test_a_definition_is_drawn_without_style_or_script(caller: Account) -> None:
    made = await stored(caller)
    svg = await caller.http.get(f"/api/v1{PATH}/{made['id']}/diagram")
    assert svg.headers["content-type"] == "image/svg+xml"
    assert ET.fromstring(svg.text).tag.endswith("svg")  # noqa: S314  # our own drawing
    assert "<style" not in svg.text
    assert "style=" not in svg.text
    drawn = await caller.http.get(f"/api/v1{PATH}/{made['id']}/diagram", params={"format": "mermaid"})
    assert drawn.text.startswith("flowchart TD\n  s_tell[")
    assert "s_tell --> s_keep" in drawn.text


async def test_the_schema_is_served(caller: Account) -> None:
    schema = await caller.get(f"{PATH}/schema")
    assert schema["properties"].keys() >= {"name", "steps", "parameters"}
    json.dumps(schema)


async def test_who_may_only_read_stores_and_executes_nothing(caller: Account) -> None:
    made = await stored(caller)
    key = await caller.post("/api-keys", 201, json={"name": "reads", "scopes": ["workflows:read"]})
    headers = {"Authorization": f"Bearer {key['key']}"}
    await caller.get(f"{PATH}/{made['id']}")
    await caller.post(PATH, 403, json=definition("x"), headers=headers)
    await caller.post(f"{PATH}/{made['id']}/execute", 403, json={}, headers=headers)
    await caller.post(f"{PATH}/{made['id']}/share", 403, json={}, headers=headers)
    assert (await caller.http.get(f"/api/v1{PATH}", headers=headers)).status_code == 200
    actions = {event["action"] for event in (await caller.get("/audit"))["items"]}
    assert "workflow.created" in actions
