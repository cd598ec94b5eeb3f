"""Where the sandbox keeps things: paths below GROUNDPLAN_HOME, and files written whole or not at all.

It knows places, modes and atomicity; what stands in the files is `binding`'s and `credentials`' business.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True, kw_only=True)
class Home:
    """A Groundplan home, seen from the sandbox. `root`: absolute path; nothing is created before `prepare`."""

    root: Path

    @property
    def binding(self) -> Path:
        """The file by which the engine knows that this home is bound to a sandbox."""
        return self.root / "sandbox.json"

    @property
    def folder(self) -> Path:
        """Everything else the sandbox keeps."""
        return self.root / "sandbox"

    @property
    def lock(self) -> Path:
        """Held with flock(2), exclusively, for as long as a sandbox of this home lives."""
        return self.folder / "lock"

    @property
    def log(self) -> Path:
        """What the background process writes."""
        return self.folder / "log"

    @property
    def credentials(self) -> Path:
        """The emulated account's keys, kept over `down`."""
        return self.folder / "credentials.json"

    @property
    def machines(self) -> Path:
        """The files of the virtual machines."""
        return self.folder / "machines"

    @property
    def servers(self) -> Path:
        """The files of the cloud's clusters and databases."""
        return self.folder / "servers"

    @property
    def terraform(self) -> Path:
        """Providers and configuration for terraform."""
        return self.folder / "terraform"

    def prepare(self) -> None:
        """Make the home and the folder, readable by their owner only. Raises OSError."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)


def current_home() -> Home:
    """The home of this process: GROUNDPLAN_HOME, else the platform's data folder."""
    named = os.environ.get("GROUNDPLAN_HOME")
    return Home(root=Path(named).expanduser().absolute() if named else platformdirs.user_data_path("groundplan"))


def write_whole(path: Path, content: bytes) -> None:
    """Put `content` at `path`, mode 0600, so that a reader sees the old file or the new one. Raises OSError."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        # The temporary name means nothing to whoever reads the message.
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
