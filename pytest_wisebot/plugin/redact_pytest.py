"""Takes credentials out of what pytest reports, writes and stores: reports, logs, terminal, arguments, JUnit XML."""

from __future__ import annotations

import ast
import dataclasses
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from ..originals import json, os
from .session_state import state_of

if TYPE_CHECKING:
    from ..redaction import Redactor, Secret

MOST_NAMED = 10
"""Tests that a message names."""

_COLOUR = re.compile(r"(?:\x1b|\\{1,16}(?:x1b|u001b|033|e)|#x1B)\[[0-9;]*(?:m|(?=\.\.\.))")
_SIGNS_OF_COLOUR = ("\x1b[", "x1b[", "x1B[", "u001b[", "033[", "\\e[")
_BREAK = re.compile(r"""Q(?:\\{1,16}n|[\s+?E-]|Q,\sQ){1,200}b?Q""".replace("Q", r"""\\{0,16}['"]"""))
_SHELL_QUOTE = re.compile(r"""'"'"'""".replace("'", r"\\{0,16}'").replace('"', r"\\{0,16}\""))
_SIGNS_OF_A_BREAK = re.compile(r"""['"]\s*\n|['"](?:\\{1,16}n|, ['"])|b\\{0,16}['"]""")

_PLAIN = str.maketrans({"…": "..."})
"""What a terminal shows for signs of this package that its encoding does not have."""

_SHORTEST_VALUE = 6
"""Characters of a redacted input from which on it is removed wherever it stands as a word."""

_PARAMETERS = re.compile(r"\[(.+)\]\Z", re.DOTALL)
_APIS = re.compile(r"(?<![^-])(?:webhook|dashboard)(?![^-])")


# --- text and reports


class Cleans(Protocol):
    """Cleans text, as a `Redactor` does."""

    def clean(self, text: str) -> str:
        """The text without what must not be shown."""


class WithoutInputs:
    """A redactor for the reports of one test, which also removes what the project redacts in the test's inputs.

    They stand in the test's own source, in its local variables, and in the messages of assertions. A short value is
    removed as a string in quotes, a number beside its key, since it may be a part of anything else.
    """

    def __init__(self, redactor: Redactor, bags: Sequence[Mapping[str, Any]]) -> None:
        self._redactor = redactor
        self._bags = bags

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        """Made for the first text: the reports of most tests have none."""
        clean_inputs = self._redactor.clean_inputs
        hidden = {one for bag in self._bags for one in _hidden_scalars(bag, clean_inputs(bag))}
        return [re.compile(pattern) for pattern in _patterns_of(hidden)]

    def clean(self, text: str) -> str:
        """The text without credentials and redacted inputs."""
        from ..redaction import REDACTED

        cleaned = self._redactor.clean(text)
        for pattern in self._patterns:
            cleaned = pattern.sub(lambda found: f"{found[1]}{REDACTED}", cleaned)
        return cleaned


def _hidden_scalars(value: Any, shown: Any, key: object = "") -> Iterator[tuple[object, Any]]:
    """The scalars of the inputs, each with its key, that stand below a redacted value."""
    if isinstance(value, Mapping):
        below = shown.values() if isinstance(shown, Mapping) else [shown] * len(value)
        for (name, item), other in zip(value.items(), below, strict=True):
            yield from _hidden_scalars(item, other, name)
    elif isinstance(value, list):
        for item, other in zip(value, shown if isinstance(shown, list) else [shown] * len(value), strict=True):
            yield from _hidden_scalars(item, other, key)
    elif value != shown and value not in ("", None):
        yield key, value


def _patterns_of(scalars: Iterable[tuple[object, Any]]) -> Iterator[str]:
    """Patterns that find values in the text of a report; what their first group matches stays."""
    quote = r"\\{0,8}['\"]"
    words: set[str] = set()
    strings: set[str] = set()
    for key, value in scalars:
        texts = (repr(value), json.dumps(value), json.dumps(value, ensure_ascii=False))
        written = {re.escape(text[1:-1] if isinstance(value, str) else text) for text in texts}
        if isinstance(value, str) and len(value) > 1:
            (words if len(value) >= _SHORTEST_VALUE else strings).update(written)
        else:
            name = rf"{quote}{re.escape(str(key))}{quote}\s{{0,9}}[:,]\s{{0,9}}{quote}?"
            yield rf"({name})(?:{'|'.join(written)})(?!\w)"
    if words:
        yield rf"()(?<!\w)(?:{'|'.join(sorted(words, key=len, reverse=True))})(?!\w)"
    if strings:
        yield rf"({quote})(?:{'|'.join(strings)})(?={quote})"


