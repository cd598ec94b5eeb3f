"""An interface that a managed service puts into somebody's subnet: while it is there, subnet and groups stay.

What the service is, and when it goes, is the service's affair.
"""

from collections.abc import Sequence
from typing import Any


def attach(ec2: Any, subnet_id: str, group_ids: Sequence[str], description: str) -> Any:
    """Make an interface in use; `ec2` is one region's backend. Raises EC2ClientError for an unknown subnet."""
    eni = ec2.create_network_interface(subnet_id, None, group_ids=list(group_ids), description=description)
    eni.status = "in-use"
    return eni


def detach(ec2: Any, eni: Any) -> None:
    """Remove an interface of `attach`; one that is gone is fine."""
    if eni.id in ec2.enis:
        eni.status = "available"
        ec2.delete_network_interface(eni.id)
