"""Gets the texts that lie outside of a blueprint's folder (`dsl.fetch.Fetch`): manifests, addresses, blueprints.

An address is fetched only where the home is not bound to the sandbox: what runs there touches no network. Where it
leads is said by the user's rules first (`import_rules`).
"""

from collections.abc import Callable, Mapping, Sequence

from groundplan.dsl.fetch import FetchError, Text
from groundplan.dsl.folder import DiskFolder, SourceFile
from groundplan.model.ids import BlueprintId
from groundplan.model.plugin import PluginManifest
from groundplan.service.blueprint_files import BlueprintFiles
from groundplan.service.download import download
from groundplan.service.import_rules import ImportRule
from groundplan.service.plugins import choose
from groundplan.state.store import Store


class HomeFetch:
    """Implements `dsl.fetch.Fetch` for one home.

    Plugins and store are asked for when something is fetched: most of the time that checking a small blueprint takes
    would else be theirs.
    """

    def __init__(
        self,
        manifests: Callable[[], Mapping[str, PluginManifest]],
        store: Callable[[], Store],
        files: BlueprintFiles,
        *,
        rules: Callable[[], Sequence[ImportRule]] = tuple,
        offline: bool,
    ) -> None:
        self._manifests = manifests
        self._store = store
        self._files = files
        self._rules = rules
        self._offline = offline

    def plugin(self, name: str, specifiers: str) -> Text | None:
        found = choose(self._manifests(), name, specifiers)
        return None if found is None else Text(f"plugin:{name}", found.text)

    def url(self, location: str) -> Text:
        tried = []
        for rule in self._rules():
            if location.startswith(rule.prefix):
                try:
                    return rule.read(location, offline=self._offline)
                except FetchError as error:
                    tried.append(f"the rule for {rule.prefix}: {error}")
        try:
            return self._as_written(location)
        except FetchError as error:
            raise FetchError("; ".join([*tried, str(error)])) from error

    def _as_written(self, location: str) -> Text:
        if self._offline:
            raise FetchError("this home is bound to the sandbox, where nothing is fetched")
        if not location.startswith(("http://", "https://")):
            raise FetchError("only http and https addresses are fetched")
        return Text(location, download(location))

    def blueprint(self, blueprint_id: str) -> SourceFile | None:
        with self._store().snapshot() as snapshot:
            found = snapshot.blueprint(BlueprintId(blueprint_id))
        if found is None:
            return None
        return SourceFile(DiskFolder(self._files.folder(found.digest)), found.main_file)
