"""Reading text is quick to start: beyond the standard library it loads YAML, msgspec and ourselves only."""

import subprocess
import sys

_LOADED = """
import sys
before = set(sys.modules)
import groundplan.dsl.compile
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(" ".join(sorted(name for name in new - set(sys.stdlib_module_names) if not name.startswith("_cython_"))))
"""


def test_reading_loads_nothing_it_does_not_need() -> None:
    run = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True)
    of_yaml_msgspec_and_regex = {"_yaml", "cython_runtime", "msgspec", "regex", "typing_extensions", "yaml"}
    assert set(run.stdout.split()) <= of_yaml_msgspec_and_regex | {"groundplan"}
