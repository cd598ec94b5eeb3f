"""Takes a store apart into records of plain JSON and puts it together again, on whichever database.

Values travel in clear, for the file that holds them is sealed whole (`state.archive`); the target seals them with its
own key. Records are `["table", NAME, COLUMN...]`, then `["row", VALUE...]` for each row, at last `["end", ROWS]`.
Bytes that are no sealed JSON are in base64. The key's check and the workers that serve a store stay where they are.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, LargeBinary, Table, insert, select

from groundplan.diagnostics.trouble import UsageError
from groundplan.model.values import is_sensitive_name
from groundplan.state.seal import Seal
from groundplan.state.sql import schema
from groundplan.state.sql.codec import SENSITIVE, from_json, to_json
from groundplan.state.sql.sealed import close_row, is_sealed, open_row, page_size, pages

WITHHELD: Final = "(not exported)"
_STAYS: Final = frozenset({schema.keys, schema.workers})
_SECRET: Final = frozenset({schema.secrets, schema.remembered})
_CONTENT: Final = (
    schema.blueprints,
    schema.deployments,
    schema.executions,
    schema.secrets,
    schema.events,
    schema.deployment_groups,
)
_TABLES: Final = {table.name: table for table in schema.metadata.sorted_tables if table not in _STAYS}


def dump(connection: Connection, seal: Seal, *, without_secrets: bool) -> Iterator[list[Any]]:
    """Yield the records of a store.

    Args:
        without_secrets: leave out secrets and what is remembered, and put a word in the place of sensitive values.

    Raises:
        StoreFault: a value does not open.
    """
    count = 0
    for name, table in _TABLES.items():
        if without_secrets and table in _SECRET:
            continue
        columns = [str.__str__(column.name) for column in table.columns]
        yield ["table", str.__str__(name), *columns]
        for page in pages(connection, table):
            for row in page:
                clear = _withheld(open_row(table, row, seal)) if without_secrets else open_row(table, row, seal)
                yield ["row", *(_outward(table, column, clear[column]) for column in columns)]
            count += len(page)
    yield ["end", count]


class Loader:
    """Fills an empty store, in the transaction of its caller."""

    def __init__(self, connection: Connection, seal: Seal) -> None:
        self._connection = connection
        self._seal = seal

    def is_empty(self) -> bool:
        """Whether the store has nothing that somebody would miss."""
        return all(self._connection.execute(select(table).limit(1)).first() is None for table in _CONTENT)

    def load(self, records: Iterator[Sequence[Any]]) -> int:
        """Write all records and return how many rows that were.

        Raises:
            UsageError: they are not what `dump` writes.
        """
        for table in reversed(_TABLES.values()):
            # Left over from blueprints that are gone, and plugins, which are read again.
            self._connection.execute(table.delete())
        table, columns, waiting, count = schema.blueprints, list[str](), list[dict[str, Any]](), 0
        for record in records:
            if record[0] == "row":
                waiting.append(self._inward(table, columns, record[1:]))
                count += 1
            if waiting and (record[0] != "row" or len(waiting) >= page_size(table)):
                self._connection.execute(insert(table), waiting)
                waiting = []
            if record[0] == "table":
                table, columns = _table(record)
            elif record[0] == "end" and record[1] != count:
                raise UsageError(f"The export says that it has {record[1]} rows, and has {count}.")
        return count

    def _inward(self, table: Table, columns: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
        row: dict[str, Any] = dict(zip(columns, values, strict=True))
        for column in table.columns:
            value = row[column.name]
            if isinstance(column.type, LargeBinary) and value is not None:
                row[column.name] = value.encode() if is_sealed(table, column.name) else b64decode(value)
        if table is schema.executions:
            # Whoever drives it drives it there.
            row |= {"driver": None, "heartbeat": None, "on_temporal": False}
        return close_row(table, row, self._seal)


def counted() -> Sequence[str]:
    """Return the tables whose rows the database numbers."""
    return [name for name, table in _TABLES.items() if table.autoincrement_column is not None]


def _table(record: Sequence[Any]) -> tuple[Table, list[str]]:
    _, name, *columns = record
    table = _TABLES.get(name)
    if table is None or set(columns) != {column.name for column in table.columns}:
        raise UsageError(f"The export has a table {name!r} of a form that is not known.")
    return table, columns


def _outward(table: Table, column: str, value: Any) -> Any:
    if not isinstance(value, bytes | memoryview):
        return value
    return bytes(value).decode() if is_sealed(table, column) else b64encode(value).decode()


def _withheld(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return an opened row without its sensitive values."""
    changed = dict(row)
    for name, value in row.items():
        if name.startswith("sealed_") and value is not None:
            changed[name] = to_json(_blank(from_json(value))).encode()
    details = row.get("details")
    if details is not None and "sealed_arguments" in details:
        # They come from parameters, and stand in a form of their own.
        kept = from_json(details)
        clear = _blank(from_json(b64decode(kept["sealed_arguments"]).decode()))
        changed["details"] = to_json({**kept, "sealed_arguments": b64encode(to_json(clear).encode()).decode()})
    return changed


def _blank(data: Any) -> Any:
    if isinstance(data, list):
        return [_blank(item) for item in data]
    if not isinstance(data, dict):
        return data
    if len(data) == 1 and SENSITIVE in data:
        return {SENSITIVE: WITHHELD}
    return {key: {SENSITIVE: WITHHELD} if _is_secret(key, item) else _blank(item) for key, item in data.items()}


def _is_secret(key: str, item: Any) -> bool:
    """Whether a text may not be seen for its name; the name of a secret may."""
    return isinstance(item, str) and key != "get_secret" and is_sensitive_name(key)
