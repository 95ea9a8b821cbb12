import os
from pathlib import Path

import pytest

from perdure.embedded import temporal_server
from perdure.embedded.temporal_server import TemporalPorts
from perdure.errors import UnavailableError

PORTS = TemporalPorts(grpc=7233, ui=8233, http=7243, metrics=7253)


def executable(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_the_command_that_is_started_misses_no_tuned_flag() -> None:
    command = temporal_server.server_command(Path("temporal"), PORTS, Path("state.db"))
    assert temporal_server.missing_flags(command) == []


def test_an_untuned_server_is_told_from_a_tuned_one() -> None:
    missing = temporal_server.missing_flags(
        ["temporal", "server", "start-dev", "--sqlite-pragma", "synchronous=1"]
    )
    assert "--dynamic-config-value history.transferProcessorMaxPollRPS=2000" in missing
    assert "--sqlite-pragma synchronous=1" not in missing


def test_every_listener_is_bound_to_loopback() -> None:
    command = temporal_server.server_command(Path("temporal"), PORTS, None)
    assert command[command.index("--ip") + 1] == command[command.index("--ui-ip") + 1] == "127.0.0.1"
    assert "--db-filename" not in command


def test_the_ui_is_told_where_payloads_are_decrypted() -> None:
    endpoint = "http://127.0.0.1:8000/codec"
    command = temporal_server.server_command(Path("temporal"), PORTS, None, endpoint)
    assert command[command.index("--ui-codec-endpoint") + 1] == endpoint


def test_a_temporal_on_path_wins_over_a_built_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = executable(tmp_path / "home" / "bin" / "temporal", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert temporal_server.find_binary(tmp_path / "home") == built
    on_path = executable(tmp_path / "path" / "temporal", "exit 0")
    assert temporal_server.find_binary(tmp_path / "home") == on_path


def test_without_temporal_and_go_the_message_names_the_three_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"(?s)Temporal CLI.*Go.*TEMPORAL_ADDRESS"):
        temporal_server.ensure_binary(tmp_path, lambda _: None, ["/bin/false"])


def test_a_build_reports_each_line_and_gives_the_binary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(
        tmp_path / "path" / "go",
        'echo "package one"; echo "$3"; printf "#!/bin/sh" > "$GOBIN/temporal"; chmod 755 "$GOBIN/temporal"',
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}{os.pathsep}/bin")
    lines: list[str] = []
    binary = temporal_server.ensure_binary(tmp_path / "home", lines.append, ["/bin/false"])
    assert binary == tmp_path / "home" / "bin" / "temporal"
    assert lines == ["package one", temporal_server.CLI_MODULE]


def test_a_download_wins_over_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    downloading = executable(
        tmp_path / "download", 'printf "#!/bin/sh" > "$1/temporal-9.9.9"; chmod 755 "$1/temporal-9.9.9"'
    )
    monkeypatch.setenv("PATH", "/bin")
    binary = temporal_server.ensure_binary(tmp_path / "home", pytest.fail, [str(downloading)])
    assert binary == tmp_path / "home" / "bin" / "temporal"
    assert [path.name for path in binary.parent.iterdir()] == ["temporal"]


def test_a_failed_build_shows_the_last_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executable(tmp_path / "path" / "go", 'echo "no network" >&2; exit 3')
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}{os.pathsep}/bin")
    with pytest.raises(UnavailableError, match=r"(?s)exit code 3.*no network"):
        temporal_server.build_binary(tmp_path / "home", lambda _: None)
