"""What invented people talk about: the form in which vocabularies are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Phrases = tuple[str, ...]


@dataclass(frozen=True)
class Detail:
    """A question of the other person, the answer, and what may be asked of memory afterwards.

    An answer may leave out what the question before it said, as answers do.
    """

    ask: Phrases
    answer: Phrases
    asked: Phrases


@dataclass(frozen=True)
class Topic:
    """Something of one person that comes up in a session. `{slots}` are filled once per telling.

    `{P}` is the person, `{O}` the other one. `tells` state the matter; `asked` are questions that `tells` answer
    in other words, `plain` in the same; `about` ties an answer or a question to the matter; `when` asks for the
    time of an event. `echoes` are what the other one says to it: the same words, no answer. `later` come up in
    another session: the words without the facts. `updates` replace what `tells` stated (slots are filled anew);
    `now` asks for what holds since. Topics with the same `group` answer one question about many sessions.
    """

    name: str
    about: str
    plain: Phrases
    slots: Mapping[str, Phrases]
    tells: Phrases
    asked: Phrases
    details: tuple[Detail, ...] = ()
    echoes: Phrases = ()
    later: Phrases = ()
    when: Phrases = ()
    updates: Phrases = ()
    now: Phrases = ()
    group: str = ""


@dataclass(frozen=True)
class Vocabulary:
    """All that one set of chats is made of; two sets with different vocabularies share no phrase."""

    people: Sequence[tuple[str, str]]
    topics: Sequence[Topic]
    groups: Mapping[str, Phrases]
    greetings: Phrases
    farewells: Phrases
    openings: Phrases
    """Said before a statement."""
    asides: Phrases
    """Said after a statement."""
    cheers: Phrases
    """Said to anything."""
    small_talk: Sequence[Phrases] = field(default_factory=tuple)
    """Exchanges about nothing: each a few turns in order."""
    times: Sequence[tuple[str, int]] = ()
    """How an event is dated when it is told, and how many days ago that is."""
