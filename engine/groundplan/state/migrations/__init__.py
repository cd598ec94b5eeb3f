"""Brings a store to the newest form of its tables, with Alembic; one file a change in `versions/`.

A store that is newer than this program is refused rather than guessed at.
"""

from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import RevisionStep
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine

from groundplan.state.store import StoreFault


def upgrade(engine: Engine) -> None:
    """Run the migrations that the store lacks, all in one transaction.

    Raises:
        StoreFault: the store was written by a newer program.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    scripts = ScriptDirectory.from_config(config)

    def steps(revision: str, _: object) -> list[RevisionStep]:
        return list(scripts._upgrade_revs("head", revision))

    with engine.connect() as connection, EnvironmentContext(config, scripts) as context:
        # Taken before the revision is read, so that two processes cannot both make the tables.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        context.configure(connection=connection, fn=steps)
        try:
            context.run_migrations()
        except CommandError as error:
            raise StoreFault(
                f"The store has a form that this version of Groundplan does not know ({error}).",
                fix="Use the newer version that wrote it.",
            ) from error
        connection.commit()
