"""`perdure classify`: a text, a document, or a file of texts."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from perdure.cli.memories import operation_result
from perdure.cli.output import JsonOption, client, console, fail, print_json, run, table_of
from perdure.errors import InvalidInputError
from perdure.schemas.operations import OperationRead

_PATH = "/ai/classification"
_SHOWN = 20
_LINES = "application/x-ndjson"
_FORMATS = {".csv": "text/csv"}


def classify(
    text: Annotated[str | None, typer.Argument(help="What to classify.")] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", "-l", help="A label, or `name: what it means`; once for each."),
    ] = None,
    workflow: Annotated[
        str | None, typer.Option("--workflow", "-w", help="Classify as this workflow says.")
    ] = None,
    document: Annotated[str | None, typer.Option("--document", help="Id of a document, `doc_…`.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", exists=True, help="A text, or a JSON object with `text`, a line."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Of a file: where all results go: JSON lines, or `*.csv`.",
        ),
    ] = None,
    multi_label: Annotated[bool, typer.Option("--multi-label", help="A text may have several.")] = False,
    applies_from: Annotated[
        float | None, typer.Option(min=0, max=1, help="Of several: a label applies from this confidence on.")
    ] = None,
    stage: Annotated[
        list[str] | None,
        typer.Option("--stage", help="category, sentiment, entities, summary; once for each."),
    ] = None,
    threshold: Annotated[float | None, typer.Option(min=0, max=1, help="Less sure: to a person.")] = None,
    target_accuracy: Annotated[
        float | None, typer.Option(min=0.5, max=0.999, help="So many of the automatic answers right.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Classify a text, a document or the lines of a file, by labels or by a workflow."""
    given = [one for one in (text, document, file) if one is not None]
    if len(given) != 1:
        fail(InvalidInputError("Give a text, `--document` or `--file`, exactly one of them."))
    asked = _asked(label or [], workflow, stage or [], threshold, target_accuracy, multi_label=multi_label)
    if applies_from is not None:
        asked["applies_from"] = applies_from
    if file is not None:
        _classify_file(file, asked, output, as_json=as_json)
        return
    subject = {"text": text} if text is not None else {"document_id": document}
    answer = run(_answered({**subject, **asked}))
    if as_json:
        print_json(answer)
        return
    console.print(_shown(answer))
    if answer.get("status") == "failed":
        raise typer.Exit(1)


def _asked(
    labels: list[str],
    workflow: str | None,
    stages: list[str],
    threshold: float | None,
    target_accuracy: float | None,
    *,
    multi_label: bool,
) -> dict[str, Any]:
    split = [one.partition(":") for one in labels]
    named = [{"name": name.strip(), "description": means.strip()} for name, _, means in split]
    asked = {
        "labels": named,
        "workflow_id": workflow,
        "stages": stages,
        "threshold": threshold,
        "target_accuracy": target_accuracy,
        "multi_label": multi_label,
    }
    return {name: value for name, value in asked.items() if value}


def _classify_file(file: Path, asked: dict[str, Any], output: Path | None, *, as_json: bool) -> None:
    try:
        items = [_item(line) for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        fail(InvalidInputError(f"{file}: {error}"))
    if not items:
        fail(InvalidInputError(f"{file} holds no text."))
    result, results = run(_batched({"items": items, **asked}, output))
    if as_json:
        print_json({**result, "results": results})
    else:
        table = table_of("label", "confidence", "decision", "text")
        for one in results:
            confidence = f"{one['confidence']:.2f}" if one["confidence"] is not None else ""
            outcome = one["decision"] or one["reason"] or ""
            table.add_row(one["label"] or "", confidence, outcome, one["excerpt"] or one["document_id"] or "")
        console.print(table)
        console.print(
            f"{result['total']} texts: {result['decided']} decided, {result['human_review']} for a person, "
            f"{result['failed']} failed"
        )
        if output is not None:
            console.print(f"All results are in {output}", style="dim")
    if result["failed"]:
        raise typer.Exit(1)


def _item(line: str) -> dict[str, Any]:
    if not line.lstrip().startswith("{"):
        return {"text": line.strip()}
    item: dict[str, Any] = json.loads(line)
    return item


def _shown(answer: dict[str, Any]) -> Text:
    """An answer: the label, how sure it is, the runners-up and what speaks for it."""
    if answer.get("status") == "failed":
        return Text(f"{answer['reason']}: {answer['detail']}", style="red")
    stages = answer["stages"]
    parts: list[str | tuple[str, str]] = []
    if category := stages.get("category"):
        names = ", ".join(answer["labels"]) or category["label"] or "no label"
        parts += [(names, "bold"), f"  {category['confidence']:.2f}"]
        others = [f"{one['label']} {one['confidence']:.2f}" for one in category["alternatives"]]
        parts += [(f"\n  else {', '.join(others)}", "dim")] if others else []
        parts += [(f"\n  “{one['text']}”", "dim") for one in category["evidence"]]
        parts.append("\n")
    if sentiment := stages.get("sentiment"):
        parts.append(f"{sentiment['label']} {sentiment['polarity']:+.2f} ({sentiment['confidence']:.2f})\n")
    parts += [f"{one['type']}: {one['text']} → {one['value']}\n" for one in stages.get("entities") or ()]
    decision = "decided" if answer["decision"] == "auto" else "a person is to decide"
    parts.append((f"— {decision}, by {answer['model'] or answer['provider']}, {answer['id']}", "dim"))
    return Text.assemble(*parts)


async def _answered(body: dict[str, Any]) -> dict[str, Any]:
    async with client() as api:
        answer = await api.call("POST", f"{_PATH}/enhanced", json=body, params={"wait": "true"})
        if "kind" not in answer:
            return answer
        # It takes longer than a request may wait.
        result = await operation_result(api, OperationRead.model_validate(answer))
        return await api.call("GET", f"{_PATH}/results/{result['result_id']}")


async def _batched(body: dict[str, Any], output: Path | None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    async with client() as api:
        operation = OperationRead.model_validate(await api.call("POST", f"{_PATH}/batch", json=body))
        result = await operation_result(api, operation)
        wanted = {"operation_id": operation.id}
        if output is not None:
            await api.download(
                f"{_PATH}/results", output, accept=_FORMATS.get(output.suffix, _LINES), **wanted
            )
        page = await api.call("GET", f"{_PATH}/results", params={**wanted, "limit": _SHOWN})
        found: list[dict[str, Any]] = page["items"]
        return result, found
