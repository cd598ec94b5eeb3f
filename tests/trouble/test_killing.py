"""What drives an install of 300 nodes is killed at random moments: whoever goes on completes it and runs nothing twice.

GROUNDPLAN_KILLS says at how many moments on each store; `make nightly` has 200, and writes its table into
docs/benchmarks.md (GROUNDPLAN_KILLS_PAGE). The seed is printed.
"""

import os
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ..proof.postgres import PostgresServer
from . import city
from .homes import settle
from .killing import Rehearsal, Tally, Victim, undisturbed
from .kills_table import write_table
from .marks import equip, moved
from .record import Place

MOMENTS = int(os.environ.get("GROUNDPLAN_KILLS", "10"))
SEED = int(os.environ.get("GROUNDPLAN_TEST_SEED", random.SystemRandom().randrange(10**6)))
IN_ONE_INSTALL = 5
SECONDS = 0.005
SHARES = {
    "SQLite": {Victim.PROCESS: 0.4, Victim.GROUP: 0.3, Victim.WORKER: 0.3},
    "PostgreSQL": {Victim.PROCESS: 0.3, Victim.GROUP: 0.2, Victim.WORKER: 0.2, Victim.SERVER: 0.3},
}
"""How many of the moments kill whom."""


@contextmanager
def template(folder: Path, server: PostgresServer | None) -> Iterator[Place]:
    """Have a home in which the city's deployment is created; each install gets a copy of it."""
    with ExitStack() as stack:
        url = {} if server is None else {"GROUNDPLAN_DATABASE_URL": server.url(stack.enter_context(server.database()))}
        user, _ = equip(folder, **url)
        settle(user, city.blueprints(SECONDS), ["deployments", "create", "city", "-b", "city"])
        yield Place(user=user, server=server)


@contextmanager
def copy(of: Place, folder: Path) -> Iterator[Place]:
    """Have a copy of a home and its database."""
    with ExitStack() as stack:
        url = {}
        if of.server is not None:
            url["GROUNDPLAN_DATABASE_URL"] = of.server.url(stack.enter_context(of.server.database(of.database)))
        user, _ = moved(of.user, folder, **url)
        yield Place(user=user, server=of.server)


def rehearse(folder: Path, store: str, server: PostgresServer | None) -> Iterator[dict[Victim, Tally]]:
    """Kill installs, one of each kind in turn, and give what came of all of them so far."""
    chance = random.Random(f"{SEED} {store}")
    wanted = {victim: round(MOMENTS * share) for victim, share in SHARES[store].items()}
    tallies = {victim: Tally() for victim in wanted}
    with template(folder / "template", server) as planted:
        with copy(planted, folder / "reference") as place:
            reference = undisturbed(place)
        while due := [it for it in wanted if tallies[it].moments < wanted[it]]:
            victim = min(due, key=lambda it: tallies[it].moments / wanted[it])
            tally = tallies[victim]
            with copy(planted, folder / f"{victim} {tally.moments}") as place:
                rehearsal = Rehearsal(place=place, victim=victim, reference=reference, chance=chance)
                tally.add(rehearsal.run(min(IN_ONE_INSTALL, wanted[victim] - tally.moments)))
            yield tallies


@pytest.mark.slow
@pytest.mark.timeout(120 + 30 * MOMENTS)
@pytest.mark.parametrize("store", SHARES)
def test_an_install_killed_at_any_moment_is_completed_by_who_goes_on(
    store: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    print(f"seed {SEED}: set GROUNDPLAN_TEST_SEED to repeat")
    server = request.getfixturevalue("durable_server") if store == "PostgreSQL" else None
    for tallies in rehearse(tmp_path, store, server):
        if page := os.environ.get("GROUNDPLAN_KILLS_PAGE"):
            write_table(Path(page), store, tallies, SEED)
        faults = [fault for tally in tallies.values() for fault in tally.faults]
        assert not faults, "\n".join(faults)
    assert sum(tally.second_attempts for tally in tallies.values()), "no kill met an operation in flight"
