"""Which parts the tests run against: embedded ones, or those of `make test-production`."""

import os

PRODUCTION = os.environ.get("PERDURE_TEST_FORM") == "production"
