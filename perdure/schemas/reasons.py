"""What each typed reason means to people and what they can do: the one table for console and CLI."""

from dataclasses import dataclass

from perdure.schemas.classification import ItemReason
from perdure.schemas.documents import Reason


@dataclass(frozen=True)
class Explanation:
    """A reason in plain words and its remedy, each one sentence or two."""

    sentence: str
    remedy: str


EXPLANATIONS: dict[Reason, Explanation] = {
    Reason.PASSWORD_PROTECTED: Explanation(
        "The file is locked with a password.",
        "Save a copy without the password and upload that.",
    ),
    Reason.CORRUPT: Explanation(
        "The file is damaged or cut off.",
        "Open it in the program that made it, save it again and upload the new copy.",
    ),
    Reason.UNSUPPORTED_TYPE: Explanation(
        "This type of file cannot be read.",
        "Convert it to PDF, Word, HTML or plain text and upload that.",
    ),
    Reason.TOO_LARGE: Explanation(
        "The file is larger than the limit.",
        "Split it, or ask your operator to raise PERDURE_MAX_UPLOAD_BYTES.",
    ),
    Reason.TOO_MANY_PAGES: Explanation(
        "The document has more pages than the limit.",
        "Split it into parts, or ask your operator to raise PERDURE_PARSE_MAX_PAGES.",
    ),
    Reason.DECOMPRESSION_LIMIT: Explanation(
        "Unpacked, the file is far larger than it looks, as a decompression bomb is.",
        "If you trust it, save its content without compression and upload that.",
    ),
    Reason.TIMEOUT: Explanation(
        "Reading the file took longer than the time limit.",
        "Split it into smaller parts, then retry the operation.",
    ),
    Reason.MEMORY_LIMIT: Explanation(
        "Reading the file needed more memory than the limit.",
        "Split it into smaller parts, or shrink its pictures, and upload it again.",
    ),
    Reason.PARSER_CRASHED: Explanation(
        "The file made its reader crash; nothing else was touched.",
        "Save it again in the program that made it, or as PDF, and upload the new copy.",
    ),
    Reason.NO_TEXT: Explanation(
        "There is no text in this file.",
        "Check that it is the right file; one with pictures only needs text recognition.",
    ),
    Reason.NEEDS_OCR: Explanation(
        "Pages are pictures, and text recognition is not installed.",
        "Ask your operator to install Tesseract (package tesseract-ocr), then retry the operation.",
    ),
    Reason.EMPTY: Explanation(
        "The file is empty.",
        "Check that it was saved completely and upload it again.",
    ),
    Reason.SOURCE_UNREACHABLE: Explanation(
        "The address did not answer, or not with what was asked for.",
        "Open it in a browser; when it works there, retry the operation.",
    ),
    Reason.FORBIDDEN_ADDRESS: Explanation(
        "The address leads into a private network, which is never fetched.",
        "Upload the file itself, or ask your operator to allow the host in PERDURE_FETCH_ALLOW_HOSTS.",
    ),
    Reason.OBJECT_NOT_FOUND: Explanation(
        "Nothing is stored under this object key.",
        "Check the key, and that the object was uploaded before.",
    ),
    Reason.QUOTA_EXCEEDED: Explanation(
        "The organisation has no room for it under its quota.",
        "Delete documents, or ask your operator for a higher quota, then retry the operation.",
    ),
    Reason.DUPLICATE: Explanation(
        "The same content is already in this space.",
        "Nothing to do: the document that holds it is found by search.",
    ),
    Reason.UNCHANGED: Explanation(
        "The content is the same as in the version before.",
        "Nothing to do: that version goes on being found by search.",
    ),
    Reason.SUPERSEDED: Explanation(
        "A newer version arrived before this one was done.",
        "Nothing to do: the newer version is found by search.",
    ),
    Reason.LEFT_OUT: Explanation(
        "This entry of the archive was left out: it is a link, or locked with a password.",
        "Pack the file itself, without a password, and upload the archive again.",
    ),
    Reason.CANCELLED: Explanation(
        "The operation was cancelled before this was indexed.",
        "Retry the operation to finish it.",
    ),
    Reason.TERMINATED: Explanation(
        "The workflow was ended from outside before this was indexed.",
        "Retry the operation to finish it.",
    ),
    Reason.EXPIRED: Explanation(
        "The operation ran out of time before this was indexed.",
        "Retry the operation; if it expires again, check with “perdure doctor” that workers run.",
    ),
    Reason.INTERNAL_ERROR: Explanation(
        "Something in Perdure went wrong with this document.",
        "Retry the operation; if it fails again, report it with the operation's id.",
    ),
}


# Why a text was not classified.
TEXT_EXPLANATIONS: dict[ItemReason, Explanation] = {
    ItemReason.EMPTY_TEXT: Explanation("There is no text.", "Give something to classify."),
    ItemReason.TOO_LONG: Explanation("The text is too long.", "Split it, or upload it as a document."),
    ItemReason.DOCUMENT_NOT_FOUND: Explanation(
        "There is no such document in this organisation.", "It may have been deleted; check its id."
    ),
    ItemReason.DOCUMENT_NOT_INDEXED: Explanation(
        "The document is not indexed.", "Open it to see why; when it is indexed, retry."
    ),
    ItemReason.DOCUMENT_WITHOUT_TEXT: Explanation(
        "No text was found in the document.", "Look at the document: it may be a scan without text."
    ),
    ItemReason.CONTENT_REFUSED: Explanation(
        "The model refused to answer.", "Let the built-in method classify it, or review it by hand."
    ),
    ItemReason.BAD_ANSWER: Explanation(
        "The model answered something else than was asked, twice.", "Retry, or choose another model."
    ),
    ItemReason.PROVIDER_FAILED: Explanation(
        "No provider gave an answer.", "See under providers what is wrong, then retry."
    ),
    ItemReason.CANCELLED: Explanation("It was cancelled before its turn.", "Start it again if it is needed."),
    ItemReason.TERMINATED: Explanation("It was ended from outside.", "Start it again if it is needed."),
    ItemReason.INTERNAL_ERROR: Explanation(
        "Something went wrong here.", "Retry; if it comes back, tell your operator the request's id."
    ),
}


_BY_NAME = {
    **{reason.value: said for reason, said in TEXT_EXPLANATIONS.items()},
    **{reason.value: said for reason, said in EXPLANATIONS.items()},
}


def explain(reason: str | None) -> Explanation | None:
    """The explanation of a reason by its name; None for no reason, and for what a step of a workflow says."""
    return _BY_NAME.get(reason or "")
