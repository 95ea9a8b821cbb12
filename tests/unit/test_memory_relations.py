"""How two memories are related, whichever is looked at first."""

from datetime import UTC, datetime, timedelta
from typing import Any

from perdure.domain.attributes import attributes
from perdure.domain.relations import Node, Relation, RelationKind, relations

MAY = datetime(2026, 5, 1, tzinfo=UTC)


def node(name: str, text: str = "We ate cake.", days: int = 0, **given: Any) -> Node:
    values: dict[str, Any] = {
        "said_at": MAY + timedelta(days=days),
        "attributes": attributes(text, "Ann"),
    } | given
    return Node(name, text, **values)


def between(one: Node, other: Node, cosine: float) -> list[Relation]:
    found = relations(one, [other], [cosine])
    assert found == relations(other, [one], [cosine])
    return found


def kinds(one: Node, other: Node, cosine: float) -> list[tuple[str, str, str]]:
    return [
        (relation.source, relation.kind.value, relation.target) for relation in between(one, other, cosine)
    ]


def test_near_memories_are_similar_by_how_near_they_are() -> None:
    found = between(node("b", "The tram is late."), node("a", "Buses were late, too.", 1), 0.7)
    assert found == [Relation("a", RelationKind.SIMILAR, "b", 0.7)]


def test_far_memories_are_not_related() -> None:
    assert between(node("a"), node("b", "The tram is late."), 0.2) == []


def test_a_newer_fact_contradicts_the_older_and_says_why() -> None:
    [found] = between(node("old", "I live in Lisbon."), node("new", "I moved to Porto.", 3), 0.8)
    assert (found.source, found.kind, found.target, found.weight) == ("new", "contradicts", "old", 1.0)
    assert "Lisbon" in found.reason


def test_the_same_fact_supports() -> None:
    found = kinds(node("old", "I live in Lisbon."), node("new", "My address is in Lisbon now.", 3), 0.5)
    assert found == [("new", "supports", "old")]


def test_what_says_the_same_supports_and_is_similar() -> None:
    found = kinds(node("a", "We ate cake on the hill."), node("b", "We ate cake on the hill!", 1), 0.97)
    assert found == [("a", "similar", "b"), ("b", "supports", "a")]


def test_turns_follow_each_other() -> None:
    first, second = node("a", session="s", position=4), node("b", "Tram!", session="s", position=5)
    assert kinds(first, second, 0.1) == [("b", "follows", "a")]
    assert kinds(first, node("c", "Tram!", session="s", position=6), 0.1) == []
    assert kinds(first, node("c", "Tram!", session="t", position=5), 0.1) == []


def test_pieces_of_one_message_are_parts_of_its_first() -> None:
    first, second = node("a", whole="m", position=1), node("b", "Tram!", whole="m", position=2)
    assert kinds(first, second, 0.1) == [("b", "part_of", "a")]


def test_who_is_named_in_another_memory_is_mentioned() -> None:
    ann, ben = (
        node("a", names=frozenset({"ben"}), of=frozenset({"ann"})),
        node("b", "Tram", of=frozenset({"ben"})),
    )
    assert kinds(ann, ben, 0.4) == [("a", "mentions", "b")]
    assert kinds(ann, ben, 0.1) == []


def test_of_each_kind_the_strongest_are_kept_and_a_memory_is_not_related_to_itself() -> None:
    others = [node(f"n{n:02}", f"Text number {n} {'tram ' * n}") for n in range(20)]
    found = relations(node("m"), [*others, node("m")], [0.6 + n / 100 for n in range(20)] + [1.0])
    assert len(found) == 8
    assert min(relation.weight for relation in found) == 0.72
