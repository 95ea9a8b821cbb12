"""Workflow definitions read wholly, or refused with the place of each fault: in fields, expressions and the graph."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from perdure.domain.approval_policies import read_policy
from perdure.domain.business_calendar import parse_span
from perdure.domain.extraction_schemas import check_extraction_schema
from perdure.domain.http_headers import MAX_HEADERS, MAX_SECRET_HEADERS, header_fault
from perdure.domain.json_objects import Faults, ObjectReader, escaped
from perdure.domain.workflow_definitions import (
    SETTINGS,
    SPAN_WORDS,
    OnError,
    Parameter,
    ParameterType,
    Retry,
    Setting,
    Step,
    StepType,
    WorkflowDefinition,
    graph_of,
    parameter_fault,
)
from perdure.domain.workflow_expressions import LOOP_ROOTS, ROOTS, Reference, examine, expressions_in
from perdure.domain.workflow_graph import Graph

MAX_STEPS = 500
MAX_DEPTH = 3
MAX_BRANCHES = 50
MAX_VISITS = 1_000
# What was done is undone in one run, which has so many events and no more.
MAX_UNDONE = 1_000
MAX_ATTEMPTS = 100
MAX_PARAMETERS = 100
_MOST_LABELS = 1_000
_LABEL_FIELDS = ("name", "description", "examples", "parent")
_ID = re.compile(r"[a-z][a-z0-9_]{0,59}")
_SECONDS = re.compile(r"([1-9][0-9]{0,5}) seconds?")
_NAMELESS = "?"
# Of which settings a step has exactly one.
ONE_OF: Mapping[StepType, tuple[str, ...]] = {
    StepType.CLASSIFICATION: ("labels", "workflow_id"),
    StepType.WAIT: ("for", "until"),
}
# Kinds of steps that have a name, and nothing yet that carries them out.
TO_COME = frozenset((StepType.COMPRESS,))
_SENT_BY: Mapping[str, str] = {
    "on error": "on_error/goto",
    "compensate": "compensate",
    "then": "with/then",
    "else": "with/else",
    "default": "with/default",
}

# Says what is wrong with an expression in the language that runs it; None when it is right.
ExpressionCheck = Callable[[str], str | None]


def parse_definition(
    value: object,
    pointer: str = "",
    *,
    check: ExpressionCheck | None = None,
    roles: Collection[str] | None = None,
) -> WorkflowDefinition:
    """Understand a definition; InvalidInputError names every fault."""
    faults = Faults()
    definition = _Reader(faults, check, roles).definition(value, pointer)
    faults.raise_for("workflow definition")
    return definition


def draft(value: object) -> WorkflowDefinition:
    """What can be read of a definition while somebody writes it, whatever is wrong with the rest: for a drawing."""
    return _Reader(Faults(), None, None).definition(value, "")


STEP_FIELDS = (
    *("id", "type", "name", "needs", "when", "retry", "timeout", "on_error", "compensate"),
    *("max_visits", "input", "with"),
)


class _Scope:
    """Steps that see each other: the definition's, or those of a loop's body."""

    def __init__(self, pointer: str, depth: int, outer: frozenset[str], in_loop: bool) -> None:
        self.pointer, self.depth, self.outer, self.in_loop = pointer, depth, outer, in_loop
        self.places: dict[str, str] = {}
        self.used: list[tuple[str, str, Reference]] = []


class _Reader:
    def __init__(self, faults: Faults, check: ExpressionCheck | None, roles: Collection[str] | None) -> None:
        self.faults, self._check, self._roles = faults, check, roles
        self._parameters: dict[str, Parameter] = {}
        self._examined: dict[str, tuple[str | None, tuple[Reference, ...]]] = {}
        self._count = 0

    def definition(self, value: object, pointer: str) -> WorkflowDefinition:
        given = ObjectReader(
            value,
            pointer,
            self.faults,
            ("name", "description", "parameters", "steps", "version", "schema_version"),
        )
        name = given.text("name", required=True, most=200)
        description = given.text("description", most=4_000)
        parameters = self._read_parameters(given)
        self._parameters = {parameter.name: parameter for parameter in parameters}
        steps = self._steps(given, "steps", _Scope(given.at("steps"), 1, frozenset(), in_loop=False))
        if self._count > MAX_STEPS:
            given.fault("steps", f"are {self._count} in all; at most {MAX_STEPS} are allowed")
        return WorkflowDefinition(name, steps, parameters, description)

    def _read_parameters(self, given: ObjectReader) -> tuple[Parameter, ...]:
        listed = given.get("parameters")
        if listed is None:
            return ()
        if not isinstance(listed, Mapping) or len(listed) > MAX_PARAMETERS:
            given.fault("parameters", f"must be an object of at most {MAX_PARAMETERS} parameters")
            return ()
        reader = ObjectReader(listed, given.at("parameters"), self.faults, listed.keys())
        found: list[Parameter] = []
        for name in reader.names():
            if not _ID.fullmatch(name):
                reader.fault(name, "must be small letters, digits and _, and begin with a letter")
            part = ObjectReader(
                reader.get(name), reader.at(name), self.faults, ("type", "default", "required", "description")
            )
            kind = part.choice("type", ParameterType, ParameterType.STRING, required=True)
            parameter = Parameter(name, kind, part.get("default"), part.flag("required", False))
            if part.has("default") and (fault := parameter_fault(parameter, part.get("default"))):
                part.fault("default", fault)
            found.append(parameter)
        return tuple(found)

    # Steps

    def _steps(self, given: ObjectReader, name: str, scope: _Scope) -> tuple[Step, ...]:
        entries = given.items(name, MAX_STEPS, required=True)
        steps = tuple(self._step(entry, place, scope) for entry, place in entries)
        self._count += len(steps)
        places = [place for _, place in entries]
        for step, place in zip(steps, places, strict=True):
            if scope.places.setdefault(step.id, place) != place:
                self.faults.add(f"{place}/id", f"{step.id!r} is the id of {scope.places[step.id]}, too")
            if step.id in scope.outer:
                self.faults.add(f"{place}/id", f"{step.id!r} is the id of a step around this loop, too")
        self._check_graph(steps, places, scope)
        return steps

    def _step(self, value: object, pointer: str, scope: _Scope) -> Step:
        given = ObjectReader(value, pointer, self.faults, STEP_FIELDS)
        identifier = given.text("id", required=True, most=60)
        if identifier and not _ID.fullmatch(identifier):
            given.fault("id", "must be small letters, digits and _, and begin with a letter")
        # A step whose name cannot be read still leads to others.
        identifier = identifier or f"{_NAMELESS}{pointer}"
        known_type = given.get("type") in set(StepType) if isinstance(given.get("type"), str) else False
        kind = given.choice("type", StepType, StepType.JOIN, required=True)
        when = self._expression(given, "when", identifier, scope)
        needs = tuple(
            str(need) for need, place in given.items("needs", MAX_BRANCHES) if self._name(need, place)
        )
        on_error, handler = self._on_error(given)
        sends = [("on error", handler)] if handler else []
        settings: dict[str, Any] = {}
        body: tuple[Step, ...] = ()
        if known_type:
            if kind in TO_COME:
                given.fault("type", f"{kind} is not available yet; leave the step out")
            settings, sent, body = self._settings(given, kind, identifier, scope)
            sends += sent
        compensate = given.text("compensate", most=60)
        if compensate:
            sends.append(("compensate", compensate))
        visits = given.whole("max_visits", 1, 1, MAX_VISITS) if given.has("max_visits") else None
        mapping = given.get("input") if given.has("input") else {}
        if not isinstance(mapping, Mapping):
            given.fault("input", "must be an object")
            mapping = {}
        self._inserted(mapping, given.at("input"), identifier, scope)
        return Step(
            identifier,
            kind,
            given.text("name", most=200),
            needs,
            when,
            self._retry(given),
            self._seconds(given, "timeout"),
            on_error,
            compensate,
            visits,
            mapping,
            settings,
            tuple(sends),
            body,
        )

    def _name(self, value: object, pointer: str) -> bool:
        if isinstance(value, str) and value:
            return True
        self.faults.add(pointer, "must be the id of a step")
        return False

    def _on_error(self, given: ObjectReader) -> tuple[OnError, str]:
        value = given.get("on_error")
        if isinstance(value, Mapping):
            part = ObjectReader(value, given.at("on_error"), self.faults, ("goto",))
            return OnError.GOTO, part.text("goto", required=True, most=60)
        if value in {None, "fail", "continue"} if isinstance(value, str | None) else False:
            return OnError(str(value or "fail")), ""
        given.fault("on_error", 'must be fail, continue or {"goto": "a step"}')
        return OnError.FAIL, ""

    def _retry(self, given: ObjectReader) -> Retry:
        if not given.has("retry"):
            return Retry()
        part = ObjectReader(given.get("retry"), given.at("retry"), self.faults, ("attempts", "wait"))
        return Retry(part.whole("attempts", 3, 1, MAX_ATTEMPTS), self._seconds(part, "wait") or 1)

    def _seconds(self, given: ObjectReader, name: str) -> int | None:
        if not given.has(name):
            return None
        value = given.get(name)
        match = _SECONDS.fullmatch(value) if isinstance(value, str) else None
        if match:
            return int(match[1])
        span = parse_span(value)
        if span is None or span.business:
            given.fault(name, SPAN_WORDS)
            return None
        return int(span.length.total_seconds())

    # What a step's type asks for

    def _settings(
        self, given: ObjectReader, kind: StepType, step: str, scope: _Scope
    ) -> tuple[dict[str, Any], list[tuple[str, str]], tuple[Step, ...]]:
        wanted = SETTINGS[kind]
        part = ObjectReader(
            given.get("with") if given.has("with") else {}, given.at("with"), self.faults, tuple(wanted)
        )
        for name, setting in wanted.items():
            if setting.required and not part.has(name):
                what = "the loop would not be bounded" if name == "max_items" else f"a {kind} step needs it"
                part.fault(name, f"is missing: {what}")
        options = ONE_OF.get(kind, ())
        if options and sum(part.has(name) for name in options) != 1:
            self.faults.add(part.pointer, f"must have one of {' and '.join(options)}")
        self._check_task(part, kind)
        sends: list[tuple[str, str]] = []
        body: tuple[Step, ...] = ()
        for name, setting in wanted.items():
            if not part.has(name):
                continue
            if setting.kind == "body":
                body = self._body(part, name, step, scope)
            elif setting.kind in {"target", "targets", "branches"}:
                sends += self._targets(part, name, setting, step, scope)
            else:
                self._checked(part, name, setting, step, scope)
        return {name: part.get(name) for name in wanted if part.has(name) and name != "steps"}, sends, body

    def _check_task(self, part: ObjectReader, kind: StepType) -> None:
        if kind is StepType.ANALYSIS:
            for task, field_name in (("question_answering", "question"), ("extraction", "schema")):
                if part.get("task") == task and not part.has(field_name):
                    part.fault(field_name, f"is missing: {task} needs it")
            if part.has("schema"):
                check_extraction_schema(part.get("schema"), part.at("schema"), self.faults)
        if kind is StepType.NOTIFICATION and isinstance(part.get("channel"), str):
            needed = "to" if part.get("channel") == "email" else "url"
            if not part.has(needed):
                part.fault(needed, f"is missing: a notification by {part.get('channel')} needs it")
        if kind is StepType.CLASSIFICATION:
            self._check_labels(part)
        if kind is StepType.HTTP:
            self._check_request(part)

    def _check_labels(self, part: ObjectReader) -> None:
        if part.has("applies_from") and part.get("multi_label") is not True:
            part.fault("applies_from", "is for multi_label, where a text may have several labels or none")
        labels = part.get("labels")
        if not isinstance(labels, list) or not labels:
            return
        seen: set[str] = set()
        for index, label in enumerate(labels[:_MOST_LABELS]):
            name = label.get("name") if isinstance(label, Mapping) else label
            if not isinstance(name, str) or not name.strip():
                self.faults.add(
                    f"{part.at('labels')}/{index}", 'must be a name, or an object such as {"name": "invoice"}'
                )
            elif name.strip().casefold() in seen:
                self.faults.add(f"{part.at('labels')}/{index}", f"{name[:60]!r} is given twice")
            else:
                seen.add(name.strip().casefold())
            if isinstance(label, Mapping):
                given = ObjectReader(label, f"{part.at('labels')}/{index}", self.faults, _LABEL_FIELDS)
                for field_name in ("description", "parent"):
                    given.text(field_name)
        if len(labels) == 1 and part.get("multi_label") is not True:
            part.fault("labels", "must be two or more, to choose between")

    def _check_request(self, part: ObjectReader) -> None:
        """What is wrong before anything is filled in."""
        url, headers = part.get("url"), part.get("headers")
        if isinstance(url, str) and url and not url.startswith(("http://", "https://", "${")):
            part.fault("url", "must begin with https:// or http://")
        self._check_secret_headers(part)
        if not isinstance(headers, Mapping):
            return
        if len(headers) > MAX_HEADERS:
            part.fault("headers", f"are {len(headers)}; at most {MAX_HEADERS} are sent")
        for name, value in list(headers.items())[:MAX_HEADERS]:
            filled_in = isinstance(value, str) and "${" in value
            if fault := header_fault(str(name), "" if filled_in else value):
                self.faults.add(f"{part.at('headers')}/{escaped(str(name))}", fault)

    def _check_secret_headers(self, part: ObjectReader) -> None:
        """Secrets are named here, and by nobody who gives an execution its input."""
        named, headers = part.get("secret_headers"), part.get("headers")
        if not isinstance(named, Mapping):
            return
        given = {str(name).lower() for name in headers} if isinstance(headers, Mapping) else set()
        if len(named) > MAX_SECRET_HEADERS:
            part.fault("secret_headers", f"are {len(named)}; at most {MAX_SECRET_HEADERS} are sent")
        for name, secret in list(named.items())[:MAX_SECRET_HEADERS]:
            fault = header_fault(str(name), "")
            if str(name).lower() in given:
                fault = "is given by headers, too"
            elif not isinstance(secret, str) or not secret.strip() or "${" in secret:
                fault = "must be the name of a secret, as it is: nothing is filled in"
            if fault:
                self.faults.add(f"{part.at('secret_headers')}/{escaped(str(name))}", fault)

    def _checked(self, part: ObjectReader, name: str, setting: Setting, step: str, scope: _Scope) -> None:
        if setting.kind == "expression":
            self._expression(part, name, step, scope)
        elif setting.kind == "assignments":
            self._assignments(part, name, step, scope)
        else:
            self._plain(part, name, setting)
            self._inserted(part.get(name), part.at(name), step, scope)

    def _plain(self, part: ObjectReader, name: str, setting: Setting) -> None:
        match setting.kind:
            case "text":
                part.text(name, required=setting.required, most=setting.most)
            case "whole":
                part.whole(name, 1, 1, setting.most)
            case "flag":
                part.flag(name, False)
            case "number":
                value = part.get(name)
                if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                    part.fault(name, "must be a number from 0 to 1")
            case "choice":
                if part.get(name) not in setting.choices:
                    part.fault(name, f"must be one of {', '.join(setting.choices)}")
            case "span":
                self._seconds(part, name)
            case "policy":
                self._policy(part, name)
            case _:
                self._shape(part, name, setting.kind)

    def _shape(self, part: ObjectReader, name: str, kind: str) -> None:
        value = part.get(name)
        if kind == "mapping" and not isinstance(value, Mapping):
            part.fault(name, "must be an object")
        if kind == "listed" and (not isinstance(value, list) or not value or len(value) > 1_000):
            part.fault(name, "must be a list of 1 to 1000 entries")

    def _policy(self, part: ObjectReader, name: str) -> None:
        """A policy in place, or the id of one that is stored."""
        if isinstance(part.get(name), str):
            part.text(name, required=True, most=60)
        else:
            read_policy(part.get(name), part.at(name), self.faults, self._roles)

    def _assignments(self, part: ObjectReader, name: str, step: str, scope: _Scope) -> None:
        value = part.get(name)
        if not isinstance(value, Mapping) or not value:
            part.fault(name, 'must be an object such as {"total": "steps.extract.net * 1.19"}')
            return
        reader = ObjectReader(value, part.at(name), self.faults, value.keys())
        for key in reader.names():
            if not _ID.fullmatch(key):
                reader.fault(key, "must be named with small letters, digits and _")
            self._expression(reader, key, step, scope)

    def _targets(
        self, part: ObjectReader, name: str, setting: Setting, step: str, scope: _Scope
    ) -> list[tuple[str, str]]:
        if setting.kind == "target":
            target = part.text(name, required=True, most=60)
            return [(name, target)] if target else []
        found: list[tuple[str, str]] = []
        for entry, place in part.items(name, MAX_BRANCHES, required=True):
            if setting.kind == "targets":
                if self._name(entry, place):
                    found.append(("", str(entry)))
                continue
            branch = ObjectReader(entry, place, self.faults, ("when", "goto"))
            when = self._expression(branch, "when", step, scope, required=True)
            target = branch.text("goto", required=True, most=60)
            if target:
                found.append((when, target))
        return found

    def _body(self, part: ObjectReader, name: str, step: str, scope: _Scope) -> tuple[Step, ...]:
        if scope.depth >= MAX_DEPTH:
            part.fault(name, f"nests loops more than {MAX_DEPTH - 1} deep")
            return ()
        # Steps around a loop are seen within it; which of them are before it is checked for the loop itself.
        inner = _Scope(part.at(name), scope.depth + 1, scope.outer | {step}, in_loop=True)
        steps = self._steps(part, name, inner)
        scope.used += [(step, place, used) for _, place, used in inner.used]
        most = part.get("max_items")
        if isinstance(most, int) and most > MAX_UNDONE and any(one.undoes for one in steps):
            part.fault(
                "max_items", f"is {most}; of a loop that is compensated at most {MAX_UNDONE} can be undone"
            )
        return steps

    # Expressions

    def _expression(
        self, given: ObjectReader, name: str, step: str, scope: _Scope, *, required: bool = False
    ) -> str:
        if given.get(name) is None and not required:
            return ""
        text = given.text(name, required=True)
        if text:
            self._examine(text, given.at(name), step, scope)
        return text

    def _inserted(self, value: object, pointer: str, step: str, scope: _Scope) -> None:
        for place, expression in expressions_in(value):
            self._examine(expression, f"{pointer}{place}", step, scope)

    def _examine(self, text: str, pointer: str, step: str, scope: _Scope) -> None:
        if text not in self._examined:
            examined = examine(text)
            fault = examined.fault or (self._check(text) if self._check else None)
            self._examined[text] = fault, examined.references
        fault, references = self._examined[text]
        if fault:
            self.faults.add(pointer, f"{text[:60]!r} {fault}")
            return
        for reference in references:
            self._refers(reference, pointer, step, scope)

    def _refers(self, reference: Reference, pointer: str, step: str, scope: _Scope) -> None:
        roots = (*ROOTS, *LOOP_ROOTS) if scope.in_loop else ROOTS
        if reference.root not in roots:
            self.faults.add(pointer, f"{reference.root!r} is unknown; known are {', '.join(roots)}")
        elif reference.root == "parameters" and reference.name not in self._parameters:
            known = ", ".join(self._parameters) or "none"
            self.faults.add(pointer, f"{reference.name!r} is no parameter; known are {known}")
        elif reference.root == "steps":
            scope.used.append((step, pointer, reference))

    # The graph

    def _check_graph(self, steps: tuple[Step, ...], places: list[str], scope: _Scope) -> None:
        place_of = dict(scope.places)
        for step, place in zip(steps, places, strict=True):
            for index, need in enumerate(step.needs):
                if need not in place_of:
                    self.faults.add(f"{place}/needs/{index}", f"{need[:60]!r} is no step")
            for label, target in step.sends:
                if target not in place_of:
                    where = f"{place}/{_SENT_BY.get(label, 'with')}"
                    self.faults.add(where, f"{target[:60]!r} is no step")
        graph = graph_of(steps)
        circling = self._check_circles(steps, graph, place_of)
        reachable = graph.reachable()
        for step_id in graph.steps:
            if not step_id.startswith(_NAMELESS) and step_id not in reachable | circling:
                self.faults.add(place_of[step_id], f"{step_id!r} can never run: nothing leads to it")
        self._check_references(graph, place_of, scope)

    def _check_circles(self, steps: tuple[Step, ...], graph: Graph, place_of: Mapping[str, str]) -> set[str]:
        circling: set[str] = set()
        bounded = {step.id for step in steps if step.max_visits is not None}
        free = tuple(edge for edge in graph.edges if not bounded & {edge.source, edge.target})
        # A group may hold several ways around: none may be left when the steps with bounds are taken out.
        unbounded = Graph(graph.steps, free).circles()
        for group in graph.circles():
            circling |= set(group)
            names = ", ".join(group)
            within = [edge for edge in graph.edges if edge.source in group and edge.target in group]
            if all(edge.needed for edge in within):
                self.faults.add(f"{place_of[group[0]]}/needs", f"goes in a circle: {names} need each other")
                continue
            for loop in unbounded:
                if set(loop) <= set(group):
                    named = f"{', '.join(loop)}; give one of them max_visits"
                    self.faults.add(place_of[loop[0]], f"is in a loop without bounds: {named}")
        return circling

    def _check_references(self, graph: Graph, place_of: Mapping[str, str], scope: _Scope) -> None:
        before = graph.before()
        for step, pointer, reference in scope.used:
            name = reference.name
            if name is None:
                self.faults.add(pointer, "must name the step, such as steps.classify")
            elif name in place_of:
                if name not in before.get(step, set()):
                    self.faults.add(pointer, f"{name!r} does not run before {step!r}")
            elif scope.depth == 1:
                self.faults.add(pointer, f"{name[:60]!r} is no step")
        if scope.depth > 1:
            # What is no step of the body may be one around it.
            scope.used = [one for one in scope.used if one[2].name not in place_of]
