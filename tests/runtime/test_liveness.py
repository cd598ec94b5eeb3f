"""Whether a driver still lives: what a lease says, and what the system says of its process."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from groundplan.model.execution import Lease
from groundplan.model.ids import ExecutionId
from groundplan.runtime.liveness import LEASE_SECONDS, driver_name, is_alive, shown_driver

from .rehearsal import NOW

OURS = Lease(execution=ExecutionId("e"), driver=driver_name(), fence=1, heartbeat=NOW)


def test_this_process_lives() -> None:
    assert is_alive(OURS, NOW)


def test_a_heartbeat_that_is_too_old_is_a_death() -> None:
    assert not is_alive(OURS, NOW + timedelta(seconds=LEASE_SECONDS + 1))


def test_of_another_host_only_the_heartbeat_tells() -> None:
    assert is_alive(replace(OURS, driver="elsewhere:1:1"), NOW)


def test_a_process_that_took_the_id_of_another_is_not_the_driver() -> None:
    host, pid, began = OURS.driver.rsplit(":", 2)
    assert not is_alive(replace(OURS, driver=f"{host}:{pid}:{int(began) + 1}"), NOW)


def test_a_process_that_ended_is_dead_at_once_reaped_or_not() -> None:
    name = "from groundplan.runtime.liveness import driver_name; print(driver_name(), flush=True)"
    with subprocess.Popen([sys.executable, "-c", name], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        lease = replace(OURS, driver=child.stdout.readline().strip())
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(lease, NOW)
    assert not is_alive(lease, NOW)


@pytest.mark.parametrize("driver", ["host:12:34", "a:b:12:34"])
def test_people_see_host_and_process(driver: str) -> None:
    host = driver.removesuffix(":12:34")
    assert shown_driver(driver) == f"{host}, process 12"
