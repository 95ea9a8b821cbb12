"""`perdure chaos`: kills and freezes the parts of a running installation; nothing may be lost or doubled."""

import random
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from perdure.cli.output import JsonOption, console, errors, print_json, run
from perdure.settings import Settings

if TYPE_CHECKING:
    from perdure.chaos.findings import Outcome
    from perdure.chaos.run import Run

_WARNING = (
    "This kills and freezes the workers, the API, Temporal and PostgreSQL of {home}, again and again, for about "
    "{minutes} minutes. Whoever uses it meanwhile is interrupted. Go on?"
)


def chaos(
    seed: Annotated[
        int | None, typer.Option(help="The same seed gives the same faults; otherwise one is drawn.")
    ] = None,
    duration: Annotated[float, typer.Option(min=1, help="Minutes; a fault takes about ten seconds.")] = 3.0,
    first: Annotated[
        int, typer.Option(min=0, help="Number of the first fault, to go on with an earlier run.")
    ] = 0,
    sleepers: Annotated[
        int, typer.Option(min=0, help="Operations that sleep while everything is killed.")
    ] = 100,
    report: Annotated[Path, typer.Option(help="Directory of chaos.html and chaos.json.")] = Path(
        "chaos-report"
    ),
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Break the running installation on purpose and check that all of its promises hold; exit code 1 when one does not.

    It works in an organisation of its own, which is erased in the end.
    """
    # The database's libraries, which `perdure up` need not carry.
    from perdure.chaos import report as reports  # noqa: PLC0415  # see above
    from perdure.chaos.plan import plan  # noqa: PLC0415  # see above
    from perdure.chaos.run import run as run_chaos  # noqa: PLC0415  # see above

    settings = Settings.load()
    if seed is None:
        seed = random.randrange(10**6)  # noqa: S311  # a plan, no secret
    if not yes:
        typer.confirm(_WARNING.format(home=settings.home, minutes=f"{duration:.0f}"), abort=True)
    faults = plan(seed, timedelta(minutes=duration))[first:]
    errors.print(f"Seed {seed}: {len(faults)} faults, {sleepers} sleepers.")

    def tell(so_far: "Run") -> None:
        reports.write(so_far, report)
        _tell(so_far.outcomes[-1])

    done = run(run_chaos(settings, seed, faults, sleepers, tell))
    page = reports.write(done, report)
    made = reports.summary(done)
    if as_json:
        print_json(made)
    else:
        for each in made["recovery"]:
            console.print(
                f"{each['name']}: p50 {each['p50_s']} s, p95 {each['p95_s']} s of {each['count']} "
                f"(target p95 ≤ {each['target_p95_s']:.0f} s)"
            )
        style = "bold red" if done.violations else "bold green"
        console.print(Text(f"{done.violations} violations in {made['faults']} faults: {page}", style=style))
    if done.violations:
        raise typer.Exit(1)


def _tell(outcome: "Outcome") -> None:
    recovery = "" if outcome.recovery_s is None else f", recovered in {outcome.recovery_s:.1f} s"
    line = f"{outcome.fault.number:4d}  {outcome.fault}{recovery}"
    if outcome.skipped:
        errors.print(Text(f"{line}: left out, {outcome.skipped}", style="dim"))
    elif outcome.violations:
        errors.print(Text(line, style="red"))
        for violation in outcome.violations:
            errors.print(Text(f"      {violation.invariant}: {violation.evidence}", style="red"))
    else:
        errors.print(Text(line, style="green"))
