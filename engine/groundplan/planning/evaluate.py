"""The way in to evaluating: a value, where it stands and what is known give data.

`functions` says what each intrinsic function does, `static` what can be tried before anything exists.
"""

from collections.abc import Mapping

from groundplan.model.blueprint import Output
from groundplan.model.values import Call, Data, Value
from groundplan.planning.evaluation import End, Evaluation, EvaluationFault, Lookup, LookupFault, Scope, UnknownSecret
from groundplan.planning.functions import FUNCTIONS

__all__ = [
    "End",
    "EvaluationFault",
    "Lookup",
    "LookupFault",
    "Scope",
    "UnknownSecret",
    "evaluate",
    "evaluate_data",
    "evaluate_lasting",
    "evaluate_outputs",
]


def evaluate(value: Value, scope: Scope, lookup: Lookup) -> Data:
    """Return a value with every function in it evaluated, those in results included (spec 3.2).

    What comes from a secret is, and stays, `Sensitive`.

    Raises:
        EvaluationFault: when a function cannot be evaluated, values need themselves, or nesting is deeper than 50.
    """
    try:
        return Evaluation(lookup, FUNCTIONS).value(value, scope)
    except RecursionError:
        raise EvaluationFault("The value is nested too deeply.", scope.path) from None


def evaluate_lasting(value: Value, scope: Scope, lookup: Lookup) -> tuple[Data, bool]:
    """Return what `evaluate` does, and whether it stays the same at the same nodes while the inputs do.

    Raises:
        EvaluationFault: as `evaluate`.
    """
    evaluation = Evaluation(lookup, FUNCTIONS)
    try:
        return evaluation.value(value, scope), evaluation.is_lasting
    except RecursionError:
        raise EvaluationFault("The value is nested too deeply.", scope.path) from None


def evaluate_data(data: Data, scope: Scope, lookup: Lookup) -> Data:
    """Return runtime data (runtime properties) with the functions that the engine put there evaluated.

    Only `{"$function": {...}}` is one; any other mapping is data, whatever its shape.

    Raises:
        EvaluationFault: as `evaluate`.
    """
    try:
        return Evaluation(lookup, FUNCTIONS).data(data, scope)
    except RecursionError:
        raise EvaluationFault("The data is nested too deeply.", scope.path) from None


def evaluate_outputs(outputs: Mapping[str, Output], lookup: Lookup, path: str = "outputs") -> dict[str, Data]:
    """Return outputs or capabilities as people and other deployments read them.

    One whose whole value is a `get_secret` of a missing secret is left out (spec 3.5). Where a scaled node is named
    and it is not plain which instance is meant, the text `<ERROR: ...>` stands instead (spec 3.4).

    Raises:
        EvaluationFault: for any other fault.
    """
    found: dict[str, Data] = {}
    for name, output in outputs.items():
        try:
            found[name] = evaluate(output.value, Scope.of_outputs(f"{path}.{name}"), lookup)
        except EvaluationFault as fault:
            if fault.ambiguous:
                found[name] = f"<ERROR: {fault.message}>"
            elif not (fault.secret and isinstance(output.value, Call) and output.value.name == "get_secret"):
                raise
    return found