def clean_report(report: pytest.TestReport, redactor: Cleans) -> None:
    """Removes every known credential from a report, before it is printed, written or sent to another process."""
    for name in ("longrepr", "sections", "wasxfail", "user_properties"):
        if value := getattr(report, name, None):
            setattr(report, name, clean_value(value, redactor))


def clean_value(value: Any, redactor: Cleans) -> Any:
    """A part of a report without credentials: pytest's own objects are changed in place, plain values are copied."""
    return _cleaned(value, redactor, set())


def _cleaned(value: Any, redactor: Cleans, seen: set[int]) -> Any:
    if isinstance(value, str):
        return clean_text(value, redactor)
    if isinstance(value, tuple | list):
        items = [_cleaned(item, redactor, seen) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {key: _cleaned(item, redactor, seen) for key, item in value.items()}
    if id(value) not in seen and type(value).__module__.startswith("_pytest."):
        seen.add(id(value))
        for name, item in list(getattr(value, "__dict__", {}).items()):
            cleaned = _cleaned_lines(item, redactor) if name == "lines" else _cleaned(item, redactor, seen)
            object.__setattr__(value, name, cleaned)
    return value


def _cleaned_lines(lines: list[str], redactor: Cleans) -> list[str]:
    """The lines of a failure, cleaned together: a long value goes over several."""
    text = "\n".join(lines)
    cleaned = clean_text(text, redactor)
    return cleaned.split("\n") if cleaned != text else lines


def clean_text(text: str, redactor: Cleans) -> str:
    """Clean, and without lone surrogates: xdist's channel cannot carry one, and a worker that sends one is lost."""
    cleaned = clean_shown(text, redactor)
    return cleaned if cleaned.isascii() else cleaned.encode("utf-8", "backslashreplace").decode()


def clean_shown(text: str, redactor: Cleans) -> str:
    """Text for people, clean, also of a credential that was cut by a truncation, or divided.

    Values are divided by the colours that pytest gives them, long ones by the ends of lines, and those of a command by
    the quotes of the shell. Text in which a credential was divided loses all of these.
    """
    cleaned = redactor.clean(text)
    whole = _joined(cleaned)
    if whole != cleaned and (found := redactor.clean(whole)) != whole:
        return found
    return cleaned


def _joined(text: str) -> str:
    if any(sign in text for sign in _SIGNS_OF_COLOUR):
        text = _COLOUR.sub("", text)
    if "'\"" in text:
        text = _SHELL_QUOTE.sub("'", text)
    return _BREAK.sub("", text) if _SIGNS_OF_A_BREAK.search(text) else text


# --- logs, terminal, JUnit XML


def clean_logs(config: pytest.Config, redactor: Redactor) -> None:
    """Live logs and log files are not part of a report: pytest's handlers clean what they write."""
    plugin = config.pluginmanager.get_plugin("logging-plugin")
    for name in ("log_cli_handler", "log_file_handler"):
        handler = getattr(plugin, name, None)
        if isinstance(handler, logging.Handler) and not isinstance(handler.formatter, _CleanFormatter):
            handler.setFormatter(_CleanFormatter(handler.formatter, redactor))


class _CleanFormatter(logging.Formatter):
    def __init__(self, wrapped: logging.Formatter | None, redactor: Redactor) -> None:
        super().__init__()
        self._wrapped = wrapped or logging.Formatter()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        return clean_shown(self._wrapped.format(record), self._redactor)


def clean_terminal(config: pytest.Config, redactor: Redactor) -> None:
    """Cleans all that goes through pytest's terminal writer: headings, ``--setup-show``, internal errors."""
    if config.pluginmanager.has_plugin("terminalreporter"):
        writer: Any = config.get_terminal_writer()
        if not isinstance(writer._file, _CleanFile):  # noqa: SLF001 - nothing public reaches it
            writer._file = _CleanFile(writer._file, redactor)  # noqa: SLF001


class _CleanFile:
    """A text file that cleans what is written to it, and changes nothing else that its encoding can hold."""

    def __init__(self, file: Any, redactor: Redactor) -> None:
        self._file = file
        self._redactor = redactor

    def write(self, text: str) -> int:
        # A dot for each test: one character of a credential cannot be recognised.
        shown = text if len(text) == 1 else clean_shown(text, self._redactor)
        try:
            written: int = self._file.write(shown)
        except UnicodeEncodeError as error:  # pytest would write all of it again, line ends included, as escapes
            plain = shown.translate(_PLAIN).encode(error.encoding, "backslashreplace")
            written = self._file.write(plain.decode(error.encoding))
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def clean_junit(config: pytest.Config) -> None:
    """Cleans what JUnit XML has besides the reports: properties and attributes."""
    from _pytest.junitxml import xml_key

    xml, redactor = config.stash.get(xml_key, None), state_of(config).redactor
    if xml is None:
        return
    xml.global_properties[:] = [
        (clean_shown(name, redactor), clean_shown(value, redactor)) for name, value in xml.global_properties
    ]
    for reporter in xml.node_reporters_ordered:
        # A test that has ended has its element already, and no attributes beside it.
        attributes = reporter.attrs if hasattr(reporter, "attrs") else reporter.to_xml().attrib
        cleaned = {clean_shown(name, redactor): clean_shown(value, redactor) for name, value in attributes.items()}
        attributes.clear()
        attributes.update(cleaned)


# --- credentials that were given as values


def hide_given(config: pytest.Config, secrets: list[Secret]) -> None:
    """Removes credentials that were given as values from the arguments that pytest stores, and from its debug log.

    Under xdist the workers get these arguments; their settings come from the controller.
    """
    from ..redaction import MASK, Secret

    redactor = state_of(config).redactor
    redactor.add(*secrets)
    values = {secret.reveal() for secret in secrets}
    if secrets:
        state_of(config).hides_values = True

        def without(text: str) -> str:
            for value in values:  # one too short to be masked everywhere, too
                text = text.replace(value, MASK)
            return redactor.clean(text)

        given = config.invocation_params
        args = tuple(without(str(arg)) for arg in given.args)
        object.__setattr__(config, "invocation_params", dataclasses.replace(given, args=args))
        copy = vars(config.known_args_namespace)  # of the options, beside config.option
        for name, option in list(copy.items()):
            if isinstance(option, str) and option in values:
                copy[name] = Secret(option)
            elif isinstance(option, list) and not values.isdisjoint(map(str, option)):
                del copy[name]
    if config.option.debug:
        _clean_debug_log(config, redactor, values)


def without_given(config: pytest.Config, args: list[str]) -> list[str]:
    """Arguments without the credentials that were given as values."""
    state = state_of(config)
    return [state.redactor.clean(arg) for arg in args] if state.hides_values else args


# --- credentials that stand in the source of tests


def secrets_in_sources(config: pytest.Config, paths: Iterable[Path]) -> list[Secret]:
    """The strings that calls of these modules, and of each conftest.py, are given as ``secret=``.

    Known from the start, they are masked where a failure shows a call that was never made, or that failed before the
    plugin saw its arguments.
    """
    from ..redaction import Secret

    files = (getattr(plugin, "__file__", None) or "" for plugin in config.pluginmanager.get_plugins())
    conftests = {path for path in map(Path, files) if path.name == "conftest.py"}
    return [Secret(text) for path in sorted({*paths, *conftests}) for text in _secret_arguments(path)]


def _secret_arguments(path: Path) -> Iterator[str]:
    """Literals given as ``secret=``, and strings bound to a name given so; without references such as ``env:NAME``."""
    try:
        source = path.read_bytes()
        nodes = list(ast.walk(ast.parse(source))) if b"secret" in source else []
    except (OSError, SyntaxError, ValueError, RecursionError):  # not Python: a plugin may collect other files
        return
    given = [one.value for node in nodes if isinstance(node, ast.Call) for one in node.keywords if one.arg == "secret"]
    names = {one.id for one in given if isinstance(one, ast.Name)}
    bound = (node for node in nodes if isinstance(node, ast.Assign))
    given += [node.value for node in bound if any(isinstance(to, ast.Name) and to.id in names for to in node.targets)]
    texts = (one.value for one in given if isinstance(one, ast.Constant))
    yield from (text for text in texts if isinstance(text, str) and not text.startswith(("env:", "file:")))


# --- the log of --debug


def _clean_debug_log(config: pytest.Config, redactor: Redactor, values: set[str]) -> None:
    """Pytest opened the log, and wrote its arguments into it, before any plugin was loaded."""
    root: Any = config.trace.root
    write = getattr(root, "_writer", None)
    if write is None:
        return
    state_of(config).debug_log = write.__self__
    write.__self__.flush()
    _overwrite(Path(config.option.debug), values)
    root.setwriter(lambda text: write(clean_shown(text, redactor)))


def _overwrite(path: Path, values: set[str]) -> None:
    """Masks values where they stand, byte for byte: pytest continues to write where it was."""
    with path.open("r+b") as file:
        content = file.read()
        for value in sorted(values, key=len, reverse=True):
            for form in {value, repr(value)[1:-1]}:
                content = content.replace(form.encode(), b"*" * len(form.encode()))
        file.seek(0)
        file.write(content)


def clean_debug_log(config: pytest.Config) -> None:
    """Cleans what the debug log has of the time before the credentials were known."""
    file = state_of(config).debug_log
    if file is None:
        return
    file.flush()
    # In bytes: workers of xdist have written into the same file, each where it was.
    written = Path(file.name).read_bytes().decode("utf-8", "surrogateescape")
    if (cleaned := clean_shown(written, state_of(config).redactor)) != written:
        file.seek(0)
        file.truncate()
        file.buffer.write(cleaned.encode("utf-8", "surrogateescape"))
        file.flush()


# --- the ids of tests


def refuse_ids(config: pytest.Config, ids: Iterable[str]) -> None:
    """Ends the session where a test's id holds a credential: ids are written everywhere, by every plugin and tool.

    Pytest's cache has stored them already, and is made to forget these.

    Raises:
        pytest.UsageError: which tests, the credential masked.
    """
    redactor = state_of(config).redactor
    found = sorted({clean for nodeid in ids if (clean := redactor.clean(nodeid)) != nodeid})
    if found:
        known = getattr(config.pluginmanager.get_plugin("nfplugin"), "cached_nodeids", None)
        if isinstance(known, set):
            known -= {nodeid for nodeid in known if redactor.clean(str(nodeid)) != str(nodeid)}
        failed = getattr(config.pluginmanager.get_plugin("lfplugin"), "lastfailed", None)
        if isinstance(failed, dict):
            for nodeid in [one for one in failed if redactor.clean(str(one)) != str(one)]:
                del failed[nodeid]
        named = "\n".join(f"  {nodeid}" for nodeid in found[:MOST_NAMED])
        more = f"\n  and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        raise pytest.UsageError(
            f"a test's id holds a credential, and ids are shown and stored everywhere:\n{named}{more}\n"
            'give the parameter an id of its own, as in pytest.param(..., id="name")'
        )


def check_listed_ids(config: pytest.Config, ids: list[str]) -> None:
    """Refuses ids where tests are only listed, as editors often do.

    The settings are read only where the parameters of an id, an API aside, are long enough for a credential.

    Raises:
        pytest.UsageError: which tests, the credential masked.
    """
    from ..redaction import SHORTEST_SECRET

    redactor = state_of(config).redactor
    parameters = (found[1] for nodeid in ids if (found := _PARAMETERS.search(nodeid)))
    if any(len(_APIS.sub("", text)) >= SHORTEST_SECRET for text in parameters):
        _add_credentials(config)
    clean_terminal(config, redactor)
    refuse_ids(config, ids)


def clean_early(config: pytest.Config, text: str) -> str:
    """A message of the collection without credentials, which no fixture and no run has made known by then."""
    _add_credentials(config)
    return state_of(config).redactor.clean(text)


def _add_credentials(config: pytest.Config) -> None:
    with suppress(Exception):  # a session that runs the tests reports what is wrong with the settings
        from .settings_source import resolved

        state_of(config).redactor.add(*resolved(config, os.environ).credentials())
