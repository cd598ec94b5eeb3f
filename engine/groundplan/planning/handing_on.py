"""Evaluates what a parent gives a child deployment: everything but secrets, which the child looks up itself.

So a secret's value never stands among the child's inputs, and a changed secret reaches the child (house: a
`get_secret` in a child's inputs is handed on as the function). Ordinary evaluation is `evaluate`'s.
"""

import json

from groundplan.model.values import Call, Data, Map, Seq, Value, from_data, quote
from groundplan.planning.evaluate import evaluate
from groundplan.planning.evaluation import EvaluationFault, Lookup, LookupFault, Scope
from groundplan.planning.walk import MissingStep, walk_data


def hand_on(value: Value, scope: Scope, lookup: Lookup) -> Data:
    """Return a value with its functions evaluated, but each `get_secret` inside it left as a function.

    What evaluating gives is data and stays data in the child, whatever its shape: it is quoted where it looks like a
    function (spec 7.4).

    A value that is itself a `get_secret` with a path (a map of inputs kept in a secret) is opened, and what it holds
    is treated in the same way. Arguments of the functions that stay are evaluated.

    Raises:
        EvaluationFault: as `evaluate`.
    """
    if isinstance(value, Call) and value.name == "get_secret" and isinstance(value.argument, Seq):
        return _inside(_opened(value, scope, lookup), scope, lookup)
    if isinstance(value, Call):
        return quote(evaluate(value, scope, lookup))
    return _inside(value, scope, lookup)


def _inside(value: Value, scope: Scope, lookup: Lookup) -> Data:
    if isinstance(value, Map):
        return {key: _inside(field.value, scope, lookup) for key, field in value.entries.items()}
    if isinstance(value, Seq):
        return [_inside(field.value, scope, lookup) for field in value.items]
    if isinstance(value, Call) and value.name == "get_secret":
        return {"get_secret": quote(evaluate(value.argument, scope, lookup))}
    return quote(evaluate(value, scope, lookup))


def _opened(call: Call, scope: Scope, lookup: Lookup) -> Value:
    name, *path = evaluate(call.argument, scope, lookup)
    try:
        content = json.loads(lookup.secret(name).text)
        return from_data(walk_data(f"secret {name!r}", content, path))
    except (LookupFault, MissingStep) as fault:
        raise EvaluationFault(fault.message, scope.path, call.name) from None
    except ValueError:
        raise EvaluationFault(f"Secret {name!r} is not JSON.", scope.path, call.name) from None
