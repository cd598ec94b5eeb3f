"""Auto Scaling: a group registers its instances with target groups once they run, and no longer.

moto registers them as they are made, and refuses them, for here an instance takes its time to start; those that a group
ends stay registered.
"""

from typing import Any

from moto.autoscaling import models, urls

from groundplan_sandbox.aws.site import Site
from groundplan_sandbox.aws.transitions import POLL


def install(site: Site) -> None:
    """Make every Auto Scaling region of this process one of `site`."""
    models.autoscaling_backends.backend = type("SandboxAutoScaling", (ScalingGroups,), {"site": site})


class ScalingGroups(models.AutoScalingBackend):  # type: ignore[misc]  # moto's classes are untyped to us
    """Auto Scaling of one region. moto makes backends itself, so the site is the class's."""

    site: Site

    @property
    def _url_module(self) -> Any:
        """moto finds a backend's URLs by the name of its module, which a subclass elsewhere would hide."""
        return urls

    def update_attached_target_groups(self, group_name: str) -> None:
        """Those that run are registered at once, the others when they do; an unknown target group is refused."""
        group = self.autoscaling_groups[group_name]
        if not group.target_group_arns:
            return
        found = self.elbv2_backend.describe_target_groups(
            target_group_arns=group.target_group_arns, load_balancer_arn=None, names=None
        )
        for targets in found:
            targets.deregister_terminated_instances([name for name in targets.targets if self._ends(name)])
        for state in group.instance_states:
            self._register(group, state.instance)

    def _ends(self, instance_id: str) -> bool:
        instance = self.ec2_backend.get_instance_by_id(instance_id)
        return instance is not None and instance.state in ("shutting-down", "terminated")

    def _register(self, group: Any, instance: Any) -> None:
        if instance.state == "pending":
            self.site.transitions.later(lambda: self._register(group, instance), at_least=POLL)
        if instance.state != "running" or all(state.instance is not instance for state in group.instance_states):
            return
        there = self.elbv2_backend.target_groups
        for targets in (there[arn] for arn in group.target_group_arns if arn in there):
            targets.register([{"Id": instance.id, "Port": targets.port}])
