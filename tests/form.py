"""Which parts the tests run against: embedded ones, or those of `make test-production`."""

import os

PRODUCTION = os.environ.get("PERDURE_TEST_FORM") == "production"


def served_by(process: object, served: object) -> bool:
    """Whether the server's process of a connection is still the same; a pooler lends any that is free."""
    return PRODUCTION or process == served
