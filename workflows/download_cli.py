"""Lets the SDK download the Temporal CLI: `python -m workflows.download_cli DIRECTORY`.

The SDK downloads only to start a server, so one is started, and ended. It leaves its file under a name of its own.
"""

import asyncio
import os
import sys

from temporalio.testing import WorkflowEnvironment


async def download(directory: str) -> None:
    """RuntimeError when the download cannot be reached."""
    async with await WorkflowEnvironment.start_local(ip="127.0.0.1", download_dest_dir=directory):
        return


def main() -> None:
    """Exit code 1, and the reason on stderr, when it fails."""
    try:
        asyncio.run(download(sys.argv[1]))
    except RuntimeError as error:
        sys.stderr.write(f"{error}\n")
        sys.stderr.flush()
        os._exit(1)  # the engine's threads sometimes abort when the interpreter takes itself apart
    os._exit(0)


if __name__ == "__main__":
    main()
