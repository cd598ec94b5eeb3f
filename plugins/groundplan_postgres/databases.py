"""Operations of databases: create, delete, check_status.

A database that the instance made carries its mark. Runtime properties: name, owner, host, port, external.
"""

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.operation import operation
from groundplan_postgres.client import DatabaseFacts, Server, connect
from groundplan_postgres.ownership import is_external, mark_of, name_of

ROLE_TYPE = "groundplan.nodes.postgres.Role"


@operation()
def create(ctx: OperationContext, /, **_: Data) -> None:
    """Create the database, or find the external one."""
    name = name_of(ctx)
    with connect(ctx) as server:
        if is_external(ctx):
            found = server.database(name)
            if found is None:
                raise NonRecoverableError(f"there is no database {name}, and it is declared external")
            ctx.logger.info(f"database {name} is external and is left as it is")
            owner = found.owner
        else:
            owner = wanted_owner(ctx, server)
            own(ctx, server, name, owner)
    ctx.instance.runtime_properties.update(name=name, owner=owner, external=is_external(ctx), **address_of(ctx))


def own(ctx: OperationContext, server: Server, name: str, owner: str) -> None:
    """Create the database and mark it, or find the one that an earlier attempt made."""
    found = server.database(name)
    if found is None:
        ctx.instance.runtime_properties["making"] = name
        server.create_database(name, owner, str(ctx.node.properties.get("encoding") or "UTF8"))
        ctx.logger.info(f"database {name} created")
    elif found.comment != mark_of(ctx):
        refuse_others(ctx, found, name, owner)
    elif found.owner != owner:
        server.give_database(name, owner)
    server.mark_database(name, mark_of(ctx))
    ctx.instance.runtime_properties.pop("making", None)


def refuse_others(ctx: OperationContext, found: DatabaseFacts, name: str, owner: str) -> None:
    """Raises NonRecoverableError unless the database is what an attempt left that was cut off before it could mark it.

    Creating and marking are two statements, for CREATE DATABASE takes no part in a transaction.
    """
    cut_off = ctx.instance.runtime_properties.get("making") == name or bool(ctx.operation.lost_attempt)
    if found.comment is None and found.owner == owner and cut_off:
        return
    raise NonRecoverableError(
        f"database {name} exists and belongs to {found.comment or found.owner}; "
        "choose another name, or set use_external_resource"
    )


def wanted_owner(ctx: OperationContext, server: Server) -> str:
    """The owner that the node names, else the related Role node's, else the connecting role."""
    if owner := ctx.node.properties.get("owner"):
        return str(owner)
    for neighbour in ctx.neighbours:
        if neighbour.outgoing and neighbour.node.is_a(ROLE_TYPE):
            return str(neighbour.instance.runtime_properties.get("name") or server.user)
    return server.user


def address_of(ctx: OperationContext) -> dict[str, Data]:
    config = ctx.node.properties.get("client_config")
    given = config if isinstance(config, dict) else {}
    return {"host": given.get("host"), "port": given.get("port") or 5432}


@operation()
def delete(ctx: OperationContext, /, **_: Data) -> None:
    """Drop the database if the instance made it."""
    name = name_of(ctx)
    if is_external(ctx):
        ctx.logger.info(f"database {name} is external and is not dropped")
    else:
        with connect(ctx) as server:
            drop(ctx, server, name)
    ctx.instance.runtime_properties.clear()


def drop(ctx: OperationContext, server: Server, name: str) -> None:
    found = server.database(name)
    if found is None:
        return
    if found.comment != mark_of(ctx):
        if "name" in ctx.instance.runtime_properties:
            raise NonRecoverableError(f"database {name} lost its comment, so it is not dropped; drop it by hand")
        ctx.logger.info(f"database {name} is not this instance's and is not dropped")
        return
    server.drop_database(name, disconnect_users=bool(ctx.node.properties.get("disconnect_users")))
    ctx.logger.info(f"database {name} dropped")


@operation()
def check_status(ctx: OperationContext, /, **_: Data) -> Data:
    """Ask the server whether the database is there; NonRecoverableError when it is not."""
    name = name_of(ctx)
    with connect(ctx) as server:
        found = server.database(name)
    if found is None:
        raise NonRecoverableError(f"there is no database {name}")
    return {"name": name, "owner": found.owner}
