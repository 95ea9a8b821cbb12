"""A workflow definition is understood wholly, or refused with the place of each fault, in very little time."""

import time
from typing import Any

import pytest

from perdure.domain.workflow_definitions import ParameterType, StepType, bind, graph_of
from perdure.domain.workflow_reading import parse_definition
from perdure.errors import InvalidInputError
from tests.workflow_definitions import INVOICES, large, step


def faults(*steps: dict[str, Any], **more: Any) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as error:
        parse_definition({"name": "Test", "steps": list(steps)} | more)
    return {fault.pointer: fault.detail for fault in error.value.errors}


def test_a_whole_definition_is_read() -> None:
    definition = parse_definition(INVOICES)
    assert [one.type for one in definition.steps][:3] == [
        StepType.CLASSIFICATION,
        StepType.ROUTING,
        StepType.ANALYSIS,
    ]
    extract = definition.steps[2]
    assert (extract.retry.attempts, extract.retry.wait_seconds, extract.timeout_seconds) == (5, 10, 300)
    assert extract.sends == (("on error", "file"),)
    assert [one.id for one in definition.steps[5].body] == ["keep", "tell"]
    edges = {(edge.source, edge.target) for edge in graph_of(definition.steps).edges}
    assert {("kind", "extract"), ("kind", "file"), ("dear", "approve"), ("approve", "each_line")} <= edges


A_URL = "https://example.org"
SETTINGS: list[tuple[str, Any, str]] = [
    ("teleport", {}, "type"),
    ("classification", {}, "with"),
    ("classification", {"labels": [], "threshold": 2}, "with/threshold"),
    ("classification", {"labels": []}, "with/labels"),
    ("analysis", {}, "with/task"),
    ("analysis", {"task": "magic"}, "with/task"),
    ("analysis", {"task": "question_answering"}, "with/question"),
    ("analysis", {"task": "extraction"}, "with/schema"),
    ("transform", {"set": {}}, "with/set"),
    ("transform", {"set": {"Total": "1"}}, "with/set/Total"),
    ("transform", {"set": {"total": "1 +* ("}}, "with/set/total"),
    ("routing", {"branches": []}, "with/branches"),
    ("routing", {"branches": [{"goto": "nowhere"}]}, "with/branches/0/when"),
    ("condition", {"then": "nowhere"}, "with/if"),
    ("condition", {"if": "true", "then": "nowhere"}, "with/then"),
    ("parallel", {"branches": [7]}, "with/branches/0"),
    ("join", {"mode": "some"}, "with/mode"),
    ("for_each", {"items": "input.list", "steps": [step("a")]}, "with/max_items"),
    ("for_each", {"items": "input.list", "max_items": 10**9, "steps": [step("a")]}, "with/max_items"),
    ("for_each", {"items": "input.list", "max_items": 5, "steps": []}, "with/steps"),
    (
        "for_each",
        {"items": "input.list", "max_items": 1_001, "steps": [step("a", compensate="b"), step("b")]},
        "with/max_items",
    ),
    ("approval", {}, "with/policy"),
    ("approval", {"policy": {"stages": [{"id": "a", "rule": "any"}]}}, "with/policy/stages/0/approvers"),
    ("notification", {"channel": "pigeon", "body": "x"}, "with/channel"),
    ("notification", {"channel": "email", "body": "x"}, "with/to"),
    ("notification", {"channel": "slack", "body": "x"}, "with/url"),
    ("http", {"method": "BREW", "url": "https://example.org"}, "with/method"),
    ("wait", {}, "with"),
    ("wait", {"for": "1 day", "until": "2026-01-01"}, "with"),
    ("wait", {"for": "a while"}, "with/for"),
    ("sub_workflow", {"input": []}, "with/workflow_id"),
    ("sub_workflow", {"workflow_id": "w", "input": []}, "with/input"),
    ("remember", {"text": "x", "colour": "red"}, "with/colour"),
    ("compress", {"mode": "magic"}, "with/mode"),
    ("compress", {"mode": "adaptive"}, "type"),
    ("classification", {"labels": ["one"]}, "with/labels"),
    ("classification", {"labels": ["one", "ONE"]}, "with/labels/1"),
    ("classification", {"labels": ["one", {"title": "two"}]}, "with/labels/1"),
    ("classification", {"labels": ["one", {"name": "two", "or three": None}]}, "with/labels/1/or three"),
    ("classification", {"labels": ["one", {"name": "two", "description": 2}]}, "with/labels/1/description"),
    ("classification", {"labels": ["one", "two"], "applies_from": 0.2}, "with/applies_from"),
    ("http", {"url": "ftp://example.org"}, "with/url"),
    ("http", {"url": "https://example.org", "headers": {"Host": "a"}}, "with/headers/Host"),
    ("http", {"url": "https://example.org", "headers": {"X-A": "a\r\nb: c"}}, "with/headers/X-A"),
    ("http", {"url": A_URL, "secret_headers": {"Host": "a"}}, "with/secret_headers/Host"),
    ("http", {"url": A_URL, "secret_headers": {"X-A": "${input.secret}"}}, "with/secret_headers/X-A"),
    ("http", {"url": A_URL, "secret_headers": {"X-A": {"name": "crm"}}}, "with/secret_headers/X-A"),
    (
        "http",
        {"url": A_URL, "headers": {"x-a": "b"}, "secret_headers": {"X-A": "crm"}},
        "with/secret_headers/X-A",
    ),
    ("analysis", {"task": "extraction", "schema": {"type": "array"}}, "with/schema/type"),
    ("analysis", {"task": "extraction", "schema": {"$ref": "file:///etc/passwd"}}, "with/schema/$ref"),
]


