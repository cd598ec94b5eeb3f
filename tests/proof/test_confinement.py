"""Scripts of a home bound to the sandbox see nothing of the computer they run on.

A canary lies in HOME and in the Groundplan home, and a listener waits on loopback. A script on an emulated machine
finds neither; a local script, which keeps this computer's network, finds no file.
"""

import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from .user import ROOT, User, eventually, sandboxed, user_in

pytestmark = pytest.mark.slow

SPY = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml, plugin:cloudify-fabric-plugin]
    inputs: {home: {}, folder: {}, port: {}}
    node_templates:
      network:
        type: cloudify.nodes.SharedResource
        properties: {resource_config: {deployment: {id: net}}}
      there:
        type: cloudify.nodes.Root
        interfaces:
          cloudify.interfaces.lifecycle:
            create:
              implementation: fabric.fabric_plugin.tasks.run_script
              inputs:
                script_path: scripts/spy.sh
                fabric_env:
                  host: {get_attribute: [network, capabilities, k8s_vm_ip]}
                  user: centos
                  connect_kwargs: {pkey: {get_secret: private_key_content}}
                home: {get_input: home}
                folder: {get_input: folder}
                port: {get_input: port}
        relationships: [{type: cloudify.relationships.depends_on, target: network}]
      here:
        type: cloudify.nodes.Root
        interfaces:
          cloudify.interfaces.lifecycle:
            create:
              implementation: scripts/spy.sh
              inputs:
                home: {get_input: home}
                folder: {get_input: folder}
                port: {get_input: port}
    capabilities:
      there: {value: {get_attribute: [there, seen]}}
      here: {value: {get_attribute: [here, seen]}}
"""

LOOK = """
    #!/bin/bash
    seen="began"
    for place in "$folder" "$home" ~ /root; do
      [ -e "$place/canary" ] && seen="$seen file:$place"
    done
    bird=CANA  # Written apart, so that this file is no find.
    grep -rqs "${bird}RY" "$folder" "$home" && seen="$seen content"
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then seen="$seen listener"; fi
    tr '\\0' '\\n' < /proc/self/environ | grep -q GROUNDPLAN_HOME && seen="$seen environment"
    ctx instance runtime-properties seen "$seen"
"""

INPUTS = """
    resource_prefix: net
    aws_region_name: us-west-1
    availability_zones: [us-west-1a, us-west-1c]
    ami_id: ami-08d2d8b00f270d03b
    instance_type: t2.medium
"""


@pytest.fixture
def spy(tmp_path: Path) -> Iterator[User]:
    """A user with a machine in the sandbox and the spying blueprint uploaded."""
    with sandboxed(user_in(tmp_path)) as user:
        user.ok("blueprints", "upload", "--all", ROOT / "blueprints")
        user.ok("deployments", "create", "net", "-b", "aws_single_node", "-i", user.write("net.yaml", INPUTS))
        user.install("net")
        user.write("spy/scripts/spy.sh", LOOK.lstrip("\n"))
        user.upload("spy", SPY)
        yield user


@pytest.fixture
def listener() -> Iterator[tuple[int, list[str]]]:
    """A port on loopback, and who came."""
    came: list[str] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            while True:
                try:
                    connection, address = server.accept()
                except OSError:
                    return
                came.append(address[0])
                connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], came
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_scripts_find_no_canary(spy: User, listener: tuple[int, list[str]]) -> None:
    port, came = listener
    for folder in (spy.folder, spy.home):
        (folder / "canary").write_text(f"CANARY {secrets.token_hex(8)}")
    look = f"home={spy.home};folder={spy.folder};port={port}"
    spy.ok("deployments", "create", "spy", "-b", "spy", "-i", look)

    with socket.create_connection(("127.0.0.1", port)):
        pass  # A process outside of the sandbox is heard.
    eventually(lambda: len(came) == 1, what="the visit")
    spy.install("spy")

    seen = spy.capabilities("spy")
    assert seen["there"] == "began"
    assert seen["here"].replace(" listener", "") == "began"
    assert len(came) <= 1 + seen["here"].count("listener")
