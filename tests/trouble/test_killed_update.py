"""An update at the terminal: previewed, killed in the middle with its process group, resumed, and read afterwards."""

from pathlib import Path

from ..proof.user import User


def blueprint(folder: Path, nodes: str) -> Path:
    """Write a blueprint of these nodes."""
    folder.mkdir()
    head = "tosca_definitions_version: cloudify_dsl_1_5\nimports: [cloudify/types/types.yaml, plugin:groundplan-nop]\n"
    (folder / "blueprint.yaml").write_text(f"{head}node_templates:\n{nodes}")
    return folder


def test_an_update_that_is_killed_goes_on(user: User, tmp_path: Path) -> None:
    old = blueprint(tmp_path / "shop", "  db: {type: groundplan.nodes.Nop}\n  old: {type: groundplan.nodes.Nop}\n")
    user.ok("install", old)
    slow = "{type: groundplan.nodes.Nop, properties: {seconds: 0.05}}"
    new = blueprint(tmp_path / "new", f"  db: {{type: groundplan.nodes.Nop}}\n  new: {slow}\n")
    shown = user.ok("deployments", "update", "shop", "-p", new, "--preview")
    assert "remove  node          nodes: old" in shown
    assert "add     node          nodes: new" in shown
    with user.running("deployments", "update", "shop", "-p", new) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "new_" in line:
                break
        process.kill()
    previewed, begun = user.json("deployments", "history", "-d", "shop")
    assert (previewed["state"], begun["state"]) == ("preview", "executing_workflow")
    user.ok("executions", "resume", begun["execution_id"])
    found = user.json("node-instances", "list", "-d", "shop")
    assert {item["node_id"]: item["state"] for item in found} == {"db": "started", "new": "started"}
    assert "successful" in user.ok("deployments", "get-update", begun["id"])
