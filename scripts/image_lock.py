"""Splits the lock for an image without CUDA: `python image_lock.py requirements/run.txt rest.txt torch.txt`.

`rest.txt` holds every package with its hashes, less torch, torchaudio and what they need of a GPU; `torch.txt` the
two by their versions, whose builds for the processor have hashes of their own. Needs nothing but Python.
"""

import re
import sys
from pathlib import Path

_NAME = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)")
_TORCH = frozenset({"torch", "torchaudio"})
_OF_A_GPU = re.compile(r"nvidia-|cuda-|triton$")


def split(lock: str) -> tuple[str, str]:
    """The lock without what is for a GPU, and the versions of torch."""
    rest: list[str] = []
    torch: list[str] = []
    for entry in re.split(r"\n(?=\S)", lock.strip()):
        found = _NAME.match(entry)
        name, version = found.groups() if found else ("", "")
        if name in _TORCH:
            torch.append(f"{name}=={version}")
        elif not _OF_A_GPU.match(name):
            rest.append(entry)
    return "\n".join(rest) + "\n", "\n".join(torch) + "\n"


if __name__ == "__main__":
    source, rest_file, torch_file = map(Path, sys.argv[1:])
    rest_of_lock, of_torch = split(source.read_text())
    rest_file.write_text(rest_of_lock)
    torch_file.write_text(of_torch)
