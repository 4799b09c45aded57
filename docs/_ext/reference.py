"""The directive ``wisebot``: reference text that is made from the code, so that it cannot say anything else.

``{wisebot} table options`` is the table of options, ``{wisebot} api assert_ok`` the signature and the docstring of a
public name. ``{project}`` shows the two files that the guides start from.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from pygments.lexers.shell import BashLexer
from pygments.lexers.special import TextLexer
from sphinx.util.docutils import SphinxDirective

import pytest_wisebot
from pytest_wisebot import errors, outcomes
from pytest_wisebot.cli.main import COMMANDS
from pytest_wisebot.emulator import Fault
from pytest_wisebot.plugin import fixtures, markers
from pytest_wisebot.settings.fields import ENVIRONMENT
from pytest_wisebot.settings.schema import reference_tables

PROJECT = Path(__file__).parents[1] / "_project"
SCHEMA = Path(pytest_wisebot.__file__).parent / "report" / "report.schema.json"
SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields):$", re.MULTILINE)
CALLED = {
    "Emulator.workflow": "@emulator.workflow",
    "PendingRun.cancel": "pending.cancel",
    "PendingRun.wait": "pending.wait",
    "TriggerWorkflow.__call__": "trigger_workflow",
    "TriggerWorkflow.map": "trigger_workflow.map",
    "TriggerWorkflow.start": "trigger_workflow.start",
    "WorkflowRun.result_as": "run.result_as",
    "WorkflowSnapshot.__call__": "workflow_snapshot",
}
"""How a reader writes the call of a method."""

LONGEST_LINE = 84
HEADS = {"Args": "argument", "Attributes": "attribute", "Raises": "error"}


class Reference(SphinxDirective):
    """``{wisebot} KIND [NAME]``."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """The Markdown of the kind that the argument names, parsed where the directive stands."""
        kind, _, rest = self.arguments[0].partition(" ")
        made = _parsed(self, KINDS[kind](rest))
        for node in made:
            if isinstance(node, nodes.table):
                node["classes"].append("names")  # its first column has names, which do not break
        return made


class Project(SphinxDirective):
    """``{project}``: the files of the guides' project, folded."""

    def run(self) -> list[nodes.Node]:
        """A block that unfolds to the files."""
        blocks = [f"```{kind}\n{(PROJECT / name).read_text('utf-8')}```" for name, kind in FILES.items()]
        summary = "The two files that this page starts from"
        opened = nodes.raw("", f'<details class="project"><summary>{summary}</summary>', format="html")
        return [opened, *_parsed(self, "\n\n".join(blocks)), nodes.raw("", "</details>", format="html")]


FILES = {"flows.py": "python", "wisebot.toml": "toml"}


def _parsed(directive: SphinxDirective, text: str) -> list[nodes.Node]:
    container = nodes.Element()
    lines = StringList(text.splitlines(), source=f"<{directive.name} {' '.join(directive.arguments)}>")
    directive.state.nested_parse(lines, 0, container)
    return container.children


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    head = tuple(head)
    lines = (head, ("---",) * len(head), *rows)
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _public(name: str) -> Any:
    owner, _, attribute = name.rpartition(".")
    if owner:
        return getattr(_public(owner), attribute)
    home = pytest_wisebot if name in pytest_wisebot.__all__ else importlib.import_module("pytest_wisebot.emulator")
    return getattr(home, name)


def _signature(name: str, thing: Any) -> str:
    """How a function is called, one argument a line where it is long."""
    signature = inspect.signature(thing)
    arguments = [str(one) for one in signature.parameters.values() if one.name not in ("self", "unknown")]
    first = next((at for at, one in enumerate(signature.parameters.values()) if one.kind is one.KEYWORD_ONLY), None)
    if first is not None:
        arguments.insert(first - ("self" in signature.parameters), "*")
    returned = signature.return_annotation
    result = f" -> {returned}" if isinstance(returned, str) else ""
    line = f"{name}({', '.join(arguments)}){result}"
    text = (
        line
        if len(line) <= LONGEST_LINE
        else "\n".join([f"{name}(", *(f"    {one}," for one in arguments), f"){result}"])
    )
    return re.sub(r"'([^']*)'", r"\1", re.sub(r"\b(?:\w+\.)+(?=[A-Z])", "", text))


def _call(name: str, thing: Any) -> str:
    """A call with the names of its arguments and their defaults."""
    given = [
        one.name if one.default is one.empty else f"{one.name}={one.default!r}"
        for one in inspect.signature(thing).parameters.values()
    ]
    return f"{name}({', '.join(given)})"


def api(name: str) -> str:
    """Signature and docstring of a public name."""
    thing = _public(name)
    shown = CALLED.get(name) or name.replace("EmulatorHandle.", "wisebot_emulator.")
    is_call = callable(thing) and not inspect.isclass(thing)
    signature = "" if not is_call else f"```python\n{_signature(shown, thing)}\n```\n\n"
    return signature + docstring(inspect.getdoc(thing) or "")


def docstring(text: str) -> str:
    """A docstring of Google's style in Markdown: its sections become tables."""
    first, *rest = SECTION.split(text)
    parts = [first.strip()]
    for title, body in zip(rest[::2], rest[1::2], strict=True):
        rows = list(_entries(inspect.cleandoc(body)))
        if title in HEADS:
            parts.append(table((HEADS[title], "meaning"), ((f"`{key}`", _sentence(said)) for key, said in rows)))
        else:
            parts.append(f"{title}: {_lower(' '.join(body.split()))}")
    return "\n\n".join(parts)


