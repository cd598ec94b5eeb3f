"""Where a user's state lives, and what binds that home to the sandbox (`service.settings` reads the binding).

The folder is GROUNDPLAN_HOME, else the platform's folder for a user's data.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from platformdirs import user_data_path

from groundplan.diagnostics.trouble import UsageError
from groundplan.model.ids import DeploymentId, Digest

VARIABLE: Final = "GROUNDPLAN_HOME"


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """The folder of a user's state."""

    path: Path

    @property
    def database(self) -> Path:
        """The store."""
        return self.path / "state.db"

    @property
    def binding(self) -> Path:
        """Binds the home to a sandbox while it is there."""
        return self.path / "sandbox.json"

    @property
    def sandbox_lock(self) -> Path:
        """Locked by a sandbox as long as it lives."""
        return self.path / "sandbox" / "lock"

    @property
    def blueprints(self) -> Path:
        """Files of uploaded blueprints, by digest."""
        return self.path / "blueprints"

    @property
    def scratch(self) -> Path:
        """Folders of attempts that run."""
        return self.path / "scratch"

    @property
    def lasting(self) -> Path:
        """What operations leave on this machine for the case that they are cut off, by deployment."""
        return self.path / "lasting"

    @property
    def cache(self) -> Path:
        """What plugins could get again, by plugin."""
        return self.path / "cache"

    def blueprint_folder(self, digest: Digest) -> Path:
        """Return where the files of a blueprint's content are."""
        return self.blueprints / digest

    def deployment_folder(self, deployment: DeploymentId) -> Path:
        """Return the deployment's own resources (spec 7.1)."""
        return self.path / "deployments" / deployment

    def folders_of(self, deployment: DeploymentId) -> tuple[Path, ...]:
        """Return the folders that go with a deployment."""
        return self.deployment_folder(deployment), self.lasting / deployment


def find_home(environment: Mapping[str, str] = os.environ) -> Home:
    """Return the home that the environment names, without making it."""
    named = environment.get(VARIABLE)
    return Home(path=Path(named).expanduser().absolute() if named else user_data_path("groundplan"))


def prepare(home: Home) -> None:
    """Make the folders of a home, readable by their owner only.

    Raises:
        UsageError: a folder cannot be made or written, or everybody may write the home.
    """
    try:
        for folder in (home.path, home.blueprints, home.scratch):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"The home {home.path} cannot be used: {error.strerror or error}.",
            fix=f"Make it writable, or name another folder in {VARIABLE}.",
        ) from error
    if not os.access(home.path, os.W_OK):
        raise UsageError(
            f"The home {home.path} is read-only.", fix=f"Make it writable, or name another folder in {VARIABLE}."
        )
    if home.path.stat().st_mode & stat.S_IWOTH:
        raise UsageError(f"Everybody may write the home {home.path}.", fix=f"chmod 700 {home.path}")
