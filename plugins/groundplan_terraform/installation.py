"""Operations of `cloudify.nodes.terraform`: which binary its modules are applied with. Nothing is fetched or installed.

What is done with a module says `tasks`.
"""

from typing import Final

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.operation import operation
from groundplan_terraform.client import Tool, find_tool

EXECUTABLE: Final = "executable_path"
_OWN: Final = (EXECUTABLE, "program", "version")


@operation()
def install(ctx: OperationContext, /, *, installation_source: str = "", **_: Data) -> None:
    """Note which binary of this machine is used; `installation_source` is not fetched, and a warning says so.

    Raises:
        NonRecoverableError: there is none.
    """
    given = ctx.node.properties.get("resource_config") or {}
    named = str((ctx.node.properties.get("terraform_config") or {}).get(EXECUTABLE) or "")
    # The published plugin installs to that place; only with use_existing_resource the program must be there already.
    tool = find_tool(ctx, named=named) if given.get("use_existing_resource") else find_tool(ctx, noted=named)
    wanted = installation_source or given.get("installation_source")
    if wanted:
        ctx.logger.warning(f"installation_source is not fetched ({wanted}): {tool} is used")
    else:
        ctx.logger.info(f"{tool} is used")
    if given.get("plugins"):
        ctx.logger.warning(f"plugins are not fetched ({', '.join(given['plugins'])}): init gets what modules require")
    _note(ctx, tool)


@operation()
def uninstall(ctx: OperationContext, /, **_: Data) -> None:
    """Forget the binary; it stays where it is."""
    for name in _OWN:
        ctx.instance.runtime_properties.pop(name, None)


@operation()
def set_directory_config(ctx: OperationContext, /, **_: Data) -> None:
    """Have a module (the relationship's source) use the binary of the target."""
    if ctx.source is None or ctx.target is None:
        raise NonRecoverableError("this is an operation of the relationship run_on_host")
    path = ctx.target.instance.runtime_properties.get(EXECUTABLE)
    if path:
        ctx.source.instance.runtime_properties[EXECUTABLE] = path


def _note(ctx: OperationContext, tool: Tool) -> None:
    ctx.instance.runtime_properties.update({EXECUTABLE: str(tool.path), "program": tool.name, "version": tool.version})
