"""The same chats remembered and asked for by mem0: how quickly, and how much of what answers is found.

*Chats*: those that `bench.evaluation` invents, the set that is judged: turns, questions, and the turns that answer
them. *Ours*: the product over HTTP; each chat is a space. *mem0*: a process of its own on the same cores, once the
product is gone, its library called directly, without HTTP; each chat is a user.

What of mem0 is switched off: the language model (`infer=False`: turns are kept as they are, as they are here),
telemetry, its threshold (answers would only be left out), reranking (off by default), the optional part that needs a
spaCy model to be downloaded, the hub. It has the same weights (sentence-transformers on torch, fp32) and its default
store, Qdrant embedded, on disk. It is given each turn as "speaker: text", which helps it: it embeds nothing else.

An added turn can be found when mem0's `add` returns. Ours is accepted, and survives a crash, when 202 comes, and can
be found when `wait=true` answers; both are shown. Only single turns are timed: in files or batches ours is far quicker.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import product
from bench.evaluation.__main__ import dialogues
from bench.evaluation.dialogues import Dialogue
from bench.evaluation.measures import MEASURES, judged, summarised
from bench.evaluation.over_http import RemoteMemory
from bench.report import Figure, Options, Target, median, percentile
from perdure.providers.minilm_export import weights_directory

GROUP = "chats remembered and asked for, against mem0"
ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".venv-bench" / "bin" / "python"
TIMEOUT_S = 1800
TOP = 10
SINGLES = 100


async def run(options: Options) -> list[Figure]:
    """Ours first; then the peer, alone."""
    if not PYTHON.exists():
        msg = "mem0 is not installed: run `scripts/setup.sh bench`"
        raise FileNotFoundError(msg)
    chats = dialogues("invented")[: options.repeats(6, 1)]
    singles = options.repeats(SINGLES, 5)
    async with product.running() as running:
        options.say(f"{sum(len(chat.turns) for chat in chats):,} turns through the product")
        ours = await _ours(running, chats, singles)
    options.say("the same through mem0")
    with product.scratch_home() as scratch:
        peer = await _peer(scratch, chats, singles)
    turns, questions = sum(len(chat.turns) for chat in chats), sum(len(chat.questions) for chat in chats)
    recall, theirs = _recall(chats, ours["found"]), _recall(chats, peer["found"])
    note = f"{len(chats)} chats, {turns:,} turns, {questions} questions; mem0 {peer['version']}"
    return [
        Figure(GROUP, f"recall@{TOP}", "", recall, theirs, Target("ratio", "at least", 1.15), note),
        Figure(GROUP, "add, accepted, p50", "ms", median(ours["accept_ms"]), median(peer["add_ms"])),
        Figure(GROUP, "add, to be found, p50", "ms", median(ours["add_ms"]), median(peer["add_ms"])),
        Figure(
            GROUP, "add, to be found, p95", "ms",
            percentile(ours["add_ms"], 0.95), percentile(peer["add_ms"], 0.95),
        ),
        Figure(GROUP, "search p50", "ms", median(ours["search_ms"]), median(peer["search_ms"])),
        Figure(
            GROUP, "search p95", "ms",
            percentile(ours["search_ms"], 0.95), percentile(peer["search_ms"], 0.95),
        ),
    ]  # fmt: skip


def _recall(chats: Sequence[Dialogue], found: Sequence[Sequence[str]]) -> float:
    questions = [question for chat in chats for question in chat.questions]
    rows = [judged(ids, question.relevant) for question, ids in zip(questions, found, strict=True)]
    assert f"recall@{TOP}" in MEASURES
    return summarised(rows)[f"recall@{TOP}"].mean


async def _ours(running: product.Product, chats: Sequence[Dialogue], singles: int) -> dict[str, Any]:
    results: dict[str, Any] = {"accept_ms": [], "add_ms": [], "search_ms": [], "found": []}
    for chat in chats:
        await RemoteMemory(running.http, chat.id).remember(chat)
    for number in range(-5, singles):
        said = {"content": f"Single statement number {number + 5}.", "space": "singles", "subject": "Ann"}
        started = time.perf_counter()
        await running.post("/memories", params={"wait": "true"}, json=said)
        waited = product.since(started)
        started = time.perf_counter()
        operation = await running.post("/memories", json={**said, "content": f"{said['content']} Again."})
        accepted = product.since(started)
        await running.closed(operation)
        if number >= 0:  # the ones before warm up
            results["add_ms"].append(waited)
            results["accept_ms"].append(accepted)
    for chat in chats:
        for question in chat.questions:
            asked = {"query": question.query, "space": chat.id, "limit": TOP}
            started = time.perf_counter()
            answer = await running.post("/memories/recall", json=asked)
            results["search_ms"].append(product.since(started))
            results["found"].append([item["external_id"] for item in answer["items"]])
    return results


async def _peer(scratch: Path, chats: Sequence[Dialogue], singles: int) -> dict[str, Any]:
    asked = {
        "model": str(weights_directory()),
        "directory": str(scratch / "mem0"),
        "top": TOP,
        "singles": singles,
        "chats": [
            {
                "id": chat.id,
                "turns": [{"id": turn.id, "text": f"{turn.speaker}: {turn.text}"} for turn in chat.turns],
                "questions": [question.query for question in chat.questions],
            }
            for chat in chats
        ],
    }
    path = scratch / "peer.json"
    await asyncio.to_thread(path.write_text, json.dumps(asked))
    process = await asyncio.create_subprocess_exec(
        str(PYTHON), str(ROOT / "bench" / "mem0_run.py"), str(path),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=scratch,
    )  # fmt: skip
    try:
        output, errors = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        msg = f"mem0 ended with exit code {process.returncode}: {errors.decode()[-2000:]}"
        raise RuntimeError(msg)
    found: dict[str, Any] = json.loads(output.decode().strip().splitlines()[-1])
    return found
