"""Bytes to text: UTF-8 first, then what a header or a byte order mark says, then a detector."""

import codecs
import importlib

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DETECT_BYTES = 64 * 1024


def decode(data: bytes, hint: str | None = None) -> str:
    """Decode with certainty where there is some; the rest by the detector, and never an exception."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(encoding, "replace")
    if wide := _wide(data):
        return data.decode(wide, "replace")
    for encoding in filter(None, ("utf-8", hint)):
        if (text := _strict(data, encoding)) is not None:
            return text
    return data.decode("utf-8", "replace") if _mostly_utf8(data) else _by_detector(data)


def _by_detector(data: bytes) -> str:
    best = importlib.import_module("charset_normalizer").from_bytes(data[:_DETECT_BYTES]).best()
    for encoding in filter(None, (best and best.encoding, "cp1252")):
        if (text := _strict(data, encoding)) is not None:
            return text
    return data.decode("latin-1")


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (LookupError, UnicodeError):
        return None


def _wide(data: bytes) -> str | None:
    """UTF-16 without a mark: Western text has a zero at every other place."""
    sample = data[:4096]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if max(even, odd) < len(sample) * 0.2 or len(sample) < 4:
        return None
    if odd > 10 * max(even, 1) or (odd and not even):
        return "utf-16-le"
    return "utf-16-be" if even > 10 * max(odd, 1) or (even and not odd) else None


def _mostly_utf8(data: bytes) -> bool:
    """Good sequences far outnumber bad bytes: a UTF-8 text with a wound, not another charset."""
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    good = sum(1 for character in text if character > "\x7f") - bad
    return bad * 4 <= good
