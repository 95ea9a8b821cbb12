"""Chats that were written by hand, each hidden among the invented sessions of the same two people.

A file has sessions (`# time`), turns (`Speaker: text [label]`) and questions (`? type | question | labels`).
"""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.evaluation.chats import make_chats
from bench.evaluation.dialogues import Dialogue, Question, Turn
from bench.evaluation.topics import Vocabulary

DIRECTORY = Path(__file__).parent / "written"
_TURN = re.compile(r"(?P<speaker>\w+): (?P<text>.*?)(?: \[(?P<label>[\w-]+)\])?$")


def read_written(name: str, hidden_among: Vocabulary, seed: int) -> Dialogue:
    """The chat of this name; only its own questions are asked."""
    written = _parsed(DIRECTORY / f"{name}.txt", name)
    first, second = written.speakers
    people = replace(hidden_among, people=((first, second),))
    shift = written.turns[0].said_at - datetime(2023, 1, 14, tzinfo=UTC) + timedelta(days=3)
    others = [
        replace(turn, id=f"other-{turn.id}", session=f"other-{turn.session}", said_at=turn.said_at + shift)
        for turn in make_chats(people, seed, 1)[0].turns
    ]
    turns = sorted([*written.turns, *others], key=lambda turn: turn.said_at)
    return Dialogue(name, turns, written.questions)


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
            identity = f"{len(turns)}"
            turns.append(Turn(identity, match["speaker"], match["text"], session, at))
            if match["label"]:
                labels[match["label"]] = identity
    return Dialogue(name, turns, questions)
