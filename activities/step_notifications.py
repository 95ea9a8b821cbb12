"""What a step of a document workflow tells people and programs: messages, written once and delivered afterwards."""

from hashlib import sha256

from perdure.db.keyring import Keyring
from perdure.db.messages import MessageRepository
from perdure.db.models import WebhookEndpointRow
from perdure.db.session import Transaction
from perdure.errors import FieldError, InvalidInputError, NotFoundError
from perdure.schemas.messages import Channel, LetterKind, MessageNew
from perdure.schemas.workflow_executions import StepJob, StepOutput

MOST_RECEIVERS = 100
_SUBJECT = 300


async def notified(transaction: Transaction, keyring: Keyring, job: StepJob) -> StepOutput:
    """Write a message for each receiver. A second run finds them written."""
    channel = Channel(job.settings["channel"])
    receivers = _people(job) if channel is Channel.EMAIL else [_program(job)]
    body = {"subject": _text(job, "subject")[:_SUBJECT], "text": _text(job, "body")}
    reference = {"execution_id": job.execution_id, "step_id": job.step_id}
    if job.document_id is not None:
        reference["document_id"] = job.document_id
    async with transaction(job.organisation_id) as session:
        messages = MessageRepository(session, job.organisation_id)
        written = []
        for receiver in receivers:
            is_endpoint = channel is not Channel.EMAIL and receiver.startswith("whe_")
            if is_endpoint:
                _check_endpoint(await session.get(WebhookEndpointRow, receiver), receiver, channel)
            message = MessageNew(
                effect=_effect(job, receiver),
                channel=channel,
                kind=LetterKind.NOTIFICATION.value,
                recipient=receiver if channel is Channel.EMAIL else None,
                endpoint_id=receiver if is_endpoint else None,
                reference=reference,
                body=body if channel is not Channel.WEBHOOK else {**body, **reference},
            )
            if channel is Channel.EMAIL or is_endpoint:
                written.append(await messages.add(message))
            else:
                written.append(await messages.add_to(receiver, message, keyring))
    return StepOutput(output={"messages": written})


def _check_endpoint(endpoint: WebhookEndpointRow | None, name: str, channel: Channel) -> None:
    """Whether it is there, and reads what is written to it."""
    if endpoint is None or endpoint.removed_at is not None:
        raise NotFoundError(f"no endpoint {name}: check the id, or list GET /api/v1/webhooks/endpoints")
    if endpoint.kind != channel:
        detail = (
            f"is {channel.value}, and {name} is an endpoint of the kind {endpoint.kind}: choose that channel"
        )
        raise InvalidInputError(f"/with/channel {detail}", [FieldError("/with/channel", detail)])


def _effect(job: StepJob, receiver: str) -> str:
    # Digests, because addresses and names of steps in loops may be long.
    named = sha256(f"{job.effect_id}\n{receiver}".encode()).hexdigest()
    return f"{job.execution_id}:{named}"


def _people(job: StepJob) -> list[str]:
    """Whom to write to, each once: `user:…` or `email:…`."""
    given = job.settings.get("to")
    listed = given if isinstance(given, list) else [given]
    people: dict[str, None] = {}
    for index, one in enumerate(listed):
        said = one.strip() if isinstance(one, str) else ""
        bare = said.removeprefix("email:").removeprefix("user:")
        if bare.startswith("usr_"):
            people[f"user:{bare}"] = None
        elif bare.count("@") == 1 and not any(map(str.isspace, bare)) and len(bare) <= 254:
            people[f"email:{bare}"] = None
        else:
            detail = f"must be an e-mail address or the id of a user, as step {job.step_id} is filled in"
            raise InvalidInputError(f"/with/to/{index} {detail}", [FieldError(f"/with/to/{index}", detail)])
    if len(people) > MOST_RECEIVERS:
        detail = f"are {len(people)} receivers; at most {MOST_RECEIVERS} are written to by one step"
        raise InvalidInputError(f"/with/to {detail}", [FieldError("/with/to", detail)])
    return list(people)


def _program(job: StepJob) -> str:
    url = job.settings.get("url")
    if not isinstance(url, str) or not url.startswith(("whe_", "https://", "http://")):
        detail = "must be an https address, or the id of an endpoint"
        raise InvalidInputError(f"/with/url {detail}", [FieldError("/with/url", detail)])
    return url


def _text(job: StepJob, name: str) -> str:
    value = job.settings.get(name)
    return "" if value is None else str(value)
