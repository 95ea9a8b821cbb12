"""OCR by the Tesseract program, when it is installed."""

import os
import shutil
import struct
import subprocess
import zlib
from functools import cached_property
from pathlib import Path

_LANGUAGES = {
    "en": "eng", "de": "deu", "fr": "fra", "es": "spa", "it": "ita", "pt": "por", "nl": "nld",
    "sv": "swe", "da": "dan", "no": "nor", "fi": "fin", "pl": "pol", "cs": "ces", "hu": "hun",
    "ro": "ron", "tr": "tur", "ru": "rus", "uk": "ukr", "el": "ell", "ca": "cat", "ja": "jpn",
    "zh": "chi_sim", "ko": "kor", "ar": "ara", "he": "heb",
}  # fmt: skip
_PNG = b"\x89PNG\r\n\x1a\n"


def find_tesseract() -> str | None:
    """Path of the program, or None."""
    return shutil.which("tesseract")


class Tesseract:
    """One program, its installed languages, one thread a call."""

    def __init__(self, program: str) -> None:
        self._program = program

    @cached_property
    def languages(self) -> frozenset[str]:
        """Codes of the installed languages, as Tesseract writes them."""
        listing = subprocess.run(  # noqa: S603  # the program comes from the operator's PATH
            [self._program, "--list-langs"], capture_output=True, text=True, check=False, timeout=20
        )
        return frozenset(line.strip() for line in listing.stdout.splitlines()[1:] if line.strip())

    def read(self, source: bytes | Path, language: str | None, *, timeout_s: float) -> str | None:
        """Text of a picture, pages of a multi-page TIFF divided by form feeds; None when it failed.

        The language is used when it is installed, else English, else whatever there is.
        """
        code = _LANGUAGES.get((language or "en").split("-")[0], "eng")
        chosen = (
            code
            if code in self.languages
            else "eng"
            if "eng" in self.languages
            else min(self.languages, default="")
        )
        command = [
            self._program,
            str(source) if isinstance(source, Path) else "stdin",
            "stdout",
            "--psm",
            "3",
        ]
        if chosen:
            command += ["-l", chosen]
        try:
            done = subprocess.run(  # noqa: S603  # arguments are ours, the picture goes in by stdin or by path
                command,
                input=source if isinstance(source, bytes) else None,
                stdin=None if isinstance(source, bytes) else subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=max(timeout_s, 0.1),
                env={**os.environ, "OMP_THREAD_LIMIT": "1"},
            )
        except subprocess.TimeoutExpired:
            return None
        if done.returncode != 0:
            return None
        return done.stdout.decode("utf-8", "replace").strip(" \n\f")


def is_blank_png(png: bytes) -> bool:
    """Whether a picture has one colour only, black or white: nothing on it, so nothing to read."""
    if not png.startswith(_PNG):
        return False
    position, packed = len(_PNG), bytearray()
    while position + 8 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, position)
        if kind == b"IDAT":
            packed += png[position + 8 : position + 8 + length]
        position += length + 12
    # filter bytes are 0 to 4; an even white or black picture has no other values than these and 255
    return set(zlib.decompress(bytes(packed))) <= {0, 1, 2, 3, 4, 255} if packed else False
