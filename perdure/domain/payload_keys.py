"""Where payloads lie that are too large for Temporal: one folder for each workflow, so that they go with it."""

import re
from urllib.parse import quote, unquote

FOLDER = "payloads"
_KEY = re.compile(rf"{FOLDER}/(?P<workflow>[^/]+)/(?P<name>[0-9a-f]{{24}})")


def payload_folder(workflow_id: str) -> str:
    """Folder of a workflow's payloads, without a slash at the end."""
    return f"{FOLDER}/{quote(workflow_id, safe='')}"


def payload_key(workflow_id: str, name: str) -> str:
    """Key of a payload. The name is made of its content: storing it again writes the same to the same place."""
    return f"{payload_folder(workflow_id)}/{name}"


def split_payload_key(key: str) -> tuple[str, str] | None:
    """Workflow id and name in a payload's key; None for every other key."""
    match = _KEY.fullmatch(key)
    return (unquote(match["workflow"]), match["name"]) if match else None
