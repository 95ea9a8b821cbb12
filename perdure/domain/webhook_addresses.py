"""Which addresses events may be sent to, and what of them is shown."""

from urllib.parse import urlsplit

from perdure.domain.addresses import AddressRules, Target, check_url
from perdure.errors import DocumentRejectedError, FieldError, InvalidInputError

_PORTS = frozenset({443, 8443})


def webhook_rules(allowed_hosts: str) -> AddressRules:
    """The rules under what the operator has opened on purpose."""
    return AddressRules.from_setting(allowed_hosts, _PORTS)


def check_webhook_url(url: str, rules: AddressRules) -> Target:
    """Take an address apart; InvalidInputError unless it is one of the open internet, and encrypted."""
    try:
        target = check_url(url, rules)
    except DocumentRejectedError as error:
        raise _refused(
            error.detail.replace("PERDURE_FETCH_ALLOW_HOSTS", "PERDURE_WEBHOOK_ALLOW_HOSTS")
        ) from error
    if target.scheme != "https" and not rules.is_allowed(target):
        raise _refused("Events are sent by https only.")
    return target


def shown_url(kind: str, url: str) -> str:
    """As much of an address as is no secret: of a chat's, whose path is its secret, only where it is."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if kind != "webhook":
        return f"{parts.scheme}://{host}/…"
    return f"{parts.scheme}://{host}{parts.path}" + ("?…" if parts.query else "")


def _refused(detail: str) -> InvalidInputError:
    return InvalidInputError(f"The address cannot be used: {detail}", [FieldError("/body/url", detail)])
