"""What a user hands to an operation is nowhere in the files of the home as it was written."""

import json
from pathlib import Path

from ..proof.user import user_in

BLUEPRINT = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml]
    node_templates:
      node:
        type: cloudify.nodes.Root
        interfaces:
          cloudify.interfaces.lifecycle: {create: say.sh}
"""
SAY = '#!/bin/sh\nctx returns "${#word}"\n'
CANARY = "canary-word-of-an-operation"


def test_arguments_of_an_operation_are_sealed(tmp_path: Path) -> None:
    user = user_in(tmp_path)
    user.write("shop/say.sh", SAY)
    user.upload("shop", BLUEPRINT)
    user.ok("deployments", "create", "shop", "-b", "shop")
    parameters = {
        "operation": "cloudify.interfaces.lifecycle.create",
        "operation_kwargs": {"word": CANARY},
        "allow_kwargs_override": True,
    }
    user.ok("executions", "start", "execute_operation", "-d", "shop", "-p", json.dumps(parameters))
    files = [path for path in user.home.rglob("*") if path.is_file()]
    assert [path.name for path in files if CANARY.encode() in path.read_bytes()] == []
