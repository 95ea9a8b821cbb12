"""The policy builder: what its form shows is what its JSON says, and faults stand where they belong."""

from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from api.routes.console_approval_people import People
from api.routes.console_approval_policies import builder_context, drafted
from api.routes.console_approval_policy_form import (
    START,
    Json,
    field_place,
    fields_of,
    place_id,
    placed,
    places_of,
    policy_from,
    policy_of,
    policy_text,
    rearranged,
)
from api.routes.console_approval_simulation import EventFields, SimulationFields, play, start_of
from api.routes.console_classification_forms import FormError
from api.routes.console_rendering import templates
from perdure.db.identity_repository import Member
from perdure.domain.approval_policies import parse_policy, read_policy
from perdure.domain.json_objects import Faults
from perdure.domain.roles import Role
from tests.browser.preview import common

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
PEOPLE = People(
    [
        Member("usr_1", "ada@example.org", "Ada Lovelace", Role.OWNER, NOW),
        Member("usr_2", "ben@example.org", "Ben Okri", Role.APPROVER, NOW),
    ]
)
POLICY: Json = {
    "stages": [
        {
            "id": "finance",
            "name": "Finance",
            "approvers": [
                {"user": "usr_1", "weight": 3},
                {"role": "approver", "seats": "one"},
                {"email": "cfo@example.org"},
                {"email": "ada@example.org"},
                {"user": "usr_gone"},
            ],
            "rule": {"weighted": 3},
            "veto": [{"user": "usr_1"}, {"role": "admin"}],
            "required": [{"role": "approver"}],
            "abstentions": "counted",
            "may_abstain": False,
            "due_in": "2 business days",
            "reminders": [0.07, 0.5, {"before": "4 business hours"}, {"after": "1 day"}],
            "on_timeout": "escalate",
            "escalate_to": [{"role": "owner"}, {"email": "boss@example.com"}],
            "escalated_due_in": "1 day",
            "on_escalation_timeout": "hold",
            "form": {
                "type": "object",
                "properties": {
                    "amount": {"type": "number", "title": "Amount", "minimum": 0, "description": "In EUR."},
                    "centre": {"type": "string", "enum": ["IT, hardware", "Sales"]},
                    "checked": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
                    "urgent": {"type": "boolean", "default": True},
                },
                "required": ["amount"],
            },
        },
        {"id": "legal", "approvers": [{"role": "admin"}], "rule": {"percentage": "2/3"}},
    ],
    "calendar": {
        "time_zone": "Europe/Berlin",
        "hours": {"mon": ["09:00-12:00", "13:00-17:00"], "tue": ["09:00-17:00"]},
        "holidays": ["2026-12-25"],
    },
    "separation_of_duties": {"requester": False, "earlier_stages": True},
    "delegation": {"max_depth": 2, "to": [{"role": "approver"}]},
    "may_reassign": False,
    "on_new_revision": "void",
    "comments": {"on_approve": True, "min_characters": 10},
}


