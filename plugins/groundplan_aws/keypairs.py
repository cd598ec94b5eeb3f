"""Key pairs: imported from a public key, or made by EC2, which tells the private key once."""

from dataclasses import replace
from typing import Any

from groundplan.model.values import Data
from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan_aws import finding, lifecycle
from groundplan_aws.target import Target, on_target


@on_target
def create(target: Target) -> Data:
    """Make the key pair. With `store_in_runtime_properties` the private key of one that EC2 made is kept in
    `create_response`.

    A pair whose private key was told to a lost attempt is of no use: it is made again.
    """
    if target.untouchable:
        lifecycle.adopt(target)
        return None
    properties = target.ctx.node.properties
    if properties.get("private_key_path"):
        target.ctx.logger.warning(f"{target}: no file is written; the key is in create_response.KeyMaterial")
    if properties.get("create_secret"):
        raise NonRecoverableError("create_secret is not done: use store_in_runtime_properties, or import a public key")
    if target.config.get("PublicKeyMaterial"):
        target = replace(target, resource=replace(target.resource, create="import_key_pair"))
    elif _lacks_its_key(target):
        _discard_lost(target)
    identifier, answer = lifecycle.obtain(target)
    if answer is None and _lacks_its_key(target):
        raise RecoverableError(f"{target}: AWS made it, and the answer with its private key was lost")
    _keep(target, answer)
    lifecycle.settle(target, identifier)
    return None


def _lacks_its_key(target: Target) -> bool:
    """Whether the private key is to be recorded, and is not; one that the author brought is never told."""
    if target.config.get("PublicKeyMaterial") or not target.ctx.node.properties.get("store_in_runtime_properties"):
        return False
    return "KeyMaterial" not in (target.record.get("create_response") or {})


def _discard_lost(target: Target) -> None:
    lost = finding.surviving(target)
    if lost is not None:
        target.ctx.logger.info(f"{target}: its private key was lost with an earlier attempt; making it again")
        target.api.call("delete_key_pair", KeyName=lost["KeyName"])


def _keep(target: Target, answer: Any) -> None:
    material = (answer or {}).get("KeyMaterial")
    if material:
        target.ctx.mask(material)
        if target.ctx.node.properties.get("store_in_runtime_properties"):
            target.record["create_response"] = {"KeyMaterial": material}
