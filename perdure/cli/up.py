"""`perdure up`: the whole product in the foreground, until Ctrl-C."""

import asyncio
import signal
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.status import Status
from rich.table import Table
from rich.text import Text

from perdure.cli.demo import Demo
from perdure.cli.output import console, fail
from perdure.embedded.supervisor import Stack
from perdure.errors import PerdureError
from perdure.master_key_file import key_file_path
from perdure.settings import Settings

_SAMPLES = Path(__file__).parents[2] / "samples"


class Reporter:
    """Shows what the parts of the stack do: a line for each event, and what is under way below them."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._under_way: dict[str, str] = {}

    def __call__(self, part: str, what: str, *, passing: bool = False) -> None:
        if passing or what in {"starting", "stopping"}:
            self._under_way[part] = what
        else:
            self._under_way.pop(part, None)
            good = what.startswith(("ready", "stopped"))
            mark = ("✓ ", "green") if good else ("• ", "yellow")
            console.print(Text.assemble(mark, (f"{part:<12}", "bold"), what))
        self._status.update("  ".join(f"{name}: {doing}" for name, doing in self._under_way.items()) or "")


def up(
    demo: Annotated[bool, typer.Option(help="Ingest the samples and ask a question once ready.")] = False,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Port of API and console.")] = None,
    samples: Annotated[Path, typer.Option(help="What the demo ingests.")] = _SAMPLES,
    once: Annotated[bool, typer.Option("--once", help="Stop when ready, or when the demo is done.")] = False,
) -> None:
    """Start everything here that is not configured elsewhere, and keep it running until Ctrl-C."""
    # The environment alone: `stack.env` may be left over from a run that was killed.
    settings = Settings()
    if port is not None:
        settings = settings.model_copy(update={"api_port": port})
    try:
        succeeded = asyncio.run(_up(settings, samples if demo else None, once=once))
    except PerdureError as error:
        fail(error)
    raise typer.Exit(0 if succeeded else 1)


async def _up(settings: Settings, samples: Path | None, *, once: bool) -> bool:
    """Serve until told to stop; whether the demo, if there was one, went well."""
    with console.status("") as status:
        stack = Stack(settings, Reporter(status))
        serving = asyncio.create_task(_serve(stack, status, samples, once=once))
        asked = 0

        def on_signal() -> None:
            nonlocal asked
            asked += 1
            if asked == 1:
                console.print("Stopping; once more to kill.", style="yellow")
                serving.cancel()
            else:
                stack.kill()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, on_signal)
        try:
            return await serving
        except asyncio.CancelledError:
            return True


async def _serve(stack: Stack, status: Status, samples: Path | None, *, once: bool) -> bool:
    started = time.monotonic()
    succeeded = True
    async with stack:
        console.print(Text(f"Perdure is ready after {time.monotonic() - started:.1f} s.", style="bold green"))
        if stack.made_master_key:
            console.print(_key_notice(key_file_path(stack.settings)))
        demo = Demo(stack.settings.home, stack.url)
        if samples is not None:
            succeeded = await _show_demo(demo, status, samples)
        console.print(_where(stack, demo if samples is not None else None))
        if not once:
            await asyncio.Event().wait()
    return succeeded


def _key_notice(key_file: Path) -> Text:
    return Text.assemble(
        ("Back up ", "bold yellow"),
        (str(key_file), "bold"),
        ", apart from the database: it holds the master key that was made just now, and without it nothing "
        "that Perdure encrypts can be read again.",
    )


async def _show_demo(demo: Demo, status: Status, samples: Path) -> bool:
    status.stop()
    try:
        return await demo.run(samples)
    except PerdureError as error:
        # The stack serves on: what failed is shown, and its files are where `_where` says.
        console.print(Text(f"The demo failed: {error}", style="bold red"))
        return False
    finally:
        status.start()


def _where(stack: Stack, demo: Demo | None) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("Console", stack.url)
    table.add_row("API reference", f"{stack.url}/docs")
    table.add_row("Temporal UI", stack.temporal_ui_url)
    table.add_row("Log files", str(stack.files.logs))
    if demo is not None:
        table.add_row("Demo login", f"{demo.email} / {demo.password}")
        table.add_row("For scripts", f"set -a; . {demo.file}; set +a")
    table.add_row("Stop", "Ctrl-C")
    return table
