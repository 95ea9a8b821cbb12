"""`python -m perdure.cli`."""

from perdure.cli import app

app()
