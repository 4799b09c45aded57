"""Private names of other libraries: the code touches only those that `PRIVATE_NAMES` lists, and all of them exist.

A new version of a library may rename what is private. Most uses take a default where the name is missing, so that an
old or new version costs a feature and not the session. Without this test such a loss is silent, above all where it
switches redaction off.
"""

from __future__ import annotations

import ast
import dis
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / "pytest_wisebot"


class PrivateName(NamedTuple):
    """A private name that the code touches.

    Attributes:
        name: as the code writes it: an attribute, the full name of an import, or ``Class.attribute`` of a replacement.
        owner: the class or module that has it, as ``module``, ``module:Class``, or ``module:New|Old`` of two versions.
        users: the modules of this package that touch it.
        why: what it is used for, and why no public name does.
        loss: what is lost where it is missing.
        instead: another name that replaces it on some versions.
    """

    name: str
    owner: str
    users: tuple[str, ...]
    why: str
    loss: str
    instead: str = ""


NOT_NAMES = {
    "_asdict": "a public method of named tuples",
    "_id": "a key of users' JSON",
    "_pytest": "the name of pytest's package, as the start of a module's name",
    "_replace": "a public method of named tuples",
    "_reveal": "an attribute of this package's `Secret`",
}
"""Strings in the code that only look like private names."""

_REPORTER = "_pytest.terminal:TerminalReporter"
_FUNCTION = "_pytest.python:Function"
_CALLSPEC = "_pytest.python:CallSpec|CallSpec2"
_ASSERTION = "syrupy.assertion:SnapshotAssertion"
_LOOP = "asyncio.selector_events:BaseSelectorEventLoop"

