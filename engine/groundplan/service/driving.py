"""Chooses what drives an execution. Apart from `assembly`, because most commands run nothing and need not load it."""

from groundplan.runtime.attempt import Attempts
from groundplan.runtime.driver import Driver, Watch
from groundplan.runtime.evaluation import Evaluator
from groundplan.runtime.local import LocalDriver
from groundplan.runtime.policy import Policy
from groundplan.runtime.registry import Registry
from groundplan.service.assembly import Engine, now
from groundplan.service.composition.steps import Composition
from groundplan.service.identifiers import instance_id


def make_driver(engine: Engine, policy: Policy, watch: Watch) -> Driver:
    """Return a driver for one execution."""
    children = Composition(store=engine.store, library=engine.library, home=engine.home, fetch=engine.fetch, clock=now)
    attempts = Attempts(
        registry=Registry(engine.manifests.values()),
        children=children,
        store=engine.store,
        surroundings=engine.settings,
        evaluator=Evaluator.of_store(engine.library, engine.store),
    )
    return LocalDriver(
        store=engine.store,
        library=engine.library,
        attempts=attempts,
        children=children,
        policy=policy,
        watch=watch,
        new_id=instance_id,
        clock=now,
    )
