"""What stops planning because the blueprint or the caller asks for something impossible.

The service turns these into exit code 2. Faults of evaluation, which a run-time value may cause as well, are in
`evaluation`; faults of inputs, which are collected rather than raised, are in `inputs`.
"""

from groundplan.diagnostics.trouble import UsageError


class PlanningError(UsageError):
    """A plan cannot be made.

    Attributes:
        code: constant and searchable, for example `unsupported-relationship`.
        message: one sentence with the names involved.
        path: where in the blueprint, for example `node_templates.web.relationships[1]`; may be empty.
    """

    def __init__(self, code: str, message: str, *, path: str = "", fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.code = code
        self.path = path