def _entries(body: str) -> Iterator[tuple[str, str]]:
    for block in re.split(r"\n(?=\S)", body):
        key, _, said = block.partition(":")
        yield key.strip(), " ".join(said.split())


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lower(text: str) -> str:
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def fixture_table(_: str) -> str:
    """The fixtures: scope, and the first paragraph of the docstring."""
    rows = []
    for name, value in vars(fixtures).items():
        definition = getattr(value, "_fixture_function_marker", None)
        if definition is not None and not name.startswith("_"):
            summary = (inspect.getdoc(value._fixture_function) or "").replace("``", "`")
            rows.append((f"`{name}`", definition.scope, summary))
    return table(("fixture", "scope", "what it is"), rows)


def marker(_: str) -> str:
    """The marker's signature."""
    signature = markers.LINE.partition("): ")[0] + ")"
    return f"```python\n@pytest.mark.{signature}\n```"


BRANCHES = (
    errors.ConfigurationError,
    errors.NotStarted,
    errors.Rejected,
    errors.OutcomeUnknown,
    errors.UnexpectedResponse,
    errors.NotRun,
    errors.RecordingNotFound,
)
ACTS = re.compile(r"\n*^Who must act: (?P<who>.+?)\. Sent again: (?P<again>.+?)\.$", re.MULTILINE | re.DOTALL)


def error_table(name: str) -> str:
    """Who must act, by the branches of the tree of errors; or one branch: what it means, and its classes."""
    if not name:
        found = ((one.__name__, ACTS.search(inspect.getdoc(one) or "")) for one in BRANCHES)
        rows = [(f"`{branch}`", *acts.group("who", "again")) for branch, acts in found if acts is not None]
        return table(("class", "who must act", "sent again"), rows)
    branch = getattr(errors, name)
    parts = [ACTS.sub("", inspect.getdoc(branch) or "")]
    if leaves := branch.__subclasses__():
        parts.append(table(("class", "what happened"), ((f"`{one.__name__}`", _about(one)) for one in leaves)))
    return "\n\n".join(parts)


def _about(thing: Any) -> str:
    return " ".join((inspect.getdoc(thing) or "").split())


def outcome_table(_: str) -> str:
    """The outcomes of tests that used runs, best first; the comment above a row of the table is its meaning."""
    source = inspect.getsource(outcomes)
    named = re.findall(r"^    # (.+)\n(?:    # .+\n)*    ([A-Z_]+): Outcome", source, re.MULTILINE)
    meanings = {getattr(outcomes, name): meaning for meaning, name in named}
    verdicts = {"good": "good", "wrong": "the workflow is wrong", "none": "no verdict"}
    rows = []
    for word in outcomes.OUTCOMES:
        row = outcomes.TABLE[word]
        rows.append((word, f"`{row.letter or 'F'}`", verdicts[row.verdict], meanings.get(word, "Passed.")))
    return table(("outcome", "letter", "verdict", "meaning"), rows)


def fault_tables(_: str) -> str:
    """Every fault of the emulator."""
    names = [name for name, value in vars(Fault).items() if isinstance(value, classmethod) and name[0] != "_"]
    faults = [name for name in names if name != "from_dict"]
    rows = []
    for name in faults:
        method = getattr(Fault, name)
        rows.append((f"`{_call(name, method)}`", (inspect.getdoc(method) or "").partition("\n\n")[0]))
    return table(("fault", "what happens"), rows)


def command_table(_: str) -> str:
    """The commands of the program."""
    return table(
        ("command", "what it does"), [(f"`{name}`", f"{_sentence(row[1])}.") for name, row in COMMANDS.items()]
    )


def report_table(name: str) -> str:
    """The keys of ``report.json``, or of one of its parts, from the JSON Schema that ships with the package."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    part = schema["$defs"][name] if name else schema
    rows = [
        (f"`{key}`", _kind(value, schema), value.get("description", "")) for key, value in part["properties"].items()
    ]
    return table(("key", "value", "meaning"), rows)


def _kind(value: dict[str, Any], schema: dict[str, Any]) -> str:
    if "$ref" in value:
        return f"`{value['$ref'].rpartition('/')[2]}`"
    if "anyOf" in value:
        return " or ".join(_kind(one, schema) for one in value["anyOf"])
    if value.get("type") == "array":
        return f"list of {_kind(value.get('items', {}), schema)}"
    kind = value.get("type", "any value")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def settings_table(name: str) -> str:
    """Options, environment variables, or a table of ``wisebot.toml``; the choices of an option stand in its meaning."""

    def without_choices(found: re.Match[str]) -> str:
        choices = ", ".join(f"`{one}`" for one in found[2].split(","))
        return f"`{found[1]}=…` | {choices}. "

    text = re.sub(r"`(--[\w-]+)=\{([\w,]+)\}` \| ", without_choices, reference_tables()[name])
    for field in ENVIRONMENT.fields:
        if field.choices:
            allowed = " or ".join(f'`"{one}"`' for one in field.choices)
            text = text.replace(f"| `{field.key}` | ", f"| `{field.key}` | {allowed}. ")
    return text


KINDS: dict[str, Callable[[str], str]] = {
    "api": api,
    "commands": command_table,
    "errors": error_table,
    "faults": fault_tables,
    "fixtures": fixture_table,
    "marker": marker,
    "outcomes": outcome_table,
    "report": report_table,
    "table": settings_table,
}


def setup(app: Any) -> dict[str, Any]:
    """Registers the directives, and lexers: of commands that stand without a prompt, and of tables."""
    app.add_lexer("console", BashLexer)
    app.add_lexer("csv", TextLexer)
    app.add_directive("wisebot", Reference)
    app.add_directive("project", Project)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
