"""The sentences that tell a user why a document was not read, and what to do about it."""

from perdure.errors import DocumentRejectedError

_MEBIBYTE = 1024 * 1024
_OTHER_FORM = "Save it in another form, for example as PDF, and upload that."


def too_much_text(limit_bytes: int) -> DocumentRejectedError:
    """More text than is stored for one document."""
    return DocumentRejectedError(
        "too_large",
        f"The document has more than {limit_bytes // _MEBIBYTE} MB of text, the limit. Split it, or ask the "
        "operator to raise PERDURE_PARSE_MAX_TEXT_BYTES.",
    )


def too_many_pages(pages: int, limit: int) -> DocumentRejectedError:
    """More pages than are read of one document."""
    return DocumentRejectedError(
        "too_many_pages",
        f"The document has {pages} pages; the limit is {limit}. Split it, or ask the operator to raise "
        "PERDURE_PARSE_MAX_PAGES.",
    )


def zip_bomb() -> DocumentRejectedError:
    """A container that a parser refuses to unpack."""
    return DocumentRejectedError(
        "decompression_limit",
        f"The document unpacks to far more than its size, like a zip bomb. {_OTHER_FORM}",
    )


def inflates_too_far(limit_bytes: int) -> DocumentRejectedError:
    """A container that unpacks to too much."""
    return DocumentRejectedError(
        "decompression_limit",
        f"The file unpacks to more than {limit_bytes // _MEBIBYTE} MB, the limit. Split it, or ask the "
        "operator to raise PERDURE_PARSE_MAX_INFLATED_BYTES.",
    )


def memory_limit(limit_bytes: int) -> DocumentRejectedError:
    """Reading it takes too much memory."""
    return DocumentRejectedError(
        "memory_limit",
        f"Reading the document takes more than {limit_bytes // _MEBIBYTE} MB of memory, the limit. Split it, "
        "or ask the operator to raise PERDURE_PARSE_MEMORY_BYTES.",
    )


def timed_out(limit_s: float) -> DocumentRejectedError:
    """Reading it takes too long."""
    return DocumentRejectedError(
        "timeout",
        f"Reading the document took longer than {limit_s:g} seconds, the limit. Split it, or ask the "
        "operator to raise PERDURE_PARSE_TIMEOUT_S.",
    )


def crashed(how: str) -> DocumentRejectedError:
    """The parser did not survive it."""
    return DocumentRejectedError(
        "parser_crashed", f"The parser failed on this document ({how}). {_OTHER_FORM}"
    )


def password_protected() -> DocumentRejectedError:
    """Encrypted, as a whole or in part."""
    return DocumentRejectedError(
        "password_protected",
        "The document is protected by a password. Save it without one and upload it again.",
    )


def corrupt(what: str) -> DocumentRejectedError:
    """Damaged or cut off; `what` is a clause that says how it shows."""
    return DocumentRejectedError(
        "corrupt", f"The file is damaged and cannot be read: {what}. Upload an intact copy."
    )


def empty(what: str) -> DocumentRejectedError:
    """Nothing in it; `what` is a whole sentence without its full stop."""
    return DocumentRejectedError("empty", f"{what}. Check the file and upload it again.")
