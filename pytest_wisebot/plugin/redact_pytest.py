"""Takes credentials out of what pytest itself writes and stores: terminal, arguments, JUnit, the log of ``--debug``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .options import ALL_GIVEN
from .redact_reports import clean_logs, clean_shown

if TYPE_CHECKING:
    from ..redaction import Redactor, Secret

MOST_NAMED = 10
"""Tests that a message names."""

_KEY = pytest.StashKey["Redactor"]()
_DEBUG_LOG = pytest.StashKey[Any]()


def redactor_of(config: pytest.Config) -> Redactor:
    """The session's one redactor, made on first use."""
    from ..redaction import Redactor

    return config.stash.setdefault(_KEY, Redactor())


def hide_given(config: pytest.Config, secrets: list[Secret]) -> None:
    """Takes credentials that were given as values out of the arguments that pytest stores, and from its debug log.

    Under xdist the workers get these arguments; their settings come from the controller.
    """
    redactor = redactor_of(config)
    redactor.add(*secrets)
    values = {secret.reveal() for secret in secrets}
    if secrets:
        given = config.invocation_params
        args = [_without(str(arg), values, redactor) for arg in given.args]
        object.__setattr__(config, "invocation_params", dataclasses.replace(given, args=tuple(args)))
        _hide_in(getattr(config, "known_args_namespace", None), values)
        config.pluginmanager.register(_FromTheStart(config, redactor), "wisebot-outlets")
    if config.option.debug:
        _clean_debug_log(config, redactor, values)


def without_given(config: pytest.Config, args: list[str]) -> list[str]:
    """Arguments without the credentials that were given as values."""
    redactor = config.stash.get(_KEY, None)
    return args if redactor is None else [redactor.clean(arg) for arg in args]


def refuse_ids(config: pytest.Config, ids: Iterable[str], redactor: Redactor) -> None:
    """Ends the session where a test's id holds a credential: ids are written everywhere, by every plugin and tool.

    Pytest's cache has taken note of them already, and is made to forget these.

    Raises:
        pytest.UsageError: which tests, the credential masked.
    """
    cleaned = ((nodeid, redactor.clean(nodeid)) for nodeid in ids)
    found = sorted({clean for nodeid, clean in cleaned if clean != nodeid})
    if found:
        _forget_ids(config, redactor)
        named = "\n".join(f"  {nodeid}" for nodeid in found[:MOST_NAMED])
        more = f"\n  and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        raise pytest.UsageError(
            f"a test's id holds a credential, and ids are shown and stored everywhere:\n{named}{more}\n"
            'give the parameter an id of its own, as in pytest.param(..., id="name")'
        )


def _forget_ids(config: pytest.Config, redactor: Redactor) -> None:
    known = getattr(config.pluginmanager.get_plugin("nfplugin"), "cached_nodeids", None)
    if isinstance(known, set):
        known -= {nodeid for nodeid in known if redactor.clean(str(nodeid)) != str(nodeid)}


def clean_terminal(config: pytest.Config, redactor: Redactor) -> None:
    """Whatever goes through pytest's terminal writer is clean: headings, ``--setup-show``, internal errors."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    writer = getattr(reporter, "_tw", None)
    if writer is not None and not isinstance(writer._file, _CleanFile):  # noqa: SLF001 - nothing public reaches it
        writer._file = _CleanFile(writer._file, redactor)  # noqa: SLF001


def clean_junit(config: pytest.Config, redactor: Redactor) -> None:
    """What is about to be written to JUnit XML, as far as it did not come with a report: properties and attributes."""
    from _pytest.junitxml import xml_key

    xml = config.stash.get(xml_key, None)
    if xml is None:
        return

    def clean(text: str) -> str:
        return clean_shown(text, redactor)

    xml.global_properties[:] = [(clean(name), clean(value)) for name, value in xml.global_properties]
    for reporter in xml.node_reporters_ordered:
        # A test that has ended has its element already, and no attributes beside it.
        attributes = reporter.attrs if hasattr(reporter, "attrs") else reporter.to_xml().attrib
        cleaned = {clean(name): clean(value) for name, value in attributes.items()}
        attributes.clear()
        attributes.update(cleaned)


def clean_debug_log(config: pytest.Config, redactor: Redactor) -> None:
    """What pytest's debug log has of the time before the credentials were known."""
    file = config.stash.get(_DEBUG_LOG, None)
    if file is None:
        return
    file.flush()
    # In bytes: workers of xdist have written into the same file, each where it was.
    written = Path(file.name).read_bytes().decode("utf-8", "surrogateescape")
    if (cleaned := clean_shown(written, redactor)) != written:
        file.seek(0)
        file.truncate()
        file.buffer.write(cleaned.encode("utf-8", "surrogateescape"))
        file.flush()


class _FromTheStart:
    """Registered where values were given: they are known before there is anything to clean."""

    def __init__(self, config: pytest.Config, redactor: Redactor) -> None:
        self._config = config
        self._redactor = redactor

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """By now terminal and logs are set up."""
        clean_terminal(self._config, self._redactor)
        clean_logs(self._config, self._redactor)


class _CleanFile:
    """A text file that cleans what is written to it, and is otherwise as it was."""

    def __init__(self, file: Any, redactor: Redactor) -> None:
        self._file = file
        self._redactor = redactor

    def write(self, text: str) -> int:
        # A dot for each test: one character is no part of a credential that anybody would know again.
        written: int = self._file.write(text if len(text) == 1 else clean_shown(text, self._redactor))
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _hide_in(options: Any, values: set[str]) -> None:
    """Takes them out of the copy of the options that pytest keeps beside ``config.option``."""
    from ..redaction import Secret

    if options is None:
        return
    vars(options).pop(ALL_GIVEN, None)
    for name, value in list(vars(options).items()):
        if isinstance(value, str) and value in values:
            setattr(options, name, Secret(value))


def _without(text: str, values: set[str], redactor: Redactor) -> str:
    from ..redaction import MASK

    for value in values:  # one too short to be masked everywhere, too
        text = text.replace(value, MASK)
    return redactor.clean(text)


def _clean_debug_log(config: pytest.Config, redactor: Redactor, values: set[str]) -> None:
    """Pytest opened the log, and wrote its arguments into it, before any plugin could say a word."""
    root: Any = config.trace.root
    write = getattr(root, "_writer", None)
    if write is None:
        return
    config.stash[_DEBUG_LOG] = write.__self__
    write.__self__.flush()
    _overwrite(Path(config.option.debug), values)
    root.setwriter(lambda text: write(clean_shown(text, redactor)))


def _overwrite(path: Path, values: set[str]) -> None:
    """Masks values where they stand, byte for byte: pytest goes on writing where it was."""
    with path.open("r+b") as file:
        content = file.read()
        for value in sorted(values, key=len, reverse=True):
            for form in {value, repr(value)[1:-1]}:
                raw = form.encode()
                content = content.replace(raw, b"*" * len(raw))
        file.seek(0)
        file.write(content)
