"""A short run of `perdure chaos`, as users run it, against an installation in which nothing is replaced."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from perdure.embedded import clocks
from tests.faults.installation import ROOT, Installation

# In a minute: a full disk, a slow server, a worker that is frozen for longer than its heartbeat, kills of one part
# and of all at once, a worker whose clock is ahead by an hour.
SEED, MINUTES, SLEEPERS = 202065, 1, 30


@pytest.mark.timeout(900)
async def test_nothing_is_lost_or_doubled_whatever_is_killed(
    untouched_installation: Installation, tmp_path: Path
) -> None:
    installation = untouched_installation
    await installation.up()
    ended = await asyncio.to_thread(
        subprocess.run,
        [
            sys.executable, "-m", "perdure.cli", "chaos", "--yes", "--json", "--seed", str(SEED),
            "--duration", str(MINUTES), "--sleepers", str(SLEEPERS), "--report", str(tmp_path),
        ],
        cwd=ROOT, env=installation.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    made = json.loads(ended.stdout)
    assert len(made["outcomes"]) >= MINUTES * 6 + 1
    skipped = [each for each in made["outcomes"] if each["skipped"]]
    assert [each["kind"] for each in skipped] == ([] if clocks.library() else ["clock jump"])
    assert made["violations"] == 0
    assert made["operations"] >= 5 * made["faults"]
    assert any(each["interrupted_steps"] for each in made["outcomes"])
    assert "0 violations" in (tmp_path / "chaos.html").read_text()
    async with httpx.AsyncClient(trust_env=False) as http:
        receipt = (await http.get(made["organisation"]["erasure"])).json()
    assert receipt["status"] != "failed", receipt
    installation.interrupt()
    assert await installation.ended() == 0


async def test_it_says_that_nothing_runs(untouched_installation: Installation) -> None:
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "perdure.cli", "chaos", "--yes"],
        cwd=ROOT, env=untouched_installation.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "nothing runs from" in ended.stderr
