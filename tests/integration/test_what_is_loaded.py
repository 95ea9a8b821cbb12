"""What costs seconds and memory is loaded where it is first used: never by starting."""

import subprocess
import sys

import pytest

HEAVY = (
    "aiosmtplib",
    "anthropic",
    "av",
    "dateparser",
    "encodec",
    "genai_prices",
    "librosa",
    "mcp",
    "openai",
    "phonenumbers",
    "stdnum",
    "torch",
    "transformers",
    "vaderSentiment",
)


@pytest.mark.parametrize("entry_point", ["api.app", "worker", "perdure.cli"])
def test_starting_loads_nothing_heavy(entry_point: str) -> None:
    told = f"import sys, {entry_point}; print(sorted({set(HEAVY)!r} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
