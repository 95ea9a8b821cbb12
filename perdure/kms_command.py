"""The hook to a key service: a command that gets a wrapped key on its input and prints the key."""

import base64
import binascii
import os
import shlex
import subprocess

from perdure.errors import ConfigurationError
from perdure.master_key_file import KEY_BYTES, KeyEntry

TIMEOUT_S = 30


def unwrap(command: str, entry: KeyEntry) -> KeyEntry:
    """Run the command, without a shell, for one wrapped key.

    It reads the wrapped bytes, knows the id by `PERDURE_MASTER_KEY_ID`, and prints 32 bytes or their base64.
    """
    try:
        arguments = shlex.split(command)
        ended = subprocess.run(  # noqa: S603  # the operator's own command
            arguments,
            input=entry.content,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            env={**os.environ, "PERDURE_MASTER_KEY_ID": entry.id},
        )
    except (OSError, ValueError, IndexError) as error:
        detail = f"PERDURE_KMS_COMMAND cannot be run ({error}): set it to a command that unwraps a key."
        raise ConfigurationError(detail) from error
    except subprocess.TimeoutExpired as error:
        detail = f"PERDURE_KMS_COMMAND did not answer in {TIMEOUT_S} s for the master key {entry.id}."
        raise ConfigurationError(detail) from error
    if ended.returncode != 0:
        said = ended.stderr.decode(errors="replace").strip()[-500:] or "nothing on its error output"
        detail = f"PERDURE_KMS_COMMAND ended with {ended.returncode} for the master key {entry.id}: {said}"
        raise ConfigurationError(detail)
    return KeyEntry(entry.id, _key_of(ended.stdout, entry.id))


def _key_of(printed: bytes, identifier: str) -> bytes:
    if len(printed) == KEY_BYTES:
        return printed
    try:
        key = base64.b64decode(printed.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        detail = (
            f"PERDURE_KMS_COMMAND printed {len(printed)} bytes for the master key {identifier}; "
            f"it must print {KEY_BYTES} bytes or their base64."
        )
        raise ConfigurationError(detail)
    return key
