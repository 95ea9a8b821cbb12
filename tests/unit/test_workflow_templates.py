"""Each template is a right definition for whatever values fit, and what it becomes says the same as its drawing."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from perdure.domain.roles import Role
from perdure.domain.workflow_definitions import SETTINGS, StepType, WorkflowDefinition
from perdure.domain.workflow_diagram import StepView
from perdure.domain.workflow_mermaid import mermaid
from perdure.domain.workflow_reading import TO_COME, parse_definition
from perdure.domain.workflow_schema import definition_schema
from perdure.domain.workflow_templates import NAMES, instantiate, template
from perdure.errors import InvalidInputError, NotFoundError
from perdure.providers.cel_expressions import check
from tests.workflow_definitions import INVOICES, large

ROLES = [role.value for role in Role]
SCHEMA = Draft202012Validator(definition_schema())
FITTING = {
    "string": "words",
    "number": 0.5,
    "integer": 3,
    "boolean": True,
    "duration": "2 days",
    "user": "usr_00000000000000000000000000",
    "role": "admin",
    "email": "team@example.com",
}


def understood(definition: dict[str, Any]) -> WorkflowDefinition:
    return parse_definition(definition, check=check, roles=ROLES)


def values_of(name: str, *, required: bool = False) -> dict[str, Any]:
    parameters = template(name)["parameters"]
    return {
        one: FITTING[said["type"]] for one, said in parameters.items() if said.get("required") or not required
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_template_is_right_with_its_defaults_and_with_other_values(name: str) -> None:
    for values in (values_of(name, required=True), values_of(name)):
        made = instantiate(name, values, "Mine")
        assert understood(made).name == "Mine"
        assert list(SCHEMA.iter_errors(made)) == []
        assert "${parameters." not in str(made["steps"])
    assert template(name)["name"] != "Mine"
    assert all(said["description"] for said in template(name)["parameters"].values())


def test_values_keep_their_type_where_they_stand_alone_and_become_defaults_of_what_expressions_ask_for() -> (
    None
):
    made = instantiate("invoice-approval", {"contact": "cfo@example.com", "limit": 250, "approver": "admin"})
    steps = {step["id"]: step for step in made["steps"]}
    (stage,) = steps["approve"]["with"]["policy"]["stages"]
    assert stage["approvers"] == [{"role": "admin"}]
    assert steps["tell_approved"]["with"]["to"] == ["cfo@example.com"]
    assert {name: said["default"] for name, said in made["parameters"].items()} == {"limit": 250}


def test_every_value_that_does_not_fit_is_named() -> None:
    with pytest.raises(InvalidInputError) as refusal:
        instantiate("invoice-approval", {"limit": "much", "due_in": "soon", "colour": "red"})
    assert {fault.pointer for fault in refusal.value.errors} == {
        f"/parameters/{name}" for name in ("limit", "due_in", "colour", "contact")
    }
    with pytest.raises(NotFoundError, match="invoice-approval"):
        instantiate("../invoice-approval", {})


def test_a_value_brings_no_expression_of_its_own() -> None:
    made = instantiate("contract-review", {"question": "What of ${steps.summary.summary}?"})
    assert "${steps.summary.summary}?" not in str(made)
    assert understood(made)


def test_the_schema_says_what_the_reader_says_of_fields() -> None:
    Draft202012Validator.check_schema(definition_schema())
    for definition in (INVOICES, large(40)):
        assert understood(definition)
        assert list(SCHEMA.iter_errors(definition)) == []
    for kind in StepType:
        step: dict[str, Any] = {"id": "a", "type": kind.value, "with": {"unheard_of": 1}}
        definition = {"name": "x", "steps": [step]}
        assert list(SCHEMA.iter_errors(definition)), kind
        with pytest.raises(InvalidInputError):
            understood(definition)
        needed = [name for name, setting in SETTINGS[kind].items() if setting.required]
        if needed or kind in TO_COME:
            assert list(SCHEMA.iter_errors({"name": "x", "steps": [{"id": "a", "type": kind.value}]})), kind


@pytest.mark.parametrize(
    "fault",
    [
        {"steps": []},
        {"name": 1},
        {"colour": "red"},
        {"steps": [{"id": "A", "type": "join"}]},
        {"steps": [{"id": "a", "type": "dance"}]},
        {"steps": [{"id": "a", "type": "join", "retry": {"attempts": 0}}]},
        {"steps": [{"id": "a", "type": "join", "on_error": "shrug"}]},
        {"steps": [{"id": "a", "type": "wait", "with": {"for": "1 day", "until": "later"}}]},
        {"steps": [{"id": "a", "type": "wait"}]},
        {"steps": [{"id": "a", "type": "approval", "with": {"policy": {"stages": []}}}]},
        {"parameters": {"a": {"type": "colour"}}},
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(fault: dict[str, Any]) -> None:
    definition = {"name": "x", "steps": [{"id": "a", "type": "join"}]} | fault
    assert list(SCHEMA.iter_errors(definition))
    with pytest.raises(InvalidInputError):
        understood(definition)


def test_a_drawing_in_mermaid_has_every_step_and_line_and_no_mark_of_its_own() -> None:
    drawn = mermaid(understood(INVOICES), {"extract": StepView("failed"), "dear": StepView("running")})
    assert drawn.startswith("flowchart TD\n")
    for step in INVOICES["steps"]:
        assert f"s_{step['id']}" in drawn
    assert 's_kind -->|"steps.classify.label == #34;invoice#34;"| s_extract' in drawn
    assert 's_extract -.->|"on error"| s_file' in drawn
    assert "  class s_extract failed\n" in drawn
    evil = {
        "name": "x",
        "steps": [{"id": "end", "type": "join", "name": '"]; click s_end "javascript:x" <b>`'}],
    }
    (_, box) = mermaid(parse_definition(evil)).splitlines()
    assert box.count('"') == 2
    assert "<b>" not in box
    assert "`" not in box
