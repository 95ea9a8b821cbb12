"""What the memory explorer shows: drawings, parts of scores, versions and forms."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from api.routes.console_evolution_views import ACTIONS, PROPOSAL_LOOKS, STAGES
from api.routes.console_memory_graph import MOST_NODES, SIZE, draw, numbered
from api.routes.console_memory_views import (
    KIND_LOOKS,
    MODES,
    RELATION_TONES,
    RELATION_WORDS,
    MemoryView,
    RecallView,
    field_instant,
    given_instant,
    marked,
    reasons,
    shortened,
    version_views,
    without_empty,
)
from api.routes.console_pages import fault_of
from api.routes.console_rendering import STATIC_FOLDER
from perdure.domain.evolution import ChangeAction, EvolutionStage, ProposalStatus
from perdure.domain.memories import MemoryKind
from perdure.domain.ranking_weights import RECALL_WEIGHTS
from perdure.domain.recall_ranking import RecallMode
from perdure.schemas.memories import (
    MemoryRead,
    MemorySource,
    MemoryVersionRead,
    RecallHit,
    RecallRequest,
    RelatedMemory,
)
from perdure.schemas.search import ScoreTerm

NOW = datetime.now(UTC)
RELATIONS = tuple(RELATION_TONES)


def neighbour(place: int, relation: str = "similar", direction: str = "out", id_: str = "") -> RelatedMemory:
    values: dict[str, Any] = {"relation": relation, "direction": direction}
    return RelatedMemory(id=id_ or f"mem_{place}", weight=0.9, content=f"{place}", speaker=None, **values)


def a_memory(**more: Any) -> MemoryView:
    values: dict[str, Any] = {
        "id": "mem_1",
        "space": "default",
        "content": "Ann moved to Lisbon.",
        "kind": MemoryKind.EVIDENCE,
        "subject": "Ann",
        "speaker": "Ann",
        "confidence": 1.0,
        "importance": 0.5,
        "valid_from": NOW - timedelta(days=9),
        "recorded_at": NOW - timedelta(days=9),
        "source": MemorySource(id="msg_1"),
        "version": 1,
        "accesses": 0,
        "tags": [],
        "metadata": {},
        **more,
    }
    missing = dict.fromkeys(name for name, field in MemoryRead.model_fields.items() if field.is_required())
    return MemoryView(MemoryRead.model_validate({**missing, **values}))


def a_version(number: int, **more: Any) -> MemoryVersionRead:
    values: dict[str, Any] = {
        "version": number,
        "content": "Ann moved to Lisbon.",
        "kind": MemoryKind.EVIDENCE,
        "confidence": 1.0,
        "importance": 0.5,
        "valid_from": NOW,
        "valid_to": None,
        "tags": [],
        "metadata": {},
        "expires_at": None,
        "recorded_at": NOW,
        "retired_at": NOW,
        "reason": None,
        "changed_by": None,
        **more,
    }
    return MemoryVersionRead.model_validate(values)


def test_everything_that_can_be_shown_has_a_word_and_an_icon() -> None:
    icons = (STATIC_FOLDER / "img" / "icons.svg").read_text()
    looks = [
        *(KIND_LOOKS[kind] for kind in MemoryKind),
        *(ACTIONS[action] for action in ChangeAction),
        *(PROPOSAL_LOOKS[status] for status in ProposalStatus),
    ]
    for look in looks:
        assert look.label
        assert f'<symbol id="{look.icon}"' in icons
    assert set(MODES) == set(RecallMode)
    assert set(STAGES) == set(EvolutionStage)
    assert set(RELATION_WORDS) == set(RELATION_TONES)


# The drawing


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from(RELATIONS), st.sampled_from(["in", "out"])), max_size=40
    )
)
def test_a_drawing_stays_in_its_frame_and_circles_do_not_touch(found: list[tuple[int, str, str]]) -> None:
    related = [neighbour(place, relation, direction) for place, relation, direction in found]
    graph = draw(related, {})
    assert [node.number for node in graph.nodes] == list(range(1, len(graph.nodes) + 1))
    assert len(graph.nodes) + graph.left_out == len(numbered(related))
    for node in graph.nodes:
        assert graph.node_radius <= min(node.x, node.y)
        assert max(node.x, node.y) <= SIZE - graph.node_radius
        assert math.dist((node.x, node.y), (graph.centre, graph.centre)) > graph.centre_radius
        for other in graph.nodes:
            apart = math.dist((node.x, node.y), (other.x, other.y))
            assert other is node or apart > 2 * graph.node_radius
    assert len(graph.edges) == len(graph.nodes)


def ends(path: str) -> tuple[tuple[float, float], tuple[float, float]]:
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", path)]
    return (numbers[0], numbers[1]), (numbers[-2], numbers[-1])


def test_lines_begin_and_end_at_circles_and_arrows_point_the_right_way() -> None:
    graph = draw([neighbour(1, "follows", "out"), neighbour(2, "follows", "in")], {})
    middle = (graph.centre, graph.centre)
    for node, edge in zip(graph.nodes, graph.edges, strict=True):
        start, end = ends(edge.path)
        near, far = (start, end) if node.number == 1 else (end, start)
        assert edge.is_directed
        assert math.dist(near, middle) == pytest.approx(graph.centre_radius, abs=5.2)
        assert math.dist(far, (node.x, node.y)) == pytest.approx(graph.node_radius, abs=5.2)


def test_a_line_between_neighbours_goes_around_the_memory_in_the_middle() -> None:
    related = [neighbour(place) for place in range(4)]
    among = {"mem_0": [neighbour(2), neighbour(2), neighbour(0), neighbour(77)], "mem_2": [neighbour(0)]}
    graph = draw(related, among)
    (chord,) = graph.edges[len(graph.nodes) :]
    x0, y0, bent_x, bent_y, x1, y1 = (float(each) for each in re.findall(r"-?[\d.]+", chord.path))
    for step in range(21):
        t = step / 20
        at = [
            (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c
            for a, b, c in ((x0, bent_x, x1), (y0, bent_y, y1))
        ]
        assert math.dist(at, (graph.centre, graph.centre)) > graph.centre_radius
    assert not chord.is_directed


def test_more_neighbours_than_fit_are_left_to_the_list() -> None:
    graph = draw([neighbour(place) for place in range(MOST_NODES + 5)], {})
    assert (len(graph.nodes), graph.left_out) == (MOST_NODES, 5)


def test_a_neighbour_that_is_related_twice_is_one_circle() -> None:
    related = [neighbour(1, "follows"), neighbour(2), neighbour(1, "similar")]
    assert numbered(related) == {"mem_1": 1, "mem_2": 2}
    assert [node.relation for node in draw(related, {}).nodes] == ["follows", "similar"]


# Parts of a score


def test_parts_are_sorted_and_small_ones_are_left_out() -> None:
    terms = [
        ScoreTerm(name=name, value=value, weight=weight, raw=0.5)
        for (name, weight), value in zip(RECALL_WEIGHTS.items(), (0.1, 0.3, 0.0, 0.0001), strict=False)
    ]
    view = RecallView(
        RecallHit(
            id="mem_1",
            content="x",
            kind=MemoryKind.FACT,
            subject="Ann",
            speaker="Ann",
            external_id=None,
            session_id=None,
            score=0.4,
            terms=terms,
            source=MemorySource(id="msg_1"),
            valid_from=NOW,
            valid_to=None,
        )
    )
    assert [(part.value, round(part.share, 2)) for part in view.parts] == [(0.3, 0.75), (0.1, 0.25)]
    assert all(part.hint for part in view.parts)
    assert view.people == ["Ann"]


# Memories and versions


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({}, None),
        ({"valid_to": NOW + timedelta(days=1)}, None),
        ({"valid_to": NOW - timedelta(days=1)}, "No longer true"),
        ({"expires_at": NOW - timedelta(days=1)}, "Expired"),
        ({"retired_at": NOW, "valid_to": NOW - timedelta(days=1)}, "Replaced"),
    ],
)
def test_only_what_does_not_hold_has_a_badge(fields: dict[str, Any], label: str | None) -> None:
    state = a_memory(**fields).state
    assert (state.label if state else None) == label


def test_a_version_says_what_became_different_with_it_and_who_made_it() -> None:
    versions = [
        a_version(3, retired_at=None, valid_to=NOW),
        a_version(2, changed_by="usr_2", reason="over"),
        a_version(1, content="Ann moved to Porto.", changed_by="usr_1"),
    ]
    shown = version_views(versions, {"usr_1": "Ada"})
    assert [(view.changed, view.changed_by, view.is_current) for view in shown] == [
        ("true until", "usr_2", True),
        ("content", "Ada", False),
        ("", None, False),
    ]
    assert reasons(versions) == {3: "over"}


# Texts and forms


@given(st.text(max_size=60), st.integers(-5, 70), st.integers(-5, 70))
def test_a_text_with_a_mark_is_whole_when_joined(text: str, start: int, end: int) -> None:
    pieces = marked(text, start, max(start, end))
    assert "".join(piece.text for piece in pieces) == text


@given(st.text(max_size=200), st.integers(2, 80))
def test_a_shortened_text_is_no_longer_than_said(text: str, characters: int) -> None:
    assert len(shortened(text, characters)) <= characters


def test_an_instant_of_a_field_is_read_as_it_was_shown() -> None:
    assert given_instant(" ") is None
    assert given_instant("2026-11-01T09:30") == "2026-11-01T09:30Z"
    assert given_instant("2026-11-01T09:30Z") == "2026-11-01T09:30Z"
    shown = field_instant(datetime(2026, 11, 1, 9, 30, 59, tzinfo=UTC))
    assert shown == "2026-11-01T09:30"
    assert field_instant(None) == ""


def test_empty_fields_are_not_given_and_faults_are_sentences() -> None:
    asked = without_empty(RecallRequest, query="Where?", subject="", as_of=None)
    assert (asked.subject, asked.as_of) == (None, None)
    with pytest.raises(ValidationError) as error:
        without_empty(RecallRequest, query="Where?", as_of="0001-01-01T00:00Z")
    assert fault_of(error.value).startswith("As of: is before the year 1000")
    assert fault_of(error.value).endswith(".")