PRIVATE_NAMES = [
    # pytest: redaction. What is lost here shows credentials.
    PrivateName(
        name="_file",
        owner="_pytest._io.terminalwriter:TerminalWriter",
        users=("plugin/redact_pytest",),
        why="the writer's stream, which a redacting one replaces; plugins hold the writer itself",
        loss="REDACTION of the terminal's headings, of --setup-show and of internal errors",
    ),
    PrivateName(
        name="_writer",
        owner="pluggy._tracing:TagTracer",
        users=("plugin/redact_pytest",),
        why="writes the log of --debug, and is wrapped by a redacting function; pluggy's public setter only sets it",
        loss="REDACTION of the debug log",
    ),
    PrivateName(
        name="_keyboardinterrupt_memo",
        owner=_REPORTER,
        users=("plugin/collection",),
        why="the place of a Ctrl-C, which the reporter keeps until the session's end",
        loss="REDACTION of the line of code that Ctrl-C interrupted",
    ),
    PrivateName(
        name="_pytest.junitxml.xml_key",
        owner="_pytest.junitxml",
        users=("plugin/leak_scan", "plugin/redact_pytest"),
        why="the stash key of the JUnit report: its properties are redacted, and its file is scanned for credentials",
        loss="REDACTION of properties in JUnit XML; the session ends with an ImportError",
    ),
    PrivateName(
        name="_excinfo",
        owner="_pytest.unittest:TestCaseFunction",
        users=(
            "plugin/item_lifecycle",
            "plugin/item_report",
        ),
        why="the exceptions of a unittest test before its report: they are redacted, and mean that it has failed",
        loss="REDACTION of exceptions in unittest tests; a failed one is also reported for an unused mark",
    ),
    # pytest: which tests use which fixtures, known before a test runs
    PrivateName(
        name="_fixtureinfo",
        owner=_FUNCTION,
        users=(
            "plugin/mark_use",
            "plugin/markers",
            "plugin/run_tracker",
        ),
        why="the fixtures behind a test's arguments, by which declared runs are planned and started ahead",
        loss="plans, runs ahead of tests, and the check of marks that no test uses",
    ),
    PrivateName(
        name="_request",
        owner=_FUNCTION,
        users=(
            "plugin/markers",
            "plugin/run_tracker",
        ),
        why="its `fixturenames` include those that a test has requested by `getfixturevalue`",
        loss="runs of such fixtures belong to no test, and a mark counts as unused though the test used it",
    ),
    PrivateName(
        name="_pyfuncitem",
        owner="_pytest.fixtures:FixtureRequest",
        users=(
            "plugin/item_lifecycle",
            "plugin/run_tracker",
        ),
        why="the test on whose behalf a higher-scoped fixture is set up; `request.node` is the module or the session",
        loss="the identity of runs of parametrised higher-scoped fixtures in recordings",
    ),
    PrivateName(
        name="_idlist",
        owner=_CALLSPEC,
        users=("snapshots/naming",),
        why="the parts of a test's id, of which that of the API is left out of a snapshot's name",
        loss="names of snapshots of tests over both APIs whose other parameters have a hyphen in their ids",
    ),
    PrivateName(
        name="_getobj",
        owner="_pytest.python:Module",
        users=("plugin/cases",),
        why="the module of a file, which a suite without Python makes itself; pytest has no public way to give one",
        loss="the collection of *.wisebot.yaml and *.wisebot.json, by an error that names the import",
    ),
    PrivateName(
        name="_arg2scope",
        owner=_CALLSPEC,
        users=("plugin/trials",),
        why="the scope of each parameter: a trial gets a copy of its own test's input bag alone",
        loss="a trial sees what an earlier one has changed in a parameter",
    ),
    PrivateName(
        name="_pytest.unittest.TestCaseFunction",
        owner="_pytest.unittest",
        users=("plugin/mark_use",),
        why="recognises unittest tests, which take fixtures in another way, so that the advice is the right one",
        loss="a test with an unused mark ends with an ImportError",
    ),
    PrivateName(
        name="_pytest.skipping.evaluate_skip_marks",
        owner="_pytest.skipping",
        users=("plugin/markers",),
        why="whether a test will be skipped by its marks: its runs are not started and paid for",
        loss="runs ahead: a test whose marks cannot be evaluated counts as skipped",
    ),
    PrivateName(
        name="_pytest.skipping.evaluate_xfail_marks",
        owner="_pytest.skipping",
        users=("plugin/markers",),
        why="whether a test is expected to fail without being run: its runs are not started and paid for",
        loss="runs ahead: a test whose marks cannot be evaluated counts as skipped",
    ),
    # pytest: trials
    PrivateName(
        name="_pytest.runner.runtestprotocol",
        owner="_pytest.runner",
        users=("plugin/trials",),
        why="setup, call and teardown of a test without its reports: the trials have one outcome together",
        loss="trials",
    ),
    PrivateName(
        name="_setupstate",
        owner="_pytest.main:Session",
        users=("plugin/trials",),
        why="ends the higher-scoped fixtures after the last trial; pytest does so only after a protocol of its own",
        loss="trials",
    ),
    PrivateName(
        name="_report_sections",
        owner="_pytest.nodes:Item",
        users=("plugin/trials",),
        why="the output that was captured so far: a trial's report shows its own",
        loss="trials",
    ),
    PrivateName(
        name="_instance",
        owner=_FUNCTION,
        users=("plugin/trials",),
        why="the test's object of its class: each trial has another one, as each test does",
        loss="trials of one test share an object",
    ),
    PrivateName(
        name="_obj",
        owner=_FUNCTION,
        users=("plugin/trials",),
        why="the method that is bound to this object",
        loss="trials of one test share an object",
    ),
    # pytest: the terminal and the gate
    PrivateName(
        name="_pytest.mark.KeywordMatcher",
        owner="_pytest.mark",
        users=("plugin/gate_selection",),
        why="applies the gate's `select` exactly as -k does",
        loss="[gate] select",
    ),
    PrivateName(
        name="_pytest.mark.MarkMatcher",
        owner="_pytest.mark",
        users=("plugin/gate_selection",),
        why="applies the gate's `select` exactly as -m does",
        loss="[gate] select",
    ),
    PrivateName(
        name="_pytest.mark.expression.Expression",
        owner="_pytest.mark.expression",
        users=("plugin/gate_selection",),
        why="compiles the gate's `select` exactly as -m and -k are compiled",
        loss="[gate] select",
    ),
    PrivateName(
        name="_pytest.config.findpaths.locate_config",
        owner="_pytest.config.findpaths",
        users=("plugin/gate_selection",),
        why="the configuration file that pytest would have found without -c, which may collect other tests",
        loss="a gate with -c ends with an ImportError",
    ),
    PrivateName(
        name="_pytest.config.findpaths.determine_setup",
        owner="_pytest.config.findpaths",
        users=("plugin/options",),
        why="the rootdir that pytest would have found without the values of this plugin's options",
        loss="a session with an option whose value is a word of its own and a path ends with an ImportError",
    ),
    PrivateName(
        name="_inicfg",
        owner="_pytest.config:Config",
        instead="inicfg",
        users=("plugin/options",),
        why="the configuration as it was read: its keys, and its values to compare with those of the other file",
        loss="with -c the gate stays closed although both files collect the same tests; wisebot_... keys pass unseen",
    ),
    PrivateName(
        name="_pytest.outcomes.Failed",
        owner="_pytest.outcomes",
        users=("plugin/failure_category",),
        why="the base of the error for a test that drifted: `pytest.fail.Exception` is this class, but not as a type",
        loss="the plugin itself: it is imported at each start",
    ),
    # syrupy
    PrivateName(
        name="_syrupy",
        owner="syrupy",
        users=(
            "plugin/exit_status",
            "plugin/session_metadata",
            "plugin/snapshot_fixture",
        ),
        why="syrupy's session, which makes its assertions and reports unused snapshots; nothing public returns it",
        loss="workflow_snapshot; snapshots of failed tests count as unused",
    ),
    PrivateName(
        name="SnapshotReport.unused",
        owner="syrupy.report:SnapshotReport",
        users=("snapshots/patches",),
        why="the files that no test compared, without those of tests that did not pass; syrupy has no hook for it",
        loss="an update during an outage deletes the snapshots of the tests that failed",
    ),
    PrivateName(
        name="SnapshotAssertion.__eq__",
        owner=_ASSERTION,
        users=("snapshots/patches",),
        why="refuses a run in a plain `snapshot`, whose changing values would be recorded, with advice",
        loss="a run in a plain snapshot is recorded as it is",
    ),
    PrivateName(
        name="_matcher",
        owner=_ASSERTION,
        users=("snapshots/patches",),
        why="finds runs within a value while syrupy serializes it, before the matcher of the test",
        loss="a run within a value in a plain snapshot is recorded as it is",
    ),
    PrivateName(
        name="_snapshot_diff_data",
        owner=_ASSERTION,
        users=("snapshots/patches",),
        why="the value of `diff=`, which syrupy replaces by its name",
        loss="a run in `diff=` of a plain snapshot is recorded as it is",
    ),
    PrivateName(
        name="_post_assert",
        owner=_ASSERTION,
        users=("snapshots/assertion",),
        why="forgets the name and options of a comparison that has raised",
        loss="after such a comparison the next one has its name",
    ),
    # httpx, httpcore and anyio: runs that no test's patch reaches
    PrivateName(
        name="_pool",
        owner="httpx:AsyncHTTPTransport",
        users=("client/connections",),
        why="the pool of connections, whose methods are exchanged for those that no mock has replaced",
        loss="runs beside a test that uses respx: it answers or refuses them",
    ),
    PrivateName(
        name="_network_backend",
        owner="httpcore:AsyncConnectionPool",
        users=("client/connections",),
        why="connects by functions that no mock has replaced; httpx hands none over",
        loss="runs beside a test that patches anyio, or imports while the file system is a fake",
    ),
    PrivateName(
        name="anyio._backends._asyncio",
        owner="anyio._backends",
        users=("client/connections",),
        why="loaded before the first test, and not with the first connection, within any test",
        loss="the session ends with an ImportError",
    ),
    # Python
    PrivateName(
        name="_make_self_pipe",
        owner=_LOOP,
        users=("emulator/loops",),
        why="event loops of async workflows without descriptors: a thousand runs fit into the usual limit",
        loss="three descriptors for each async run of the emulator",
    ),
    PrivateName(
        name="_close_self_pipe",
        owner=_LOOP,
        users=("emulator/loops",),
        why="the pair of sockets exists only where a workflow has registered a descriptor",
        loss="runs of async workflows in the emulator",
    ),
    PrivateName(
        name="_write_to_self",
        owner=_LOOP,
        users=("emulator/loops",),
        why="wakes a loop that waits without a descriptor",
        loss="async workflows that use threads wait for ever",
    ),
    PrivateName(
        name="_csock",
        owner=_LOOP,
        users=("emulator/loops",),
        why="whether the pair of sockets exists",
        loss="runs of async workflows in the emulator",
    ),
    PrivateName(
        name="_actions",
        owner="argparse:ArgumentParser",
        users=("cli/completion", "cli/main"),
        why="argparse lists the arguments of a parser nowhere else; each gets what completes it, or corrects a typo",
        loss="`pytest-wisebot completion`, and every other command",
    ),
    PrivateName(
        name="_thread.start_new_thread",
        owner="_thread",
        users=("emulator/server",),
        why="documented: starts a thread without waiting for it, so that the next connection is accepted at once",
        loss="the emulator",
    ),
    PrivateName(
        name="_current_frames",
        owner="sys",
        users=("emulator/loops",),
        why="documented: the line at which an async workflow blocks its event loop",
        loss="the report of this line in the emulator's log",
    ),
    PrivateName(
        name="_exit",
        owner="os",
        users=("emulator/__main__",),
        why="documented: ends the emulator's process from a thread, with its session",
        loss="the emulator outlives a killed session",
    ),
]


