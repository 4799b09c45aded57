"""Credentials by forms by outlets: one list of forms, which holds for every text that leaves a session."""

from __future__ import annotations

import json
import re
from pathlib import Path

import credential_forms
import pytest
from credential_forms import CUTS, FORMS, CredentialForm, parts_of
from harness import Project

from pytest_wisebot.redaction import MASK, Redactor, Secret

ROOT = Path(__file__).parents[2]

CREDENTIALS = {
    "plain": "sec_Zq8vT3nXCANARY0123456789",
    "signs": "CANARY/+of=the&<signs>%and-more",
    "quotes": "CANARY\"of'the\\quotes`and$more",
    "blanks": "a CANARY of many words, one by one",
    "short": "CANARY-8",
}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.words)
def test_a_credential_is_masked_in_each_form_of_the_list(form: CredentialForm) -> None:
    """Whatever its characters are, and whatever stands around it; the text around it stays."""
    for credential in CREDENTIALS.values():
        written = form.write(credential)
        cleaned = Redactor([Secret(credential)]).clean(f"before\n{written}\nafter")
        assert MASK in cleaned
        assert [part for part in parts_of(form, credential) if part in cleaned] == []
        assert (cleaned.startswith("before\n"), cleaned.endswith("\nafter")) == (True, True)


@pytest.mark.parametrize("form", CUTS, ids=lambda form: form.words)
def test_what_a_truncation_leaves_is_masked(form: CredentialForm) -> None:
    """In a text and in JSON alike: there is one answer for every outlet."""
    for name, credential in CREDENTIALS.items():
        if name == "short":
            continue
        written = form.write(credential)
        redactor = Redactor([Secret(credential)])
        cleaned = redactor.clean(f"before {written} after")
        assert MASK in cleaned
        assert [part for part in parts_of(form, credential) if part in cleaned] == []
        value = {"text": [f"before {written} after"]}
        assert redactor.clean_json(value) == redactor.clean_answer(value) == {"text": [cleaned]}
        assert not redactor.is_clean_json(json.dumps(value).encode())


def test_ordinary_texts_stay_as_they_are() -> None:
    """Dots, stars, dumps, escapes and hexadecimal digits are ordinary, where no credential is in them."""
    texts = [
        "Loading... done… a *** b [+8 chars] [truncated] ... ....",
        "C:\\x41\\u0041 100% &#65;&#66; %41%42 \\101 0x41, 0x42, 0x43",
        dumps := credential_forms.dumped("of something else altogether"),
        credential_forms.xxd("of something else altogether"),
        f"{dumps}\nsec_ Zq8v CANAR",
    ]
    redactor = Redactor(map(Secret, CREDENTIALS.values()))
    assert [redactor.clean(text) for text in texts] == texts
    assert redactor.clean_json(texts) == texts


def test_the_manual_shows_this_list() -> None:
    """What the manual promises is what is tested, form by form."""
    page = (ROOT / "docs" / "how" / "masking.md").read_text("utf-8")
    shown = re.search(r"masked as `<secret>` in each of these forms:\n\n(.+?)\n\n.*?:\n\n(.+?)\n\n", page, re.DOTALL)
    assert shown is not None
    assert shown[1].splitlines() == [f"- {form.words}" for form in FORMS]
    assert shown[2].splitlines() == [f"- {form.words}" for form in CUTS]


# --- every outlet -----------------------------------------------------------------------------------------------------

FLOWS = """
    import json, os
    from credential_forms import CUTS, FORMS
    from pytest_wisebot.emulator import Emulator, WorkflowFailure

    CREDENTIALS = json.loads(os.environ["OF_THE_TEST"])
    SHOWN = {
        f"{name} {number}": form.write(credential)
        for name, credential in CREDENTIALS.items()
        for number, form in enumerate(FORMS + (() if name == "short" else CUTS))
    }
    emulator = Emulator()

    @emulator.workflow("shows")
    def shows(inputs):
        return SHOWN

    @emulator.workflow("fails")
    def fails(inputs):
        raise WorkflowFailure(SHOWN)
"""

