"""The search attributes of execution workflows, by which operators find them in Temporal.

They are defined once for each namespace; the first worker or driver does it where it may.
"""

from typing import Final

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

DEPLOYMENT: Final = SearchAttributeKey.for_keyword("GroundplanDeployment")
BLUEPRINT: Final = SearchAttributeKey.for_keyword("GroundplanBlueprint")
WORKFLOW: Final = SearchAttributeKey.for_keyword("GroundplanWorkflow")
STATUS: Final = SearchAttributeKey.for_keyword("GroundplanStatus")
ALL: Final = (DEPLOYMENT, BLUEPRINT, WORKFLOW, STATUS)


def attributes(*, deployment: str, blueprint: str, workflow: str, status: str) -> TypedSearchAttributes:
    """Return the attributes of one execution."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(DEPLOYMENT, deployment),
            SearchAttributePair(BLUEPRINT, blueprint),
            SearchAttributePair(WORKFLOW, workflow),
            SearchAttributePair(STATUS, status),
        ]
    )
