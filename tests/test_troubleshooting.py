"""`docs/troubleshooting.md` has a row for every message that the code can give.

Every text in the code that could be a message (three words or more, no docstring) must have a row whose words are in
it, or be named below as what it is instead. So a message that is new needs a row, however it reaches the user.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

from .test_contract import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "tap_akeneo_assets"
# What describes columns and settings, what is printed on purpose, and what is a PIM of its own.
NO_MESSAGES = ("sandbox", "schemas.py", "meltano.py", "progress.py", "checkup.py", "streams.py")
WORDS = 3
# Texts that are no messages, or only parts of one that has a row.
PARTS = {
    "Callable[[bytes], Any]",
    "dict[str, list[dict[str, Any]]]",
    "Callable[[Reply], Outcome[T]]",
    "is not of type (.*) in config",
    "Tunnel connection failed: (\\d{3})",
    "{n_fmt}/{total_fmt} families |{bar:10}| {desc}",
    " Did you mean ……?",
    ", or access_token of an App instead.",
    "the assets changed since their family's bookmark (…: …)",
    "the rest of …",
    "families without a bookmark whole",
}


def text_of(node: ast.AST) -> str | None:
    """The text of an expression, with `…` for what is put in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return None


def texts(node: ast.AST) -> Iterator[str]:
    """The texts below a node, without docstrings and the descriptions of settings."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        if isinstance(child, ast.keyword) and child.arg in ("description", "title", "help"):
            continue
        text = text_of(child)
        if text is None:
            yield from texts(child)
            continue
        yield text
        if isinstance(child, ast.JoinedStr):
            yield from (found for part in child.values if not isinstance(part, ast.Constant) for found in texts(part))


def is_message(text: str) -> bool:
    """Whether a text could be a message; one of several lines is a file."""
    return len(re.findall(r"[A-Za-z]{2,}", text)) >= WORDS and " " in text.strip() and "\n" not in text


@cache
def messages() -> dict[str, Path]:
    """All texts that could be messages, and where they are."""
    found: dict[str, Path] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).parts
        if not {parts[0], parts[-1]} & set(NO_MESSAGES):
            found |= {text: path for text in texts(ast.parse(path.read_text(encoding="utf-8"))) if is_message(text)}
    return found


@cache
def patterns() -> dict[str, re.Pattern[str]]:
    """By each message in the rows' first cells what a text of the code must hold; `…` is anything."""
    cells = [line.split(" | ")[0] for line in PAGE.splitlines() if line.startswith("| `")]
    return {
        shown: re.compile(".*".join(map(re.escape, shown.split("…"))), re.DOTALL)
        for cell in cells
        for shown in re.findall(r"`([^`]+)`", cell)
    }


@pytest.mark.parametrize("text", sorted(messages()))
def test_every_message_has_a_row(text: str) -> None:
    assert text in PARTS or any(pattern.search(text) for pattern in patterns().values()), messages()[text]


@pytest.mark.parametrize("shown", sorted(patterns()))
def test_every_row_is_of_a_message_that_the_code_can_give(shown: str) -> None:
    assert any(patterns()[shown].search(text) for text in messages())


def test_every_row_says_why_and_what_to_do() -> None:
    for line in PAGE.splitlines():
        if line.startswith("| `"):
            _, cause, advice = line.strip("| ").split(" | ")
            assert cause
            assert advice


def test_no_part_is_listed_that_is_gone() -> None:
    assert messages().keys() >= PARTS
