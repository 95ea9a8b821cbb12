"""`worker.py` with a parser that can be told to misbehave, and a drain that is short enough to run out of."""

import functools
from datetime import timedelta
from unittest.mock import patch

import worker
from perdure.providers.parser_pool import ParserPool
from tests.faults.installation import DRAIN_S

if __name__ == "__main__":
    pool = functools.partial(ParserPool, parser="tests.faults.hostile_parser:parser")
    with patch.multiple(worker, ParserPool=pool, DRAIN=timedelta(seconds=DRAIN_S)):
        worker.main()