class Internal(NamedTuple):
    """A string by which the code reaches into a library, where no name is imported: an event, or a logger.

    Attributes:
        text: as the code has it.
        module: the module of the library that emits the event, or makes the logger.
        source: how the module's source has it.
        loss: what is lost where it is missing.
    """

    text: str
    module: str
    source: str
    loss: str


_BEGUN = "whether a request has begun to be sent, and so whether a run may be repeated"
_QUIET = "a test's caplog and report hold log records of other tests' runs"

INTERNALS = [
    Internal(".send_request_headers.started", "httpcore._async.http11", '"send_request_headers"', _BEGUN),
    Internal(
        ".connect_tcp.complete", "httpcore._async.connection", '"connect_tcp"', "sockets of broken TLS handshakes leak"
    ),
    Internal("asyncio", "asyncio.log", "getLogger(__package__)", _QUIET),
    Internal("httpcore.connection", "httpcore._async.connection", 'getLogger("httpcore.connection")', _QUIET),
    Internal("httpcore.http11", "httpcore._async.http11", 'getLogger("httpcore.http11")', _QUIET),
    Internal("httpcore.proxy", "httpcore._async.http_proxy", 'getLogger("httpcore.proxy")', _QUIET),
    Internal("httpcore.socks", "httpcore._async.socks_proxy", 'getLogger("httpcore.socks")', _QUIET),
    Internal("httpx", "httpx._client", 'getLogger("httpx")', _QUIET),
    Internal("re._parser", "re._parser", "class SubPattern", "patterns of a project: no public parser has the parts"),
    Internal("re._compiler", "re._compiler", "def compile(p, flags=0)", "likewise: each part is compiled on its own"),
]

