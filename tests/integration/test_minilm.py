"""The exported embedding model says what the original says."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from perdure.errors import UnavailableError
from perdure.providers import minilm_export
from perdure.providers.minilm_embedder import MAX_TOKENS, MiniLMEmbedder, MiniLMTokenizer
from tests.embedding import embedder, model_directory, tokenizer

TEXTS = [
    "The cat sits on the mat.",
    "A cat is sitting on a rug.",
    "Quarterly revenue grew by twelve percent.",
    "Le chat est assis sur le tapis.",
    "x",
    "",
    "long " * 400,
]


def test_rows_are_unit_vectors_in_the_order_of_the_texts() -> None:
    vectors = embedder().embed(TEXTS)
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alone = np.concatenate([embedder().embed([text]) for text in TEXTS])
    # int8 rounds by the largest number of the batch, so a row differs a little with its company.
    assert ((vectors * alone).sum(axis=1) > 0.95).all()


def test_like_texts_have_like_vectors() -> None:
    cat, rug, revenue = embedder().embed(TEXTS[:3])
    assert cat @ rug > 0.6
    assert cat @ revenue < 0.3


def test_no_text_makes_no_vector() -> None:
    assert embedder().embed([]).shape == (0, 384)


def test_control_characters_and_surrogates_are_read_as_spaces() -> None:
    assert np.array_equal(
        embedder().embed(["end\x0cStart \ud800 \x85!"]), embedder().embed(["end Start   !"])
    )


def test_the_int8_model_says_nearly_what_fp32_says() -> None:
    fp32 = MiniLMEmbedder(model_directory(), "fp32")
    assert (fp32.model.name, embedder().model.name) == ("all-minilm-l6-v2-fp32", "all-minilm-l6-v2-int8")
    likeness = (fp32.embed(TEXTS[:4]) * embedder().embed(TEXTS[:4])).sum(axis=1)
    assert (likeness > 0.98).all()


def test_tokens_are_where_they_stand() -> None:
    text = "Höhe über\x0cNormal: 5m"
    assert [text[start:end] for start, end in tokenizer().offsets(text)][-4:] == [
        "Normal",
        ":",
        "5",
        "##m"[2:],
    ]
    assert tokenizer().offsets("") == []


def test_a_text_beyond_the_window_is_cut() -> None:
    inside = "word " * (MAX_TOKENS - 2)
    assert np.allclose(
        embedder().embed([inside]), embedder().embed([inside + "and much more " * 50]), atol=1e-4
    )


def test_threads_may_share_an_embedder() -> None:
    expected = embedder().embed(TEXTS)
    results: list[bool] = []
    threads = [
        threading.Thread(target=lambda: results.append(np.array_equal(embedder().embed(TEXTS), expected)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 4


def test_a_missing_model_says_how_to_make_it(tmp_path: Path) -> None:
    for build in (MiniLMEmbedder, MiniLMTokenizer):
        with pytest.raises(UnavailableError, match="minilm_export"):
            build(tmp_path)


def test_exporting_twice_at_once_makes_one_model_and_leaves_no_rest(tmp_path: Path) -> None:
    errors: list[Exception] = []

    def run() -> None:
        try:
            minilm_export.ensure_exported(tmp_path)
        except UnavailableError as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert {path.name for path in tmp_path.iterdir()} == {*minilm_export.FILES, ".export.lock"}
    assert (tmp_path / minilm_export.FP32_FILE).read_bytes() == (
        model_directory() / minilm_export.FP32_FILE
    ).read_bytes()


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UnavailableError, match="file/models"):
        minilm_export.ensure_exported(tmp_path / "file" / "models")


def test_fp32_agrees_with_sentence_transformers(tmp_path: Path) -> None:
    """In a process of its own: torch would stay in this one."""
    code = (
        "import sys, numpy as np\n"
        "from sentence_transformers import SentenceTransformer\n"
        "model = SentenceTransformer(sys.argv[1], device='cpu')\n"
        "model.max_seq_length = 256\n"
        "np.save(sys.argv[2], model.encode(sys.argv[3:], normalize_embeddings=True))\n"
    )
    output = tmp_path / "vectors.npy"
    arguments = [str(minilm_export.weights_directory()), str(output), *TEXTS[:6]]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, timeout=110)
    ours = MiniLMEmbedder(model_directory(), "fp32").embed(TEXTS[:6])
    assert np.allclose(ours, np.load(output), atol=1e-5)


def test_neither_torch_nor_transformers_is_loaded_for_embedding() -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from perdure.providers.minilm_embedder import MiniLMEmbedder\n"
        "MiniLMEmbedder(Path(sys.argv[1])).embed(['hello'])\n"
        "assert not {'torch', 'transformers', 'sentence_transformers', 'onnx'} & set(sys.modules)\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(model_directory())],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
