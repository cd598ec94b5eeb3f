"""Operations of roles: create, delete, check_status.

A role that the instance made carries its mark, written in the transaction that made it. Runtime properties: name,
external.
"""

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.operation import operation
from groundplan_postgres.client import RoleFacts, RoleWishes, Server, connect
from groundplan_postgres.failures import DEPENDENT_OBJECTS, RefusedError
from groundplan_postgres.ownership import is_external, mark_of, name_of


@operation()
def create(ctx: OperationContext, /, **_: Data) -> None:
    """Create the role, or find the external one; what an earlier attempt made is brought to what the node says."""
    name = name_of(ctx)
    with connect(ctx) as server:
        found = server.role(name)
        if is_external(ctx):
            if found is None:
                raise NonRecoverableError(f"there is no role {name}, and it is declared external")
            ctx.logger.info(f"role {name} is external and is left as it is")
        else:
            own(ctx, server, name, found)
    ctx.instance.runtime_properties.update(name=name, external=is_external(ctx))


def own(ctx: OperationContext, server: Server, name: str, found: RoleFacts | None) -> None:
    if found is None:
        server.create_role(name, wishes_of(ctx), mark_of(ctx))
        ctx.logger.info(f"role {name} created")
    elif found.comment == mark_of(ctx):
        server.change_role(name, wishes_of(ctx))
    else:
        raise NonRecoverableError(
            f"role {name} exists and belongs to {found.comment or 'somebody else'}; "
            "choose another name, or set use_external_resource"
        )


def wishes_of(ctx: OperationContext) -> RoleWishes:
    properties = ctx.node.properties
    groups = properties.get("member_of") or []
    if not isinstance(groups, list):
        raise NonRecoverableError("the property member_of must be a list of names")
    return RoleWishes(
        login=bool(properties.get("login", True)),
        create_databases=bool(properties.get("create_databases")),
        create_roles=bool(properties.get("create_roles")),
        password=str(properties.get("password") or "") or None,
        member_of=[str(group) for group in groups],
    )


@operation()
def delete(ctx: OperationContext, /, **_: Data) -> None:
    """Drop the role if the instance made it."""
    name = name_of(ctx)
    if is_external(ctx):
        ctx.logger.info(f"role {name} is external and is not dropped")
    else:
        with connect(ctx) as server:
            drop(ctx, server, name)
    ctx.instance.runtime_properties.clear()


def drop(ctx: OperationContext, server: Server, name: str) -> None:
    found = server.role(name)
    if found is None:
        return
    if found.comment != mark_of(ctx):
        if "name" in ctx.instance.runtime_properties:
            raise NonRecoverableError(f"role {name} lost its comment, so it is not dropped; drop it by hand")
        ctx.logger.info(f"role {name} is not this instance's and is not dropped")
        return
    try:
        server.drop_role(name)
    except RefusedError as error:
        if error.code != DEPENDENT_OBJECTS:
            raise
        raise NonRecoverableError(f"role {name} still owns something: {error.detail or error}") from error
    ctx.logger.info(f"role {name} dropped")


@operation()
def check_status(ctx: OperationContext, /, **_: Data) -> Data:
    """Ask the server whether the role is there; NonRecoverableError when it is not."""
    name = name_of(ctx)
    with connect(ctx) as server:
        found = server.role(name)
    if found is None:
        raise NonRecoverableError(f"there is no role {name}")
    return {"name": name, "login": found.login}