@pytest.mark.parametrize(("kind", "settings", "place"), SETTINGS)
def test_what_a_type_of_step_asks_for(kind: str, settings: dict[str, Any], place: str) -> None:
    assert f"/steps/0/{place}" in faults({"id": "one", "type": kind, "with": settings})


def test_what_is_not_built_yet_is_refused_in_these_words() -> None:
    told = faults({"id": "one", "type": "compress", "with": {"mode": "adaptive"}})
    assert told == {"/steps/0/type": "compress is not available yet; leave the step out"}


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"id": "One"}, "id"),
        ({"id": None}, "id"),
        ({"type": None}, "type"),
        ({"type": ["remember"]}, "type"),
        ({"needs": [7]}, "needs/0"),
        ({"needs": ["nowhere"]}, "needs/0"),
        ({"retry": {"attempts": 0}}, "retry/attempts"),
        ({"retry": {"wait": "2 business days"}}, "retry/wait"),
        ({"timeout": "soon"}, "timeout"),
        ({"on_error": "shrug"}, "on_error"),
        ({"on_error": ["fail"]}, "on_error"),
        ({"on_error": {"goto": "nowhere"}}, "on_error/goto"),
        ({"compensate": "nowhere"}, "compensate"),
        ({"max_visits": 0}, "max_visits"),
        ({"input": []}, "input"),
        ({"with": []}, "with"),
        ({"input": {"a": ["${steps.nowhere.x}"]}}, "input/a/0"),
        ({"input": {"a/b": "${input.x"}}, "input/a~1b"),
        ({"input": {"a": '${"}" + nowhere}'}}, "input/a"),
        ({"input": {"a": "${" * 50_000}}, "input/a"),
        ({"when": "steps.nowhere.x"}, "when"),
        ({"when": "steps"}, "when"),
        ({"when": "secrets.key == 1"}, "when"),
        ({"when": "item.x"}, "when"),
        ({"when": "parameters.limit > 1"}, "when"),
        ({"when": "  "}, "when"),
        ({"when": "(1"}, "when"),
        ({"when": "1)"}, "when"),
        ({"when": "a` + 1"}, "when"),
        ({"when": "(" * 21 + "1" + ")" * 21}, "when"),
        ({"when": "1 + " * 400 + "1"}, "when"),
        ({"when": "input.a.map(x, input.b.map(y, input.c.map(z, x + y + z)))"}, "when"),
        ({"mood": "good"}, "mood"),
    ],
)
def test_what_every_step_has(more: dict[str, Any], place: str) -> None:
    assert f"/steps/0/{place}" in faults(step("one") | more)


def test_steps_that_need_each_other_go_in_a_circle() -> None:
    found = faults(step("start"), step("a", "c"), step("b", "a"), step("c", "b"))
    assert found == {"/steps/1/needs": "goes in a circle: a, b, c need each other"}


def test_a_way_back_is_bounded() -> None:
    def back(**more: Any) -> list[dict[str, Any]]:
        return [
            step("draft"),
            step(
                "check",
                "draft",
                type="condition",
                **{"with": {"if": "steps.draft.bad", "then": "draft"}},
                **more,
            ),
        ]

    assert "without bounds" in faults(*back())["/steps/0"]
    parse_definition({"name": "x", "steps": back(max_visits=5)})


