"""Lays out what terraform finds in a bound home: a mirror with the stand-in provider, and a configuration naming it.

The mirror is the only place where providers come from: what it does not have cannot be had, so that nothing of a bound
home reaches a real account. What the provider does is `aws`' matter.
"""

import platform
import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

import msgspec

import groundplan_sandbox

_HERE: Final = Path(__file__).resolve().parent
_NAMESPACES: Final = ("registry.terraform.io/hashicorp", "registry.opentofu.org/hashicorp")
"""How a provider without an address of its own is called by terraform, and by tofu. Nothing is asked there."""
_VERSIONS: Final = ("3.22.0", "3.76.1", "4.67.0", "5.100.0", "6.22.1")
"""What the stand-in offers itself as, for modules that ask for a version."""
_ADDRESSES: Final = {
    "https://github.com/cloudify-community/tf-vpc/": "tf-vpc",
    "https://github.com/cloudify-community/tf-bucket/": "tf-bucket",
}
"""Addresses of modules, by prefix, and which of `modules` stands in: of the same variables, resources and outputs."""
_CONFIGURATION: Final = """disable_checkpoint = true
provider_installation {{
  filesystem_mirror {{
    path = {path}
  }}
}}
"""
_PROGRAM: Final = """#!/bin/sh
# A stand-in of the sandbox for the provider hashicorp/aws: a few of its resources, made in the emulated AWS.
exec {python} -P -m groundplan_sandbox.terraform.aws "$@"
"""


class Providers(msgspec.Struct, frozen=True, kw_only=True):
    """The section `terraform` of sandbox.json.

    Attributes:
        environment: what the binary has in its environment, before all that a blueprint says.
        modules: folders that stand in for addresses, by the prefix of the address.
        shown: files and folders that the binary and its providers must be able to read.
    """

    environment: dict[str, str]
    modules: dict[str, str]
    shown: list[str]


def lay_mirror(folder: Path, aws_url: str) -> Providers:
    """Write the mirror anew and return what a home must know of it.

    Args:
        folder: of the mirror, below the sandbox's.
        aws_url: of the emulated AWS.

    Raises:
        OSError: it cannot be written.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    program = folder / "terraform-provider-aws"
    program.write_text(_PROGRAM.format(python=shlex.quote(sys.executable)))
    program.chmod(0o700)
    for namespace in _NAMESPACES:
        for version in _VERSIONS:
            place = folder / "mirror" / namespace / "aws" / version / _target()
            place.mkdir(parents=True)
            (place / f"terraform-provider-aws_v{version}").symlink_to(program)
    configuration = folder / "terraform.rc"
    configuration.write_text(_CONFIGURATION.format(path=msgspec.json.encode(str(folder / "mirror")).decode()))
    package = Path(groundplan_sandbox.__file__).resolve().parent
    return Providers(
        environment={
            "TF_CLI_CONFIG_FILE": str(configuration),
            "AWS_ENDPOINT_URL": aws_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        },
        modules={address: str(_HERE / "modules" / name) for address, name in _ADDRESSES.items()},
        shown=[str(folder), str(package), *dict.fromkeys((sys.prefix, sys.base_prefix))],
    )


def _target() -> str:
    """The platform as Terraform calls it, `linux_amd64`."""
    machine = platform.machine().lower()
    return f"{sys.platform}_{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"
