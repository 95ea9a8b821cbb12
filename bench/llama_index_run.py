"""The peer's side of `llama_index_pipeline`: run by `.venv-bench/bin/python` with a JSON file; prints JSON.

It knows nothing of the product. Nothing is fetched: the model is a directory, and the hub is switched off.
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
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
STARTED = time.perf_counter()

import torch
from llama_index.core import SimpleDirectoryReader, VectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import Document
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.vector_stores.postgres import PGVectorStore

DIMENSION = 384
TOP = 10


def main() -> None:
    """Load and connect first; the clock runs from reading the files until the search has answered."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    asked = json.loads(Path(sys.argv[1]).read_text())
    results = {"torch_threads": torch.get_num_threads(), "runs": {}}
    for name, shape in asked["shapes"].items():
        embedder = HuggingFaceEmbedding(
            model_name=asked["model"], device="cpu", embed_batch_size=shape["embed_batch_size"]
        )
        store = PGVectorStore.from_params(
            connection_string=asked["database"].replace("postgresql://", "postgresql+psycopg2://", 1),
            async_connection_string=asked["database"].replace("postgresql://", "postgresql+asyncpg://", 1),
            table_name=name,
            embed_dim=DIMENSION,
        )
        splitter = SentenceSplitter(**shape["splitter"])
        splitter([Document(text="Warming up.")])
        embedder.get_text_embedding("Warming up.")
        store.add([])
        # One file of each kind: what reads it is imported at first use.
        kinds = {path.suffix: str(path) for path in Path(asked["files"]).iterdir()}
        SimpleDirectoryReader(input_files=list(kinds.values())).load_data()
        results.setdefault("load_s", time.perf_counter() - STARTED)
        results["runs"][name] = measure(asked, shape, store, splitter, embedder)
    print(json.dumps(results))


def measure(
    asked: dict,
    shape: dict,
    store: PGVectorStore,
    splitter: SentenceSplitter,
    embedder: HuggingFaceEmbedding,
) -> dict:
    """Read, split, embed, store, search."""
    started = time.perf_counter()
    documents = SimpleDirectoryReader(asked["files"], recursive=True).load_data()
    read = time.perf_counter()
    if shape["text_only"]:
        for document in documents:
            document.excluded_embed_metadata_keys = list(document.metadata)
    pipeline = IngestionPipeline(transformations=[splitter, embedder], vector_store=store, disable_cache=True)
    nodes = pipeline.run(documents=documents)
    stored = time.perf_counter()
    index = VectorStoreIndex.from_vector_store(store, embed_model=embedder)
    found = index.as_retriever(similarity_top_k=TOP).retrieve(asked["question"])
    ended = time.perf_counter()
    return {
        "seconds": ended - started,
        "read_s": read - started,
        "pipeline_s": stored - read,
        "search_s": ended - stored,
        "files": len({document.metadata.get("file_path") for document in documents}),
        "passages": len(nodes),
        "found": len(found),
        "best": found[0].node.get_content()[:200] if found else "",
    }


if __name__ == "__main__":
    main()
