"""JSON logs on standard error, with ids bound to them and without secrets.

Bind ids with `structlog.contextvars.bound_contextvars(operation_id=…, organisation_id=…)`; every line logged
inside carries them, those of libraries that use `logging` as well.
"""

import json
import logging
import re
import sys
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from perdure.settings import Settings

REDACTED = "[redacted]"

_SECRET_NAMES = re.compile(
    r"authorization|cookie|passw(or)?d|passphrase|secret|token|api_?key$|private_key|credential|csrf",
    re.IGNORECASE,
)
# Names that look secret and are not.
_HARMLESS_NAMES = frozenset({"max_chunk_tokens", "token_count", "tokens", "tokens_per_second", "token_type"})
_SECRET_VALUES = re.compile(
    r"pd(?:rr?|t)_[A-Za-z0-9_-]{20,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|(?<=Bearer )[^\s\"',]+"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"
    r"|\bsk-[A-Za-z0-9_-]{16,}",
)
_MAX_DEPTH = 6


def redact_text(value: str) -> str:
    """Blot out what looks like one of our keys or tokens, a bearer, or a password in an address."""
    return _SECRET_VALUES.sub(REDACTED, value)


def _redacted(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if depth >= _MAX_DEPTH:
        return value
    if isinstance(value, dict):
        return {key: _redacted_item(str(key), item, depth) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(item, depth + 1) for item in value]
    return value


def _redacted_item(name: str, value: Any, depth: int) -> Any:
    can_hide = isinstance(value, str | bytes | list | tuple | dict)
    if can_hide and name not in _HARMLESS_NAMES and _SECRET_NAMES.search(name):
        return REDACTED
    return _redacted(value, depth + 1)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Processor: take secrets out of every field, by the field's name and by the look of the value."""
    return {name: _redacted_item(name, value, 0) for name, value in event.items()}


def _to_json(event: Any, **_: Any) -> str:
    # ASCII escapes also neutralise line breaks and terminal controls that came in with a request.
    return json.dumps(event, default=repr, separators=(",", ":"))


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Set up structlog and `logging` for this process; each entry point calls it once."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    render: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if settings.log_format == "console"
        else structlog.processors.JSONRenderer(serializer=_to_json)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact,
            render,
        ],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    # One line for each request is ours to write; theirs repeat it.
    logging.getLogger("uvicorn.access").disabled = True
    # What those of models write in detail is what they are asked.
    for name in ("httpx", "httpcore", "httpx2", "httpcore2", "asyncio", "openai", "anthropic"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared[:-1],
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
