"""Reads an e-mail file: headers, body and attachments."""

import email
import re
from dataclasses import dataclass, field
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path, PurePath

from perdure.domain import rejections
from perdure.errors import DocumentRejectedError
from perdure.providers.charsets import decode
from perdure.schemas.parsed_text import Attachment

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_MAX_ATTACHMENTS = 1_000
_MAX_PARTS = 5_000
_UNSAFE = re.compile(r'[/\\<>:"|?*\x00-\x1f\x7f]')


@dataclass
class Mail:
    """What a reader of the mail sees. `text` or `html` is the body, the plain form preferred."""

    subject: str | None
    headers: list[tuple[str, str]]
    text: str | None = None
    html: str | None = None
    attachments: list[Attachment] = field(default_factory=list)


def read(path: Path, workspace: Path) -> Mail:
    """Read the file; attachments are written into `workspace` as `attachment-N`."""
    message = email.message_from_bytes(path.read_bytes())
    headers = [(name, value) for name in _HEADERS if (value := header(message, name))]
    mail = Mail(subject=header(message, "Subject"), headers=headers)
    _walk(message, mail, workspace, [0])
    if not headers and mail.text is None and mail.html is None and not mail.attachments:
        raise rejections.corrupt("the e-mail has neither headers nor a body")
    return mail


def header(message: Message, name: str) -> str | None:
    """A header as people read it: encoded words decoded, folds undone."""
    raw = message.get(name)
    if raw is None:
        return None
    try:
        value = str(make_header(decode_header(str(raw))))
    except (LookupError, ValueError, MessageError):
        value = str(raw)
    return " ".join(value.split()) or None


def _walk(part: Message, mail: Mail, workspace: Path, seen: list[int]) -> None:
    seen[0] += 1
    if seen[0] > _MAX_PARTS:
        raise DocumentRejectedError("decompression_limit", f"The e-mail has more than {_MAX_PARTS} parts.")
    kind = part.get_content_type()
    name = _file_name(part)
    attached = part.get_content_disposition() == "attachment" or name is not None
    if kind == "message/rfc822":
        _attach_message(part, mail, workspace, name)
    elif part.is_multipart():
        for inner in part.get_payload():
            if isinstance(inner, Message):
                _walk(inner, mail, workspace, seen)
    elif attached or not kind.startswith("text/"):
        # a picture without a name is decoration of the body
        if name is not None or (attached and not kind.startswith("image/")):
            _save(mail, workspace, _bytes(part), name or "attachment", kind)
    elif kind == "text/html":
        mail.html = _joined(mail.html, _text(part))
    else:
        mail.text = _joined(mail.text, _text(part))


def _joined(before: str | None, text: str) -> str | None:
    if not text.strip():
        return before
    return text if before is None else f"{before}\n\n{text}"


def _bytes(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _text(part: Message) -> str:
    return decode(_bytes(part), part.get_content_charset())


def _attach_message(part: Message, mail: Mail, workspace: Path, name: str | None) -> None:
    inner = part.get_payload()
    message = inner[0] if isinstance(inner, list) and inner else None
    if isinstance(message, Message):
        subject = header(message, "Subject") or "message"
        _save(mail, workspace, message.as_bytes(), name or f"{subject}.eml", "message/rfc822")


def _save(mail: Mail, workspace: Path, data: bytes, name: str, kind: str) -> None:
    if len(mail.attachments) >= _MAX_ATTACHMENTS:
        raise DocumentRejectedError(
            "decompression_limit", f"The e-mail has more than {_MAX_ATTACHMENTS} attachments."
        )
    path = workspace / f"attachment-{len(mail.attachments) + 1}"
    path.write_bytes(data)
    mail.attachments.append(Attachment(name=name, media_type=kind, path=str(path), size_bytes=len(data)))


def _file_name(part: Message) -> str | None:
    raw = part.get_filename()
    if raw is None:
        return None
    try:
        decoded = str(make_header(decode_header(raw)))
    except (LookupError, ValueError, MessageError):
        decoded = raw
    # a path in the name means nothing here: only its last piece is kept
    last = PurePath(decoded.replace("\\", "/")).name
    return _UNSAFE.sub("_", last).strip() or None
