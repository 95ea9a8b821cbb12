"""What an activity tells its next attempt: it goes along with every heartbeat."""

from contextvars import ContextVar
from typing import Any

from temporalio import activity

# Among the details of a heartbeat ours is the one with this key.
_KEY = "perdure"


class Carried:
    """Notes of this attempt and of those before it, by who takes them. Small: they are stored with each heartbeat."""

    def __init__(self) -> None:
        details = activity.info().heartbeat_details
        self._others = [detail for detail in details if not _is_ours(detail)]
        self._notes: dict[str, Any] = next((dict(detail[_KEY]) for detail in details if _is_ours(detail)), {})

    def notes(self, name: str) -> Any:
        """What was noted last under a name; None when nothing was."""
        return self._notes.get(name)

    def note(self, name: str, notes: Any) -> None:
        """Keep something that JSON can say, from this moment on."""
        self._notes[name] = notes
        self.beat()

    def beat(self) -> None:
        """Send a heartbeat with all of it."""
        activity.heartbeat(*self._others, *([{_KEY: self._notes}] if self._notes else []))


_CARRIED: ContextVar[Carried | None] = ContextVar("carried", default=None)


def begin() -> Carried:
    """Start an attempt, whose tasks share what they note."""
    carried = Carried()
    _CARRIED.set(carried)
    return carried


def current() -> Carried | None:
    """Of the activity that is running; None outside of one."""
    if not activity.in_activity():
        return None
    return _CARRIED.get() or begin()


def _is_ours(detail: object) -> bool:
    return isinstance(detail, dict) and isinstance(detail.get(_KEY), dict)
