"""The way in: finds the command group, and turns every kind of trouble into words and an exit code.

Groups are loaded when they are asked for. Exit codes: 0 done, 1 the world failed, 2 author or caller must act, 70 a
fault of ours.
"""

import importlib
import sys
from typing import Final

import click

from groundplan import __version__

_BUILT_IN: Final = {
    "blueprints": "groundplan.cli.commands.blueprints:blueprints",
    "db": "groundplan.cli.commands.db:db",
    "deployments": "groundplan.cli.commands.deployments:deployments",
    "events": "groundplan.cli.commands.events:events",
    "executions": "groundplan.cli.commands.executions:executions",
    "install": "groundplan.cli.commands.shortcuts:install",
    "lsp": "groundplan.lsp.command:lsp",
    "node-instances": "groundplan.cli.commands.nodes:node_instances",
    "nodes": "groundplan.cli.commands.nodes:nodes",
    "schedules": "groundplan.cli.commands.schedules:schedules",
    "secrets": "groundplan.cli.commands.secrets:secrets",
    "uninstall": "groundplan.cli.commands.shortcuts:uninstall",
    "worker": "groundplan.cli.commands.worker:worker",
}
_EXTENSIONS: Final = "groundplan.commands"
DONE, FAILED, CALLER, OURS = 0, 1, 2, 70


class LazyGroup(click.Group):
    """Loads a command when it is asked for; commands of other packages come by entry point."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*_BUILT_IN, *_extensions()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = _BUILT_IN.get(cmd_name) or _extensions().get(cmd_name)
        if target is None:
            return None
        module, _, name = target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        _summarise(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = _near(args[0], self.list_commands(ctx)) if args else ""
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean {near!r}?", ctx) from None


def _summarise(command: click.Command) -> None:
    """Have lists of commands wrap what a command does, where click would cut it at the width of the terminal."""
    below = command.commands.values() if isinstance(command, click.Group) else ()
    for each in (command, *below):
        if each.short_help is None and each.help is not None:
            each.short_help = " ".join(each.help.partition("\n\n")[0].split())


def _near(word: str, known: list[str]) -> str:
    from groundplan.diagnostics.suggest import suggest

    return suggest(word, known)


def _extensions() -> dict[str, str]:
    from importlib.metadata import entry_points

    return {point.name: point.value for point in entry_points(group=_EXTENSIONS)}


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="groundplan", message="%(prog)s %(version)s")
def cli() -> None:
    """Groundplan runs blueprints written in the Cloudify DSL.

    A home (GROUNDPLAN_HOME, else your data folder) keeps blueprints, deployments, executions and secrets.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run a command line and leave the process with its exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit code."""
    try:
        # Outside of its standalone mode, click returns the code of an `Exit` instead of raising it.
        code = cli.main(args=arguments, prog_name="groundplan", standalone_mode=False)
    except click.Abort:
        return _say("Stopped.", FAILED)
    except click.ClickException as error:
        error.show()
        return CALLER if isinstance(error, click.UsageError) else error.exit_code
    except SystemExit:
        # What click makes of a reader who went away (`| head`); nothing more can be said.
        return DONE
    except Exception as error:
        return _explain(error)
    return code if isinstance(code, int) else DONE


def _explain(error: Exception) -> int:
    """Say what went wrong in its own kind's words."""
    from groundplan.cli.trouble import explain

    return explain(error)


def _say(text: str, code: int) -> int:
    click.echo(text, err=True)
    return code


if __name__ == "__main__":
    main()
