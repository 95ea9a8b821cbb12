"""The same files through llama-index's IngestionPipeline, and one search: wall clock against wall clock.

*Files*: 300 texts of 2 KB and the sample documents, on disk. Left out on both sides: what is broken on purpose,
and the pictures (llama-index reads no scans; Perdure does where Tesseract is installed).

*Ours*: the product runs and is warm. The clock starts with the files on disk: they are zipped, sent as one
`POST /documents/batch`, stored, parsed, cut, embedded and indexed for words and meaning as a durable operation;
it stops when one `POST /search` has answered.

*llama-index*: a process of its own on the same cores, once the product is gone. SimpleDirectoryReader,
SentenceSplitter, HuggingFaceEmbedding (sentence-transformers on torch, the same weights in fp32), PGVectorStore on
an embedded PostgreSQL with the product's settings, over its unix socket; then a retriever's first ten. What would
make it slower is switched off or done before the clock starts: imports, loading the model, one file of each kind
as a warm-up, connecting, creating the tables, its cache, an index over the vectors, full text, metadata in what is
embedded. Its passages hold as many tokens as ours (200, no overlap), so both embed the whole text once. Its own
defaults are shown beside: there a passage has 1,024 tokens, of which this model reads the first 256.

It writes nothing down on the way: killed half-way, it starts again from the beginning.
"""

import asyncio
import io
import json
import shutil
import time
import zipfile
from pathlib import Path
from typing import Any

from bench import product
from bench.report import Figure, Options, Target
from bench.texts import SAMPLES, make_texts
from perdure.cli.demo import QUESTION
from perdure.embedded import postgres
from perdure.providers.minilm_export import weights_directory
from perdure.settings import Settings

GROUP = "files and one search, against llama-index"
ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".venv-bench" / "bin" / "python"
PICTURES = {"delivery-note-scanned.pdf", "visitor-notice.png"}
TIMEOUT_S = 900
TABLE_ALIKE, TABLE_DEFAULTS = "alike", "defaults"


async def run(options: Options) -> list[Figure]:
    """Ours first; then the peer, alone."""
    if not PYTHON.exists():
        msg = "llama-index is not installed: run `scripts/setup.sh bench`"
        raise FileNotFoundError(msg)
    with product.scratch_home() as scratch:
        files = scratch / "files"
        count = _write_files(files, options.repeats(300, 30))
        async with product.running() as running:
            await running.warm_up()
            await product.settle()
            options.say(f"{count} files through the product")
            ours = await _ours(running, files)
        options.say("the same files through llama-index")
        peer = await _peer(scratch, files)
    alike, defaults = peer["runs"][TABLE_ALIKE], peer["runs"][TABLE_DEFAULTS]
    for name, result in peer["runs"].items():
        if result["found"] == 0 or result["files"] < count:
            msg = f"llama-index ({name}) read {result['files']} of {count} files and found {result['found']} passages"
            raise RuntimeError(msg)
    note = (
        f"{count} files; {ours['passages']} passages, llama-index {alike['passages']}; its reading "
        f"{alike['read_s']:.1f} s, pipeline {alike['pipeline_s']:.1f} s, search {alike['search_s'] * 1000:.0f} ms; "
        f"loading {peer['load_s']:.0f} s not counted"
    )
    return [
        Figure(GROUP, "wall clock", "s", ours["seconds"], alike["seconds"], Target("ratio", "at most", 0.5), note),
        Figure(
            GROUP, "wall clock, llama-index with its own defaults", "s", ours["seconds"], defaults["seconds"],
            note=f"{defaults['passages']} passages, the model reads the first 256 tokens of each",
        ),
    ]  # fmt: skip


def _write_files(directory: Path, texts: int) -> int:
    """The files; how many."""
    directory.mkdir()
    for number, text in enumerate(make_texts(texts, seed=5)):
        (directory / f"note-{number:04d}.txt").write_text(text)
    for path in SAMPLES.iterdir():
        if path.is_file() and path.name not in PICTURES and path.name != "README.md":
            shutil.copy(path, directory / path.name)
    return len(list(directory.iterdir()))


async def _ours(running: product.Product, files: Path) -> dict[str, Any]:
    started = time.perf_counter()
    archive = await asyncio.to_thread(_zip, files)
    operation = await running.post(
        "/documents/batch", data={"space": "files"}, files={"file": ("files.zip", archive)}
    )
    await running.closed(operation)
    answer = await running.post("/search", json={"query": QUESTION, "space": "files"})
    seconds = time.perf_counter() - started
    ended = await running.ended(operation["id"])
    outcomes = ended["result"]["outcomes"]
    if set(outcomes) != {"indexed"} or not answer["items"]:
        msg = f"ours: {outcomes}, {len(answer['items'])} passages found"
        raise RuntimeError(msg)
    spaces = await running.get("/spaces", limit=200)
    passages = next(space["chunk_count"] for space in spaces["items"] if space["name"] == "files")
    return {"seconds": seconds, "passages": passages}


def _zip(files: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(files.iterdir()):
            archive.write(path, path.name)
    return buffer.getvalue()


async def _peer(scratch: Path, files: Path) -> dict[str, Any]:
    tokens = Settings().max_chunk_tokens
    data = scratch / "peer-postgres"
    server = await asyncio.to_thread(postgres.start, data)
    try:
        asked = {
            "files": str(files),
            "question": QUESTION,
            "model": str(weights_directory()),
            "database": server.url(postgres.OWNER_ROLE),
            "shapes": {
                TABLE_ALIKE: {
                    "splitter": {"chunk_size": tokens, "chunk_overlap": 0, "include_metadata": False},
                    "embed_batch_size": 32,
                    "text_only": True,
                },
                TABLE_DEFAULTS: {"splitter": {}, "embed_batch_size": 10, "text_only": False},
            },
        }
        return await _run_peer(scratch / "peer.json", asked)
    finally:
        await asyncio.to_thread(postgres.stop, data)


async def _run_peer(path: Path, asked: dict[str, Any]) -> dict[str, Any]:
    await asyncio.to_thread(path.write_text, json.dumps(asked))
    process = await asyncio.create_subprocess_exec(
        str(PYTHON), str(ROOT / "bench" / "llama_index_run.py"), str(path),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=path.parent,
    )  # fmt: skip
    try:
        output, errors = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        msg = f"llama-index ended with exit code {process.returncode}: {errors.decode()[-2000:]}"
        raise RuntimeError(msg)
    found: dict[str, Any] = json.loads(output.decode().strip().splitlines()[-1])
    return found
