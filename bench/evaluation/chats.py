"""Invented chats of two people over many sessions, with questions whose answers are known.

The same seed makes the same chats.

What makes them hard is what makes real ones hard: questions use other words than answers, answers leave out what
the question before them said, both people live through the same kinds of things, the other one echoes the words
without the facts, facts change, and most of what is said is no answer to anything.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bench.evaluation.dialogues import Dialogue, Question, Turn
from bench.evaluation.topics import Topic, Vocabulary

_FIRST_SESSION = datetime(2023, 1, 14, 18, 5, tzinfo=UTC)
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
# How often an answer names its matter, a question names it, and a question uses the words of the answer.
_ANSWERS_TIED = 0.6
_QUESTIONS_TIED = 0.6
_PLAIN = 0.5


@dataclass
class _Telling:
    """One time that a topic is told by one of the two."""

    topic: Topic
    teller: int
    slots: dict[str, str]
    update: bool = False
    turn: str = ""
    days_ago: int = 0
    said_at: datetime = _FIRST_SESSION


@dataclass
class _Chat:
    """A chat in the making."""

    name: str
    people: tuple[str, str]
    dice: random.Random
    vocabulary: Vocabulary
    turns: list[Turn] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    session: int = 0
    at: datetime = _FIRST_SESSION

    def say(self, who: int, text: str, **slots: str) -> str:
        """Add a turn; its id."""
        number = sum(turn.session == f"{self.name}/{self.session}" for turn in self.turns) + 1
        self.at += timedelta(seconds=self.dice.randint(15, 90))
        filled = text.format(P=self.people[who], O=self.people[1 - who], **slots).strip()
        filled = filled[:1].upper() + filled[1:]
        turn = Turn(
            f"D{self.session}:{number}", self.people[who], filled, f"{self.name}/{self.session}", self.at
        )
        self.turns.append(turn)
        return turn.id

    def pick(self, phrases: Sequence[str]) -> str:
        """One of them."""
        return self.dice.choice(phrases)

    def ask(
        self,
        query: str,
        relevant: Sequence[str],
        kind: str,
        who: int,
        outdated: Sequence[str] = (),
        **slots: str,
    ) -> None:
        """Add a question about a person."""
        text = query.format(P=self.people[who], O=self.people[1 - who], **slots)
        self.questions.append(Question(text, frozenset(relevant), kind, frozenset(outdated)))


def make_chats(vocabulary: Vocabulary, seed: int, count: int, sessions: int = 22) -> list[Dialogue]:
    """So many chats, each of other people as far as there are any."""
    dice = random.Random(seed)
    people = [vocabulary.people[n % len(vocabulary.people)] for n in range(count)]
    return [
        _make(f"chat-{seed}-{n}", pair, random.Random(dice.getrandbits(64)), vocabulary, sessions)
        for n, pair in enumerate(people)
    ]


def _make(
    name: str, people: tuple[str, str], dice: random.Random, vocabulary: Vocabulary, sessions: int
) -> Dialogue:
    chat = _Chat(name, people, dice, vocabulary)
    planned = _plan(chat, sessions)
    for number, tellings in enumerate(planned, start=1):
        chat.session = number
        chat.at = _FIRST_SESSION + timedelta(
            days=dice.randint(0, 12) + 13 * (number - 1), hours=dice.randint(-6, 4)
        )
        _hold_session(chat, tellings)
    told = [telling for tellings in planned for telling in tellings]
    _ask_for_tellings(chat, told)
    _ask_for_groups(chat, told)
    return Dialogue(name, chat.turns, chat.questions)


def _plan(chat: _Chat, sessions: int) -> list[list[_Telling]]:
    """Which topics come up in which session: nearly all of both people, some twice with other facts."""
    tellings: list[list[_Telling]] = [[] for _ in range(sessions)]
    for topic in chat.vocabulary.topics:
        for teller in (0, 1):
            times = (
                2
                if topic.group in {"trips", "books", "voyages", "outings"} and chat.dice.random() < 0.6
                else 1
            )
            if chat.dice.random() < 0.12:
                continue
            used: dict[str, set[str]] = {}
            places = sorted(chat.dice.sample(range(sessions), times + bool(topic.updates)))
            for nth, place in enumerate(places):
                update = bool(topic.updates) and nth == len(places) - 1
                slots = {}
                for slot, values in topic.slots.items():
                    left = [value for value in values if value not in used.setdefault(slot, set())] or list(
                        values
                    )
                    slots[slot] = chat.pick(left)
                    used[slot].add(slots[slot])
                tellings[place].append(_Telling(topic, teller, slots, update))
    for session in tellings:
        chat.dice.shuffle(session)
    return tellings


def _hold_session(chat: _Chat, tellings: Sequence[_Telling]) -> None:
    first = chat.dice.randint(0, 1)
    chat.say(first, chat.pick(chat.vocabulary.greetings))
    if not tellings or chat.dice.random() < 0.5:
        _small_talk(chat, 1 - first)
    for telling in tellings:
        _tell(chat, telling)
        if chat.dice.random() < 0.25:
            _small_talk(chat, chat.dice.randint(0, 1))
    if chat.dice.random() < 0.7:
        who = chat.dice.randint(0, 1)
        chat.say(who, chat.pick(chat.vocabulary.farewells))
        chat.say(1 - who, chat.pick(chat.vocabulary.farewells))


def _small_talk(chat: _Chat, who: int) -> None:
    if chat.dice.random() < 0.5:
        for nth, phrase in enumerate(chat.pick(chat.vocabulary.small_talk)):  # type: ignore[arg-type]
            chat.say((who + nth) % 2, phrase)
        return
    chat.say(who, chat.pick(chat.dice.choice(chat.vocabulary.topics).later))
    chat.say(1 - who, chat.pick(chat.vocabulary.cheers))


def _tell(chat: _Chat, telling: _Telling) -> None:
    topic, who = telling.topic, telling.teller
    time, telling.days_ago = "", 0
    if topic.when and not telling.update:
        time, telling.days_ago = chat.dice.choice(chat.vocabulary.times)
    opening, aside = chat.pick(chat.vocabulary.openings), chat.pick(chat.vocabulary.asides)
    body = chat.pick(topic.updates if telling.update else topic.tells)
    if time:
        body = f"{body[:-1]} {time}{body[-1]}" if chat.dice.random() < 0.5 else f"{body} That was {time}."
    telling.turn = chat.say(who, f"{opening}{body} {aside}", **telling.slots)
    telling.said_at = chat.at
    kind = "updated" if telling.update else "single-hop"
    details = list(topic.details)
    chat.dice.shuffle(details)
    if telling.update:
        details = details[:1] if chat.dice.random() < 0.3 else []
    if topic.echoes and chat.dice.random() < 0.7:
        chat.say(1 - who, chat.pick(topic.echoes), **telling.slots)
        chat.say(who, chat.pick(chat.vocabulary.cheers))
    for detail in details:
        before = f"{chat.pick(chat.vocabulary.cheers)} " if chat.dice.random() < 0.5 else ""
        chat.say(1 - who, before + chat.pick(detail.ask), **telling.slots)
        after = f" {chat.pick(chat.vocabulary.asides)}" if chat.dice.random() < 0.4 else ""
        opening = chat.pick(chat.vocabulary.openings)
        if chat.dice.random() < _ANSWERS_TIED:
            opening = f"{topic.about[:1].upper()}{topic.about[1:]}: "
        answer = chat.say(who, f"{opening}{chat.pick(detail.answer)}{after}", **telling.slots)
        if kind == "single-hop":
            query = chat.pick(detail.asked)
            if chat.dice.random() < _QUESTIONS_TIED:
                query = f"{query[:-1]} {topic.about}?"
            chat.ask(query, [answer], kind, who, **telling.slots)
    if chat.dice.random() < 0.5:
        chat.say(1 - who, chat.pick(chat.vocabulary.cheers))


def _ask_for_tellings(chat: _Chat, told: Sequence[_Telling]) -> None:
    for telling in told:
        topic, who = telling.topic, telling.teller
        same = [other for other in told if other.topic is topic and other.teller == who]
        if telling.update:
            before = [other.turn for other in same if not other.update]
            chat.ask(chat.pick(topic.now), [telling.turn], "updated", who, before, **telling.slots)
            continue
        if not topic.updates:
            phrases = topic.plain if chat.dice.random() < _PLAIN else topic.asked
            chat.ask(chat.pick(phrases), [other.turn for other in same], _hops(same), who, **telling.slots)
        if topic.when and len(same) == 1:
            chat.ask(chat.pick(topic.when), [telling.turn], "temporal", who, **telling.slots)
        if len(same) > 1 and not topic.updates:
            _ask_by_month(chat, telling, same)


def _hops(same: Sequence[_Telling]) -> str:
    return "multi-hop" if len({telling.turn for telling in same}) > 1 else "single-hop"


def _ask_by_month(chat: _Chat, telling: _Telling, same: Sequence[_Telling]) -> None:
    """The same thing happened in several months: which is meant?"""
    at = telling.said_at - timedelta(days=telling.days_ago)
    months = {(other.said_at - timedelta(days=other.days_ago)).month for other in same}
    if len(months) < len(same):
        return
    query = chat.pick(telling.topic.asked).rstrip("?")
    month = f"{_MONTHS[at.month - 1]} {at.year}" if chat.dice.random() < 0.6 else _MONTHS[at.month - 1]
    chat.ask(f"{query} in {month}?", [telling.turn], "temporal", telling.teller, **telling.slots)


def _ask_for_groups(chat: _Chat, told: Sequence[_Telling]) -> None:
    for group, phrases in chat.vocabulary.groups.items():
        for who in (0, 1):
            turns = [one.turn for one in told if one.topic.group == group and one.teller == who]
            if len(turns) > 1:
                chat.ask(chat.pick(phrases), turns, "multi-hop", who)
