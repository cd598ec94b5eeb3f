"""What attempts need to know of the home they run in; `service.settings` writes it.

Read anew for each attempt: the sandbox's machines come and go while an execution runs.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from groundplan.model.blueprint import Blueprint
from groundplan.model.deployment import Deployment
from groundplan.model.values import Data


class Surroundings(Protocol):
    """The home, its binding to the sandbox, and where files are."""

    @property
    def sandboxed(self) -> bool:
        """Whether the home is bound to the sandbox."""

    @property
    def unconfined(self) -> bool:
        """Whether local scripts may run without confinement in a bound home."""

    @property
    def scratch(self) -> Path:
        """The folder in which attempts get a folder of their own."""

    @property
    def lasting(self) -> Path:
        """The folder in which instances have what must outlive an attempt that was cut off."""

    @property
    def cache(self) -> Path:
        """The folder in which plugins keep what they could get again."""

    @property
    def hidden(self) -> Sequence[Path]:
        """Folders that confined scripts must not see."""

    def check(self) -> None:
        """Make sure that what the home is bound to answers.

        Raises:
            NonRecoverableError: the home is bound to a sandbox that is down.
        """

    def settings(self, plugin: str) -> Mapping[str, Data]:
        """Return the home's settings for a plugin, by the short name of its manifest."""

    def folders(self, deployment: Deployment) -> Sequence[Path]:
        """Return where the deployment's resources are: its own folder first, then its blueprint's."""

    def imported(self, blueprint: Blueprint) -> Mapping[str, Path]:
        """Return the folder of the imported blueprint behind each of a blueprint's namespaces."""
