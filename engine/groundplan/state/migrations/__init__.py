"""Brings a store to the newest form of its tables, with Alembic; one file a change in `versions/`.

A store that is newer than this program is refused rather than guessed at.
"""

from pathlib import Path
from typing import Final

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import RevisionStep
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from groundplan.state.store import StoreFault

_BY_LOCALE: Final = text(
    "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema()"
    " AND data_type IN ('text', 'character varying') AND collation_name IS DISTINCT FROM 'C'"
    " AND table_name <> 'alembic_version'"
)


def upgrade(connection: Connection, to: str = "head") -> None:
    """Run the migrations that the store lacks, in the transaction of the caller's, who commits.

    Args:
        to: the revision to stop at.

    Raises:
        StoreFault: the store was written by a newer program.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    scripts = ScriptDirectory.from_config(config)

    def steps(revision: str, _: object) -> list[RevisionStep]:
        return list(scripts._upgrade_revs(to, revision))

    with EnvironmentContext(config, scripts) as context:
        context.configure(connection=connection, fn=steps)
        try:
            context.run_migrations()
        except CommandError as error:
            raise StoreFault(
                f"The store has a form that this version of Groundplan does not know ({error}).",
                fix="Use the newer version that wrote it.",
            ) from error
    if connection.dialect.name == "postgresql":
        _sort_by_code_points(connection)


def _sort_by_code_points(connection: Connection) -> None:
    """Have text sort as it does in SQLite, whatever the locale of the database."""
    for table, column, kind in connection.execute(_BY_LOCALE).all():
        connection.exec_driver_sql(f'ALTER TABLE "{table}" ALTER COLUMN "{column}" TYPE {kind} COLLATE "C"')
