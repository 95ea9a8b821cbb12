"""No image is built where these tests run: the file is taken apart, and what it copies is looked for."""

import re
import subprocess
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from perdure.settings import Settings
from scripts.image_lock import split

ROOT = Path(__file__).parents[2]
INSTRUCTIONS = {
    "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "RUN", "USER", "WORKDIR",
}  # fmt: skip


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile, its lines joined."""

    name: str
    rest: str


def instructions() -> list[Instruction]:
    text = (ROOT / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def stages() -> list[list[Instruction]]:
    found: list[list[Instruction]] = []
    for instruction in instructions():
        if instruction.name == "FROM":
            found.append([])
        if found:
            found[-1].append(instruction)
    return found


def of(stage: list[Instruction], name: str) -> list[str]:
    return [instruction.rest for instruction in stage if instruction.name == name]


def sent_to_the_builder(path: str) -> bool:
    """What .dockerignore lets through; the last line that matches decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!")
        parents = [str(parent) for parent in Path(path).parents][:-1]
        if any(fnmatch(each, pattern.removeprefix("**/")) for each in (path, Path(path).name, *parents)):
            sent = line.startswith("!")
    return sent


def test_every_instruction_is_one_of_docker() -> None:
    assert {instruction.name for instruction in instructions()} <= INSTRUCTIONS


def test_stages_build_on_one_another_and_on_a_pinned_image() -> None:
    names: list[str] = []
    for stage in stages():
        base, *alias = of(stage, "FROM")[0].split(" AS ")
        assert base == "python:${PYTHON}" or base in names
        names += alias
        for copied in of(stage, "COPY"):
            for source in re.findall(r"--from=(\w+)", copied):
                assert source in names
    default = re.search(r"PYTHON=(\S+)", of(instructions(), "ARG")[0])
    assert default is not None
    assert re.fullmatch(r"3\.1[123]-slim-\w+", default[1])


def test_what_is_copied_exists_and_is_sent() -> None:
    copied = [
        source
        for stage in stages()
        for line in of(stage, "COPY")
        if "--from" not in line
        for source in line.split()[:-1]
        if source != "."
    ]
    assert {"requirements/run.txt", "worker.py"} <= set(copied)
    for source in copied:
        assert (ROOT / source).is_file(), source
        assert sent_to_the_builder(source), source


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".git/config",
        ".perdure/stack.env",
        "tests/conftest.py",
        ".venv/bin/python",
        "docs/x.md",
        "api/a.pyc",
    ],
)
def test_secrets_state_and_tests_are_not_sent(path: str) -> None:
    assert not sent_to_the_builder(path)


def test_what_the_wheel_holds_is_sent() -> None:
    for path in (
        "perdure/settings.py",
        "api/templates/base.html",
        "migrations/env.py",
        "pyproject.toml",
        "README.md",
    ):
        assert sent_to_the_builder(path), path


def test_the_image_runs_as_nobody_in_particular_and_says_how_it_is() -> None:
    last = stages()[-1]
    assert of(last, "USER") == ["10001:10001"]
    order = [instruction.name for instruction in last]
    assert order.index("USER") > max(at for at, name in enumerate(order) if name in {"RUN", "COPY"})
    (check,) = of(last, "HEALTHCHECK")
    assert "/health/live" in check
    assert "8000" in of(last, "EXPOSE")[0]


def test_the_last_stage_holds_no_tools_to_build_with() -> None:
    run = " ".join(of(stages()[-1], "RUN"))
    assert "pip uninstall" in run
    for tool in ("gcc", "build-essential", "git", " uv ", "pip install"):
        assert tool not in run


def test_what_the_image_sets_is_read() -> None:
    known = {f"PERDURE_{name.upper()}" for name in Settings.model_fields}
    (environment,) = of(stages()[-1], "ENV")
    ours = set(re.findall(r"(PERDURE_\w+)=", environment))
    assert ours
    assert ours <= known


def test_a_lock_without_cuda_keeps_everything_else_with_its_hashes(tmp_path: Path) -> None:
    lock = ROOT / "requirements" / "run.txt"
    rest_file, torch_file = tmp_path / "rest.txt", tmp_path / "torch.txt"
    command = [
        sys.executable,
        str(ROOT / "scripts/image_lock.py"),
        str(lock),
        str(rest_file),
        str(torch_file),
    ]
    subprocess.run(command, check=True)
    torch = torch_file.read_text().split()
    assert [line.partition("==")[0] for line in torch] == ["torch", "torchaudio"]
    assert all(re.search(rf"^{re.escape(line)} ", lock.read_text(), re.MULTILINE) for line in torch)
    rest = rest_file.read_text()
    names = set(re.findall(r"^([a-z0-9._-]+)==", lock.read_text(), re.MULTILINE))
    kept = set(re.findall(r"^([a-z0-9._-]+)==", rest, re.MULTILINE))
    assert {name.partition("-")[0] for name in names - kept} == {
        "torch",
        "torchaudio",
        "nvidia",
        "cuda",
        "triton",
    }
    assert rest.count("--hash=sha256:") >= len(kept)


def test_an_entry_of_the_lock_goes_with_its_lines() -> None:
    kept = "aa==1 \\\n    --hash=sha256:1\n"
    lock = f"{kept}nvidia-x==2 ; sys_platform == 'linux' \\\n    --hash=sha256:2\ntorch==3 \\\n    --hash=sha256:3\n"
    assert split(lock) == (kept, "torch==3\n")
