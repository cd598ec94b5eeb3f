"""EventBridge: an event is taken whatever becomes of it, and a rule that has a schedule alone meets none.

moto answers an event with an error when it cannot deliver to one of a rule's targets, of which it knows few. Topics are
delivered to here; what nobody runs here (functions, pipelines) is passed over, and the sandbox's log says so.
"""

import copy
import json
import logging
from typing import Any

from moto.events.models import Rule
from moto.sns.models import sns_backends

from groundplan_sandbox.aws.site import Site

log = logging.getLogger(__name__)

_send = Rule.send_to_targets


def install(site: Site) -> None:
    """Correct every rule of this process."""
    Rule.send_to_targets = _send_to_targets


def _send_to_targets(rule: Any, event: dict[str, Any], transform_input: bool = True) -> None:
    if rule.scheduled_expression and not rule.event_pattern.get_pattern():
        return
    if rule.event_pattern.matches_event(event):
        for target in rule.targets:
            _deliver(rule, target, event, transform_input)


def _deliver(rule: Any, target: dict[str, Any], event: dict[str, Any], transform_input: bool) -> None:
    arn = str(target["Arn"])
    try:
        if arn.split(":")[2] == "sns":
            sns_backends[rule.account_id][rule.region_name].publish(json.dumps(event), arn=arn)
        else:
            one = copy.copy(rule)
            one.targets = [target]
            _send(one, event, transform_input)
    except Exception:
        # AWS delivers later, and tells the sender nothing of it.
        log.warning("rule %s: an event was not delivered to %s", rule.name, arn, exc_info=True)
