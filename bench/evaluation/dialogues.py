"""Dialogues with questions, and the formats that they are read from.

A directory of dialogues holds one JSON file each:

    {"id": "d1",
     "turns": [{"id": "D1:3", "speaker": "Ann", "text": "…", "time": "2023-05-08T13:56:00+00:00", "session": "1"}],
     "questions": [{"query": "…", "relevant": ["D1:3"], "type": "updated",
                    "outdated": ["D1:1"]}]}

`id` of a turn defaults to its place, `session` to one for all; `time`, `type` and `outdated` may be missing.
Instead of `relevant`, `relevant_turns` may give places in `turns`.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

# Turns of a dialogue without times are so far apart, beginning here.
_FIRST = datetime(2024, 1, 1, 9, tzinfo=UTC)
_APART = timedelta(seconds=10)


@dataclass(frozen=True)
class Turn:
    """What somebody said."""

    id: str
    speaker: str
    text: str
    session: str
    said_at: datetime


@dataclass(frozen=True)
class Question:
    """A question and the turns that answer it."""

    query: str
    relevant: frozenset[str]
    type: str = ""
    outdated: frozenset[str] = frozenset()
    """Turns that answered it before; what holds now is to come first."""


@dataclass(frozen=True)
class Dialogue:
    """Turns in order, and questions about them."""

    id: str
    turns: Sequence[Turn]
    questions: Sequence[Question]

    @property
    def speakers(self) -> list[str]:
        """Who speaks."""
        return list(dict.fromkeys(turn.speaker for turn in self.turns))

    @property
    def asked_at(self) -> datetime:
        """Questions are asked a day after the last turn."""
        return max(turn.said_at for turn in self.turns) + timedelta(days=1)


def read_directory(directory: Path) -> list[Dialogue]:
    """All dialogues of a directory; questions without a turn that answers them are left out."""
    files = sorted(directory.glob("*.json"))
    if not files:
        msg = f"there is no .json file in {directory}"
        raise FileNotFoundError(msg)
    return [_dialogue(json.loads(file.read_text()), file.stem) for file in files]


def write_directory(dialogues: Sequence[Dialogue], directory: Path) -> None:
    """Write what `read_directory` reads."""
    directory.mkdir(parents=True, exist_ok=True)
    for dialogue in dialogues:
        turns = [
            {
                "id": turn.id,
                "speaker": turn.speaker,
                "text": turn.text,
                "time": turn.said_at.isoformat(),
                "session": turn.session,
            }
            for turn in dialogue.turns
        ]
        questions = [
            {**asdict(asked), "relevant": sorted(asked.relevant), "outdated": sorted(asked.outdated)}
            for asked in dialogue.questions
        ]
        content = {"id": dialogue.id, "turns": turns, "questions": questions}
        (directory / f"{dialogue.id}.json").write_text(
            json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        )


def _dialogue(stored: dict[str, Any], name: str) -> Dialogue:
    ids = [str(turn.get("id", place)) for place, turn in enumerate(stored["turns"])]
    turns = [
        Turn(
            id=ids[place],
            speaker=turn["speaker"],
            text=turn["text"],
            session=f"{name}/{turn.get('session', '')}",
            said_at=_time(turn, place),
        )
        for place, turn in enumerate(stored["turns"])
        if turn["text"].strip()
    ]
    there = {turn.id for turn in turns}
    questions = []
    for asked in stored["questions"]:
        relevant = {str(turn) for turn in asked.get("relevant", ())}
        relevant |= {ids[place] for place in asked.get("relevant_turns", ()) if place < len(ids)}
        if relevant & there:
            outdated = frozenset(str(turn) for turn in asked.get("outdated", ()))
            questions.append(
                Question(asked["query"], frozenset(relevant & there), asked.get("type", ""), outdated & there)
            )
    return Dialogue(name, turns, questions)


def _time(turn: dict[str, Any], place: int) -> datetime:
    if not turn.get("time"):
        return _FIRST + place * _APART
    time = datetime.fromisoformat(turn["time"])
    return time if time.tzinfo else time.replace(tzinfo=UTC)
