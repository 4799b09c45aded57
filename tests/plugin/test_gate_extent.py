"""What is left out shuts the gate: by an option, an argument or a plugin, wherever it is given.

Each case is a session on one suite, of two folders; the gate opens over the whole of it.
"""

from __future__ import annotations

import json
import re
import shutil
from typing import Any

import pytest
from harness import Outside

from pytest_wisebot.report.__main__ import main

pytestmark = pytest.mark.usefixtures("wide_terminal")

TEST = """
    import pytest
    from pytest_wisebot import assert_ok

    @pytest.mark.wisebot("echo", {"n": 1}, share=True)
    def test_one(workflow_run):
        assert_ok(workflow_run)

    @pytest.mark.wisebot("echo", {"n": 1}, share=True)
    def test_two(workflow_run):
        assert_ok(workflow_run)
"""
ENV = ("--wisebot-env", "outside")
PATHS = 'paths = ["e2e"]'


@pytest.fixture
def suite(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A suite of three files in two folders, and a gate."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    for name in ("e2e/test_a.py", "e2e/test_b.py", "e2e/deep/test_c.py", "unit/test_d.py"):
        outside.project.write(name, TEST)
    outside.project.write("pytest.ini", "[pytest]")
    return outside


def gate(suite: Any, lines: str) -> None:
    """Sets ``[gate]``."""
    toml = suite.project.path / "wisebot.toml"
    toml.write_text(f"{toml.read_text('utf-8').partition('[gate]')[0]}\n[gate]\n{lines}\n", "utf-8")


def rows(result: pytest.RunResult, state: str = "no verdict") -> dict[str, str]:
    """The rows of the block in this state: what each has measured, by its rule."""
    found = (re.fullmatch(rf" *{state}  +(\S.*?)  +wanted .*?  +measured (.*)", line) for line in result.outlines)
    return {one[1]: one[2] for one in found if one is not None}


def gated(suite: Any, *args: str, cached: bool = False) -> pytest.RunResult:
    """Runs a gated session."""
    run = suite.run_with_cache if cached else suite.run
    result: pytest.RunResult = run(*ENV, "--wisebot-gate", *args)
    return result


def shut(suite: Any, *args: str, cached: bool = False) -> dict[str, str]:
    """The rows that keep the gate shut; none where it is open."""
    result = gated(suite, *args, cached=cached)
    found = rows(result)
    assert result.ret == (11 if found else 0), result.outlines
    return found


ONE = "e2e/test_b.py"
EIGHT = "e2e/deep/test_c.py::test_two"


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_the_block_says_of_which_folders_it_speaks(suite: Any, workers: tuple[str, ...]) -> None:
    """And how many tests they hold: all, where nothing narrows it."""
    if not workers:
        assert rows(gated(suite), "ok")["extent"] == "8 tests in the rootdir"
    assert rows(gated(suite, "e2e/deep", "unit", *workers), "ok")["extent"] == "2 tests in e2e/deep, 2 tests in unit"


def test_testpaths_and_paths_state_the_extent(suite: Any) -> None:
    """``[gate] paths`` goes before arguments, and these before ``testpaths``."""
    suite.project.write("pytest.ini", "[pytest]\ntestpaths = e2e")
    assert rows(gated(suite), "ok")["extent"] == "6 tests in e2e"
    assert rows(gated(suite, "unit"), "ok")["extent"] == "2 tests in unit"
    gate(suite, 'paths = ["e2e/deep", "unit/test_d.py"]')
    result = gated(suite, ".")
    assert rows(result, "ok")["extent"] == "2 tests in e2e/deep, 2 tests in unit/test_d.py"
    assert "wisebot: the gate opens by [gate] in wisebot.toml, for all of e2e/deep, unit/test_d.py" in result.outlines
    assert result.ret == 0
    assert gated(suite, "e2e/deep", "unit/test_d.py").ret == 0


# --- options


def test_files_that_are_ignored_shut_the_gate(suite: Any) -> None:
    """With the option, its value, and where it was given; one that ignores nothing of the suite does not."""
    left = {"test files left out": f"1: {ONE}"}
    assert shut(suite, f"--ignore={ONE}") == {
        "narrowed by --ignore": f"--ignore {ONE} (command line)",
        "test files left out": f"1: {ONE}",
    }
    assert shut(suite, "--ignore-glob=*b.py", "e2e") == {
        "narrowed by --ignore-glob": "--ignore-glob *b.py (command line)",
        **left,
    }
    assert shut(suite, "--ignore=unit", "e2e") == {}
    gate(suite, PATHS)
    assert shut(suite, "--ignore=unit") == {}
    assert shut(suite, "--ignore", "e2e/deep")["test files left out"] == "1: e2e/deep/test_c.py; asked for: ."


@pytest.mark.usefixtures("every_plugin")
def test_addopts_and_the_variable_are_named(suite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """They leave out tests as the command line does."""
    suite.project.write("pytest.ini", f"[pytest]\naddopts = --ignore={ONE} -k 'not two'")
    found = shut(suite)
    assert found["narrowed by --ignore"] == f"--ignore {ONE} (addopts)"
    assert found["narrowed by -k"] == "-k not two (addopts)"
    suite.project.write("pytest.ini", "[pytest]")
    addopts = f"-p no:randomly -p no:asyncio --deselect={EIGHT}"
    monkeypatch.setenv("PYTEST_ADDOPTS", addopts)
    assert shut(suite) == {
        "narrowed by --deselect": f"--deselect {EIGHT} (PYTEST_ADDOPTS)",
        "tests deselected": f"1: {EIGHT}",
    }


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_last_failed_shuts_the_gate(suite: Any, workers: tuple[str, ...]) -> None:
    """Where something is cached, whatever it covers; where nothing is, all tests run."""
    if not workers:
        assert shut(suite, "--lf", cached=True) == {}
        assert shut(suite, "--ff", cached=True) == {}
    suite.project.edit("e2e/test_a.py", "def test_one(workflow_run):", "def test_one(workflow_run):\n    assert 0")
    gated(suite, cached=True)
    suite.project.write("e2e/test_a.py", TEST)
    found = shut(suite, "--lf", *workers, cached=True)
    assert found["narrowed by --lf"] == "--lf (command line)"
    assert found["tests deselected"] == "1: e2e/test_a.py::test_two"
    if not workers:
        assert shut(suite, "--last-failed", cached=True) == {}


def test_last_failed_without_failures_may_leave_out_all(suite: Any) -> None:
    """``--lfnf=none`` runs nothing where nothing is cached."""
    result = gated(suite, "--lf", "--lfnf=none", cached=True)
    assert rows(result)["narrowed by --lfnf"] == "--lfnf none (command line)"
    assert result.ret == 5


def test_stepwise_shuts_the_gate_once_it_leaves_out_a_test(suite: Any) -> None:
    """What it has passed before."""
    suite.project.edit("e2e/test_b.py", "def test_one(workflow_run):", "def test_one(workflow_run):\n    assert 0")
    gated(suite, "--sw", "e2e", cached=True)
    suite.project.write("e2e/test_b.py", TEST)
    found = shut(suite, "--sw", "e2e", cached=True)
    assert found["narrowed by --sw"] == "--sw (command line)"
    assert shut(suite, "--sw", "e2e", cached=True) == {}


@pytest.mark.parametrize(
    "given",
    [
        ["-o python_files=test_a.py", "-p no:unittest", "--noconftest", "--setup-only"],
        ["-o python_functions=test_one", "-c other.ini"],
        ["-o norecursedirs=deep", "--rootdir e2e"],
        ["--override-ini testpaths=e2e/deep"],
        ["--confcutdir e2e"],
    ],
    ids=", ".join,
)
def test_options_that_leave_out_tests_unseen_are_named(suite: Any, given: list[str]) -> None:
    """Their effect cannot be observed; each of several is named."""
    suite.project.write("other.ini", "[pytest]\npython_files = test_a.py")
    suite.project.write("conftest.py", "")
    args = [part.replace(" ", "=") if part.startswith("--") else part for part in given]
    args = [word for part in args for word in part.split(" ")]
    args += ["--wisebot-config=wisebot.toml"] if "--rootdir=e2e" in args else []
    args += ["e2e"] if "--confcutdir=e2e" in args else []
    found = rows(gated(suite, *args))
    named = {f"narrowed by {one.partition(' ')[0]}": f"{one} (command line)" for one in given}
    assert {rule: measured for rule, measured in found.items() if rule in named} == named


def test_options_that_leave_out_nothing_open_it(suite: Any) -> None:
    """``-c`` of a file that collects the same, plugins that find no tests, and keys that are about other things."""
    suite.project.write("other.ini", "[pytest]\nmarkers = smoke")
    assert (
        shut(suite, "-c", "other.ini", "--rootdir=.", "-o", "log_level=INFO", "-p", "no:doctest_", "--nf", cached=True)
        == {}
    )
    assert shut(suite, "--confcutdir=e2e", "e2e", "-k", "test", "-o", "testpaths=unit") == {}


def test_what_takes_a_part_of_addopts_back_is_named(suite: Any) -> None:
    """``addopts`` finds more tests, or runs them over both APIs, and the command line does not."""
    suite.project.write("finds.py", "")
    addopts = "--doctest-modules -p finds --wisebot-api=both"
    suite.project.write("pytest.ini", f"[pytest]\npythonpath = .\naddopts = {addopts}\n")
    suite.project.write("other.ini", "[pytest]\npythonpath = .\n")
    for args, rule, value in (
        (["-o", "addopts="], "-o", "-o addopts="),
        (["-c", "other.ini"], "-c", "-c other.ini"),
        (["-p", "no:finds", "e2e"], "-p", "-p no:finds"),
        (["--wisebot-api=webhook", "e2e"], "--wisebot-api", "--wisebot-api webhook"),
    ):
        assert rows(gated(suite, *args))[f"narrowed by {rule}"] == f"{value} (command line)"


def test_a_plugin_that_finds_nothing_here_may_be_switched_off_for_good(suite: Any) -> None:
    """In ``addopts``; where there is something for it to find, it has a row there as well."""
    suite.project.write("pytest.ini", "[pytest]\naddopts = -p no:doctest -p no:unittest\n")
    assert shut(suite) == {}
    suite.project.write("unit/test_words.txt", ">>> 1\n1\n")
    assert shut(suite) == {"narrowed by -p": "-p no:doctest (addopts)"}


def test_a_folder_without_a_test_is_none_of_the_suite(suite: Any) -> None:
    """Renamed, emptied, or misspelt in ``testpaths``, which pytest drops without a word."""
    suite.project.write("api/check_x.py", TEST)
    assert shut(suite, "e2e", "api")["extent"].startswith("no test in api; ")
    suite.project.write("pytest.ini", "[pytest]\ntestpaths = e2e api unti\n")
    assert shut(suite) == {
        "narrowed by testpaths": "testpaths unti (pytest.ini)",
        "extent": "no test in api; 6 tests in e2e, 0 tests in api",
    }


@pytest.mark.parametrize("part", ["collection", "session-end", "item-lifecycle"])
def test_no_part_of_the_plugin_can_be_switched_off_alone(suite: Any, part: str) -> None:
    """A gate without it would not be one: exit code 4, and what switches off all of it."""
    result = gated(suite, "-p", f"no:wisebot-{part}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    expected = f"ERROR: -p no:wisebot-{part}: is a part of pytest-wisebot; -p no:wisebot switches off all of it"
    assert expected in result.errlines


@pytest.mark.parametrize("option", ["--fixtures", "--fixtures-per-test"])
def test_what_only_lists_opens_no_gate(suite: Any, option: str) -> None:
    """Whichever exit code pytest has for it. What collects or plans is below, with what it says."""
    assert gated(suite, option).ret == 11


@pytest.mark.usefixtures("every_plugin")
def test_plugins_that_choose_tests_are_named(suite: Any) -> None:
    """Of those that are popular: testmon and picked leave out what they like without a word; shards are parts."""
    suite.project.write(
        "chooses.py",
        """
        def pytest_addoption(parser):
            parser.addoption("--testmon", action="store_true")
            parser.addoption("--picked", nargs="?", const="unstaged")
            parser.addoption("--num-shards", type=int, default=1)
            parser.addoption("--shard-id", type=int, default=0)

        def pytest_collection_modifyitems(config, items):
            if config.option.num_shards > 1:
                items[:] = items[config.option.shard_id :: config.option.num_shards]
    """,
    )
    suite.project.pytester.syspathinsert()
    assert shut(suite, "-p", "chooses", "--num-shards=1") == {}
    found = shut(suite, "-p", "chooses", "--testmon", "--picked=branch", "--num-shards=2", "--shard-id=1")
    assert found.pop("tests deselected").startswith("4: ")
    assert found == {
        "narrowed by --testmon": "--testmon (command line)",
        "narrowed by --picked": "--picked branch (command line)",
        "narrowed by --num-shards": "--num-shards 2 (command line)",
        "narrowed by --shard-id": "--shard-id 1 (command line)",
    }
    assert shut(suite, "--splits=2", "--group=1")["narrowed by --splits"] == "--splits 2 (command line)"


# --- arguments


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["e2e/test_a.py"], "1 part: e2e/test_a.py"),
        (["e2e/test_a.py::test_one", "unit"], "1 part: e2e/test_a.py::test_one"),
        (["--pyargs", "e2e.test_a"], "1 part: e2e/test_a.py"),
        (["@which.txt"], "1 part: e2e/test_a.py"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_a_file_or_a_test_as_argument_shuts_the_gate(suite: Any, args: list[str], said: str) -> None:
    """The row asks for ``paths``."""
    suite.project.write("which.txt", "e2e/test_a.py")
    suite.project.pytester.syspathinsert()
    result = gated(suite, *args)
    assert result.ret == 11
    assert rows(result) == {"narrowed by arguments": said}
    result.stdout.fnmatch_lines(['*wanted whole folders, or paths = [[]"FOLDER"] under [[]gate] in wisebot.toml *'])


def test_files_beside_their_folder_are_no_part(suite: Any) -> None:
    """Pytest collects the folder, and so the file; and what ``testpaths`` names is the suite's own statement."""
    assert shut(suite, "e2e", "e2e/test_a.py") == {}
    suite.project.write("pytest.ini", "[pytest]\ntestpaths = e2e/test_a.py")
    assert shut(suite) == {}
    assert shut(suite, "e2e/test_a.py") == {}
    assert shut(suite, "e2e/test_b.py") != {}


def test_arguments_must_cover_the_paths(suite: Any) -> None:
    """Whole folders or files of them together, and not one test of a file."""
    gate(suite, PATHS)
    assert shut(suite, "e2e/test_a.py", "e2e/test_b.py", "e2e/deep") == {}
    assert shut(suite, "e2e/deep") == {"test files left out": "2: e2e/test_a.py, e2e/test_b.py; asked for: e2e/deep"}
    found = shut(suite, "e2e/test_a.py::test_one", "e2e/test_b.py", "e2e/deep")
    assert found["test files left out"].startswith("1: e2e/test_a.py; asked for: e2e/test_a.py::test_one, ")


def test_the_folder_where_pytest_starts_is_no_extent(suite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments pytest collects it alone, and the suite is larger."""
    monkeypatch.chdir(suite.project.path / "unit")
    found = shut(suite, "--wisebot-config=../wisebot.toml")
    assert found["test files left out"].endswith("e2e/test_b.py; asked for: unit")
    assert shut(suite, ".", "--wisebot-config=../wisebot.toml") == {}


def test_a_path_without_a_test_shuts_the_gate(suite: Any) -> None:
    """Its tests were there when the line was written."""
    gate(suite, 'paths = ["e2e", "old"]')
    (suite.project.path / "old").mkdir()
    assert shut(suite)["extent"] == "no test in old; 6 tests in e2e, 0 tests in old"


def test_files_that_say_what_is_no_test_are_obeyed(suite: Any) -> None:
    """``norecursedirs`` and ``collect_ignore`` are the suite's own, also where its files are looked up."""
    suite.project.write("pytest.ini", "[pytest]\nnorecursedirs = deep")
    suite.project.write("e2e/conftest.py", 'collect_ignore = ["test_b.py"]')
    gate(suite, PATHS)
    assert shut(suite) == {}
    assert shut(suite, "e2e/test_a.py", "--ignore=unit") == {}


# --- plugins


@pytest.mark.parametrize(
    "hook",
    [
        "@pytest.hookimpl(wrapper=True, tryfirst=True)\ndef pytest_collection_modifyitems(items):\n    del items[0]\n"
        "    return (yield)",
        "@pytest.hookimpl(trylast=True)\ndef pytest_collection_modifyitems(items):\n    del items[0]",
        "@pytest.hookimpl(wrapper=True, tryfirst=True)\ndef pytest_collection_modifyitems(items):\n"
        "    result = yield\n    del items[0]\n    return result",
        "@pytest.hookimpl(trylast=True)\ndef pytest_collection_finish(session):\n    del session.items[0]",
        "@pytest.hookimpl(wrapper=True)\ndef pytest_make_collect_report(collector):\n    report = yield\n"
        "    if collector.name == 'test_a.py':\n        del report.result[0]\n    return report",
    ],
    ids=["before all", "late", "last", "when it has finished", "in its collector"],
)
def test_what_a_plugin_takes_away_is_named(suite: Any, hook: str) -> None:
    """In whichever hook, and without a word to pytest."""
    suite.project.write("conftest.py", f"import pytest\n\n{hook}")
    (measured,) = shut(suite, "e2e/test_a.py", "e2e").values()
    assert re.fullmatch(r"1: e2e/(deep/test_c|test_a).py::test_one", measured)


def test_one_of_two_items_of_one_id_is_missed(suite: Any) -> None:
    """Each is a test of its own."""
    suite.project.write(
        "conftest.py",
        "import pytest\n\n@pytest.hookimpl(trylast=True)\ndef pytest_collection_modifyitems(items):\n    del items[0]",
    )
    found = shut(suite, "--keep-duplicates", "unit", "unit")
    assert found["tests deselected"] == "1: unit/test_d.py::test_one"


def test_items_that_are_replaced_or_moved_are_there(suite: Any) -> None:
    """A plugin may make another item of the same id, and run them in any order."""
    suite.project.write(
        "conftest.py",
        """
        import pytest

        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(items):
            items[:] = [type(item).from_parent(item.parent, name=item.name) for item in reversed(items)]
    """,
    )
    assert shut(suite, "unit") == {}


# --- what has no report


@pytest.mark.parametrize("option", ["--collect-only", "--setup-plan", "--wisebot-plan"])
def test_a_gated_session_that_runs_nothing_opens_nothing(suite: Any, option: str) -> None:
    """Nothing is judged; and a job that deploys behind exit code 0 does not."""
    result = gated(suite, option)
    assert result.ret == 11
    assert "wisebot: NO VERDICT: --wisebot-gate judges tests that run, and none did" in result.outlines
    assert suite.run(*ENV, option).ret == 0


def test_the_first_line_counts_every_test(suite: Any) -> None:
    """Those that say nothing of a workflow, too."""
    suite.project.write(
        "unit/test_d.py",
        TEST.replace("{", "{{").replace("}}", "}}").replace("{{", "{")
        + """
    def test_plain():
        pass

    @pytest.mark.skip
    def test_skipped(workflow_run):
        pass

    @pytest.mark.xfail(reason="known")
    def test_known():
        assert 0
    """,
    )
    result = gated(suite, "unit", "--wisebot-report=out", "--wisebot-summary=page.md")
    assert any(
        line.startswith("GATE OPEN: 2 passed, 1 skipped, 1 xfailed, 1 without a run; ") for line in result.outlines
    )
    assert "**2 passed, 1 skipped, 1 xfailed, 1 without a run**" in (suite.project.path / "page.md").read_text("utf-8")
    report = json.loads((suite.project.path / "out/report.json").read_text("utf-8"))
    assert report["all_counts"] == {"passed": 2, "skipped": 1, "xfailed": 1, "without a run": 1}
    assert (report["sessions"][0]["extent"]["paths"], report["sessions"][0]["extent"]["by"]) == (["unit"], "arguments")
    assert "1 skipped, 1 xfailed, 1 without a run" in (suite.project.path / "out/report.html").read_text("utf-8")


# --- shards


def shards(suite: Any, *each: tuple[str, ...]) -> dict[str, str]:
    """The rows that keep the gate shut over the union of these sessions, each of which is run once."""
    path = suite.project.path
    settings = hash((path / "wisebot.toml").read_text("utf-8"))
    for number, args in enumerate(each):
        made = path / "made" / f"{hash((settings, *args))}"
        if not made.exists():
            suite.run(*ENV, f"--wisebot-report={made}", *args)
        shutil.copytree(made, path / f"shard-{number}", dirs_exist_ok=True)
    folders = [str(path / f"shard-{number}") for number in range(len(each))]
    code = main(["merge", *folders, "-o", str(path / "out")])
    rules = json.loads((path / "out/report.json").read_text("utf-8"))["verdict"]["rules"]
    found = {rule["rule"]: rule["measured"] for rule in rules if rule["state"] == "no verdict"}
    assert code == (11 if found else 0)
    assert main([str(path / "out")]) == 0 or found
    return found


def test_a_matrix_of_folders_speaks_of_its_folders(suite: Any) -> None:
    """And where a shard ignores what another one collects, nothing is left out."""
    assert shards(suite, ("e2e",), ("unit",)) == {}
    assert shards(suite, ("e2e", "--ignore=e2e/deep"), ("e2e/deep/test_c.py",)) == {}
    found = shards(suite, ("e2e", "--ignore=e2e/deep"), ("unit",))
    assert found["test files in no shard"] == "1: e2e/deep/test_c.py"
    assert found["narrowed by --ignore (shard-0)"] == "--ignore e2e/deep (command line)"


def test_a_matrix_of_files_takes_paths(suite: Any) -> None:
    """Without them no verdict is possible, and the row asks for them."""
    files = [("e2e/test_a.py",), ("e2e/test_b.py",), ("e2e/deep/test_c.py",)]
    found = shards(suite, *files)
    assert found == {"narrowed by arguments": "3 parts: e2e/test_a.py, e2e/test_b.py, e2e/deep/test_c.py"}
    gate(suite, PATHS)
    assert shards(suite, *files) == {}
    found = shards(suite, *files[:2])
    assert found["test files in no shard"].startswith("1: e2e/deep/test_c.py; asked for: ")
    found = shards(suite, *files[:2], ("e2e/deep/test_c.py::test_one",))
    assert found["test files in no shard"].startswith("1: e2e/deep/test_c.py; asked for: ")


@pytest.mark.usefixtures("every_plugin")
def test_shards_by_expression_cover_the_suite_together(suite: Any) -> None:
    """Halves by ``-k`` are a whole; a gap is named, with the options that may have made it."""
    assert shards(suite, ("-k", "one"), ("-k", "not one")) == {}
    found = shards(suite, ("-k", "one and unit"), ("-k", "not one"))
    assert found["narrowed by -k (shard-0)"] == "-k one and unit (command line)"
    assert found["tests in no shard"].startswith("3: e2e/deep/test_c.py::test_one, ")
    assert shards(suite, ("--splits=2", "--group=1"), ("--splits=2", "--group=2")) == {}


# --- what may be written


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('paths = "e2e"', 'gate.paths: expected a list of folders and files, as in ["tests/e2e"], got "e2e"'),
        ("paths = []", 'gate.paths: expected at least one folder or file, as in ["tests/e2e"]'),
        ("paths = [1]", 'gate.paths: expected folders and files, as in ["tests/e2e"], got 1 among them'),
        ('paths = ["e2e/deap"]', 'gate.paths: there is no "e2e/deap" beside the file, did you mean "e2e/deep"?'),
        ('paths = ["/e2e"]', 'gate.paths: "/e2e" is absolute: write it relative to this file'),
        ('paths = ["e2e/test_a.py::test_one"]', 'gate.paths: "e2e/test_a.py::test_one" names a test: write its file'),
        ("max-missing-tests = -1", "gate.max-missing-tests: expected a whole number, at least 0, got -1"),
    ],
    ids=lambda one: one.partition(" ")[0],
)
def test_wrong_values_are_told(suite: Any, line: str, message: str) -> None:
    """With the right ones, before any run."""
    gate(suite, line)
    result = gated(suite)
    assert result.ret == 4
    assert any(f"wisebot.toml: {message}" in text for text in result.errlines), result.errlines
    assert suite.arrived == []


def test_a_wrong_number_of_missing_tests_is_told(suite: Any) -> None:
    """At the command line."""
    result = gated(suite, "--wisebot-max-missing-tests=-1")
    assert result.ret == 4
    assert any("expected a whole number of at least 0, got '-1'" in line for line in result.errlines)
