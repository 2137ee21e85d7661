"""The pages: every link leads somewhere, and every page is found from the README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .test_contract import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made of their words."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        goal = page.parent / name if name else page
        assert goal.exists(), link
        assert not anchor or anchor in anchors(goal), link


def test_the_readme_leads_to_every_page() -> None:
    found = {Path(link).name for link in links(ROOT / "README.md") if link.startswith("docs/")}
    assert found >= {page.name for page in (ROOT / "docs").glob("*.md")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_heading_comes_twice(page: Path) -> None:
    headings = re.findall(r"^#+ .*$", prose(page), re.MULTILINE)
    assert len(headings) == len(set(headings))
