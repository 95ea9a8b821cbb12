"""The pool of parser children: every way in which a file can hurt one costs one typed answer and no more."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from perdure.errors import DocumentRejectedError, UnavailableError
from perdure.ports.parsing import ParseJob, Parser
from perdure.providers.parser_pool import ParserPool
from perdure.settings import MEBIBYTE, Settings

HOSTILE = "tests.fakes_hostile:parser"
MakeJob = Callable[[str], ParseJob]


@pytest.fixture
def make_job(tmp_path: Path) -> MakeJob:
    """A job whose file says what the hostile parser should do."""
    made = 0

    def make(text: str, media_type: str = "application/pdf") -> ParseJob:
        nonlocal made
        made += 1
        path, workspace = tmp_path / f"file-{made}", tmp_path / f"workspace-{made}"
        path.write_text(text)
        workspace.mkdir()
        return ParseJob(path=path, media_type=media_type, name=path.name, workspace=workspace)

    return make


def a_pool(parser: str = HOSTILE, **settings: float) -> ParserPool:
    return ParserPool(Settings.model_validate({"parse_timeout_s": 20.0, **settings}), parser=parser)


@pytest.fixture
async def pool() -> AsyncIterator[ParserPool]:
    pool = a_pool()
    yield pool
    await pool.aclose()
    assert pool.child_pids == []


async def rejection(parsing: Awaitable[object]) -> DocumentRejectedError:
    with pytest.raises(DocumentRejectedError) as error:
        await parsing
    return error.value


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:  # noqa: ASYNC110  # watches processes, not tasks
        await asyncio.sleep(0.02)
    return condition()


def zombies() -> list[int]:
    return [one.pid for one in psutil.Process().children() if one.status() == psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(
    ("deed", "reason", "says"),
    [
        ("segfault", "parser_crashed", "SIGSEGV"),
        ("abort", "parser_crashed", "SIGABRT"),
        ("exit 0", "parser_crashed", "exit code 0"),
        ("exit 3", "parser_crashed", "exit code 3"),
        ("raise deep inside", "parser_crashed", "ZeroDivisionError: deep inside"),
        ("killed", "memory_limit", "memory"),
        ("reject corrupt", "corrupt", "as told"),
        ("steal /etc/passwd", "parser_crashed", "makes no sense"),
    ],
)
async def test_a_file_that_hurts_its_child_costs_one_typed_answer(
    pool: ParserPool, make_job: MakeJob, deed: str, reason: str, says: str
) -> None:
    error = await rejection(pool.parse(make_job(deed)))
    assert error.reason == reason
    assert says in error.detail
    assert (await pool.parse(make_job("the next file"))).text == "the next file"
    assert zombies() == []


async def test_a_file_that_loops_for_ever_is_ended_at_the_time_limit(make_job: MakeJob) -> None:
    pool = a_pool(parse_timeout_s=0.5)
    started = time.monotonic()
    error = await rejection(pool.parse(make_job("hang")))
    took = time.monotonic() - started
    assert error.reason == "timeout"
    assert "PERDURE_PARSE_TIMEOUT_S" in error.detail
    assert took < 5
    assert (await pool.parse(make_job("next"))).text == "next"
    await pool.aclose()


async def test_what_the_child_started_dies_with_it(make_job: MakeJob, tmp_path: Path) -> None:
    pool = a_pool(parse_timeout_s=1.0)
    note = tmp_path / "pid"
    assert (await rejection(pool.parse(make_job(f"hang-with-grandchild {note}")))).reason == "timeout"
    assert await wait_until(lambda: not alive(int(note.read_text())))
    await pool.aclose()


@pytest.mark.parametrize("deed", ["eat 2048", "eat-at-once 2048"])
async def test_a_file_that_eats_two_gigabytes_is_ended_at_the_memory_limit(
    make_job: MakeJob, deed: str
) -> None:
    pool = a_pool(parse_memory_bytes=256 * MEBIBYTE)
    error = await rejection(pool.parse(make_job(deed)))
    assert error.reason == "memory_limit"
    assert "PERDURE_PARSE_MEMORY_BYTES" in error.detail
    assert (await pool.parse(make_job("next"))).text == "next"
    await pool.aclose()


async def test_rubbish_on_the_answer_pipe_ends_the_child(make_job: MakeJob) -> None:
    pool = a_pool(parse_timeout_s=10.0)
    assert (await rejection(pool.parse(make_job("rubbish")))).reason == "parser_crashed"
    assert (await pool.parse(make_job("next"))).text == "next"
    await pool.aclose()


async def test_what_a_library_prints_does_not_disturb_the_answers(
    pool: ParserPool, make_job: MakeJob
) -> None:
    assert (await pool.parse(make_job("chatter"))).text == "still fine"


async def test_a_child_is_used_again(pool: ParserPool, make_job: MakeJob) -> None:
    pids = {(await pool.parse(make_job("pid"))).text for _ in range(5)}
    assert len(pids) == 1


async def test_no_more_children_than_configured_work_at_once(make_job: MakeJob) -> None:
    pool = a_pool(parse_children=2)
    texts = await asyncio.gather(*(pool.parse(make_job("sleep 0.2")) for _ in range(5)))
    assert [one.text for one in texts] == ["slept"] * 5
    assert len(pool.child_pids) == 2
    await pool.aclose()


async def test_no_child_is_started_before_the_first_job() -> None:
    pool = a_pool()
    assert pool.child_pids == []
    await pool.aclose()


async def test_an_idle_child_is_ended_and_the_next_job_starts_another(make_job: MakeJob) -> None:
    pool = a_pool(parse_child_idle_s=0.2)
    first = int((await pool.parse(make_job("pid"))).text)
    assert await wait_until(lambda: not alive(first) and pool.child_pids == [])
    assert int((await pool.parse(make_job("pid"))).text) != first
    await pool.aclose()
    assert zombies() == []


async def test_a_child_that_died_while_idle_is_replaced(pool: ParserPool, make_job: MakeJob) -> None:
    first = int((await pool.parse(make_job("pid"))).text)
    os.kill(first, 9)
    await wait_until(lambda: not alive(first))
    assert int((await pool.parse(make_job("pid"))).text) != first


async def test_cancelling_the_caller_kills_the_child_at_work(pool: ParserPool, make_job: MakeJob) -> None:
    task = asyncio.create_task(pool.parse(make_job("sleep 600")))
    await wait_until(lambda: pool.child_pids != [] and pool.child_pids[0] != 0)
    await asyncio.sleep(0.3)
    pid = pool.child_pids[0]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(pid)
    assert zombies() == []
    assert (await pool.parse(make_job("next"))).text == "next"


async def test_a_caller_that_waits_for_a_slot_can_be_cancelled(make_job: MakeJob) -> None:
    pool = a_pool(parse_children=1)
    busy = asyncio.create_task(pool.parse(make_job("sleep 0.5")))
    waiting = asyncio.create_task(pool.parse(make_job("never")))
    await asyncio.sleep(0.1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await busy).text == "slept"
    assert (await pool.parse(make_job("next"))).text == "next"
    await pool.aclose()


async def test_closing_ends_children_at_work_and_refuses_new_jobs(make_job: MakeJob) -> None:
    pool = a_pool()
    task = asyncio.create_task(pool.parse(make_job("sleep 600")))
    await wait_until(lambda: pool.child_pids != [] and pool.child_pids[0] != 0)
    pids = pool.child_pids
    await pool.aclose()
    with pytest.raises(UnavailableError):  # not the fault of the document
        await task
    assert not any(alive(pid) for pid in pids)
    with pytest.raises(UnavailableError):
        await pool.parse(make_job("late"))


async def test_a_child_that_cannot_start_is_not_the_fault_of_the_document(make_job: MakeJob) -> None:
    pool = a_pool("tests.fakes_hostile:broken_parser")
    with pytest.raises(UnavailableError, match="the parser library is missing"):
        await pool.parse(make_job("innocent"))
    assert pool.child_pids == []
    await pool.aclose()


async def test_children_die_with_their_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (tmp_path / "job").write_text("hang")
    script.write_text(
        "import asyncio, os, pathlib\n"
        "from perdure.ports.parsing import ParseJob\n"
        "from perdure.providers.parser_pool import ParserPool\n"
        "from perdure.settings import Settings\n"
        "async def main():\n"
        f"    pool = ParserPool(Settings(), parser={HOSTILE!r})\n"
        f"    job = ParseJob(pathlib.Path({str(tmp_path / 'job')!r}), '', 'x', pathlib.Path({str(workspace)!r}))\n"
        "    task = asyncio.create_task(pool.parse(job))\n"
        "    while not (pool.child_pids and pool.child_pids[0]): await asyncio.sleep(0.01)\n"
        "    await asyncio.sleep(0.5)\n"
        f"    pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(pool.child_pids[0]))\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), env={**os.environ, "PYTHONPATH": str(root)}, cwd=str(root)
    )
    assert await process.wait() == -9
    pid = int((tmp_path / "pid").read_text())
    assert await wait_until(lambda: not alive(pid))


# the product's own parser

SAMPLES = Path(__file__).parents[2] / "samples"


async def test_samples_are_parsed_in_children_and_broken_ones_have_their_reasons(tmp_path: Path) -> None:
    pool: Parser = ParserPool(Settings(), tesseract=None)
    expected = {
        "lease.pdf": "six months to the end of a quarter",
        "minutes.md": "Mill Lane",
        "suppliers.csv": "Möller",
        "broken/password-protected.pdf": "password_protected",
        "broken/truncated.pdf": "corrupt",
        "broken/zip-bomb.docx": "decompression_limit",
        "broken/empty.txt": "empty",
        "broken/voicemail.wav": "unsupported_type",
    }
    for name, words in expected.items():
        job = ParseJob(SAMPLES / name, "", name, tmp_path)
        try:
            told = (await pool.parse(job)).text
        except DocumentRejectedError as error:
            told = error.reason
        assert words in told, name
    await pool.aclose()


async def test_without_tesseract_a_scan_comes_back_with_its_unread_page(tmp_path: Path) -> None:
    pool = ParserPool(Settings(), tesseract=None)
    parsed = await pool.parse(ParseJob(SAMPLES / "delivery-note-scanned.pdf", "", "scan.pdf", tmp_path))
    assert (parsed.text, parsed.unread_pages) == ("", [1])
    await pool.aclose()


# batches


async def test_a_batch_keeps_the_order_of_its_jobs(pool: ParserPool, make_job: MakeJob) -> None:
    jobs = [make_job(f"text {number}") for number in range(250)]
    jobs = [ParseJob(one.path, "text/plain", one.name, one.workspace) for one in jobs]
    outcomes = await pool.parse_many(jobs)
    assert [one.text for one in outcomes if not isinstance(one, DocumentRejectedError)] == [
        f"text {number}" for number in range(250)
    ]


async def test_one_file_that_kills_its_child_never_fails_the_rest_of_a_batch(make_job: MakeJob) -> None:
    pool = a_pool(parse_timeout_s=3.0)
    deeds = ["one", "segfault", "two", "reject empty", "hang", "three", "exit 1", "four"]
    jobs = [ParseJob((job := make_job(deed)).path, "text/plain", deed, job.workspace) for deed in deeds]
    outcomes = await pool.parse_many(jobs)
    told = [one.reason if isinstance(one, DocumentRejectedError) else one.text for one in outcomes]
    assert told == ["one", "parser_crashed", "two", "empty", "timeout", "three", "parser_crashed", "four"]
    await pool.aclose()


async def test_a_batch_of_nothing_is_nothing(pool: ParserPool) -> None:
    assert await pool.parse_many([]) == []
    assert pool.child_pids == []
