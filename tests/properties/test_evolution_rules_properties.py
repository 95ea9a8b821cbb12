"""The rules of evolution take any text and any numbers, and answer the same each time."""

import time
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perdure.domain.clusters import clusters
from perdure.domain.decay import importance
from perdure.domain.entities import entities
from perdure.domain.insights import Source, insight
from perdure.domain.junk import junk
from perdure.domain.relations import Node, RelationKind, relations
from tests.contradicting_statements import HELD_OUT, SEEN

STATEMENTS = [text for pair in SEEN + HELD_OUT for text in (pair.older, pair.newer)]
TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(st.one_of(st.sampled_from(STATEMENTS), st.text(max_size=15)), max_size=5).map(" ".join),
)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = st.floats(0, 10_000)


@given(TEXTS, st.lists(st.text(max_size=10), max_size=3))
def test_entities_point_into_the_text_and_do_not_overlap(text: str, known: list[str]) -> None:
    found = entities(text, known)
    assert found == entities(text, known)
    end = 0
    for one in found:
        assert text[one.start : one.end] == one.text
        assert end <= one.start < one.end
        end = one.end


@given(TEXTS)
def test_any_text_is_judged_by_the_junk_gates(text: str) -> None:
    assert junk(text) is junk(text)


@given(st.floats(0, 1), DAYS, DAYS, st.integers(0, 10_000), st.floats(0.01, 1000))
def test_decay_is_monotone(base: float, first: float, more: float, accesses: int, half_life: float) -> None:
    half = timedelta(days=half_life)
    sooner = importance(BEGIN + timedelta(days=first), base, BEGIN, None, accesses, half)
    later = importance(BEGIN + timedelta(days=first + more), base, BEGIN, None, accesses, half)
    used = importance(BEGIN + timedelta(days=first), base, BEGIN, None, accesses + 1, half)
    assert 0 <= later <= sooner <= used <= base + 1e-6


@given(st.lists(TEXTS, max_size=6))
def test_insights_cite_and_invent_nothing(texts: list[str]) -> None:
    sources = [Source(str(n), text, BEGIN + timedelta(days=n)) for n, text in enumerate(texts)]
    found = insight(sources, "Ann")
    assert found == insight(sources[::-1], "Ann")
    if found is not None:
        assert set(found.memory_ids) <= {source.id for source in sources}
        assert 0 < found.confidence < 1


@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.floats(0.1, 0.99))
def test_clusters_are_apart_and_every_member_is_near_its_leader(seed: int, rows: int, near: float) -> None:
    drawn = np.random.default_rng(seed).normal(size=(rows, 4))
    vectors = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    found = clusters(vectors, near)
    assert found == clusters(vectors.copy(), near)
    members = [row for cluster in found for row in cluster.rows]
    assert len(members) == len(set(members))
    for cluster in found:
        assert all(vectors[row] @ vectors[cluster.rows[0]] >= near - 1e-3 for row in cluster.rows)


@given(st.lists(TEXTS, min_size=1, max_size=6), st.lists(st.floats(-1, 1), min_size=6, max_size=6))
def test_relations_are_the_same_from_both_ends(texts: list[str], cosines: list[float]) -> None:
    nodes = [
        Node(str(n), text, BEGIN + timedelta(days=n), session="s", position=n) for n, text in enumerate(texts)
    ]
    for other, cosine in zip(nodes[1:], cosines, strict=False):
        found = relations(nodes[0], [other], [cosine])
        assert found == relations(other, [nodes[0]], [cosine])
        for one in found:
            assert {one.source, one.target} == {nodes[0].id, other.id}
            assert 0 <= one.weight <= 1
            assert one.kind in RelationKind


def test_a_thousand_memories_a_second() -> None:
    for rule in (junk, entities):
        started = time.process_time()
        for text in STATEMENTS * 5:
            rule(text)
        assert 5 * len(STATEMENTS) / (time.process_time() - started) > 1000, rule


def test_endless_texts_are_read_in_seconds() -> None:
    for unit in ("Ann ", "1 ", "a@", "www.", "A", "password: ", "$1,", "hi ", "Ann's ", "4242 ", "eyJa."):
        text = unit * (200_000 // len(unit))
        for rule in (junk, entities):
            started = time.process_time()
            rule(text)
            assert time.process_time() - started < 4, (rule, unit)


def test_ten_thousand_vectors_are_clustered_in_seconds() -> None:
    dice = np.random.default_rng(5)
    centres = dice.normal(size=(500, 384))
    drawn = centres[dice.integers(0, 500, 10_000)] + dice.normal(size=(10_000, 384)) * 0.7
    vectors = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    started = time.perf_counter()
    found = clusters(vectors)
    assert time.perf_counter() - started < 60
    assert len(found) >= 400
