"""Files of the fault tests: each of the good ones says a word that no other says."""

import io
import zipfile
from dataclasses import dataclass

from docx import Document

_SENTENCE = (
    "The valve of pump {number} was opened at {number} minutes past the hour, the pressure fell by {number} "
    "millibar, and the operator wrote {word} into the journal before the shift ended. "
)


# The same content three times: whichever comes first is in the index, the others are not.
TWINS = ("0000.txt", "again-1.txt", "again-2.txt")


@dataclass(frozen=True)
class Expected:
    """What must become of a file."""

    status: str
    word: str | None = None


def word_of(number: int) -> str:
    """A word that stands in file `number` alone."""
    return "zq" + "".join(chr(ord("a") + int(digit)) for digit in f"{number:05d}")


def text_of(number: int, *, sentences: int = 8) -> str:
    """About two passages."""
    return f"Report {number}\n\n" + _SENTENCE.format(number=number, word=word_of(number)) * sentences


def _html(number: int) -> bytes:
    return f"<!doctype html><html><title>Report {number}</title><p>{text_of(number)}</p></html>".encode()


def _csv(number: int) -> bytes:
    rows = "".join(f"{row},{word_of(number)},{row * number}\n" for row in range(20))
    return f"row,word,product\n{rows}".encode()


def _docx(number: int) -> bytes:
    document = Document()
    document.add_heading(f"Report {number}", level=1)
    document.add_paragraph(text_of(number))
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def archive(count: int) -> tuple[bytes, dict[str, Expected]]:
    """A zip of `count` files of many types, a few of them broken, and what must become of each."""
    files: dict[str, tuple[bytes, Expected]] = {}
    for number in range(count - 8):
        expected = Expected("indexed", word_of(number))
        match number % 20:
            case 7:
                files[f"{number:04d}.html"] = _html(number), expected
            case 11:
                files[f"{number:04d}.csv"] = _csv(number), expected
            case 13:
                files[f"{number:04d}.md"] = f"# Report\n\n{text_of(number)}".encode(), expected
            case 17 if number < 60:
                files[f"{number:04d}.docx"] = _docx(number), expected
            case _:
                files[f"{number:04d}.txt"] = text_of(number).encode(), expected
    first = text_of(0).encode()
    files |= {
        "again-1.txt": (first, Expected("skipped_duplicate", word_of(0))),
        "again-2.txt": (first, Expected("skipped_duplicate", word_of(0))),
        "broken-1.pdf": (b"%PDF-1.7\n" + b"rubbish " * 200, Expected("failed")),
        "broken-2.pdf": (b"%PDF-1.4\n1 0 obj\n<<", Expected("failed")),
        "broken-3.docx": (_docx(90_000)[:3000], Expected("failed")),
        "nothing-1.txt": (b"", Expected("failed")),
        "nothing-2.txt": (b" \n \n", Expected("failed")),
        "unknown.bin": (bytes(range(256)) * 8, Expected("failed")),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, (data, _) in files.items():
            packed.writestr(name, data)
    return buffer.getvalue(), {name: expected for name, (_, expected) in files.items()}
