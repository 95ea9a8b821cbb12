"""`perdure backup`, `perdure backup verify` and `perdure restore`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import psutil
import typer
from rich.text import Text
from typer.core import TyperGroup

from perdure.cli.output import JsonOption, console, errors, print_json, run
from perdure.settings import Settings

if TYPE_CHECKING:
    from perdure.backup.manifest import Manifest

_NICENESS = 10


class _TakesByDefault(TyperGroup):
    """`perdure backup DIR` takes a backup; only `verify` is a word of its own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["take", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_TakesByDefault,
    no_args_is_help=True,
    help="Back everything up while it runs: `perdure backup DIR`.",
)

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Directory of the backup.")]


@app.command()
def take(
    directory: Directory,
    with_keys: Annotated[
        bool,
        typer.Option(
            "--with-keys", help="Include master.keys and secret.key: then whoever reads it reads all."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write database, objects and Temporal's file into an empty directory, as they are at one moment."""
    from perdure.backup.taking import take as take_backup  # noqa: PLC0415  # `perdure up` would carry it

    _give_way()
    with console.status("") as status:
        made = run(
            take_backup(
                Settings.load(),
                directory.absolute(),
                lambda what: status.update(f"Backing up: {what}"),
                with_keys=with_keys,
            )
        )
    if as_json:
        print_json(_summary(directory, made))
        return
    console.print(_describe(directory, made))
    for part, why in made.elsewhere.items():
        console.print(Text(f"Not in it: {part}. {why}.", style="yellow"))
    if with_keys:
        errors.print(
            Text(
                f"{directory} holds the keys as well: whoever reads it can decrypt all of it.",
                style="bold yellow",
            )
        )
    elif made.master_key_ids:
        console.print(
            Text(
                f"The keys ({', '.join(made.master_key_ids)}) are not in it: keep master.keys (or the passphrase and "
                "master.salt) and secret.key in another place. Without them nothing encrypted opens.",
                style="yellow",
            )
        )


@app.command()
def verify(directory: Directory, as_json: JsonOption = False) -> None:
    """Read a backup through and compare every hash; exit code 1 when something is missing or damaged."""
    from perdure.backup.restoring import check  # noqa: PLC0415  # see `take`

    made = run(check(directory.absolute()))
    if as_json:
        print_json(_summary(directory, made))
    else:
        console.print(_describe(directory, made), Text("Sound.", style="green"))


def restore(directory: Directory, as_json: JsonOption = False) -> None:
    """Make an installation out of a backup; PERDURE_HOME must hold none. Then start it with `perdure up`."""
    from perdure.backup.restoring import restore as restore_backup  # noqa: PLC0415  # see `take`

    settings = Settings()
    with console.status("") as status:
        restored = run(
            restore_backup(settings, directory.absolute(), lambda what: status.update(f"Restoring: {what}"))
        )
    if as_json:
        print_json({**_summary(directory, restored.manifest), "to_do": list(restored.to_do)})
        return
    console.print(_describe(directory, restored.manifest))
    console.print(Text(f"Restored into {settings.home}.", style="green"))
    for line in restored.to_do:
        console.print(Text(line, style="yellow"))
    console.print("Start it with `perdure up`: what was under way goes on, what slept wakes up.")


def _give_way() -> None:
    """Let those who are served go first."""
    os.nice(_NICENESS)
    process = psutil.Process()
    if hasattr(psutil, "IOPRIO_CLASS_BE"):
        process.ionice(psutil.IOPRIO_CLASS_BE, 7)


def _describe(directory: Path, made: "Manifest") -> Text:
    counts = made.counts
    counted = ", ".join(f"{counts[name]:,} {name.replace('_', ' ')}" for name in counts)
    return Text.assemble(
        (str(directory), "bold"),
        f": {made.size_bytes / 1e6:,.1f} MB in {len(made.files):,} files, taken at "
        f"{made.taken_at.isoformat(timespec='seconds')} in {made.seconds:.1f} s: {counted}.",
    )


def _summary(directory: Path, made: "Manifest") -> dict[str, object]:
    summary = made.model_dump(mode="json", exclude={"files"})
    return {**summary, "directory": str(directory), "files": len(made.files), "size_bytes": made.size_bytes}
