"""The pages hold what they promise: links lead somewhere, commands exist, blueprints are valid, programs work."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from groundplan.cli.main import cli, run

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!`)\]\(([^)\s]+)\)")
FORBIDDEN = re.compile(r"/work/|/root/|/tmp/|\bpypi\.|files\.pythonhosted|registry\.npmjs|proxy\.golang", re.IGNORECASE)
WEASEL = re.compile(r"\b(simply|easily|just)\b", re.IGNORECASE)

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def fenced(page: Path, *languages: str) -> Iterator[str]:
    return (text for language, text in FENCE.findall(page.read_text()) if language in languages)


def commands(page: Path) -> Iterator[list[str]]:
    """The groundplan commands of a page's shell blocks, with their arguments."""
    for text in fenced(page, "sh", "console"):
        for line in text.replace("\\\n", " ").splitlines():
            for part in line.removeprefix("$ ").split("|"):
                words = shlex.split(part, comments=True) if part.strip().startswith("groundplan") else []
                if words:
                    yield words[1:]


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text().replace("]\n(", "](")):
        if re.match(r"\w+:", link):
            continue
        path, _, part = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if part:
            assert part in {anchor(line.lstrip("# ")) for line in target.read_text().splitlines() if line[:1] == "#"}


@each_page
def test_quoted_commands_exist_with_their_options(page: Path) -> None:
    for words in commands(page):
        command: click.Command = cli
        context = click.Context(cli)
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            found = command.get_command(context, words[0])
            assert found is not None, words
            command, words = found, words[1:]
        known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
        given = {word for word in words if word.startswith("-") and word != "-"}
        assert given <= known, (command.name, given - known)


@each_page
def test_pages_speak_of_the_project_alone(page: Path) -> None:
    assert FORBIDDEN.findall(page.read_text()) == []


@each_page
def test_pages_use_plain_words(page: Path) -> None:
    prose = FENCE.sub("", page.read_text())
    prose = re.sub(r'"[^"]*"', "", prose)
    assert WEASEL.findall(prose) == []


@each_page
def test_blueprints_in_pages_are_valid(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDPLAN_HOME", str(tmp_path / "home"))
    for number, text in enumerate(fenced(page, "yaml")):
        if not text.startswith("tosca_definitions_version"):
            continue
        folder = tmp_path / str(number)
        (folder / "scripts").mkdir(parents=True)
        (folder / "scripts" / "greet.sh").touch()
        (folder / "blueprint.yaml").write_text(text)
        assert run(["blueprints", "validate", str(folder / "blueprint.yaml")]) == 0


def test_the_plugin_how_to_works_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    operations, tests = fenced(ROOT / "docs/howto/write-a-plugin.md", "python")
    package = tmp_path / "my_notes"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "files.py").write_text(operations)
    monkeypatch.syspath_prepend(tmp_path)
    written: dict[str, object] = {}
    exec(compile(tests, "test_notes.py", "exec"), written)
    proofs = [value for name, value in written.items() if name.startswith("test_") and callable(value)]
    assert len(proofs) == 2
    for number, proof in enumerate(proofs):
        folder = tmp_path / f"proof{number}"
        folder.mkdir()
        proof(folder)
