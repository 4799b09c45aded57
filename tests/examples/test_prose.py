"""The English of README and manual: short sentences, and none of the words of the project's list."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from manual import DOCS, PAGES, ROOT


@pytest.fixture(scope="module")
def prose() -> Any:
    """The checker, which is an extension of Sphinx and needs none of it for strings."""
    spec = importlib.util.spec_from_file_location("prose", DOCS / "_ext" / "prose.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_sentence_is_long_and_no_word_is_on_the_list(prose: Any, page: Path) -> None:
    """A sentence has at most 30 words. Text that pages take from the code is checked when the manual is built."""
    paragraphs = prose.paragraphs_of_markdown(page.read_text("utf-8"))
    assert [finding for paragraph in paragraphs for finding in prose.findings(paragraph)] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (" ".join(["word"] * 30) + ".", []),
        (" ".join(["word"] * 31) + ".", ["a sentence of 31 words, at most 30"]),
        (" ".join(["word"] * 20) + ". " + " ".join(["word"] * 20) + ".", []),
        ("Nobody reads it.", ['"Nobody" is on the list of words']),
        ("The gate says no.", ['"gate says" is on the list of words']),
        ("Other words, e.g. these, are free.", []),
    ],
)
def test_the_checker_finds_what_it_should(prose: Any, text: str, found: list[str]) -> None:
    """It counts the words of each sentence, and names what to write in place of a word."""
    assert [finding.partition(", write")[0].partition(":")[0] for finding in prose.findings(text)] == found


def test_code_is_one_word_and_blocks_are_none(prose: Any) -> None:
    """Tables are cells, list items are paragraphs, and code does not count as prose."""
    text = "One `a b c` two [three](four.md).\n\n```text\nnobody\n```\n\n- item\n- item\n\n| cell | cell |\n"
    paragraphs = [" ".join(paragraph.split()) for paragraph in prose.paragraphs_of_markdown(text)]
    assert [one.strip("- ") for one in paragraphs if one.strip()] == [
        "One CODE two three.", "item", "item", "cell", "cell",
    ]  # fmt: skip
