"""The checker of prose: no sentence is longer than 30 words, and none has a word of the project's list.

As a Sphinx extension it looks at each page as it is built, with the text that comes from docstrings and tables of the
code: each finding is a warning, which ``-W`` makes an error. `findings` checks any string, such as one of the README.

It is the project's own because checkers such as Vale and proselint read files, and would see none of that text; they
also fetch their program, or cannot count the words of a sentence. codespell looks for misspelt words beside it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WORDS = tomllib.loads((Path(__file__).parents[1] / "words.toml").read_text("utf-8"))
MOST_WORDS: int = WORDS["most-words-of-a-sentence"]
REFUSED = {re.compile(rf"\b(?:{word})\b", re.IGNORECASE): better for word, better in WORDS["instead-of"].items()}

# A sentence ends at a sign that a blank follows, but for abbreviations.
_END = re.compile(r"(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bvs\.)(?<=[.!?])[\"')\]]*\s+")


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph of plain text."""
    return [sentence for sentence in _END.split(" ".join(text.split())) if sentence]


def findings(text: str) -> Iterator[str]:
    """What is wrong with a paragraph of plain text, in which code stands as one word."""
    for sentence in sentences(text):
        count = len(re.findall(r"\S*\w\S*", sentence))
        if count > MOST_WORDS:
            yield f"a sentence of {count} words, at most {MOST_WORDS}: {sentence}"
        for pattern, better in REFUSED.items():
            if found := pattern.search(sentence):
                yield f'"{found[0]}" is on the list of words, write {better}: {sentence}'


def paragraphs_of_markdown(text: str) -> Iterator[str]:
    """The paragraphs, list items and cells of a Markdown file as plain text; code in a line is one word."""
    text = re.sub(r"^```.*?^```$|<!--.*?-->", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`+[^`]+`+", "CODE", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*|#]|\d+\.) ?)", text):
        yield from (cell for cell in block.split("|") if cell.strip())


def _check_page(_: Any, doctree: Any, __: str) -> None:
    from docutils import nodes
    from sphinx.util import logging

    logger = logging.getLogger(__name__)
    for node in doctree.findall(lambda node: isinstance(node, nodes.paragraph | nodes.title | nodes.term)):
        for finding in findings(_plain(node)):
            logger.warning("%s", finding, location=node, type="prose")


def _plain(node: Any) -> str:
    """The text of a node, in which each piece of code is one word."""
    from docutils import nodes

    if isinstance(node, nodes.literal):
        return "CODE"
    if isinstance(node, nodes.Text):
        return str(node)
    return "".join(_plain(child) for child in node.children)


def setup(app: Any) -> dict[str, Any]:
    """Checks each page when its links are resolved."""
    app.connect("doctree-resolved", _check_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
