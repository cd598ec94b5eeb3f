"""Auto Scaling: instances that take their time to start come behind load balancers all the same."""

from typing import Any

import pytest

from .conftest import IMAGE


@pytest.fixture
def targets(aws: Any, network: Any) -> Any:
    made = aws.client("elbv2").create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=network.vpc)
    return made["TargetGroups"][0]["TargetGroupArn"]


def test_a_group_s_instances_are_registered_when_they_run(
    aws: Any, network: Any, targets: str, eventually: Any
) -> None:
    scaling, balancing = aws.client("autoscaling"), aws.client("elbv2")
    scaling.create_launch_configuration(LaunchConfigurationName="web", ImageId=IMAGE, InstanceType="t2.micro")
    aws.machines.may_launch.clear()
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="web",
        LaunchConfigurationName="web",
        MinSize=1,
        MaxSize=2,
        VPCZoneIdentifier=network.subnet,
        TargetGroupARNs=[targets],
    )

    def registered() -> list[str]:
        health = balancing.describe_target_health(TargetGroupArn=targets)["TargetHealthDescriptions"]
        return [one["Target"]["Id"] for one in health]

    assert registered() == []
    aws.machines.may_launch.set()
    eventually(lambda: len(registered()) == 1)
    [group] = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])["AutoScalingGroups"]
    assert registered() == [one["InstanceId"] for one in group["Instances"]]
    scaling.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)
    eventually(lambda: registered() == [])