TOML = """
    default-environment = "local"

    [environments.local]
    emulator = "flows:emulator"
"""

WORKFLOWS = """
    [environments.local.workflows.w{number}]
    id = "shows"
    secret = "env:OF_THE_TEST_{number}"
"""

TESTS = """
    import logging
    from flows import SHOWN

    TEXT = "\\n".join(SHOWN.values())

    def test_shows(trigger_workflow, workflow_snapshot):
        run = trigger_workflow("shows", {"n": 1})
        assert all("<secret>" in text for text in run.result.values())
        assert run.result == workflow_snapshot

    def test_fails(trigger_workflow, record_property):
        run = trigger_workflow("fails", {"sent": SHOWN})
        print(TEXT)
        logging.getLogger("mine").warning("%s", TEXT)
        record_property("shown", TEXT)
        shown = list(SHOWN.values())
        print(run.commands)
        assert_ok(run)

    def test_raises(trigger_workflow):
        trigger_workflow("shows", {"n": 2})
        raise ValueError(TEXT)

    @pytest.mark.wisebot("fails", trials=2, min_passes=1)
    def test_trials(workflow_run):
        pytest.fail(TEXT, pytrace=False)
"""

OPTIONS = [
    "-l", "-vv", "-rA", "--log-file=log.txt", "--log-level=DEBUG", "--junitxml=junit.xml", "--wisebot-report=report",
    "--wisebot-summary=summary.md", "--wisebot-runs=record", "--snapshot-update",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("names", "flags"),
    [(list(CREDENTIALS), []), (["quotes", "short"], ["-n", "2"])],
    ids=["one process", "xdist"],
)
def test_no_outlet_shows_a_credential_in_any_form(
    project: Project, monkeypatch: pytest.MonkeyPatch, names: list[str], flags: list[str]
) -> None:
    """Results, terminal, log files, JUnit XML, reports, summary, snapshots, recordings, kept runs."""
    credentials = {name: CREDENTIALS[name] for name in names}
    monkeypatch.setenv("OF_THE_TEST", json.dumps(credentials))
    toml = TOML
    for number, credential in enumerate(credentials.values()):
        monkeypatch.setenv(f"OF_THE_TEST_{number}", credential)
        toml += WORKFLOWS.format(number=number)
    project.write(
        "wisebot.toml", toml + "\n[environments.local.workflows.shows]\n[environments.local.workflows.fails]\n"
    )
    project.write("credential_forms.py", Path(credential_forms.__file__).read_text("utf-8"))
    project.write("flows.py", FLOWS)
    project.test(TESTS)
    result = project.run_apart(*OPTIONS, *flags)
    assert {word: count for word, count in result.parseoutcomes().items() if word != "warnings"} == {
        "passed": 1,
        "failed": 3,
    }
    sources = {"wisebot.toml", "credential_forms.py", "flows.py", "test_it.py"}
    left = {"terminal": result.stdout.str() + result.stderr.str()}
    for path in sorted(project.path.rglob("*")):
        if path.is_file() and path.name not in sources and "__pycache__" not in path.parts:
            left[path.relative_to(project.path).as_posix()] = path.read_text("utf-8", "replace")
    outlets = " ".join(left)
    for outlet in ("report.json", "report.html", "runs.jsonl", "report/summary.md", "junit.xml", "log.txt",
                   "recordings/", "__snapshots__/", "events.jsonl"):  # fmt: skip
        assert outlet in outlets
    assert shown_in(left) == []


def shown_in(left: dict[str, str]) -> list[str]:
    """Where which credential is shown, in which form."""
    return [
        f"{outlet}: {name}, {form.words}: {part}"
        for outlet, text in left.items()
        for name, credential in CREDENTIALS.items()
        for form in (*FORMS, *(() if name == "short" else CUTS))
        for part in parts_of(form, credential)
        if part in text
    ]
