"""Where the parts of a stack listen: no two of them in the same place."""

import random
from pathlib import Path

import pytest

from perdure.embedded import ports
from perdure.embedded.stack_ports import StackPorts
from perdure.settings import Settings


def _report(part: str, what: str, *, passing: bool = False) -> None:
    pytest.fail(f"{part}: {what}, passing: {passing}")


def test_what_is_chosen_is_none_of_what_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, grpc, ui = ports.unused(3)
    # Whoever draws a configured port goes on to the next, as if another process had drawn the three.
    monkeypatch.setattr(ports, "_given", set())
    drawn = iter([api, grpc, ui, grpc])
    monkeypatch.setattr(random.SystemRandom, "randrange", lambda *_: next(drawn))
    settings = Settings(
        _env_file=None,
        home=tmp_path,
        api_port=api,
        temporal_port=grpc,
        temporal_ui_port=ui,
        temporal_address="",
    )
    chosen = StackPorts.choose(settings, _report, ["io", "cpu"])
    temporal = chosen.temporal
    assert (chosen.api, temporal.grpc, temporal.ui) == (api, grpc, ui)
    others = [temporal.http, temporal.metrics, *chosen.worker_metrics.values()]
    assert len({api, grpc, ui, *others}) == 7
