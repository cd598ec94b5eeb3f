"""The two that serve a cluster of the sandbox, for tests that hold on both: the emulated API and the real programs."""

from functools import partial

import pytest

from groundplan_sandbox.control_plane.cluster import RealCluster
from groundplan_sandbox.control_plane.programs import find_programs
from groundplan_sandbox.kubernetes.cluster import KubernetesCluster
from groundplan_sandbox.kubernetes.door import MakeCluster

from . import programs

EMULATED, REAL = "sandbox", pytest.param("real", marks=pytest.mark.live)
BOTH = [EMULATED, REAL]
"""Parameters of a fixture that asks `maker` for clusters."""


def variables(name: str) -> dict[str, str]:
    """What a user exports to have such clusters of a sandbox."""
    return {} if name == EMULATED else {"GROUNDPLAN_CONTROL_PLANE": str(programs.folder())}


def maker(name: str) -> MakeCluster:
    """What makes clusters of the kind that a parameter names."""
    return KubernetesCluster if name == EMULATED else partial(RealCluster, find_programs(programs.folder()))
