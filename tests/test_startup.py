"""What an installed plugin costs a session that never uses it: nothing heavy is loaded, from start to end."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.usefixtures("real_processes")

HEAVY = {"httpx", "httpcore", "pydantic", "pydantic_core", "anyio", "syrupy", "asyncio", "ssl", "http.server", "jinja2"}
HEAVY |= {"truststore", "yaml", "jsonschema", "pytest_wisebot.cases"}


def modules_after(statement: str) -> set[str]:
    """The modules that are loaded in a new process after a statement."""
    code = f"import json, sys, pytest\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return set(json.loads(out))


def test_the_entry_point_loads_nothing_heavy() -> None:
    """Neither the package nor its plugin loads a library that costs milliseconds."""
    assert not HEAVY & modules_after("import pytest_wisebot, pytest_wisebot.plugin")


def test_public_names_load_their_own_rooms_only() -> None:
    """A name that is a plain value does not pull the client in."""
    loaded = modules_after("from pytest_wisebot import Api, RunTimedOut, WorkflowRun")
    assert {"pytest_wisebot.runs", "pytest_wisebot.errors"} <= loaded
    assert not HEAVY & loaded


def test_without_a_file_settings_load_nothing_heavy() -> None:
    """A project that compares snapshots, and has no ``wisebot.toml``, does not wait for what would check one."""
    given = "{}, start=path, root=path, cwd=path, variables={}"
    made = f"from pathlib import Path; path = Path('/'); from pytest_wisebot.settings import resolve; resolve({given})"
    assert not HEAVY & modules_after(made)


SUITE = """
    import pytest

    def test_nothing():
        pass

    @pytest.mark.wisebot("echo")
    class TestMarked:
        def test_a_marker_alone_is_no_use(self):
            pass

    def test_deselected(trigger_workflow):
        pass
"""


@pytest.mark.parametrize(
    "args",
    [
        ["-k", "not deselected"],
        ["-p", "xdist", "-n", "1", "-k", "not deselected"],
        ["--collect-only"],
        ["--markers"],
        ["--fixtures"],
        ["--help"],
    ],
    ids=" ".join,
)
def test_a_session_without_our_fixtures_stays_light_to_the_end(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, args: list[str]
) -> None:
    """No test uses the plugin: none of httpx, pydantic, anyio is loaded through it, not even at the end."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(SUITE)
    (pytester.path / "wisebot.toml").write_text("this is no TOML")
    pytester.makeconftest(f"""
        import sys
        import pytest

        @pytest.hookimpl(trylast=True)
        def pytest_unconfigure(config):
            print("heavy at the end:", sorted({HEAVY!r} & set(sys.modules)))
    """)
    result = pytester.runpytest_subprocess("-p", "pytest_wisebot.plugin", *args)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["heavy at the end: []"])
