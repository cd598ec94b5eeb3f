"""Writes docs/reference/cli.md from the command line's own definitions, so that the page cannot tell anything else.

`make docs` runs it; a test holds the page to what it gives. It reads Click's commands and knows no command by name.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from groundplan.cli.main import cli

PAGE: Final = Path(__file__).with_name("cli.md")
HEAD: Final = """# Command line

Written by `make docs` from the commands themselves; `groundplan COMMAND --help` shows the same in a terminal.

Every command that reads takes `--json`. Exit codes: 0 done, 1 the world failed, 2 you must act, 70 a fault of
Groundplan. The environment variables are in [home.md](home.md).
"""


def page() -> str:
    """The whole page."""
    with click.Context(cli, info_name="groundplan") as context:
        return "\n".join([HEAD, *(section(command, ctx) for ctx, command in walk(cli, context))])


def walk(group: click.Group, context: click.Context) -> Iterator[tuple[click.Context, click.Command]]:
    """Every group and command below `group`, in the order of its help."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        with click.Context(command, info_name=name, parent=context) as inner:
            yield inner, command
            if isinstance(command, click.Group):
                yield from walk(command, inner)


def section(command: click.Command, context: click.Context) -> str:
    """One command: its usage, what it does, its options."""
    if isinstance(command, click.Group):
        return f"## {context.command_path}\n\n{prose(command)}\n"
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    mark = "##" if context.parent is not None and context.parent.parent is None else "###"
    lines = [f"{mark} {context.command_path}", "", "```", usage, "```", "", prose(command), ""]
    options = [row(option, context) for option in command.params if isinstance(option, click.Option)]
    if options:
        lines += ["| option | meaning |", "|---|---|", *options, ""]
    return "\n".join(lines)


def prose(command: click.Command) -> str:
    """The command's own words."""
    return inspect.cleandoc(command.help or "").replace("\b\n", "")


def row(option: click.Option, context: click.Context) -> str:
    """One option as a row of a table."""
    record = option.get_help_record(context)
    # A hidden option has no record; none of ours is hidden, and a page without it would not be the whole truth.
    assert record is not None, option.name
    names, meaning = (text.replace("|", "\\|") for text in record)
    return f"| `{names}` | {meaning}{variable(option)} |"


def variable(option: click.Option) -> str:
    """The environment variable that stands for an option."""
    name: Any = option.envvar
    return f" Environment: `{name}`." if name else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