Found = tuple[str, str]
"""A private name, and the module of this package that touches it."""


@cache
def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def nodes_of(tree: ast.AST) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree))


@cache
def classes_of(path: Path) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in nodes_of(tree_of(path)) if isinstance(node, ast.ClassDef)}


def short_name(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


@cache
def is_private(name: str) -> bool:
    """Whether a name begins with one underscore. Those of `enum`, which end with one, are public."""
    return bool(re.fullmatch(r"_[A-Za-z](\w*[A-Za-z0-9])?", name))


def is_own(module: str) -> bool:
    return module.split(".")[0] == "pytest_wisebot"


# --- what the code touches


def imported(tree: ast.Module) -> Iterator[tuple[str, str, str]]:
    """The names that a module imports: as it calls them, the module they are from, and their name there."""
    for node in nodes_of(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.asname or alias.name.split(".")[0], alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from ((alias.asname or alias.name, node.module, alias.name) for alias in node.names)


def private_imports(tree: ast.Module) -> Iterator[str]:
    """``_pytest.mark.KeywordMatcher``: a private module, or a private name of a public one."""
    for _, module, name in imported(tree):
        full = f"{module}.{name}".rstrip(".")
        if not is_own(module) and module != "__future__" and any(map(is_private, full.split("."))):
            yield full


def defined_on_self(node: ast.AST) -> set[str]:
    """The attributes that a class or a module sets itself: methods, fields, and what it assigns to ``self``."""
    names: set[str] = set()
    for inner in nodes_of(node):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(inner.name)
        elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            names.add(inner.id)
        elif isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store) and is_self(inner.value):
            names.add(inner.attr)
    return names


def is_self(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "super"
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def private_attributes(tree: ast.Module) -> Iterator[str]:
    """``reporter._tw``, and ``"_tw"`` as ``getattr`` takes it. This package's own objects have no such access."""
    in_f_strings = {id(part) for node in nodes_of(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    in_classes = {id(part) for node in nodes_of(tree) if isinstance(node, ast.ClassDef) for part in nodes_of(node)}
    for node in nodes_of(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            if not (is_self(node.value) and id(node) in in_classes):
                yield node.attr
        elif isinstance(node, ast.Constant) and id(node) not in in_f_strings and is_private(str(node.value)):
            yield str(node.value)


def inherited(path: Path) -> Iterator[str]:
    """Private names of another library's class that a subclass here uses by ``self``, or replaces by its own."""
    for node in classes_of(path).values():
        if not node.bases or (kind := class_of(path, node)) is None:
            continue
        foreign = [base for base in inspect.getmro(kind)[1:-1] if not is_own(base.__module__)]
        own = {name for base in inspect.getmro(kind) if is_own(base.__module__) for name in defined_by(base)}
        for name in used_by_self(node):
            if is_private(name) and foreign and (name not in own or any(name in attributes_of(one) for one in foreign)):
                yield name


def class_of(path: Path, node: ast.ClassDef) -> type | None:
    """A class of a module; None for one that a function makes, or that this platform does not have."""
    parts = ["pytest_wisebot", *short_name(path).split("/")]
    return vars(importlib.import_module(".".join(parts).removesuffix(".__init__"))).get(node.name)


@cache
def defined_by(kind: type) -> set[str]:
    # By the tree of its file: `inspect.getsource` would parse the whole file for each class.
    return defined_on_self(classes_of(Path(inspect.getfile(kind)))[kind.__name__])


def used_by_self(node: ast.ClassDef) -> set[str]:
    used = {inner.attr for inner in nodes_of(node) if isinstance(inner, ast.Attribute) and is_self(inner.value)}
    return used | defined_on_self(node)


def replaced(tree: ast.Module) -> Iterator[str]:
    """``SnapshotAssertion.__eq__``: attributes that the code sets on what it imports from another library."""
    foreign = {local for local, module, _ in imported(tree) if not is_own(module)}
    for node in nodes_of(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):  # noqa: SIM102 - mypy
            if ast.unparse(node.value) in foreign:
                yield ast.unparse(node)


def touched_in(tree: ast.Module) -> Iterator[str]:
    yield from private_imports(tree)
    yield from private_attributes(tree)
    yield from replaced(tree)


def touched() -> set[Found]:
    found = {(name, short_name(path)) for path in modules() for name in [*touched_in(tree_of(path)), *inherited(path)]}
    return {(name, user) for name, user in found if name not in NOT_NAMES}


# --- what the libraries have


def stored(code: CodeType) -> set[str]:
    """The attributes that a function, or one within it, sets on any object, also by a string as ``setattr`` does."""
    names = {instruction.argval for instruction in dis.get_instructions(code) if instruction.opname == "STORE_ATTR"}
    names |= {constant for constant in code.co_consts if isinstance(constant, str) and is_private(constant)}
    return names.union(*(stored(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


@cache
def attributes_of(owner: Any) -> frozenset[str]:
    """The attributes of a class and its instances, or of a module and what its functions set."""
    names = {*dir(owner), *vars(owner)}  # a module's `dir` may be cut, see `fork_server`
    for kind in inspect.getmro(owner) if inspect.isclass(owner) else [owner]:
        names |= set(vars(kind).get("__annotations__", ()))
        for value in list(vars(kind).values()):
            if isinstance(value, property | classmethod | staticmethod):
                value = value.fget if isinstance(value, property) else value.__func__
            if inspect.isfunction(value):
                names |= stored(inspect.unwrap(value).__code__)
    return frozenset(names)


# --- the tests


def listing(found: set[Found]) -> str:
    return "\n".join(f"  {name!r} in {user}" for name, user in sorted(found))


def test_the_code_touches_the_listed_names_alone() -> None:
    """A private name of another library, in a module that `PRIVATE_NAMES` does not name, needs its reason there."""
    listed = {(entry.name, user) for entry in PRIVATE_NAMES for user in entry.users}
    found = touched()
    assert not found - listed, f"add these to PRIVATE_NAMES, with the reason:\n{listing(found - listed)}"
    assert not listed - found, f"these are not touched any more:\n{listing(listed - found)}"


@pytest.mark.parametrize("entry", PRIVATE_NAMES, ids=lambda entry: entry.name)
def test_a_listed_name_exists(entry: PrivateName) -> None:
    """Each private name is there in the installed version of its library."""
    if sys.platform == "win32" and entry.owner == _LOOP:
        pytest.skip("Windows has another event loop")
    module, _, kinds = entry.owner.partition(":")
    owner: Any = importlib.import_module(module)
    found = [vars(owner)[kind] for kind in kinds.split("|") if kind in vars(owner)] if kinds else [owner]
    there = set().union(*map(attributes_of, found))
    names = {entry.name.rpartition(".")[2], entry.instead or entry.name.rpartition(".")[2]}
    assert names & there, f"{entry.owner} has no {entry.name}. Lost: {entry.loss}"


def test_a_name_is_listed_once() -> None:
    """There is one entry for each name."""
    names = [entry.name for entry in PRIVATE_NAMES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("entry", INTERNALS, ids=lambda entry: entry.text)
def test_an_internal_string_exists(entry: Internal) -> None:
    """The code has each string, and so has the installed version of its library."""
    assert any(entry.text in strings(path) for path in modules()), "no module has it any more"
    spec = importlib.util.find_spec(entry.module)  # not imported: one of them needs an optional library
    source = Path(spec.origin).read_text("utf-8") if spec and spec.origin else ""
    assert entry.source in source, f"{entry.module} has no {entry.source}. Lost: {entry.loss}"


@cache
def strings(path: Path) -> frozenset[str]:
    nodes = (node for node in nodes_of(tree_of(path)) if isinstance(node, ast.Constant))
    return frozenset(node.value for node in nodes if isinstance(node.value, str))


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("from _pytest.mark import MarkMatcher", "_pytest.mark.MarkMatcher"),
        ("import re._parser", "re._parser"),
        ("from re import _parser", "re._parser"),
        ("reporter._tw.line()", "_tw"),
        ("reporter._tw = 1", "_tw"),
        ('getattr(reporter, "_tw", None)', "_tw"),
        ('vars(config).get("_inicfg")', "_inicfg"),
        ("def equals(self): return self._matcher", "_matcher"),
        ("from syrupy import Assertion\nAssertion.__eq__ = None", "Assertion.__eq__"),
    ],
)
def test_the_scan_finds(code: str, name: str) -> None:
    """Each form in which code touches a private name is found."""
    assert name in set(touched_in(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "from .rows import _own",
        "class A:\n    def b(self): return self._own",
        "_OWN = 1\nprint(_OWN)",
        'f"{value}_suffix"',
        "kind.__name__",
        "member._name_",
    ],
)
def test_the_scan_passes(code: str) -> None:
    """This package's own private names, and what Python documents of every object, are not found."""
    assert set(touched_in(ast.parse(code))) == set()
