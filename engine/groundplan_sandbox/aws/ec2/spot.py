"""Spot requests: repeated with their token they are one; a cancelled one is told of; a fleet needs no strategy.

moto makes as many as it is asked for, forgets those that are cancelled, fails at one that it does not know, and at a
fleet that leaves the strategy to EC2.
"""

from collections.abc import Callable
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses.spot_fleets import SpotFleets
from moto.ec2.responses.spot_instances import SpotInstances

from groundplan_sandbox.aws.ec2.world import WorldBackend

_OPEN = ("open", "active")


def install() -> None:
    """Correct what the calls are asked with; what they do is the backend's."""
    SpotInstances.request_spot_instances = _request_spot_instances
    SpotFleets.request_spot_fleet = _request_spot_fleet


_request_instances = SpotInstances.request_spot_instances
_request_fleet = SpotFleets.request_spot_fleet


def _request_spot_instances(self: Any) -> Any:
    return _once(self, self._get_param("ClientToken"), _request_instances)


def _request_spot_fleet(self: Any) -> Any:
    config = self._get_param("SpotFleetRequestConfig")
    config.setdefault("AllocationStrategy", "lowestPrice")
    return _once(self, config.get("ClientToken"), _request_fleet)


def _once(self: Any, token: str | None, request: Callable[[Any], Any]) -> Any:
    """The answer of the first request with a token; one without is always the first."""
    answers = self.ec2_backend.spot_answers
    if token is None:
        return request(self)
    key = (request.__name__, token)
    if key not in answers:
        answers[key] = request(self)
    return answers[key]


class SpotCorrections(WorldBackend):
    """Describe and cancel spot requests. `spot_answers`: by call and token."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.spot_answers: dict[tuple[str, str], Any] = {}

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
