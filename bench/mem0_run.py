"""The peer's side of `mem0_memory`: run by `.venv-bench/bin/python` with a JSON file; prints JSON.

It knows nothing of the product. Nothing is fetched and nobody is told: the model is a directory, the hub and
telemetry are switched off, and the language model that a configuration must name is never called.
"""

# mypy: ignore-errors
# ruff: noqa: E402
# What is imported here is installed in another environment; it must know its settings before.
import json
import logging
import os
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

ASKED = json.loads(Path(sys.argv[1]).read_text())
os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "true",
    "MEM0_TELEMETRY": "False",
    "MEM0_DIR": ASKED["directory"],
}

from mem0 import Memory

DIMENSION = 384


def main() -> None:
    """Load first; then every call is timed by itself."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    directory = Path(ASKED["directory"])
    memory = Memory.from_config(
        {
            "embedder": {
                "provider": "huggingface",
                "config": {
                    "model": ASKED["model"],
                    "embedding_dims": DIMENSION,
                    "model_kwargs": {"device": "cpu"},
                },
            },
            "vector_store": {
                "provider": "qdrant",
                "config": {
                    "path": str(directory / "qdrant"),
                    "on_disk": True,
                    "embedding_model_dims": DIMENSION,
                    "collection_name": "chats",
                },
            },
            "llm": {"provider": "openai", "config": {"api_key": "never-used"}},
            "history_db_path": str(directory / "history.db"),
        }
    )
    results = {"version": version("mem0ai"), "add_ms": [], "search_ms": [], "found": []}
    for chat in ASKED["chats"]:
        for turn in chat["turns"]:
            add(memory, turn["text"], chat["id"], {"turn": turn["id"]})
    for number in range(-5, ASKED["singles"]):
        took = add(memory, f"Single statement number {number + 5}.", "singles", {})
        if number >= 0:
            results["add_ms"].append(took)
    for chat in ASKED["chats"]:
        for query in chat["questions"]:
            started = time.perf_counter()
            found = memory.search(query, filters={"user_id": chat["id"]}, top_k=ASKED["top"], threshold=0.0)
            results["search_ms"].append((time.perf_counter() - started) * 1000)
            results["found"].append([item["metadata"]["turn"] for item in found["results"]])
    print(json.dumps(results))


def add(memory: Memory, text: str, user: str, metadata: dict) -> float:
    """Milliseconds of one."""
    started = time.perf_counter()
    memory.add([{"role": "user", "content": text}], user_id=user, metadata=metadata, infer=False)
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
