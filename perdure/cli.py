"""The command line; see `perdure --help`."""

import typer

app = typer.Typer(no_args_is_help=True)
