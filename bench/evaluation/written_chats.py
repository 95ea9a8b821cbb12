"""Chats that were written by hand, each hidden among the others as if the same two people had had them all.

A file has sessions (`# time`), turns (`Speaker: text [label]`) and questions (`? type | question | labels`).
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.evaluation.dialogues import Dialogue, Question, Turn

_DIRECTORY = Path(__file__).parent / "written"
_TURN = re.compile(r"(?P<speaker>\w+): (?P<text>.*?)(?: \[(?P<label>[\w-]+)\])?$")
# Half is for learning weights, half for judging them.
FOR_LEARNING = ("nadia-and-theo", "ellie-and-marcus")
FOR_TESTING = ("ruth-and-gabriel", "sofia-and-dev")


def read_written(names: Sequence[str]) -> list[Dialogue]:
    """The chats of these names; of each, only its own questions are asked."""
    chats = {name: _parsed(_DIRECTORY / f"{name}.txt", name) for name in (*FOR_LEARNING, *FOR_TESTING)}
    return [
        _hidden(chats[name], [chats[other] for other in sorted(chats) if other != name]) for name in names
    ]


def _hidden(chat: Dialogue, others: Sequence[Dialogue]) -> Dialogue:
    turns = list(chat.turns)
    for nth, other in enumerate(others, start=1):
        # Sessions of different chats on different days; the others' people get the names of these two.
        shift = timedelta(
            days=chat.turns[0].said_at.toordinal() - other.turns[0].said_at.toordinal() + 3 * nth
        )
        turns += [
            replace(
                turn,
                id=f"{other.id}/{turn.id}",
                speaker=_renamed(turn.speaker, other, chat),
                text=_renamed(turn.text, other, chat),
                said_at=turn.said_at + shift,
            )
            for turn in other.turns
        ]
    return Dialogue(chat.id, sorted(turns, key=lambda turn: turn.said_at), chat.questions)


def _renamed(text: str, other: Dialogue, chat: Dialogue) -> str:
    for theirs, ours in zip(other.speakers, chat.speakers, strict=True):
        text = re.sub(rf"\b{theirs}\b", ours, text, flags=re.IGNORECASE)
    return text


def _parsed(path: Path, name: str) -> Dialogue:
    turns: list[Turn] = []
    questions: list[Question] = []
    labels: dict[str, str] = {}
    at, session = datetime.min.replace(tzinfo=UTC), ""
    for line in path.read_text().splitlines():
        if line.startswith("# "):
            session, at = f"{name}/{line[2:]}", datetime.fromisoformat(line[2:]).replace(tzinfo=UTC)
        elif line.startswith("? "):
            kind, query, wanted = line[2:].split(" | ")
            relevant = frozenset(labels[label.strip()] for label in wanted.split(","))
            questions.append(Question(query, relevant, kind))
        elif match := _TURN.match(line):
            at += timedelta(seconds=40)
            turns.append(Turn(f"{len(turns)}", match["speaker"], match["text"], session, at))
            if match["label"]:
                labels[match["label"]] = turns[-1].id
    return Dialogue(name, turns, questions)