def test_a_step_without_a_name_is_one_fault_and_no_more() -> None:
    sends = {"type": "condition", "with": {"if": "true", "then": "b", "else": "a"}}
    found = faults(step("a", max_visits=3), sends | {"needs": ["a"]}, step("b"))
    assert found == {"/steps/1/id": "is missing"}
    assert faults(step("a"), sends | {"needs": ["a"]}, step("b")).keys() == {"/steps/0", "/steps/1/id"}


def test_a_step_that_nothing_leads_to_is_named() -> None:
    found = faults(step("start"), step("lost"), step("after", "lost"))
    assert found.keys() == {"/steps/1", "/steps/2"}


def test_a_step_sees_only_what_runs_before_it() -> None:
    found = faults(step("a", when="steps.b.x"), step("b", "a"))
    assert found == {"/steps/0/when": "'b' does not run before 'a'"}


def test_two_steps_of_a_name_are_a_fault_also_around_a_loop() -> None:
    assert faults(step("a"), step("a", "a")).keys() >= {"/steps/1/id"}
    loop = {"items": "input.x", "max_items": 5, "steps": [step("each")]}
    assert "/steps/0/with/steps/0/id" in faults({"id": "each", "type": "for_each", "with": loop})


def test_all_faults_are_named_at_once() -> None:
    found = faults(
        step("a", when="steps.b.x"),
        step("b", "a", "c", type="fly"),
        {"id": "c", "type": "for_each", "with": {"items": "input.x", "steps": [step("d", when="nope")]}},
        parameters={"limit": {"type": "integer", "default": "many"}, "Bad": {"type": "colour"}},
        mood="good",
    )
    assert found.keys() == {
        "/mood",
        "/parameters/limit/default",
        "/parameters/Bad",
        "/parameters/Bad/type",
        "/steps/0/when",
        "/steps/1/type",
        "/steps/2",
        "/steps/1",
        "/steps/2/with/max_items",
        "/steps/2/with/steps/0/when",
    }


@pytest.mark.parametrize("given", [None, [], "x", {}, {"name": "x"}, {"name": "x", "steps": {}}])
def test_what_is_no_definition_is_refused(given: object) -> None:
    with pytest.raises(InvalidInputError):
        parse_definition(given)


def test_the_language_itself_is_checked_by_who_runs_it() -> None:
    with pytest.raises(InvalidInputError) as error:
        parse_definition(INVOICES, check=lambda text: "is too clever" if ">" in text else None)
    assert [fault.pointer for fault in error.value.errors] == ["/steps/3/with/if"]


PARAMETERS = {
    "name": "x",
    "parameters": {kind.value: {"type": kind.value, "required": True} for kind in ParameterType},
    "steps": [step("a")],
}
GOOD = {
    "string": "x",
    "number": 1.5,
    "integer": 2,
    "boolean": False,
    "duration": "2 days",
    "user": "usr_1",
    "role": "approver",
    "email": "a@example.org",
}


def test_parameters_are_bound_by_type() -> None:
    definition = parse_definition(PARAMETERS)
    assert bind(definition, GOOD) == GOOD
    wrong = {
        "string": " ",
        "number": "1",
        "integer": 1.5,
        "boolean": 1,
        "duration": "soon",
        "user": 7,
        "email": "nobody",
        "extra": 1,
    }
    with pytest.raises(InvalidInputError) as error:
        bind(definition, wrong)
    assert {fault.pointer for fault in error.value.errors} == {
        f"/parameters/{name}" for name in [*GOOD, "extra"]
    }
    for email in (
        "@",
        "ann@",
        "@example.org",
        "<ann@example.org>",
        "ann@example.org,eve@example.org",
        f"a@{'b' * 300}",
    ):
        with pytest.raises(InvalidInputError) as error:
            bind(definition, {**GOOD, "email": email})
        assert [fault.pointer for fault in error.value.errors] == ["/parameters/email"]
    assert bind(parse_definition(INVOICES), {"approver": "usr_1"}) == {"limit": 1000, "approver": "usr_1"}


def test_two_hundred_steps_are_read_in_fifty_milliseconds() -> None:
    times = []
    for _ in range(5):
        started = time.process_time()
        parse_definition(large(200))
        times.append(time.process_time() - started)
    assert min(times) < 0.05
