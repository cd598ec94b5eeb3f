"""Which columns are sealed, and for whom: rows are opened and sealed again when a store moves or its key changes.

Reads and writes of single nouns do not come by here; `rows` and the writers name the same owners.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Select, Table, bindparam, select, tuple_, update

from groundplan.state.seal import Proof, Seal
from groundplan.state.sql import schema
from groundplan.state.sql.codec import from_json, to_json
from groundplan.state.sql.groups import inputs_owner as group_inputs_owner
from groundplan.state.sql.rows import instance_owner, left_outcome_owner, result_owner, schedule_owner
from groundplan.state.sql.updates import inputs_owner

Row: TypeAlias = Mapping[str, Any]
_PAGE: Final = 1000
_HEAVY_PAGE: Final = 4
_HEAVY: Final = frozenset({schema.plans, schema.blueprint_files})

_OWNERS: Final[Mapping[Table, Mapping[str, Callable[[Row], str]]]] = {
    schema.deployments: {"sealed_inputs": lambda row: f"deployments/{row['id']}/inputs"},
    schema.node_instances: {"sealed_runtime_properties": lambda row: instance_owner(row["deployment_id"], row["id"])},
    schema.deployment_groups: {"sealed_inputs": lambda row: group_inputs_owner(row["id"])},
    schema.deployment_updates: {"sealed_inputs": lambda row: inputs_owner(row["id"])},
    schema.executions: {"sealed_parameters": lambda row: f"executions/{row['id']}/parameters"},
    schema.schedules: {"sealed_parameters": lambda row: schedule_owner(row["deployment_id"], row["id"])},
    schema.tasks: {"sealed_result": lambda row: result_owner(row["execution_id"], row["number"])},
    schema.left_outcomes: {
        "sealed_outcome": lambda row: left_outcome_owner(row["execution_id"], row["task"], row["number"])
    },
    schema.secrets: {"sealed_value": lambda row: f"secrets/{row['name']}"},
    schema.remembered: {"sealed_value": lambda row: f"remembered/{row['deployment_id']}/{row['key']}"},
}
_ARGUMENTS: Final = "sealed_arguments"
"""What `rows.task_details` seals inside a task's details."""


def is_sealed(table: Table, column: str) -> bool:
    """Whether a column holds sealed values."""
    return column in _OWNERS.get(table, {})


def open_row(table: Table, row: Row, seal: Seal) -> dict[str, Any]:
    """Return a row with its sealed values in clear.

    Raises:
        StoreFault: a value does not open.
    """
    return _changed(table, row, seal.open)


def close_row(table: Table, row: Row, seal: Seal) -> dict[str, Any]:
    """Return a row that `open_row` gave, sealed."""
    return _changed(table, row, seal.close)


def reseal(connection: Connection, old: Seal, new: Seal) -> int:
    """Seal every value of the store again and return how many rows that were."""
    return sum(_reseal(connection, table, old, new) for table in (*_OWNERS,))


def some_proof(connection: Connection) -> Proof | None:
    """Return a sealed value with its owner, which the right key opens; None when there is none."""
    for table, owners in _OWNERS.items():
        for name, owner in owners.items():
            row = connection.execute(select(table).where(table.c[name].is_not(None)).limit(1)).mappings().first()
            if row is not None:
                return Proof(owner=owner(dict(row)), sealed=row[name])
    return None


def pages(connection: Connection, table: Table) -> Iterator[Sequence[Row]]:
    """Yield the rows of a table by primary key, in pages, so that neither side holds them all."""
    keys = list(table.primary_key.columns)
    query = select(table).order_by(*keys).limit(page_size(table))
    found = _rows(connection, query)
    while found:
        yield found
        last = tuple_(*(found[-1][key.name] for key in keys))
        found = _rows(connection, query.where(tuple_(*keys) > last))


def page_size(table: Table) -> int:
    """Return how many rows of a table are held at once."""
    return _HEAVY_PAGE if table in _HEAVY else _PAGE


def _rows(connection: Connection, query: Select[Any]) -> Sequence[Row]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _reseal(connection: Connection, table: Table, old: Seal, new: Seal) -> int:
    names = [*_OWNERS[table], *(["details"] if table is schema.tasks else [])]
    keys = [column.name for column in table.primary_key.columns]
    statement = (
        update(table)
        .where(*(table.c[key] == bindparam(f"of_{key}") for key in keys))
        .values({name: bindparam(f"new_{name}") for name in names})
    )
    count = 0
    for page in pages(connection, table):
        changed = [(row, close_row(table, open_row(table, row, old), new)) for row in page]
        connection.execute(
            statement,
            [
                {f"of_{key}": row[key] for key in keys} | {f"new_{name}": closed[name] for name in names}
                for row, closed in changed
            ],
        )
        count += len(page)
    return count


def _changed(table: Table, row: Row, turn: Callable[[bytes, str], bytes]) -> dict[str, Any]:
    changed = dict(row)
    for name, owner in _OWNERS.get(table, {}).items():
        if row[name] is not None:
            changed[name] = turn(row[name], owner(row))
    if table is schema.tasks and _ARGUMENTS in row["details"]:
        details = from_json(row["details"])
        owner_name = f"tasks/{row['execution_id']}/{row['number']}/arguments"
        details[_ARGUMENTS] = b64encode(turn(b64decode(details[_ARGUMENTS]), owner_name)).decode()
        changed["details"] = to_json(details)
    return changed