class _Form(HTMLParser):
    """What a browser would send of a form that nobody touched."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._select: str | None = None
        self._area: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name")
        if tag == "input" and name and (given.get("type") != "checkbox" or "checked" in given):
            self.values[name] = given.get("value") or ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select is not None:
            if "selected" in given or self._select not in self.values:
                self.values[self._select] = given.get("value") or ""
        elif tag == "textarea" and name:
            self._area, self.values[name] = name, ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = None
        elif tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self.values[self._area] += data


def sent(policy: Json, **changes: str) -> dict[str, str]:
    """The form of a policy as it comes back."""
    context = common("approvals") | builder_context(
        drafted({"base": policy_text(policy)}, PEOPLE), PEOPLE, NOW
    )
    form = _Form()
    form.feed(templates().text("approval_policy.html", {**context, "tab": "policies", "may_ask": True}))
    return {**form.values, **changes}


@pytest.mark.parametrize("policy", [POLICY, START], ids=["rich", "start"])
def test_a_form_that_nobody_touched_says_what_its_policy_says(policy: Json) -> None:
    given = sent(policy)
    assert policy_of(given, policy, PEOPLE) == policy
    assert parse_policy(policy_of(given, policy, PEOPLE)) == parse_policy(policy)
    assert given["json"] == policy_text(policy)


def test_what_is_typed_is_what_the_policy_says() -> None:
    given = sent(
        START,
        **{
            "stages-0-approvers-0-who": "Ben Okri",
            "stages-0-rule": "percentage",
            "stages-0-amount": "66.5",
            "stages-0-reminders": "7 %, 4 hours before , 0.25",
            "stages-0-escalate_to": "owner, new@example.com",
            "stages-0-on_timeout": "escalate",
            "revision_due_in": "5 days",
        },
    )
    policy = policy_of(given, START, PEOPLE)
    (stage,) = policy["stages"]
    assert stage["approvers"] == [{"user": "usr_2"}]
    assert stage["rule"] == {"percentage": 66.5}
    assert stage["reminders"] == [0.07, {"before": "4 hours"}, 0.25]
    assert stage["escalate_to"] == [{"role": "owner"}, {"email": "new@example.com"}]
    assert policy["revision_due_in"] == "5 days"
    parse_policy(policy)


def test_a_box_that_is_no_longer_ticked_is_false() -> None:
    given = sent(POLICY)
    del given["comments-on_approve"], given["stages-0-approvers-0-veto"]
    policy = policy_of(given, POLICY, PEOPLE)
    assert policy["comments"] == {"min_characters": 10}
    assert policy["stages"][0]["veto"] == [{"role": "admin"}]


def test_what_nobody_understands_is_a_fault_at_its_field() -> None:
    given = sent(
        POLICY,
        **{
            "stages-0-due_in": "soon",
            "stages-0-amount": "many",
            "stages-0-approvers-1-who": "",
            "stages-1-escalate_to": "nobody at all",
            "calendar-hours-mon": "9-12",
            "stages-0-form-0-type": "poem",
        },
    )
    policy = policy_of(given, POLICY, PEOPLE)
    faults = Faults()
    read_policy(policy, "", faults)
    found = placed(faults, places_of(fields_of(policy, PEOPLE)))
    at = {place for place, said in found.items() if said}
    assert at == {
        "/stages/0/due_in",
        "/stages/0/rule",
        "/stages/0/approvers/1",
        "/stages/1/escalate_to",
        "/calendar/hours/mon",
        field_place("/stages/0", "amount"),
    }
    assert found["/stages/1/escalate_to"] == ["No. 1: email is no e-mail address."]


def test_a_fault_without_a_field_stands_at_the_nearest_one() -> None:
    faults = Faults()
    read_policy(
        {"stages": [{"id": "a", "approvers": [{"role": "x"}], "rule": "any", "odd": 1}], "x": 1}, "", faults
    )
    found = placed(faults, places_of(fields_of(START, PEOPLE)))
    assert found["/stages/0"] == ["Odd " + next(f.detail for f in faults if f.pointer.endswith("odd")) + "."]
    assert len(found[""]) == 1


def test_ids_of_places_are_ids_of_elements_on_the_page() -> None:
    draft = drafted({"base": policy_text(POLICY)}, PEOPLE)
    context = common("approvals") | builder_context(draft, PEOPLE, NOW)
    page = templates().text("approval_policy.html", {**context, "tab": "policies", "may_ask": False})
    answer = templates().text("partials/approval_policy_answer.html", {**context, "may_ask": False})
    for place in places_of(draft.fields):
        assert page.count(f'id="{place_id(place)}"') == 1, place
        assert answer.count(f'id="{place_id(place)}"') == 1, place


@pytest.mark.parametrize(
    ("action", "stages", "approvers"),
    [
        ("stage-add", ["finance", "legal", "stage-2"], 5),
        ("stage-remove:1", ["finance"], 5),
        ("stage-up:1", ["legal", "finance"], 1),
        ("approver-add:0", ["finance", "legal"], 6),
        ("approver-remove:0:1", ["finance", "legal"], 4),
        ("stage-remove:7", ["finance", "legal"], 5),
        ("stage-up:0", ["finance", "legal"], 5),
        ("approver-remove:0:99", ["finance", "legal"], 5),
        ("approver-remove:x:-1", ["finance", "legal"], 5),
        ("drop table", ["finance", "legal"], 5),
    ],
)
def test_rows_are_added_and_taken_away(action: str, stages: list[str], approvers: int) -> None:
    changed = rearranged(POLICY, action)
    assert [stage["id"] for stage in changed["stages"]] == stages
    assert len(changed["stages"][0]["approvers"]) == approvers


def test_who_is_taken_away_has_no_veto_any_more() -> None:
    changed = rearranged(POLICY, "approver-remove:0:0")
    assert changed["stages"][0]["veto"] == [{"role": "admin"}]
    parse_policy(rearranged(rearranged(POLICY, "approver-remove:0:0"), "approver-remove:0:2"))


def test_fields_and_hours_are_added_and_taken_away() -> None:
    added = rearranged(rearranged(START, "field-add:0"), "calendar-add")
    assert list(added["stages"][0]["form"]["properties"]) == ["field_1"]
    parse_policy(added)
    assert rearranged(rearranged(added, "field-remove:0:0"), "calendar-remove") == START
    assert "amount" not in rearranged(POLICY, "field-remove:0:0")["stages"][0]["form"]["properties"]
    assert "required" not in rearranged(POLICY, "field-remove:0:0")["stages"][0]["form"]


def test_json_goes_into_the_form_and_other_json_leaves_it_as_it_was() -> None:
    read = drafted({**sent(START), "do": "read", "json": policy_text(POLICY)}, PEOPLE)
    assert read.policy == POLICY
    for text in (
        "{",
        "[]",
        '{"stages": 7}',
        '{"stages": [{"approvers": "all"}]}',
        "[" * 100_000,
        "1" * 5_000,
    ):
        refused = drafted({**sent(START), "do": "read", "json": text}, PEOPLE)
        assert (refused.policy, refused.text) == (START, text)
        assert refused.fault
        context = common("approvals") | builder_context(refused, PEOPLE, NOW)
        page = templates().text("approval_policy.html", {**context, "tab": "policies", "may_ask": True})
        assert "Cannot be read" in page


def test_a_syntax_error_has_its_line() -> None:
    with pytest.raises(FormError, match="Line 2, column 3"):
        policy_from('{"stages":\n  oops}')


def test_a_hostile_base_is_no_error() -> None:
    for base in ("{", "[]", '{"stages": {"a": 1}}', '{"stages": [], "delegation": 5}'):
        assert drafted({"base": base}, PEOPLE).policy == START


# The simulator


def played(policy: Json, *events: EventFields, starts_at: str = "2026-11-20T16:00") -> Any:
    return play(parse_policy(policy), SimulationFields(starts_at, events), PEOPLE, NOW)


def test_a_timeline_tells_what_would_happen_by_the_clock_on_the_wall() -> None:
    timeline, faults = played(
        POLICY | {"separation_of_duties": {}}, EventFields("2 business hours", "ada@example.org", "approve")
    )
    assert not faults
    assert timeline.time_zone == "Europe/Berlin"
    said = [(line.clock, line.said) for line in timeline.lines]
    # Friday 16:00 is out of hours there: two hours of work are over on Monday at eleven.
    decided = next(line for line in timeline.lines if "Ada Lovelace approved" in line.said)
    assert decided.clock == "Mon 23 Nov 2026, 11:00", said
    assert any("reminded" in line.said for line in timeline.lines)


def test_forms_and_comments_count_as_filled_in() -> None:
    policy: Json = {
        "stages": [
            {"id": "a", "approvers": [{"user": "usr_1"}], "rule": "any", "form": POLICY["stages"][0]["form"]}
        ],
        "comments": {"on_approve": True, "min_characters": 500},
    }
    timeline, _ = played(policy, EventFields("1 hour", "Ada Lovelace", "approve"))
    assert timeline.look.label == "Approved"
    assert timeline.said.startswith("Approved after 1 h 0 min")


def test_silence_shows_who_would_still_be_asked() -> None:
    policy: Json = {"stages": [{"id": "a", "approvers": [{"user": "usr_1"}], "rule": "any"}]}
    timeline, _ = played(policy)
    assert (timeline.look.label, timeline.asked) == ("Waits", "Ada Lovelace")


def test_a_refused_deed_says_why() -> None:
    timeline, _ = played(START, EventFields("1 hour", "stranger@example.com", "reject"))
    assert any(
        line.said.startswith("Refused to stranger@example.com: You are not asked") for line in timeline.lines
    )


def test_what_nobody_understands_of_a_deed_is_said_at_its_row() -> None:
    timeline, faults = played(
        START,
        EventFields("soon", "ada@example.org", "approve"),
        EventFields("1 day", "role:approver", "approve"),
        EventFields("2 business days", "ada@example.org", "approve"),
        EventFields("1 day", "ada@example.org", "dance"),
    )
    assert timeline is None
    assert set(faults) == {0, 1, 2, 3}


@pytest.mark.parametrize("text", ["", "soon", "9999-12-31T23:59", "0001-01-01T00:00"])
def test_a_beginning_that_cannot_be_is_now(text: str) -> None:
    assert start_of(text, "Europe/Berlin", NOW) == NOW
