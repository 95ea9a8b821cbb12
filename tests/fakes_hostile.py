"""A parser for tests that does what the text of the file tells it to, most of it bad.

Used inside a parser child: `ParserPool(settings, parser="tests.fakes_hostile:parser")`.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from perdure.errors import DocumentRejectedError
from perdure.ports.parsing import ParseJob
from perdure.providers.parse_child import ChildConfig, Parse
from perdure.schemas.parsed_text import Attachment, ParsedText


def _answer(text: str, **fields: object) -> ParsedText:
    return ParsedText.model_validate({"text": text, "media_type": "text/plain", **fields})


def _hang(_: str) -> ParsedText:
    while True:  # busy, as a parser in an endless loop is
        pass


def _hang_with_grandchild(pid_file: str) -> ParsedText:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(pid_file).write_text(str(sleeper.pid))
    time.sleep(600)
    return _answer("never")


def _segfault(_: str) -> ParsedText:
    ctypes.string_at(0)
    return _answer("never")


def _abort(_: str) -> ParsedText:
    os.abort()


def _exit(code: str) -> ParsedText:
    os._exit(int(code or 0))


def _eat(mebibytes: str) -> ParsedText:
    """Take memory in steps, as a growing data structure does."""
    hoard = []
    for _ in range(int(mebibytes) // 16):
        hoard.append(os.urandom(1) * (16 * 1024 * 1024))
        time.sleep(0.005)
    return _answer(str(len(hoard)))


def _eat_at_once(mebibytes: str) -> ParsedText:
    return _answer(str(len(b"x" * (int(mebibytes) * 1024 * 1024))))


def _killed(_: str) -> ParsedText:
    os.kill(os.getpid(), signal.SIGKILL)
    return _answer("never")


def _write_rubbish(_: str) -> ParsedText:
    for descriptor in range(3, 20):
        try:
            os.write(descriptor, b"\x00\x00\x00\x05hello")
        except OSError:
            continue
    time.sleep(600)
    return _answer("never")


def _chatter(_: str) -> ParsedText:
    sys.stdout.write("x" * 100_000)
    sys.stdout.flush()
    os.write(1, b"y" * 100_000)
    return _answer("still fine")


def _steal(path: str) -> ParsedText:
    stolen = Attachment(name="stolen", media_type="text/plain", path=path, size_bytes=1)
    return _answer("look", attachments=[stolen.model_dump()])


def _sleep(seconds: str) -> ParsedText:
    time.sleep(float(seconds))
    return _answer("slept")


def _reject(reason: str) -> ParsedText:
    raise DocumentRejectedError(reason, "as told")


def _raise(message: str) -> ParsedText:
    raise ZeroDivisionError(message)


def _pid(_: str) -> ParsedText:
    return _answer(str(os.getpid()))


_DEEDS = {
    "hang": _hang,
    "hang-with-grandchild": _hang_with_grandchild,
    "segfault": _segfault,
    "abort": _abort,
    "exit": _exit,
    "eat": _eat,
    "eat-at-once": _eat_at_once,
    "killed": _killed,
    "rubbish": _write_rubbish,
    "chatter": _chatter,
    "steal": _steal,
    "sleep": _sleep,
    "reject": _reject,
    "raise": _raise,
    "pid": _pid,
}


def parser(_: ChildConfig) -> Parse:
    """Parse function whose deeds are in the files: `hang`, `exit 3`, `eat 2048`, or plain text to echo."""

    def parse(job: ParseJob) -> ParsedText:
        text = job.path.read_text()
        word, _, rest = text.partition(" ")
        return _DEEDS[word](rest) if word in _DEEDS else _answer(text)

    return parse


def broken_parser(_: ChildConfig) -> Parse:
    """A parser that cannot even be made."""
    msg = "the parser library is missing"
    raise RuntimeError(msg)
