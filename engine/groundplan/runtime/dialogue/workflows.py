"""What all custom workflows of one driver share: the home they run in, and where what they see comes from.

Nouns only; the conversation with one of them is `dialogue`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from groundplan.runtime.evaluation import Evaluator
from groundplan.runtime.library import Library
from groundplan.runtime.observer import Observer
from groundplan.runtime.surroundings import Surroundings
from groundplan.state.store import Store

GRACE_SECONDS: Final = 30.0
"""How long a cancelled workflow may take to end once nothing of it runs any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Workflows:
    """What dialogues are made of.

    Attributes:
        new_id: makes a random id for an instance of the node that it is told.
        grace: seconds that a cancelled workflow may take to end.
    """

    store: Store
    library: Library
    surroundings: Surroundings
    new_id: Callable[[str], str]
    observer: Observer | None = None
    grace: float = field(default_factory=lambda: GRACE_SECONDS)

    @property
    def evaluator(self) -> Evaluator:
        """What evaluates outside of a transaction."""
        return Evaluator.of_store(self.library, self.store)
