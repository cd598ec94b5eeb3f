"""The files of a deployment and of its blueprint, as operations may read them.

Nothing outside the given folders is reachable, links followed; templates are rendered by Jinja2's sandbox over plain
data and see no engine object. Uploading and unpacking a blueprint is the service's work.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from jinja2.sandbox import ImmutableSandboxedEnvironment

from groundplan.model.values import Data
from groundplan.runtime.foreign.view import view
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError

_MARKS = ("{{", "{%", "{#")


class FolderResources:
    """Files below folders, looked for in their order (spec 7.1).

    Args:
        folders: the deployment's own folder, the blueprint's, the engine's.
        namespaces: folder of the imported blueprint for each `NS` of a path `NS--scripts/start.sh`.
        context: gives what templates see as `ctx`.
    """

    def __init__(
        self, folders: Sequence[Path], context: Callable[[], OperationContext], namespaces: Mapping[str, Path]
    ) -> None:
        self._folders = tuple(folders)
        self._context = context
        self._namespaces = dict(namespaces)

    def path(self, path: str) -> Path:
        """Return the place of a file or folder.

        Raises:
            NonRecoverableError: there is none, or it lies outside.
        """
        if Path(path).is_absolute():
            raise NonRecoverableError(f"the resource {path} is an absolute path; give one relative to the blueprint")
        found = next(filter(None, (_found(name, folders, path) for name, folders in self._candidates(path))), None)
        if found is None:
            raise NonRecoverableError(f"the blueprint has no resource {path}")
        return found

    def _candidates(self, path: str) -> Iterator[tuple[str, Sequence[Path]]]:
        """Yield the names that a path may mean, with the folders to look in: what is in a namespace is so by its path
        only, in the folder of the imported blueprint, or in our own where a mere file was imported."""
        yield path, self._folders
        names = path.split("--")
        folders = self._folders
        for count in range(1, len(names)):
            if "/" in names[count - 1]:
                return
            imported = self._namespaces.get("--".join(names[:count]))
            folders = folders if imported is None else (imported,)
            yield "--".join(names[count:]), folders

    def read(self, path: str) -> bytes:
        found = self.path(path)
        if not found.is_file():
            raise NonRecoverableError(f"the resource {path} is a folder, not a file")
        return found.read_bytes()

    def render(self, path: str, variables: Mapping[str, Data]) -> str:
        """Return the file's text rendered; text without Jinja's marks comes back as it is.

        Raises:
            NonRecoverableError: the file is not there or not text, a variable is called `ctx`, or the template is
                wrong or asks for what the sandbox refuses.
        """
        if "ctx" in variables:
            raise NonRecoverableError(f"rendering {path}: ctx is not a name for a variable of a template")
        try:
            text = self.read(path).decode()
        except UnicodeDecodeError:
            raise NonRecoverableError(f"the resource {path} is not text") from None
        if not any(mark in text for mark in _MARKS):
            return text
        environment = ImmutableSandboxedEnvironment(keep_trailing_newline=True, autoescape=False)
        try:
            return environment.from_string(text).render(ctx=view(self._context()), **variables)
        except Exception as error:  # a template's expressions raise whatever they like
            raise NonRecoverableError(f"rendering {path}: {error}") from error


def _found(path: str, folders: Sequence[Path], shown: str) -> Path | None:
    for folder in folders:
        root = folder.resolve()
        try:
            found = (root / path).resolve()
            if not found.is_relative_to(root):
                raise NonRecoverableError(f"the resource {shown} lies outside the blueprint's folder")
            if found.exists():
                return found
        except (OSError, ValueError, RuntimeError):  # a name too long, with a NUL, a ring of links: no such file
            continue
    return None
