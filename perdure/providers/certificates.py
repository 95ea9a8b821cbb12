"""Why a peer's certificate was not taken."""

import ssl


def certificate_fault(error: BaseException | None) -> str | None:
    """What is wrong with it, in OpenSSL's words, when that is what an error comes from; else None."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message.rstrip(".")
        error = error.__cause__ or error.__context__
    return None
