"""Clocks of parts: what a process with one sees, and that another one sees the machine's."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from perdure.embedded import clocks
from perdure.embedded.clocks import Clock

# How far its clock is from the machine's, and how fast its spans run, each time that a line comes.
PROGRAM = """
import sys, time
for line in sys.stdin:
    print(time.time(), time.monotonic(), flush=True)
"""


def test_nobody_has_a_clock_that_was_not_taken(tmp_path: Path) -> None:
    clock = Clock(tmp_path, "worker io")
    assert clock.environment() == {}
    assert not clock.leave()
    clock.set(30)
    assert bool(clock.environment()) == (clocks.library() is not None)
    assert clock.leave()
    clock.set(30)
    clocks.leave_all(tmp_path)
    assert clock.environment() == {}


@pytest.mark.skipif(clocks.library() is None, reason="libfaketime is not installed")
def test_a_clock_jumps_while_its_process_runs_and_spans_go_on(tmp_path: Path) -> None:
    clock = Clock(tmp_path, "api")
    clock.set(0)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **clock.environment()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ahead() -> tuple[float, float]:
            """Seconds that its clocks are ahead of the machine's: what is set, and what measures spans."""
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            said, spans = map(float, process.stdout.readline().split())
            return said - time.time(), spans - time.monotonic()

        for jump_s in (0.0, 3600.0, -30.0, 0.0):
            clock.set(jump_s)
            deadline = time.monotonic() + 10
            while abs(ahead()[0] - jump_s) > 1.0:
                assert time.monotonic() < deadline, f"it did not jump by {jump_s}"
                time.sleep(0.05)
            assert abs(ahead()[1]) < 1.0
        assert clocks.is_had_by(process.pid)
        assert not clocks.is_had_by(os.getpid())
        process.stdin.close()
    clocks.forget(process.pid)
    assert process.returncode == 0
