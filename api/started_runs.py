"""Which workflows this process has started lately, for those whose operations have no run id yet.

The worker that runs the first step writes the run id. While many wait for a worker, the outbox would hand out again
what only waits for its first step.
"""

import time

from perdure.db.operation_repository import StartedRun

# Whoever has not been asked for by then has a run id, or is started again, which is harmless.
_KEPT_FOR_S = 60.0


class StartedRuns:
    """The runs of the last minute."""

    def __init__(self) -> None:
        self._noted: dict[str, tuple[float, StartedRun]] = {}

    def note(self, run: StartedRun) -> None:
        """A run that Temporal holds."""
        now = time.monotonic()
        self._noted.pop(run.operation_id, None)
        self._noted[run.operation_id] = now, run
        while (eldest := next(iter(self._noted.values())))[0] < now - _KEPT_FOR_S:
            del self._noted[eldest[1].operation_id]

    def take(self, operation_id: str) -> StartedRun | None:
        """The run of an operation, once: an operation that lacks its run id again is to be started again."""
        noted = self._noted.pop(operation_id, None)
        return noted[1] if noted else None
