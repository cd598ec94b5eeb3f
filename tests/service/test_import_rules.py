"""Import rules: addresses lead where the user's file says, and what is no rule is refused."""

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from groundplan.cli.main import cli
from groundplan.diagnostics.trouble import UsageError
from groundplan.service.import_rules import RULES_VARIABLE, read_rules

MAIN = """
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml, {location}]
node_templates: {{a: {{type: far.Thing, properties: {{size: 3}}}}}}
"""
THING = "{far.Thing: {derived_from: cloudify.nodes.Root, properties: {size: {type: integer}}}}"


@pytest.fixture
def types(tmp_path: Path) -> Path:
    """A folder of types that import one another by relative paths."""
    (tmp_path / "types" / "sub").mkdir(parents=True)
    (tmp_path / "types" / "main.yaml").write_text("imports: [sub/more.yaml]")
    (tmp_path / "types" / "sub" / "more.yaml").write_text(f"node_types: {THING}")
    (tmp_path / "beyond.yaml").write_text(f"node_types: {THING}")
    return tmp_path / "types"


@pytest.fixture
def server(types: Path) -> Iterator[str]:
    """The same folder, served on loopback."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(types))) as serving:
        thread = threading.Thread(target=serving.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}/"
        serving.shutdown()
        thread.join()


def validate(folder: Path, location: str, rules: str) -> Result:
    (folder / "blueprint.yaml").write_text(MAIN.format(location=location))
    (folder / "rules.yaml").write_text(rules)
    environment = {"GROUNDPLAN_HOME": str(folder / "home"), RULES_VARIABLE: str(folder / "rules.yaml")}
    return CliRunner().invoke(cli, ["blueprints", "validate", str(folder / "blueprint.yaml")], env=environment)


def test_an_own_server_is_asked_where_a_rule_names_it(tmp_path: Path, server: str) -> None:
    done = validate(tmp_path, f"{server}main.yaml", f"- {{'{server}': '{server}'}}")
    assert done.exit_code == 0, done.output
    refused = validate(tmp_path, f"{server}main.yaml", "[]")
    assert refused.exit_code == 2
    assert "a blueprint may not name this machine" in refused.output


def test_the_first_rule_that_leads_somewhere_counts(tmp_path: Path, types: Path) -> None:
    rules = f"""
    import_resolver:
      parameters:
        rules:
          - https://types.example/v1: file:///nowhere
          - https://types.example/v: file://{types.parent}/t
          - https://types.example/v1: file://{types}
    """
    done = validate(tmp_path, "https://types.example/v1/main.yaml", rules)
    assert done.exit_code == 0, done.output


def test_no_file_beyond_that_of_the_rule_is_read(tmp_path: Path, types: Path) -> None:
    rules = f"- {{'https://127.0.0.1:9/': 'file://{types}/'}}"
    done = validate(tmp_path, "https://127.0.0.1:9/../beyond.yaml", rules)
    assert done.exit_code == 2
    assert f"leads out of {types}" in done.output


def test_a_rule_for_the_beginning_of_a_name_means_nothing_else_beside_it(tmp_path: Path, types: Path) -> None:
    beginning = str(types)[:-1]
    (types.parent / "other.yaml").write_text("secret: value")
    done = validate(
        tmp_path, "https://types.example/x/../other.yaml", f"- {{'https://types.example/': 'file://{beginning}'}}"
    )
    assert done.exit_code == 2
    assert f"leads out of {beginning}" in done.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1", "no list"),
        ("- https://a.example", "rule 1"),
        ("- {https://a.example: https://b.example, https://c.example: https://d.example}", "rule 1"),
        ("- {https://a.example: https://b.example}\n- {a: https://b.example}", "rule 2"),
        ("- {https://a.example: ftp://b.example}", "rule 1"),
        ("import_resolver: {implementation: 'a:B'}", "not run"),
        ("- [", "no YAML"),
    ],
)
def test_what_is_no_rule_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "rules.yaml").write_text(text)
    with pytest.raises(UsageError, match=words):
        read_rules({RULES_VARIABLE: str(tmp_path / "rules.yaml")})


def test_a_file_of_rules_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_rules({RULES_VARIABLE: str(tmp_path / "none")})
    assert read_rules({}) == ()
