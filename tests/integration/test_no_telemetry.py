import os
import subprocess
import sys
from pathlib import Path

from tests.embedding import model_directory

EMBED = """
import sys
from pathlib import Path
from perdure.providers.minilm_embedder import MiniLMEmbedder
assert MiniLMEmbedder(Path(sys.argv[1])).embed(["nobody else's business"]).shape == (1, 384)
"""


def test_embedding_writes_no_identity_and_collects_no_events(tmp_path: Path) -> None:
    # onnxruntime keeps a device id and the events it is to send in the first, its session in the second.
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    environment = {**inherited, "HOME": str(home), "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", EMBED, str(model_directory().resolve())]
    subprocess.run(command, check=True, env=environment, cwd=Path(__file__).parents[2])
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["home", "tmp"]
