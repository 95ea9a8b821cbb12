"""Answers that must follow a JSON Schema: read, checked, and asked for once more when they do not."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match

from perdure.errors import InvalidInputError, ProviderError, ProviderReason
from perdure.ports.language_models import Finish, Generation, Prompt, TokenUsage, Turn
from perdure.providers.prompts import repair_text

# Some models put JSON into a Markdown fence whatever they are told.
_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
_LONGEST_FAULT = 300


async def held_to_schema(
    provider: str, ask: Callable[[Prompt], Awaitable[Generation]], prompt: Prompt
) -> Generation:
    """Ask; with a schema, read the answer, and if it does not follow, ask once more and say why."""
    if prompt.schema is None:
        return await ask(prompt)
    validator = _validator(prompt.schema)
    first = await ask(prompt)
    value, fault = _read(first, validator)
    if fault is None:
        return replace(first, value=value)
    turns = (*prompt.turns, Turn("assistant", first.text or "{}"), Turn("user", repair_text(fault)))
    try:
        second = await ask(replace(prompt, turns=turns))
    except ProviderError as error:
        _paid(error, first.usage)
        raise
    value, fault = _read(second, validator)
    if fault is not None:
        detail = f"the answer does not follow the schema, not even when asked again: {fault}"
        raise _paid(ProviderError(provider, ProviderReason.MALFORMED, detail), first.usage + second.usage)
    return replace(second, value=value, usage=first.usage + second.usage, calls=first.calls + second.calls)


def _paid(error: ProviderError, usage: TokenUsage) -> ProviderError:
    error.input_tokens, error.output_tokens = usage.input, usage.output
    error.cached_tokens = usage.cached
    return error


def _validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        msg = f"the schema is no JSON Schema: {error.message}"
        raise InvalidInputError(msg) from error
    return Draft202012Validator(dict(schema))


def _read(answer: Generation, validator: Draft202012Validator) -> tuple[Any, str | None]:
    """What the answer says, and what is wrong with it."""
    fenced = _FENCE.match(answer.text)
    try:
        value = json.loads(fenced[1] if fenced else answer.text)
    except (json.JSONDecodeError, RecursionError):
        cut = answer.finish is Finish.LENGTH
        return None, "it ends in the middle: max_tokens are used up" if cut else "it is no JSON"
    fault = best_match(validator.iter_errors(value))
    if fault is None:
        return value, None
    where = "/".join(str(part) for part in fault.absolute_path)
    return None, f"at /{where}: {fault.message}"[:_LONGEST_FAULT]
