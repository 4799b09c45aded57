"""What a case of a suite holds its run to: the check of ``expect``, and the judgement of a run."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from ..assertions import assert_failed, assert_ok, assert_result, fail
from ..runs import WorkflowRun
from ..text import brief, printable, show_path, without_colours
from .documents import INSTALL, Steps
from .schemas import EXPECT, RULE, fits

if TYPE_CHECKING:
    from ..snapshots.assertion import WorkflowSnapshot

Expect = Mapping[str, Any]


def expects_failure(expect: Expect) -> bool:
    """Whether the run is to fail."""
    return "failed" in expect or expect.get("ok") is False


def mistakes_of_expect(given: Expect, steps: Steps) -> Iterator[tuple[Steps, str]]:
    """What no schema finds, of the keys that are right to it: patterns, and keys that contradict each other."""
    known = EXPECT["properties"]
    expect = {
        key: value for key, value in given.items() if key in known and (key == "rules" or fits(known[key], value))
    }
    if "failed" in expect and expect.get("ok") is True:
        yield (*steps, "failed"), "contradicts ok: true: leave one of them out"
    for key in ("result", "schema"):
        if key in expect and expects_failure(expect):
            yield (*steps, key), "a run that fails has no result: leave it out, or failed and ok: false"
    if "rules" in expect and not given.get("snapshot"):
        yield (*steps, "rules"), "hold in a snapshot: write snapshot: true beside them"
    if "failed" in expect:
        yield from _wrong_pattern(expect["failed"], (*steps, "failed"))
    if "schema" in expect:
        yield from _wrong_schema(expect["schema"], (*steps, "schema"))
    for path, rule in expect["rules"].items() if isinstance(expect.get("rules"), dict) else ():
        yield from _wrong_rule(path, rule, (*steps, "rules", path))


def _wrong_pattern(text: str, steps: Steps) -> Iterator[tuple[Steps, str]]:
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        yield steps, f"{brief(text)} is not a valid regular expression: {error}"


def _wrong_rule(path: str, rule: object, steps: Steps) -> Iterator[tuple[Steps, str]]:
    from ..redaction.jsonpath import Pattern

    try:
        Pattern.parse(path)
    except ValueError as error:
        yield steps, str(error)
    known = RULE["properties"]
    right = {key: value for key, value in rule.items() if key in known and fits(known[key], value)} if _is(rule) else {}
    if "regex" in right:
        yield from _wrong_pattern(right["regex"], (*steps, "regex"))
    for name in ("str", "number", "length"):
        bounds = right.get(name)
        if _is(bounds) and bounds.get("min", -math.inf) > bounds.get("max", math.inf):
            yield (*steps, name), f"min {bounds['min']} is above max {bounds['max']}"


def _is(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _wrong_schema(schema: Any, steps: Steps) -> Iterator[tuple[Steps, str]]:
    try:
        validators, exceptions = _jsonschema()
    except ImportError:
        yield steps, f"a schema needs jsonschema, which is not installed: {INSTALL}"
        return
    kind = _version_of(schema, validators)
    if kind is None:
        known = validators.Draft202012Validator.META_SCHEMA["$id"]
        yield (*steps, "$schema"), f"expected a version of JSON Schema such as {known}, got {brief(schema['$schema'])}"
        return
    try:
        kind.check_schema(schema)
    except exceptions.SchemaError as error:
        at = show_path(tuple(error.absolute_path))
        yield (*steps, *error.absolute_path), f"is not a valid JSON Schema at {at}: {printable(error.message, 300)}"
    else:
        yield from _wrong_references(schema, kind, steps)


def _version_of(schema: Any, validators: Any) -> Any:
    """The class that validates by this schema; None for a version that is not known."""
    if not _is(schema) or "$schema" not in schema:
        return validators.Draft202012Validator
    try:
        return validators.validator_for(schema, default=None) if isinstance(schema["$schema"], str) else None
    except ValueError:  # not even an address
        return None


_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
_OF_THE_SAME_VALUE: Final = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "extends")
_OF_THE_SAME_VALUE_BY_KEY: Final = ("dependentSchemas", "dependencies")


def _wrong_references(schema: Any, kind: Any, steps: Steps) -> Iterator[tuple[Steps, str]]:
    """Wrong references in the parts of a schema, which jsonschema would find when the run is there."""
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]
    from referencing.jsonschema import specification_with

    dialect = specification_with(kind.ID_OF(kind.META_SCHEMA))
    places = dict(_places(schema, steps))
    root = dialect.create_resource(schema)
    todo: list[Any] = [(root, REGISTRY.resolver_with_root(root))]
    same: dict[int, list[int]] = {}  # by its identity, of each part those that judge the same value
    while todo:
        resource, resolver = todo.pop()
        part = resource.contents
        if not _is(part) or id(part) in same:
            continue
        same[id(part)] = list(_of_same_value(part))
        todo += [(one, resolver.in_subresource(one)) for one in resource.subresources()]
        at = places.get(id(part), steps)
        for key in (key for key in _REFERENCES if isinstance(part.get(key), str)):
            target, problem = _resolved(part[key], resolver, kind)
            if problem:
                yield (*at, key), problem
            else:
                same[id(part)].append(id(target.contents))
                todo.append((dialect.create_resource(target.contents), target.resolver))
    yield from _endless(same, places)


def _places(part: Any, steps: Steps) -> Iterator[tuple[int, Steps]]:
    """By the identity of each mapping in a schema, the way to it."""
    if _is(part):
        yield id(part), steps
    if isinstance(part, dict | list):
        for key, value in part.items() if _is(part) else enumerate(part):
            yield from _places(value, (*steps, key))


def _of_same_value(part: dict[str, Any]) -> Iterator[int]:
    for key in _OF_THE_SAME_VALUE:
        given = part.get(key)
        yield from map(id, given if isinstance(given, list) else [given])
    for key in _OF_THE_SAME_VALUE_BY_KEY:
        yield from map(id, part.get(key, {}).values())


def _resolved(reference: str, resolver: Any, kind: Any) -> tuple[Any, str]:
    """Where a reference leads, or what is wrong with it. Nothing is fetched."""
    _, exceptions = _jsonschema()
    from referencing.exceptions import Unresolvable

    try:
        found = resolver.lookup(reference)
        if not isinstance(found.contents, dict | bool):
            return None, f"{brief(reference)} leads to {brief(found.contents)}, which is not a JSON Schema"
        kind.check_schema(found.contents)
    except (Unresolvable, LookupError, ValueError, TypeError):
        if reference.startswith("#"):
            return None, f"{brief(reference)} leads nowhere in this schema"
        return None, (
            f"{brief(reference)} is in another document, which is never fetched: copy it into this schema under $defs, "
            "and write #/$defs/NAME"
        )
    except exceptions.SchemaError as error:
        return None, f"{brief(reference)} leads to what is not a valid JSON Schema: {printable(error.message, 300)}"
    return found, ""


def _endless(same: Mapping[int, list[int]], places: Mapping[int, Steps]) -> Iterator[tuple[Steps, str]]:
    """A part that judges a value by itself again, without a step into the value."""
    try:
        TopologicalSorter(same).prepare()
    except CycleError as error:
        at = next((places[one] for one in error.args[1] if one in places), ())
        yield at, "is a JSON Schema that leads back to itself without a step into the value, and would never end"


def _jsonschema() -> tuple[Any, Any]:
    from jsonschema import exceptions, validators

    return validators, exceptions


# --- rules for snapshots, by name


@dataclass(frozen=True, eq=False)
class Rule:
    """What must hold in the place of an equal value; compared by ``==``.

    Attributes:
        given: what the snapshot stores.
        what: the rule as the suite has it.
    """

    given: str
    what: Mapping[str, Any]

    def __repr__(self) -> str:
        return self.given

    def __hash__(self) -> int:
        return hash(self.given)

    def __eq__(self, value: object) -> bool:
        if isinstance(value, Rule):
            return self.given == value.given
        return all(_TESTS[name](bounds, value) for name, bounds in self.what.items())


def rule_of(what: Mapping[str, Any]) -> Rule:
    """A rule as a suite has it, such as ``{"str": {"min": 40}}``."""
    return Rule(" & ".join(f"{name}({_shown(bounds)})" for name, bounds in sorted(what.items())), what)


def _shown(bounds: Any) -> str:
    if isinstance(bounds, dict):
        return ", ".join(f"{name}={bounds[name]!r}" for name in sorted(bounds, reverse=True))
    return ", ".join(map(repr, bounds)) if isinstance(bounds, list) else repr(bounds)


def _is_within(bounds: Any, size: float) -> bool:
    if isinstance(bounds, int):
        return size == bounds
    return bool(bounds.get("min", size) <= size <= bounds.get("max", size))


def _is_number(bounds: Any, value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and _is_within(bounds, value)


def _is_one_of(known: list[Any], value: object) -> bool:
    return any(one == value and isinstance(one, bool) == isinstance(value, bool) for one in known)


_TESTS: Final[Mapping[str, Any]] = {
    "str": lambda bounds, value: isinstance(value, str) and _is_within(bounds, len(value)),
    "regex": lambda pattern, value: isinstance(value, str) and re.search(pattern, value) is not None,
    "number": _is_number,
    "one-of": _is_one_of,
    "length": lambda bounds, value: isinstance(value, str | list | dict) and _is_within(bounds, len(value)),
}


# --- the judgement


def judge(run: WorkflowRun, expect: Expect, snapshot: WorkflowSnapshot | None = None) -> None:
    """Holds a run to what a case expects.

    Raises:
        AssertionError: it is otherwise.
    """
    __tracebackhide__ = True
    if expects_failure(expect):
        assert_failed(run, match=expect.get("failed"))
    else:
        assert_ok(run)
    if "result" in expect:
        assert_result(run, expect["result"])
    if "schema" in expect:
        _judge_by_schema(run, expect["schema"])
    if snapshot is not None:
        rules = {path: rule_of(what) for path, what in expect.get("rules", {}).items()}
        if run != snapshot(rules=rules or None, failed=expects_failure(expect)):
            lines = map(without_colours, snapshot.get_assert_diff())  # syrupy colours them for pipes and files, too
            raise AssertionError("\n".join([f"the run differs from its snapshot {snapshot.name}", *lines]))


def _judge_by_schema(run: WorkflowRun, schema: Any) -> None:
    __tracebackhide__ = True
    if not run.has_result:
        fail(run, "expected a result that satisfies the schema, the answer has none")
    validators, _ = _jsonschema()
    from referencing import Registry

    kind = validators.validator_for(schema, default=validators.Draft202012Validator)
    found = sorted(kind(schema, registry=Registry()).iter_errors(run.result), key=lambda one: str(one.json_path))
    if found:
        details = [f"{one.json_path}: {printable(one.message, 300)}" for one in found]
        fail(run, f"the result does not satisfy the schema at {len(found)} place{'s' if found[1:] else ''}", details)
