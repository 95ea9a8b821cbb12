"""The child process of `ParserPool`: reads jobs from stdin, answers on stdout, and may die at any moment.

A frame is four bytes of length, big-endian, and as many bytes of JSON. Started as
`python -m perdure.providers.parse_child '<ChildConfig as JSON>'`.
"""

import ctypes
import importlib
import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from perdure.domain import rejections
from perdure.errors import DocumentRejectedError
from perdure.ports.parsing import ParseJob
from perdure.schemas.parsed_text import ParsedText

LENGTH = struct.Struct(">I")
DEFAULT_PARSER = "perdure.providers.parse_child:default_parser"
_PR_SET_PDEATHSIG = 1
_OPEN_FILES = 256

Parse = Callable[[ParseJob], ParsedText]


@dataclass(frozen=True)
class ChildConfig:
    """What the parent tells a child on its command line."""

    parent: int
    parser: str
    tesseract: str | None
    memory_bytes: int
    max_pages: int
    max_inflated_bytes: int
    max_text_bytes: int
    timeout_s: float


def default_parser(config: ChildConfig) -> Parse:
    """The product's own parser; imported here so that a test's parser loads nothing of it."""
    module = importlib.import_module("perdure.providers.kreuzberg_parser")
    tesseract = importlib.import_module("perdure.providers.tesseract")
    limits = module.ParseLimits(
        max_pages=config.max_pages,
        max_inflated_bytes=config.max_inflated_bytes,
        max_text_bytes=config.max_text_bytes,
        timeout_s=config.timeout_s,
    )
    ocr = tesseract.Tesseract(config.tesseract) if config.tesseract else None
    parse: Parse = module.KreuzbergParser(limits, ocr).parse
    return parse


def encode_job(job: ParseJob) -> dict[str, str | None]:
    """A job as JSON."""
    return {
        "path": str(job.path),
        "media_type": job.media_type,
        "name": job.name,
        "workspace": str(job.workspace),
        "language": job.language,
    }


def decode_job(fields: dict[str, str]) -> ParseJob:
    """The inverse of `encode_job`."""
    return ParseJob(
        path=Path(fields["path"]),
        media_type=fields["media_type"],
        name=fields["name"],
        workspace=Path(fields["workspace"]),
        language=fields["language"],
    )


def run_job(parse: Parse, job: ParseJob, memory_bytes: int) -> bytes:
    """One answer: `{"parsed": …}` or `{"rejected": …}`."""
    try:
        # the text is pre-rendered by pydantic, faster than json on the model's dictionary
        return b'{"parsed":' + parse(job).model_dump_json().encode() + b"}"
    except DocumentRejectedError as error:
        rejection = error
    except MemoryError:
        rejection = rejections.memory_limit(memory_bytes)
    except Exception as error:  # noqa: BLE001  # process boundary: whatever a parser raises is the document's fault
        rejection = rejections.crashed(f"{type(error).__name__}: {str(error)[:200]}")
    return json.dumps({"rejected": {"reason": rejection.reason, "detail": rejection.detail}}).encode()


def serve(parse: Parse, requests: BinaryIO, answers: BinaryIO, memory_bytes: int) -> None:
    """Answer each job of each request in order, at once, until the parent closes the pipe."""
    while header := requests.read(LENGTH.size):
        if len(header) < LENGTH.size:
            return
        for fields in json.loads(requests.read(LENGTH.unpack(header)[0])):
            answer = run_job(parse, decode_job(fields), memory_bytes)
            answers.write(LENGTH.pack(len(answer)) + answer)
            answers.flush()


def limit_process(config: ChildConfig) -> None:
    """Die with the parent, dump no core, a memory backstop behind the parent's watch, no endless files."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != config.parent:
        os._exit(0)  # the parent died before the line above
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # private writable memory; twice the cap leaves the typed answer to the watch of the parent
    resource.setrlimit(resource.RLIMIT_DATA, (2 * config.memory_bytes, 2 * config.memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (config.max_inflated_bytes, config.max_inflated_bytes))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_OPEN_FILES, hard), hard))


def main() -> None:
    """Serve jobs with the parser that the command line names."""
    config = ChildConfig(**json.loads(sys.argv[1]))
    limit_process(config)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not end up between the frames
    requests = os.fdopen(0, "rb")
    module, _, name = config.parser.partition(":")
    parse: Parse = getattr(importlib.import_module(module), name)(config)
    answers.write(LENGTH.pack(0))  # ready
    answers.flush()
    serve(parse, requests, answers, config.memory_bytes)
    os._exit(0)


if __name__ == "__main__":
    main()
