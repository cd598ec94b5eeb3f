"""What the repository holds: its top level, and what no file of it may say."""

import re
from pathlib import Path

import pytest

from .tree import ROOT, tracked

TOP_LEVEL = {
    ".ci",
    ".gitignore",
    ".pre-commit-hooks.yaml",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "blueprints",
    "docs",
    "engine",
    "plugins",
    "pyproject.toml",
    "secrets.example.json",
    "tests",
}
# Written in halves, so that this file does not hold what it looks for.
REFUSED = {
    "a folder of one machine": r"(?<![\w./-])/(?:wor" + r"k|root)/[\w.]",
    "a package registry": r"py"
    + r"pi\.org|npm"
    + r"js\.org|proxy\.gol"
    + r"ang\.org|crates"
    + r"\.io|hosted"
    + r"\.org",
    "how it came to be": r"(?i)\bco-authored"
    + r"-by\b|\bclau"
    + r"de\b|\bchat"
    + r"gpt\b|language"
    + r" model|\bAI"
    + r"[ -]agent",
}
# Blueprints of others, kept as they were published, and lists of words are not ours to change.
UNREAD = {".png", ".svg", ".gz", ".zip"}


def test_the_top_level_is_that_of_the_house() -> None:
    assert {path.parts[0] for path in tracked()} <= TOP_LEVEL


@pytest.mark.parametrize("what", sorted(REFUSED))
def test_no_file_names(what: str) -> None:
    pattern = re.compile(REFUSED[what])
    named = [f"{path}: {found.group()}" for path in _texts() if (found := pattern.search(_text(path)))]
    assert named == []


def test_every_noun_of_the_command_line_is_in_the_glossary() -> None:
    glossary = _text(Path("docs/glossary.md"))
    commands = (ROOT / "engine/groundplan/cli/commands").glob("*s.py")
    nouns = {path.stem.removesuffix("s").replace("_", " ") for path in commands} - {"shortcut"}
    assert [noun for noun in sorted(nouns) if noun not in glossary] == []


def test_no_file_is_empty_but_for_a_reason() -> None:
    empty = [path for path in tracked() if not (ROOT / path).stat().st_size]
    assert [path for path in empty if path.name != "py.typed"] == []


def _texts() -> list[Path]:
    return [path for path in tracked() if path.suffix not in UNREAD]


def _text(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")
