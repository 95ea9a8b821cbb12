"""Where payloads lie that are too large for Temporal: one folder for each workflow, so that they go with it."""

import re
from urllib.parse import quote, unquote

FOLDER = "payloads"
_KEY = re.compile(rf"{FOLDER}/(?P<workflow>[^/]+)/(?P<sha256>[0-9a-f]{{64}})")


def payload_folder(workflow_id: str) -> str:
    """Folder of a workflow's payloads, without a slash at the end."""
    return f"{FOLDER}/{quote(workflow_id, safe='')}"


def payload_key(workflow_id: str, sha256: str) -> str:
    """Key of a payload, by its content: storing it again writes the same bytes to the same place."""
    return f"{payload_folder(workflow_id)}/{sha256}"


def split_payload_key(key: str) -> tuple[str, str] | None:
    """Workflow id and digest of a payload's key; None for every other key."""
    match = _KEY.fullmatch(key)
    return (unquote(match["workflow"]), match["sha256"]) if match else None
