"""`perdure up` with the workers of `hostile_worker`."""

import functools
import sys
from unittest.mock import patch

from perdure.cli import app, up
from perdure.embedded.supervisor import Programs, Stack

if __name__ == "__main__":
    programs = Programs(worker=(sys.executable, "-m", "tests.faults.hostile_worker"))
    with patch.object(up, "Stack", functools.partial(Stack, programs=programs)):
        app()
