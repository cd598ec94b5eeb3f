"""Spot requests: a cancelled one is told of as cancelled, and its instance goes on; a fleet needs no strategy.

moto forgets a cancelled request, fails at one that it does not know, and at a fleet that leaves the strategy to EC2.
"""

from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses.spot_fleets import SpotFleets

from groundplan_sandbox.aws.ec2.world import WorldBackend

_OPEN = ("open", "active")


def install() -> None:
    """Let a fleet's configuration be without what EC2 has a default for."""
    SpotFleets.request_spot_fleet = _request_spot_fleet


_request = SpotFleets.request_spot_fleet


def _request_spot_fleet(self: Any) -> Any:
    self._get_param("SpotFleetRequestConfig").setdefault("AllocationStrategy", "lowestPrice")
    return _request(self)


class SpotCorrections(WorldBackend):
    """Describe and cancel spot requests."""

    def describe_spot_instance_requests(self, filters: Any = None, spot_instance_ids: list[str] | None = None) -> Any:
        """An unknown id is refused; moto leaves it out."""
        self._require(spot_instance_ids or [])
        return super().describe_spot_instance_requests(filters, spot_instance_ids)

    def cancel_spot_instance_requests(self, request_ids: list[str]) -> list[Any]:
        """`cancelled` from here on."""
        self._require(request_ids)
        requests = [self.spot_instance_requests[each] for each in request_ids]
        for request in (each for each in requests if each.state in _OPEN):
            request.state = "cancelled"
        return requests

    def _require(self, request_ids: list[str]) -> None:
        for unknown in (each for each in request_ids if each not in self.spot_instance_requests):
            raise EC2ClientError(
                "InvalidSpotInstanceRequestID.NotFound", f"The spot instance request ID '{unknown}' does not exist"
            )
